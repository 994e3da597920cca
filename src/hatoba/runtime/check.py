"""What is wrong with a spec on any machine, said before anything is made. Pure."""

from __future__ import annotations

import re

from hatoba.runtime import capabilities, placed
from hatoba.runtime.base import ContainerSpec
from hatoba.runtime.failures import Failure, failure

_ID = re.compile(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")  # of a volume
_LONGEST_ID = 76  # containerd's own limit
_LEAST_MEMORY = 4 << 20  # below it no process starts


def check(spec: ContainerSpec) -> None:
    """Raises `PortError(CONTAINER_SPEC)`."""
    problem = _problem(spec)
    if problem:
        raise failure(Failure.CONTAINER_SPEC, problem)
    capabilities.resolve(spec.cap_add, spec.cap_drop)


def _problem(spec: ContainerSpec) -> str:
    if not _ID.fullmatch(spec.id) or len(spec.id) > _LONGEST_ID:
        return f"{spec.id!r} cannot name a container"
    if not spec.args:
        return "no command specified"
    if spec.cwd and not spec.cwd.startswith("/"):
        return f"the working directory {spec.cwd!r} is not an absolute path"
    for mount in spec.mounts:
        if not mount.target.startswith("/"):
            return f"the mount target {mount.target!r} is not an absolute path"
        if mount.kind == "bind" and not mount.source.startswith("/"):
            return f"the source of the mount at {mount.target} is not an absolute path: {mount.source!r}"
        if mount.kind == "volume" and not NAME.fullmatch(mount.source):
            return f"{mount.source!r} cannot name a volume"
    for path in spec.files:
        if why := placed.problem(path):
            return f"the secret file {path!r}: {why}"
    for folder in placed.folders(spec.files):
        for mount in spec.mounts:
            if mount.target.rstrip("/") == folder or mount.target.startswith(f"{folder}/"):
                return f"the folder {folder} is for secret files alone, and {mount.target} is a mount"
    if any("=" not in entry or entry.startswith("=") or "\0" in entry for entry in spec.env):
        return "the environment has an entry that is not NAME=value"
    if spec.resources.memory is not None and spec.resources.memory < _LEAST_MEMORY:
        return f"the memory limit {spec.resources.memory} is below the least possible, {_LEAST_MEMORY}"
    return ""
