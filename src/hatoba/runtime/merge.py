"""What really runs: an image's defaults and a user's wishes, merged as container users know it.

Pure. The rules are those of `docker run` (Docker's reference, "ENTRYPOINT and CMD"), which task definitions follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hatoba.runtime.base import ImageConfig

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def args(image: ImageConfig, entrypoint: Sequence[str] | None, command: Sequence[str] | None) -> tuple[str, ...]:
    """The command line. An entrypoint of one's own drops the image's command; an empty list counts as given.

    Empty when neither the image nor the user says what to run: the caller refuses that.
    """
    if entrypoint is None:
        return (*image.entrypoint, *(image.cmd if command is None else command))
    return (*entrypoint, *(command or ()))


def env(image: ImageConfig, wishes: Mapping[str, str], *, hostname: str = "") -> tuple[str, ...]:
    """The environment: the image's, overridden name by name, with a PATH and a HOSTNAME in any case."""
    merged = {"PATH": DEFAULT_PATH} | ({"HOSTNAME": hostname} if hostname else {})
    merged |= split(image.env)
    merged |= wishes
    return tuple(f"{name}={value}" for name, value in merged.items())


def split(entries: Iterable[str]) -> dict[str, str]:
    """`NAME=value` entries as a mapping; a name without `=` has the empty value."""
    return {name: value for name, _, value in (entry.partition("=") for entry in entries)}
