"""The default system call filter: what Docker's default profile allows, for the capabilities a container has.

The list of harmless calls is the one that Debian's golang-github-containers-common installs (skopeo and buildah bring
it). It serves rootless nesting too and so allows calls that make namespaces and mounts; Docker's documentation
("Significant syscalls blocked by the default profile") allows these only with CAP_SYS_ADMIN, and so do we.
"""

from __future__ import annotations

import errno
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from hatoba.core.errors import Refused

PROFILE = Path("/usr/share/containers/seccomp.json")

# Only with the capability, whatever the installed list says.
_GUARDED = {
    "CAP_SYS_ADMIN": {
        "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount", "open_tree",
        "pivot_root", "setns", "umount", "umount2", "unshare",
    },
    "CAP_SYS_BOOT": {"reboot"},
    "CAP_SYSLOG": {"syslog"},
    "CAP_SYS_NICE": {"mbind", "set_mempolicy", "get_mempolicy"},
}  # fmt: skip
_NEVER = {"keyctl", "add_key", "request_key"}  # the kernel's keyring knows no namespaces
_CLONE = {"clone", "clone3"}
_CLONE_NAMESPACES = 0x7E020000  # CLONE_NEW{CGROUP,UTS,IPC,USER,PID,NET,NS}

_ARCHITECTURES = {
    "amd64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    "arm64": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
}


class Condition(msgspec.Struct, frozen=True):
    caps: tuple[str, ...] = ()
    arches: tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, rename="camel"):
    names: tuple[str, ...]
    action: str
    args: tuple[dict[str, Any], ...] | None = None
    errno_ret: int | None = None
    includes: Condition = Condition()
    excludes: Condition = Condition()


class Profile(msgspec.Struct, frozen=True, rename="camel", eq=False):
    """The installed file, as far as we read it."""

    default_errno_ret: int
    syscalls: tuple[Rule, ...]


@lru_cache(maxsize=1)
def installed() -> Profile:
    """Raises `Refused` when the machine has none."""
    try:
        return msgspec.json.decode(PROFILE.read_bytes(), type=Profile)
    except (OSError, msgspec.MsgspecError) as error:
        raise Refused(f"{PROFILE}: {error}. Install golang-github-containers-common.") from error


def _applies(rule: Rule, capabilities: Collection[str], architecture: str) -> bool:
    with_caps = all(cap in capabilities for cap in rule.includes.caps)
    on_this = not rule.includes.arches or architecture in rule.includes.arches
    excluded = any(cap in capabilities for cap in rule.excludes.caps) or architecture in rule.excludes.arches
    return with_caps and on_this and not excluded


@lru_cache(maxsize=64)
def build(profile: Profile, capabilities: tuple[str, ...], architecture: str = "amd64") -> dict[str, Any]:
    """The `linux.seccomp` of an OCI config; not to be changed. Pure.

    A call that no rule names answers ENOSYS, so that programs fall back to an older one; a known but forbidden call
    answers EPERM.
    """
    denied = set(_NEVER)
    for capability, guarded in _GUARDED.items():
        if capability not in capabilities:
            denied |= guarded
    admin = "CAP_SYS_ADMIN" in capabilities
    held_back = denied if admin else denied | _CLONE
    rules = []
    for rule in profile.syscalls:
        names = [name for name in rule.names if name not in held_back]
        if names and _applies(rule, capabilities, architecture):
            rules.append(_oci(names, rule.action, rule.errno_ret, rule.args or ()))
    rules.append(_oci(sorted(denied), "SCMP_ACT_ERRNO", errno.EPERM, ()))
    if not admin:
        masked = {"index": 0, "value": _CLONE_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
        rules.append(_oci(["clone"], "SCMP_ACT_ALLOW", None, (masked,)))
        rules.append(_oci(["clone3"], "SCMP_ACT_ERRNO", errno.ENOSYS, ()))  # its flags cannot be looked into
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": profile.default_errno_ret,
        "architectures": _ARCHITECTURES.get(architecture, []),
        "syscalls": rules,
    }


def _oci(names: list[str], action: str, errno_ret: int | None, args: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    rule: dict[str, Any] = {"names": names, "action": action}
    if errno_ret is not None:
        rule["errnoRet"] = errno_ret
    if args:
        rule["args"] = list(args)
    return rule
