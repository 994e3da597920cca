"""Rules of a task definition's volumes. Sources: the model's documentation of Volume and DockerVolumeConfiguration."""

from __future__ import annotations

import re

from hatoba.aws.shapes import ecs as t

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_LATER = ("efsVolumeConfiguration", "fsxWindowsFileServerVolumeConfiguration", "s3filesVolumeConfiguration")
_KINDS = ("host", "dockerVolumeConfiguration", *_LATER)
_LEAST, _MOST = 21, 200  # GiB of ephemeral storage


def check(req: t.RegisterTaskDefinitionRequest) -> None:
    seen: set[str] = set()
    for volume in req["volumes"]:
        name = volume.get("name") or ""
        if not name:
            raise t.ClientException("volume.name should not be null or empty.")
        if not _NAME.fullmatch(name):
            raise t.ClientException("volume.name contains invalid characters.")
        if name in seen:
            raise t.ClientException(f"Duplicate volume name '{name}' found in volumes.")
        seen.add(name)
        _kind(volume, name)


def _kind(volume: t.Volume, name: str) -> None:
    kinds = [kind for kind in _KINDS if volume.get(kind)]
    if len(kinds) > 1:
        raise t.ClientException(f"Volume '{name}' can have one configuration only, not {' and '.join(kinds)}.")
    for kind in _LATER:
        if kind in kinds:
            raise t.ClientException(f"Volume '{name}': {kind} is not available.")
    if volume.get("configuredAtLaunch"):
        raise t.ClientException(f"Volume '{name}': configuredAtLaunch is not available.")
    if (volume.get("host") or {}).get("sourcePath") == "":
        raise t.ClientException("host.sourcePath should not be blank.")
    docker = volume.get("dockerVolumeConfiguration") or {}
    if docker.get("driver") == "":
        raise t.ClientException("volume.dockerVolumeConfiguration.driver should not be null or empty.")
    if docker.get("scope", "task") == "task" and docker.get("autoprovision"):
        raise t.ClientException(f"Volume '{name}': autoprovision is only used if the scope is shared.")


def ephemeral(storage: t.EphemeralStorage | None) -> str | None:
    """What is wrong with a size, in AWS's words."""
    if storage and storage["sizeInGiB"] < _LEAST:
        return f"EphemeralStorage size should be at least {_LEAST}."
    if storage and storage["sizeInGiB"] > _MOST:
        return f"EphemeralStorage size should be at most {_MOST}."
    return None
