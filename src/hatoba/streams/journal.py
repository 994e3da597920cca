"""The journal that all streams share: what makes an append durable with one write and one sync for everybody.

Numbered files of frames. A file is removed once everything in it stands in the streams' own segments. A frame's payload
is an `Appended` or a `Deleted`. Used by one thread at a time; all of it blocks.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hatoba.core.errors import PortError
from hatoba.streams import frames

_SUFFIX = ".journal"


class Appended(msgspec.Struct, frozen=True, array_like=True, tag="a", gc=False):
    """Events of one stream, in columns. The first one's sequence is `first`; `high` is how far the producer got."""

    stream: str
    first: int
    ingested: int
    producer: str
    high: int
    times: list[int]
    messages: list[str]


class Deleted(msgspec.Struct, frozen=True, array_like=True, tag="d", gc=False):
    stream: str


Entry = Appended | Deleted

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Appended | Deleted)


def frame(entry: Entry) -> bytes:
    return frames.pack(_encode(entry))


class Journal:
    """Appends to the newest file; replays all of them in order."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._old: list[int] = sorted(int(path.stem) for path in folder.glob("*" + _SUFFIX))
        self._number = self._old[-1] + 1 if self._old else 1
        self._file = -1
        self.size = 0  # of the newest file

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:010d}{_SUFFIX}"

    def replay(self) -> Iterator[Entry]:
        """Everything that was answered, oldest first. A torn tail is where the process or the machine was cut off: what
        follows it in that file was never answered."""
        for number in self._old:
            for _, payload in frames.scan(self._path(number).read_bytes()):
                yield _decoder.decode(payload)

    def open(self) -> None:
        """Begins a file of its own, so that no torn tail is ever written behind."""
        self._file = os.open(self._path(self._number), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self.size = 0
        sync_folder(self._folder)

    def write(self, data: bytes) -> None:
        """Durable when it returns. Raises `PortError`, and then nothing of it is there to be replayed."""
        try:
            if self._file < 0:
                self.open()
            written = 0
            while written < len(data):
                written += os.pwrite(self._file, memoryview(data)[written:], self.size + written)
            os.fdatasync(self._file)
        except OSError as error:
            self._mend()
            raise disk_error(error) from error
        self.size += len(data)

    def _mend(self) -> None:
        # After a failed sync the kernel may have dropped pages that it calls clean: this file is not written again.
        if self._file < 0:
            return
        try:
            os.ftruncate(self._file, self.size)
            os.fsync(self._file)
        except OSError:
            # The tail may be replayed after all: appends with a producer are then recognised as repetitions.
            pass
        self._close_file()
        self._old.append(self._number)
        self._number += 1

    def rotate(self) -> int:
        """Ends the newest file. Returns its number: `drop` it when its contents are safe elsewhere."""
        if self._file >= 0:
            self._close_file()
            self._old.append(self._number)
            self._number += 1
            self.size = 0
        return self._number - 1

    def drop(self, upto: int) -> None:
        """Removes the files up to a number that `rotate` gave."""
        for number in [number for number in self._old if number <= upto]:
            self._path(number).unlink(missing_ok=True)
            self._old.remove(number)

    def _close_file(self) -> None:
        os.close(self._file)
        self._file = -1

    def close(self) -> None:
        if self._file >= 0:
            self._close_file()


def sync_folder(folder: Path) -> None:
    """Makes names that were added to a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def disk_error(error: OSError) -> PortError:
    code = "DiskFull" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "DiskFailed"
    return PortError(code, f"{error.strerror or error}: {error.filename or 'log streams'}")
