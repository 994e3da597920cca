"""Secret files that a container finds beside what its image has: where they may be, and the folders they make. Pure.

A file that is to be replaced while it is read has to be in a folder of ours: so each outermost folder of such files is
a mount, and hides what the image has there.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

LONGEST = 1024  # characters of a path
# Folders that programs need as they are; files may be below them, in a folder of their own.
_SYSTEM = frozenset(
    f"/{name}"
    for name in (
        "", "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "media", "mnt", "opt", "proc", "root", "run",
        "sbin", "srv", "sys", "tmp", "usr", "var",
    )
)  # fmt: skip
_KERNEL = ("/dev/", "/proc/", "/sys/")


def problem(path: str) -> str:
    """What is wrong with the path of a file, "" when nothing is."""
    if not path.startswith("/") or path != posixpath.normpath(path) or path.startswith("//"):
        return "it is not an absolute path in its shortest form"
    if len(path) > LONGEST or any(ord(character) < 32 for character in path):
        return f"it has control characters, or more than {LONGEST}"
    folder = posixpath.dirname(path)
    if folder in _SYSTEM or path.startswith(_KERNEL):
        return f"the folder {folder} is the system's: files need one of their own, such as /run/secrets"
    return ""


def folders(paths: Iterable[str]) -> list[str]:
    """The outermost folders of the files, each once."""
    found: list[str] = []
    for folder in sorted({posixpath.dirname(path) for path in paths}):
        if not any(folder == known or folder.startswith(f"{known}/") for known in found):
            found.append(folder)
    return found


def clashing(paths: Iterable[str]) -> str:
    """A file that would have to be a folder of another one too, "" when there is none."""
    listed = sorted(paths)
    return next((path for path in listed for other in listed if other.startswith(f"{path}/")), "")
