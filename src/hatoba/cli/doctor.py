"""What Hatoba needs of a machine, checked, with a sentence on how to mend what is missing."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
from pathlib import Path

from hatoba.proxy import tracer

_TOOLS = {
    "containerd": "containerd",
    "crun": "crun",
    "mkfs.ext4": "e2fsprogs",
    "nsenter": "util-linux",
    "tini-static": "tini",
    "catatonit": "catatonit",
}
_LIBRARIES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")


def missing() -> list[str]:
    """What must be there and is not, in sentences."""
    found = [
        f"{tool} is missing. Install it: apt-get install {package}"
        for tool, package in _TOOLS.items()
        if shutil.which(tool) is None
    ]
    if not any(list(Path(folder).glob("libnftables.so.1*")) for folder in _LIBRARIES if Path(folder).is_dir()):
        found.append("libnftables is missing. Install it: apt-get install libnftables1")
    if not Path("/proc/self/ns/net").exists():
        found.append("The kernel has no network namespaces (CONFIG_NET_NS).")
    if not Path("/sys/fs/cgroup").is_dir() or not any(Path("/sys/fs/cgroup").iterdir()):
        found.append("No cgroups are mounted at /sys/fs/cgroup.")
    if "overlay" not in Path("/proc/filesystems").read_text():
        found.append("The kernel has no overlay file system: modprobe overlay, or use a kernel that has it.")
    return found


def _facts() -> list[tuple[str, str]]:
    cgroup = Path("/sys/fs/cgroup")
    if (cgroup / "cgroup.controllers").exists():
        layout = "v2"
    elif (cgroup / "unified").is_dir():
        layout = "hybrid"
    else:
        layout = "v1"
    return [
        ("kernel", platform.release()),
        ("cgroups", layout),
        ("user", "root" if os.geteuid() == 0 else "not root: `hatoba up` needs sudo"),
        ("python", platform.python_version()),
        ("trace headers", f"by a script, which costs: {without}" if (without := tracer.missing()) else "by a module"),
        ("ipv6", _ipv6()),
        ("loop devices", "there" if Path("/dev/loop-control").exists() else "none: storage of tasks is not limited"),
        *((tool, shutil.which(tool) or "missing") for tool in _TOOLS),
    ]


def _ipv6() -> str:
    """What becomes of tasks' IPv6 on this machine: its settings are its owner's."""
    there = Path("/proc/sys/net/ipv6/conf/all")
    if not there.is_dir():
        return "none: networks cannot have IPv6 blocks"
    if (there / "disable_ipv6").read_text().strip() == "1":
        return "turned off: it stays within the networks of tasks"
    if (there / "forwarding").read_text().strip() == "0":
        return "not forwarded: it leads from tasks to this machine, not beyond (net.ipv6.conf.all.forwarding)"
    return "there"


def doctor(given: argparse.Namespace) -> int:
    for name, said in _facts():
        print(f"{name:<14} {said}")
    problems = missing()
    for problem in problems:
        print(f"  ! {problem}")
    if not problems:
        print("all is well")
    return 1 if problems else 0
