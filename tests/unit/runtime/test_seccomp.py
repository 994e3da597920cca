"""The default filter of system calls: what passes, what does not, what a capability opens."""

from __future__ import annotations

from typing import Any

import pytest

from hatoba.runtime import capabilities, seccomp

DEFAULT = capabilities.resolve((), ())


def actions(filter: dict[str, Any], name: str) -> list[tuple[str, int | None, bool]]:
    """What is done about a call: action, error number, and whether it depends on arguments."""
    return [
        (rule["action"], rule.get("errnoRet"), "args" in rule) for rule in filter["syscalls"] if name in rule["names"]
    ]


@pytest.fixture(scope="module")
def default() -> dict[str, Any]:
    return seccomp.build(seccomp.installed(), DEFAULT)


@pytest.mark.parametrize("name", ["read", "openat", "execve", "fork", "futex", "chroot", "arch_prctl", "socket"])
def test_ordinary_calls_are_allowed(default: dict[str, Any], name: str) -> None:
    assert ("SCMP_ACT_ALLOW", None, False) in actions(default, name)


@pytest.mark.parametrize(
    "name", ["mount", "umount2", "unshare", "setns", "bpf", "keyctl", "reboot", "init_module", "kexec_load", "syslog"]
)
def test_what_reaches_beyond_the_container_is_not(default: dict[str, Any], name: str) -> None:
    found = actions(default, name)
    assert found
    assert all(action == ("SCMP_ACT_ERRNO", 1, False) for action in found)


def test_clone_may_make_no_namespaces(default: dict[str, Any]) -> None:
    assert actions(default, "clone") == [("SCMP_ACT_ALLOW", None, True)]
    assert actions(default, "clone3") == [("SCMP_ACT_ERRNO", 38, False)]


def test_capabilities_open_what_belongs_to_them() -> None:
    filter = seccomp.build(seccomp.installed(), (*DEFAULT, "CAP_SYS_ADMIN"))
    for name in ("mount", "unshare", "setns", "clone", "clone3", "bpf"):
        assert ("SCMP_ACT_ALLOW", None, False) in actions(filter, name)
        assert ("SCMP_ACT_ERRNO", 1, False) not in actions(filter, name)
    assert ("SCMP_ACT_ERRNO", 1, False) in actions(filter, "reboot")


def test_other_architectures_have_their_own_calls() -> None:
    arm = seccomp.build(seccomp.installed(), DEFAULT, "arm64")
    assert arm["architectures"] == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    assert not actions(arm, "modify_ldt")
    assert actions(arm, "set_tls")
