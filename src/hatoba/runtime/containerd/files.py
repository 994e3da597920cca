"""Files that must stand in clear in memory only: a container's secrets, replaced in place while it runs.

They lie in our run directory, which is in memory (`memory`), under their paths inside the container; each outermost
folder is mounted into it, read-only. A new content is written beside them and renamed, so a reader finds the old one or
the new one, and never a part. They are removed with the container.
"""

from __future__ import annotations

import os
from collections.abc import Container, Mapping
from pathlib import Path

from hatoba.core.secret import Secret
from hatoba.runtime import placed
from hatoba.runtime.base import Mount
from hatoba.runtime.containerd.leftovers import remove_tree
from hatoba.runtime.containerd.settings import Settings

_NEW = ".new"  # a folder beside the files, which no container sees
_ROOT = "root"


class Files:
    def __init__(self, settings: Settings) -> None:
        self._folder = settings.run / "files"

    def prepare(self) -> None:
        """Before any container is made."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)

    def keep(self, id: str, files: Mapping[str, Secret], uid: int, gid: int) -> None:
        """Writes them, in the place of those that are there. Raises `OSError`."""
        new = self._folder / id / _NEW
        new.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number, (path, content) in enumerate(files.items()):
            target = self._inside(id, path)
            _make_folders(target.parent, self._folder / id)
            text = content.reveal().encode()
            if _reads(target) == text:
                continue
            beside = new / str(number)
            beside.unlink(missing_ok=True)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
                os.fchown(file.fileno(), uid, gid)
                os.fchmod(file.fileno(), 0o400)
            beside.replace(target)

    def mounts(self, id: str, files: Mapping[str, Secret]) -> tuple[Mount, ...]:
        options = ("nosuid", "nodev", "noexec")
        return tuple(
            Mount(target=folder, source=str(self._inside(id, folder)), read_only=True, options=options)
            for folder in placed.folders(files)
        )

    def _inside(self, id: str, path: str) -> Path:
        return self._folder / id / _ROOT / path.removeprefix("/")

    def forget(self, id: str) -> None:
        remove_tree(self._folder / id)

    def sweep(self, known: Container[str]) -> None:
        """Forgets those of containers that a crash kept from being made."""
        for path in self._folder.iterdir():
            if path.name not in known:
                remove_tree(path)


def _make_folders(folder: Path, root: Path) -> None:
    """Readable to whoever the container's processes are; nobody else comes past the folder of all containers."""
    if folder != root and not folder.is_dir():
        _make_folders(folder.parent, root)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)


def _reads(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
