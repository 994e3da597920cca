"""What a power cut leaves of a disk, from the trace of a process that wrote to it.

The trace is strace's: the process is the real one. A file's bytes are safe once it was synced, a name once its folder
was; of what was written since, any part may be there, in any order, and the last of it torn at a sector's edge.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

Image = dict[str, bytes]  # by file name
SECTOR = 512

_CALL = re.compile(r"^\d+ +(?P<name>\w+)\((?P<rest>.*)$")
_RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. (?P<name>\w+) resumed>")
_HEX = re.compile(r"(?:\\x[0-9a-f]{2})+")
_FD = re.compile(r"^(\d+)<([^>]*)>")


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _plain(text: str) -> str:
    return _HEX.sub(lambda found: _bytes(found.group(0)).decode("latin-1"), text)


class File:
    def __init__(self) -> None:
        self.safe = b""
        self.pending: list[tuple[int, bytes] | int] = []  # a write at an offset, or a length to cut to

    def sync(self) -> None:
        self.safe = self.after(self.pending)
        self.pending = []

    def after(self, done: list[tuple[int, bytes] | int]) -> bytes:
        content = bytearray(self.safe)
        for each in done:
            if isinstance(each, int):
                content = content[:each].ljust(each, b"\0")
            else:
                offset, data = each
                if len(content) < offset:
                    content.extend(bytes(offset - len(content)))
                content[offset : offset + len(data)] = data
        return bytes(content)

    def some(self, chance: random.Random) -> bytes:
        done: list[tuple[int, bytes] | int] = []
        for each in self.pending:
            if chance.random() < 0.6:
                done.append(each)
            elif not isinstance(each, int) and chance.random() < 0.5:
                offset, data = each
                done.append((offset, data[: chance.randrange(0, len(data), SECTOR)]))
        return self.after(done)


class Disk:
    """One folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._names: dict[str, File] = {}
        self._safe_names: dict[str, File] = {}
        self.answered = 0

    def cuts(self, trace: Path, chance: random.Random) -> Iterator[tuple[int, Image]]:
        """Every state that is told apart here, with the last transaction that had been answered by then."""
        waiting: dict[str, str] = {}
        with trace.open() as lines:
            for line in lines:
                if (resumed := _RESUMED.match(line)) is not None:
                    rest = waiting.pop(resumed["pid"], "")
                    if resumed["name"] in ("fsync", "fdatasync") and rest:
                        yield from self._sync(rest, chance)
                    continue
                call = _CALL.match(line)
                if call is None:
                    continue
                if call["name"] in ("fsync", "fdatasync"):
                    if "<unfinished" in line:
                        waiting[line.split()[0]] = call["rest"]
                    else:
                        yield from self._sync(call["rest"], chance)
                else:
                    self._note(call["name"], call["rest"])
        yield from self._states(chance)

    def _sync(self, rest: str, chance: random.Random) -> Iterator[tuple[int, Image]]:
        path = self._path(rest)
        if path is None:
            return
        yield from self._states(chance)
        if path == "":
            self._safe_names = dict(self._names)
        elif path in self._names:
            self._names[path].sync()
        yield from self._states(chance)

    def _path(self, rest: str) -> str | None:
        """The file's name, "" for the folder itself, None for anything else."""
        found = _FD.match(_plain(rest[:4096]))
        if found is None or not found.group(2).startswith(self._folder):
            return None
        return found.group(2)[len(self._folder) :].lstrip("/")

    def _note(self, name: str, rest: str) -> None:
        match name:
            case "write":
                plain = _plain(rest[:400])
                if (told := re.search(r'"answered (\d+)', plain)) is not None:
                    self.answered = int(told.group(1))
            case "openat":
                found = re.search(r'"([^"]*)"', _plain(rest))
                if found and "O_CREAT" in rest and found.group(1).startswith(self._folder + "/"):
                    self._names.setdefault(found.group(1)[len(self._folder) + 1 :], File())
            case "unlink":
                found = re.search(r'"([^"]*)"', _plain(rest))
                if found and found.group(1).startswith(self._folder + "/"):
                    self._names.pop(found.group(1)[len(self._folder) + 1 :], None)
            case "pwrite64" | "ftruncate":
                path = self._path(rest)
                if path:
                    self._names[path].pending.append(self._write(name, rest))

    @staticmethod
    def _write(name: str, rest: str) -> tuple[int, bytes] | int:
        if name == "ftruncate":
            return int(rest.split(", ")[1].split(")")[0])
        data = rest[rest.index('"') + 1 :]
        data, after = data[: data.index('"')], data[data.index('"') + 1 :]
        return int(after.split(", ")[2].split(")")[0].split()[0]), _bytes(data)

    def _states(self, chance: random.Random) -> Iterator[tuple[int, Image]]:
        yield self.answered, {name: file.safe for name, file in self._safe_names.items()}
        yield self.answered, {name: file.after(file.pending) for name, file in self._names.items()}
        for names in (self._safe_names, self._names):
            yield self.answered, {name: file.some(chance) for name, file in names.items()}
