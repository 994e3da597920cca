"""Reading an image without mounting it: looked up through its layers, as the overlay would show it.

Used for /etc/passwd and /etc/group, and for what a new volume starts with. Follows symbolic links within the image
only, and gives up on a file that is no regular one or unreasonably large.
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


def directory(folders: Sequence[str], path: str) -> list[str]:
    """The directories of the layers that make up an image's directory, uppermost first; none when it has none there."""
    here, done, left = list(folders), list[str](), _parts(path)
    links = 0
    while left:
        name, *left = left
        found = _merged(here, name)
        if isinstance(found, list):
            here, done = found, [*done, name]
            if not here:
                return []
        elif (links := links + 1) <= _LINKS:
            start = "" if found.startswith("/") else "/".join(done)
            here, done, left = list(folders), [], _parts("/".join((start, found, *left)))
        else:
            return []
    return here


def _merged(folders: Sequence[str], name: str) -> list[str] | str:
    """What a directory shows under a name: the directories that it is made of, or where a link leads."""
    found: list[str] = []
    for folder in folders:
        here = f"{folder}/{name}"
        try:
            mode = os.lstat(here).st_mode
        except OSError:
            continue  # this layer says nothing about it
        if not stat.S_ISDIR(mode):  # a file, a whiteout or a link: it hides what lies below
            return os.readlink(here) if stat.S_ISLNK(mode) and not found else found
        found.append(here)
        if _is_opaque(here):
            return found
    return found


def _is_opaque(folder: str) -> bool:
    try:
        return os.getxattr(folder, "trusted.overlay.opaque", follow_symlinks=False) == b"y"
    except OSError:
        return False
