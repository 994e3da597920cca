"""What a process has used: from /proc, all threads together."""

from __future__ import annotations

from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """User and system time so far, in nanosecond steps."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def peak_memory(pid: int) -> int:
    """The greatest resident size so far, in bytes."""
    return _status(pid, "VmHWM")


def memory(pid: int) -> int:
    """The resident size now, in bytes."""
    return _status(pid, "VmRSS")


def _status(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"/proc/{pid}/status has no {field}")


def children(pid: int) -> list[int]:
    """All descendants that are alive."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *children(int(child))]
    return found
