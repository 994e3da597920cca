"""What can go wrong with images and containers, as an agent has to know it: which kind, and in words.

They are `PortError`s whose code is one of `Failure`, whatever the implementation and wherever in it they come from.
"""

from __future__ import annotations

from enum import StrEnum

from hatoba.core.errors import PortError


class Failure(StrEnum):
    """`PortError.code`: what kind of thing went wrong, so that a caller can word it for its user."""

    IMAGE_NOT_FOUND = "image-not-found"  # no such repository, tag or digest, or not ours to see
    IMAGE_AUTH = "image-auth"  # credentials missing, wrong or expired
    IMAGE_MANIFEST = "image-manifest"  # unreadable or unsupported manifest, config or layer; digest mismatch
    IMAGE_PLATFORM = "image-platform"  # the image has no variant for this machine
    IMAGE_THROTTLED = "image-throttled"  # the registry asked us to slow down
    IMAGE_NETWORK = "image-network"  # the registry cannot be reached, or hung up
    DISK_FULL = "disk-full"
    CONTAINER_NOT_FOUND = "container-not-found"
    CONTAINER_SPEC = "container-spec"  # the spec cannot be carried out: unknown user, bad mount, bad limit
    CONTAINER_START = "container-start"  # the process could not be started: no such command, not executable
    CONTAINER_STATE = "container-state"  # the container is not in a state for this (exec in a stopped one)
    VOLUME = "volume"  # it is not there, or cannot be made
    UNAVAILABLE = "runtime-unavailable"  # containerd is away; the same call may succeed later
    INTERNAL = "runtime-internal"


def failure(code: Failure, message: str) -> PortError:
    return PortError(code.value, message)
