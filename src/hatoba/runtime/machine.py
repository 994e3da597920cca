"""What of this machine shows in a container's config: cgroup layout, and what we may hand on at all.

Root is not always almighty: in a container or on a hardened machine it may lack capabilities, and can then neither pass
them on nor raise limits above its own.
"""

from __future__ import annotations

import platform
import resource
from collections.abc import Mapping
from pathlib import Path

import msgspec

from hatoba.runtime import capabilities
from hatoba.runtime.base import Platform
from hatoba.runtime.cgroups import Cgroups, Layout

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_ALL = tuple(f"CAP_{name}" for name in capabilities.ALL)


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    layout: Layout
    cgroup_parent: str  # "/hatoba-main"
    swap: bool = True  # the kernel counts swap
    architecture: str = "amd64"
    init_path: str = "/usr/bin/tini-static"
    capabilities: tuple[str, ...] = _ALL
    rlimits: Mapping[str, int] = msgspec.field(default_factory=dict)  # ceilings that we cannot raise
    oom_score: int = 0  # the lowest, not below 0, that we may give


def this_platform() -> Platform:
    """In the words of images."""
    machine = platform.machine()
    return Platform(architecture=_ARCHITECTURES.get(machine, machine))


def inspect(cgroups: Cgroups, cgroup_parent: str, init_path: str) -> Machine:
    owned = capabilities.from_mask(_bounding_mask())
    almighty = "CAP_SYS_RESOURCE" in owned
    return Machine(
        layout=cgroups.layout,
        cgroup_parent=cgroup_parent,
        swap=cgroups.swap,
        architecture=this_platform().architecture,
        init_path=init_path,
        capabilities=owned,
        rlimits={} if almighty else _ceilings(),
        oom_score=0 if almighty else max(0, int(Path("/proc/self/oom_score_adj").read_text())),
    )


def _bounding_mask() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            return int(line.split()[1], 16)
    return 0


def _ceilings() -> dict[str, int]:
    names = {name.removeprefix("RLIMIT_").lower(): number for name, number in _limit_numbers().items()}
    hard = {name: resource.getrlimit(number)[1] for name, number in names.items()}
    return {name: limit for name, limit in hard.items() if limit != resource.RLIM_INFINITY}


def _limit_numbers() -> dict[str, int]:
    return {name: number for name, number in vars(resource).items() if name.startswith("RLIMIT_")}
