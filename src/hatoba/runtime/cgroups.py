"""Where limits and counters of containers are found: cgroup v1, hybrid and v2 told apart once.

`hybrid` is v1 with an additional, controller-less v2 tree beside it (systemd's middle way): limits are v1's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from hatoba.runtime.failures import Failure, failure

Layout = Literal["v1", "hybrid", "v2"]

_USUAL = " / /sys/fs/cgroup"
_UNLIMITED = 1 << 60  # v1 says "no limit" with a number near 2**63


class Cgroups(msgspec.Struct, frozen=True, kw_only=True):
    """The machine's cgroup trees. `trees` maps a controller to its mount point; v2 has one tree under ""."""

    layout: Layout
    trees: Mapping[str, str]
    unified: str = ""  # hybrid: where the v2 tree is mounted
    swap: bool = True  # the kernel counts swap

    def path(self, controller: str, cgroup: str) -> str:
        """The directory of a cgroup (an absolute path within its tree) for a controller."""
        return (self.trees[""] if self.layout == "v2" else self.trees[controller]) + cgroup

    @property
    def version2(self) -> str:
        """Where the v2 tree is mounted, with controllers or without; "" when there is none."""
        return self.trees.get("", self.unified)

    @property
    def roots(self) -> list[str]:
        return sorted({*self.trees.values(), *([self.unified] if self.unified else [])})


def detect(mountinfo: str | None = None) -> Cgroups:
    """Read the layout from /proc/self/mountinfo (or the text given)."""
    text = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    trees: dict[str, str] = {}
    unified = ""
    for line in sorted(text.splitlines(), key=lambda line: _USUAL not in line):  # not first what a chroot has mounted
        left, _, right = line.partition(" - ")
        mount_point, (kind, _, options) = left.split()[4], right.split()[:3]
        if kind == "cgroup2":
            unified = unified or mount_point
        elif kind == "cgroup":
            for name in options.split(","):
                if name not in ("rw", "ro", "xattr", "clone_children", "noprefix"):
                    trees.setdefault(name, mount_point)
    if "memory" in trees or "cpu" in trees:
        swap = os.path.exists(f"{trees['memory']}/memory.memsw.limit_in_bytes") if "memory" in trees else False
        return Cgroups(layout="hybrid" if unified else "v1", trees=trees, unified=unified, swap=swap)
    if unified:
        return Cgroups(layout="v2", trees={"": unified}, swap=os.path.exists("/proc/swaps"))
    raise failure(Failure.INTERNAL, "No cgroup hierarchy is mounted: limits cannot be set. Mount /sys/fs/cgroup.")


def read(path: str) -> str:
    """A small file of the kernel's, or "" when it is not there (a controller that is off, a cgroup that is gone)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 16384).decode()
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def number(text: str) -> int:
    text = text.strip()
    return int(text) if text.isdigit() else 0


def limit(text: str) -> int | None:
    value = number(text)
    return value if 0 < value < _UNLIMITED else None


def pairs(text: str) -> dict[str, int]:
    """`key number` lines."""
    return {key: int(value) for key, _, value in (line.partition(" ") for line in text.splitlines()) if value.isdigit()}
