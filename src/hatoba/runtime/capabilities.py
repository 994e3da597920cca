"""Which capabilities a container has: Docker's default set, less what is dropped, plus what is added. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.runtime.base import Failure, failure

ALL = (
    "AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "CHOWN",
    "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE",
    "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST",
    "NET_RAW", "PERFMON", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYSLOG", "SYS_ADMIN", "SYS_BOOT",
    "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME",
    "SYS_TTY_CONFIG", "WAKE_ALARM",
)  # fmt: skip

DEFAULT = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
)  # fmt: skip


def resolve(add: Iterable[str], drop: Iterable[str], *, privileged: bool = False) -> tuple[str, ...]:
    """The `CAP_…` names, sorted. `ALL` in either list means every one; a name in both is kept."""
    if privileged:
        return tuple(f"CAP_{name}" for name in ALL)
    adding, dropping = _names(add), _names(drop)
    base = set(ALL) if "ALL" in adding else set(DEFAULT)
    kept = set() if "ALL" in dropping else base - dropping
    if "ALL" in dropping and "ALL" in adding:
        kept = base
    return tuple(f"CAP_{name}" for name in sorted(kept | (adding - {"ALL"})))


def _names(names: Iterable[str]) -> set[str]:
    found = {name.upper().removeprefix("CAP_") for name in names}
    unknown = sorted(found - set(ALL) - {"ALL"})
    if unknown:
        raise failure(Failure.CONTAINER_SPEC, f"unknown capability: {', '.join(unknown)}")
    return found
