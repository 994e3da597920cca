"""Files that are there whole or not at all, whoever is killed; and that survive a power cut, where that is wanted.

A file is durable once it and the folder that names it are.
"""

from __future__ import annotations

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Makes the folder's names durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """The folder and those above it, durably; nothing happens when it is there."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=mode, exist_ok=True)
    sync_folder(folder.parent)


def write_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """A new file in the place of whatever was there, durably."""
    swap_file(path, data, mode, durable=True)
    sync_folder(path.parent)


def swap_file(path: Path, data: bytes, mode: int = 0o600, *, durable: bool = False) -> None:
    """The same, quicker: for what a power cut may take along. `durable`: its bytes are, not its name."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(new, path)
