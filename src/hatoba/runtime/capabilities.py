"""Which capabilities a container has: Docker's default set, less what is dropped, plus what is added. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.runtime.failures import Failure, failure

ALL = (  # in the kernel's order: a capability's place is its number
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip

DEFAULT = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
)  # fmt: skip


def resolve(add: Iterable[str], drop: Iterable[str], *, privileged: bool = False) -> tuple[str, ...]:
    """The `CAP_…` names, sorted. `ALL` in either list means every one; a name in both is kept."""
    if privileged:
        return tuple(f"CAP_{name}" for name in sorted(ALL))
    adding, dropping = _names(add), _names(drop)
    base = set(ALL) if "ALL" in adding else set(DEFAULT)
    kept = set() if "ALL" in dropping else base - dropping
    if "ALL" in dropping and "ALL" in adding:
        kept = base
    return tuple(f"CAP_{name}" for name in sorted(kept | (adding - {"ALL"})))


def from_mask(mask: int) -> tuple[str, ...]:
    """The `CAP_…` names of a bit mask, as /proc/self/status shows it."""
    return tuple(f"CAP_{name}" for number, name in enumerate(ALL) if mask >> number & 1)


def _names(names: Iterable[str]) -> set[str]:
    found = {name.upper().removeprefix("CAP_") for name in names}
    unknown = sorted(found - set(ALL) - {"ALL"})
    if unknown:
        raise failure(Failure.CONTAINER_SPEC, f"unknown capability: {', '.join(unknown)}")
    return found
