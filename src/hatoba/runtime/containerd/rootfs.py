"""Reading a file of an image without mounting it: looked up through its layers, as the overlay would show it.

Used for /etc/passwd and /etc/group. Follows symbolic links within the image only, and gives up on what is no regular
file or unreasonably large.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence

from hatoba.runtime.stubs.types.mount_pb2 import Mount

_LIMIT = 1 << 20
_LINKS = 16


def layers(mounts: Iterable[Mount]) -> list[str]:
    """The directories behind a snapshot's mounts, uppermost first."""
    found: list[str] = []
    for mount in mounts:
        if mount.type == "overlay":
            options = dict(option.partition("=")[::2] for option in mount.options)
            found += [options["upperdir"]] if "upperdir" in options else []
            found += options.get("lowerdir", "").split(":")
        else:
            found.append(mount.source)
    return [path for path in found if path]


def read(folders: Sequence[str], path: str) -> str:
    """The text of a file, "" when there is none."""
    parts = _parts(path)
    for _ in range(_LINKS):
        found, target = _lookup(folders, parts)
        if target is None:
            return _text(found) if found else ""
        parts = target
    return ""


def _parts(path: str) -> list[str]:
    """Within the root: nothing leads above it."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return parts


def _lookup(folders: Sequence[str], parts: Sequence[str]) -> tuple[str, list[str] | None]:
    """The file's real path, or "", or the new path to look for when a link was met on the way."""
    for folder in folders:
        here = folder
        for index, part in enumerate(parts):
            here = f"{here}/{part}"
            try:
                mode = os.lstat(here)
            except OSError:
                break  # this layer says nothing about it; the next one may
            if stat.S_ISCHR(mode.st_mode) and mode.st_rdev == 0:
                return "", None  # a whiteout: deleted here, whatever lies below
            if stat.S_ISLNK(mode.st_mode):
                target = os.readlink(here)
                base = "" if target.startswith("/") else "/".join(parts[:index])
                return "", _parts("/".join((base, target, *parts[index + 1 :])))
        else:
            return here, None
    return "", None


def _text(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        return os.read(descriptor, _LIMIT).decode(errors="replace")
    finally:
        os.close(descriptor)
