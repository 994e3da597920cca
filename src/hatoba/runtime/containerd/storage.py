"""What containers write to disk: volumes, and the disks of groups whose storage is limited.

    scratch/<group>/volumes/<name>       a group's volumes; they go with it
    scratch/<group>/layers/<container>   only on a limited group's own disk: what its containers write to their roots
    …/filling/<name>                     what an image has for a volume, until it is whole
    scratch/<group>.img                  that disk (`disk`), mounted at scratch/<group> where only containerd sees it
    volumes/<name>, volumes/<name>.json  volumes of the instance; they stay

The files are the only memory: a new process of ours finds everything.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import stat
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from hatoba.core.errors import PortError
from hatoba.runtime.base import ContainerSpec, Mount, Usage, Volume
from hatoba.runtime.check import NAME
from hatoba.runtime.containerd import disk, rootfs, syscalls
from hatoba.runtime.containerd.disk import Blank
from hatoba.runtime.containerd.mountspace import MountSpace
from hatoba.runtime.containerd.settings import Settings
from hatoba.runtime.failures import Failure, failure
from hatoba.runtime.stubs.types.mount_pb2 import Mount as RootMount

log = logging.getLogger(__name__)

# $1: directories of layers, uppermost first, joined by colons; $2: the volume. One is copied as it is; several have to
# be merged, which the kernel does best. Nobody else sees that mount.
_FILL = """
case $1 in
*:*) mount -t overlay -o "ro,lowerdir=$1" overlay "$3" && exec cp -a --remove-destination "$3/." "$2/" ;;
*) exec cp -a --remove-destination "$1/." "$2/" ;;
esac
"""


class Storage:
    def __init__(self, settings: Settings, space: MountSpace) -> None:
        self._groups = settings.data / "scratch"
        self._volumes = settings.data / "volumes"
        self._merge = settings.run / "merge"
        self._space = space
        self._ready: dict[str, int] = {}  # limited groups whose disk was seen, and in which namespace
        self._blanks: dict[int, Blank] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._proven = False  # this machine has given us a disk
        self._missing = ""  # why it gives none
        self._give_up(disk.missing())

    def _give_up(self, missing: str) -> None:
        self._missing = missing
        if missing:
            log.warning("the storage of tasks is not limited: %s", missing)

    # --- a group's disk

    async def limit(self, group: str, size: int) -> None:
        """Gives a group a disk of its own, once. Where the machine cannot, its storage is not limited."""
        if self._missing or self._ready.get(group) == self._space.identity:
            return
        async with self._locks[group]:
            try:
                new = await self._blank(size)
                image, folder = self._image(group), self._groups / group
                await self._space.run(lambda: disk.attach(image, folder, new))
            except PortError as error:
                if self._proven or error.code != Failure.INTERNAL:
                    raise
                self._give_up(error.message)
                return
            self._proven, self._ready[group] = True, self._space.identity

    async def _blank(self, size: int) -> Blank:
        async with self._locks["blank"]:
            known = self._blanks.get(size)
            if known is None:
                self._groups.mkdir(mode=0o711, parents=True, exist_ok=True)
                known = self._blanks[size] = await disk.blank(size, self._groups / f"{size}.draft")
            return known

    def _image(self, group: str) -> Path:
        return self._groups / f"{group}.img"

    def _size(self, group: str) -> int | None:
        """None: not limited."""
        try:
            return os.stat(self._image(group)).st_size if group else None
        except FileNotFoundError:
            return None

    async def usage(self, group: str) -> Usage | None:
        size = self._size(group)
        if size is None:
            return None
        found = await self._space.run(lambda: os.statvfs(self._groups / group))
        return Usage(used=(found.f_blocks - found.f_bfree) * found.f_frsize, limit=size)

    async def remove(self, group: str) -> None:
        """The group's disk and volumes. What a volume is mounted from stays: only the mount goes."""
        image, folder = self._image(group), self._groups / group
        if not folder.exists():
            return
        await self._space.run(lambda: _unmount_all(image, folder))
        self._ready.pop(group, None)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        for known in [name for name in self._locks if name == group or name.startswith(f"{folder}/")]:
            del self._locks[known]

    # --- a container's root

    async def root(self, spec: ContainerSpec, mounts: Sequence[RootMount]) -> list[RootMount]:
        """The mounts of its root: those of a limited group write to the group's disk."""
        size = self._size(spec.group)
        if size is None:
            return list(mounts)
        await self.limit(spec.group, size)
        folder = self._groups / spec.group / "layers" / spec.id
        owner = os.stat(_upper(mounts))
        await self._space.run(lambda: _make_layer(folder, owner.st_uid, owner.st_gid))
        return [_moved(mount, folder) for mount in mounts]

    # --- volumes

    def _folder(self, name: str, group: str) -> Path:
        if not NAME.fullmatch(name):
            raise failure(Failure.VOLUME, f"{name!r} cannot name a volume")
        return self._groups / group / "volumes" / name if group else self._volumes / name

    async def make(self, volume: Volume) -> None:
        folder = self._folder(volume.name, volume.group)
        async with self._locks[str(folder)]:
            known = await self._space.run(lambda: self._known(volume))
            mounted = await self._space.run(lambda: _make_folder(folder))
            if (known or volume).filesystem and not mounted:
                said = await self._inside("mount", *_mount_words(known or volume), str(folder))
                if said:
                    await self._space.run(lambda: _remove_folder(folder))
                    raise failure(Failure.VOLUME, f"volume {volume.name}: {said}")
            if not volume.group and known is None:
                file, text = self._written(volume.name), msgspec.json.encode(volume)
                await self._space.run(lambda: file.write_bytes(text))

    def _written(self, name: str) -> Path:
        return self._volumes / f"{name}.json"

    def _known(self, volume: Volume) -> Volume | None:
        """One that stays, as it was made: after a restart of the machine it is mounted anew."""
        file = self._written(volume.name)
        return msgspec.json.decode(file.read_bytes(), type=Volume) if not volume.group and file.exists() else None

    async def all(self) -> list[Volume]:
        def read() -> list[Volume]:
            files = sorted(self._volumes.glob("*.json"))
            return [msgspec.json.decode(file.read_bytes(), type=Volume) for file in files]

        return await asyncio.to_thread(read)

    async def bound(self, spec: ContainerSpec, layers: Sequence[str]) -> tuple[Mount, ...]:
        """The container's mounts with volumes as the folders that they are, filled from the image where still empty."""
        found: list[Mount] = []
        for mount in spec.mounts:
            if mount.kind != "volume":
                found.append(mount)
                continue
            folder = await self._find(mount.source, spec.group)
            await self._fill(folder, rootfs.directory(layers, mount.target))
            found.append(msgspec.structs.replace(mount, kind="bind", source=str(folder)))
        return tuple(found)

    async def _find(self, name: str, group: str) -> Path:
        """A group's volume goes before one of the same name that stays."""
        places = [self._folder(name, group)] if group else []
        for folder in (*places, self._folder(name, "")):
            if await self._space.run(folder.is_dir):
                return folder
        raise failure(Failure.VOLUME, f"volume {name} does not exist")

    async def _fill(self, folder: Path, layers: Sequence[str]) -> None:
        """Where no container can interfere, and then all at once: another may have the volume already, and what it
        puts there (a link to a file of the host) must not be followed."""
        if not layers:
            return
        async with self._locks[str(folder)]:
            if await self._space.run(lambda: any(os.scandir(folder))):
                return
            apart = folder.parent.parent / "filling" / folder.name
            mounted = await self._space.run(lambda: disk.is_mounted(folder))
            if not mounted:
                await self._space.run(lambda: _make_empty(apart))
            await self._copy(layers, folder if mounted else apart)
            if not mounted:
                await self._space.run(lambda: _move_all(apart, folder))

    async def _copy(self, layers: Sequence[str], folder: Path) -> None:
        self._merge.mkdir(parents=True, exist_ok=True)
        own = ("unshare", "--mount", "--propagation", "private", "sh", "-c", _FILL, "sh")
        said = await self._inside(*own, ":".join(layers), str(folder), str(self._merge))
        if said:
            code = Failure.DISK_FULL if "No space left" in said else Failure.VOLUME
            raise failure(code, f"what the image has for {folder.name}: {said}")

    async def _inside(self, *command: str) -> str:
        """Runs it where containerd's mounts are; what it has to say when it fails."""
        process = await asyncio.create_subprocess_exec(
            "nsenter",
            f"--mount={self._space.path}",
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        if process.returncode == 0:
            return ""
        return said.decode(errors="replace").strip().replace("\n", "; ") or f"exit code {process.returncode}"


def _make_folder(folder: Path) -> bool:
    """Whether something is mounted there already."""
    if not folder.is_dir():
        folder.mkdir(mode=0o755, parents=True)
        folder.chmod(0o755)  # whatever our umask
    return disk.is_mounted(folder)


def _remove_folder(folder: Path) -> None:
    with suppress(OSError):  # there was something in it before
        folder.rmdir()


def _make_empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was cut short
    folder.mkdir(mode=0o700, parents=True)


def _move_all(source: Path, folder: Path) -> None:
    """What is in a folder into another of the same disk, with its owner and mode."""
    here, there = (
        os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC) for path in (source, folder)
    )
    try:
        for name in os.listdir(here):
            os.rename(name, name, src_dir_fd=here, dst_dir_fd=there)
        found = os.fstat(here)
        os.fchown(there, found.st_uid, found.st_gid)
        os.fchmod(there, stat.S_IMODE(found.st_mode))
    finally:
        os.close(here)
        os.close(there)
    source.rmdir()


def _make_layer(folder: Path, uid: int, gid: int) -> None:
    upper = folder / "fs"
    if not upper.is_dir():
        (folder / "work").mkdir(mode=0o711, parents=True)
        upper.mkdir(mode=0o755)
        os.chown(upper, uid, gid)


def _unmount_all(image: Path, folder: Path) -> None:
    volumes = folder / "volumes"
    for volume in sorted(volumes.iterdir()) if volumes.is_dir() else ():
        if disk.is_mounted(volume):
            syscalls.unmount(volume)
    disk.detach(image, folder)


def _mount_words(volume: Volume) -> Iterable[str]:
    yield from ("-t", volume.filesystem)
    if volume.options:
        yield from ("-o", volume.options)
    yield from ("--", volume.device or volume.filesystem)


def _upper(mounts: Sequence[RootMount]) -> str:
    """Where a snapshot keeps what is written; for an image without layers all there is."""
    for mount in mounts:
        for option in mount.options:
            if option.startswith("upperdir="):
                return str(option.removeprefix("upperdir="))
    return str(mounts[0].source)


def _moved(mount: RootMount, folder: Path) -> RootMount:
    places = {"upperdir": f"upperdir={folder}/fs", "workdir": f"workdir={folder}/work"}
    if mount.type != "overlay":
        return RootMount(type=mount.type, source=f"{folder}/fs", options=mount.options)
    options = [places.get(option.partition("=")[0], option) for option in mount.options]
    return RootMount(type=mount.type, source=mount.source, options=options)
