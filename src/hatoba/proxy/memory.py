"""What is known about targets, kept beside the proxy, so that an agent that comes back goes on where it was.

Without it a restarted agent would take every target for new, and requests would be refused until each had answered. So
it is noted before the proxy is told, let alone anybody else: who hears that a target is healthy may deregister the
others the moment after, and an agent that is killed then must not make the proxy forget the only target that is left.

A file of lines, each a list of what has become known; of one target the last counts. A change costs a line, however
much else is known; from time to time the file is written anew. It is not synchronised: it describes running processes
and need not outlive the machine.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from hatoba.proxy.base import Health, TargetKey

log = logging.getLogger(__name__)

_MOST = 1000  # entries that are added, and as many again as there were, before the file is written anew

_Known = Mapping[TargetKey, Health]


class _Remembered(msgspec.Struct, frozen=True, kw_only=True):
    group: str
    target: str
    health: Health


_decode = msgspec.json.Decoder(list[_Remembered]).decode


class Memory:
    """The file's one writer. `known` gives everything as it is, for when the file is written anew."""

    def __init__(self, path: Path, known: Callable[[], _Known]) -> None:
        self._path = path
        self._known = known
        self._entries: int | None = None  # how many the file has; None: it is not this writer's yet
        self._size = 0  # how many it had when it was written anew

    def note(self, changes: _Known) -> None:
        """Once it returns, an agent that comes after this one knows of them. A failure is logged."""
        try:
            if self._entries is None or self._entries > 2 * self._size + _MOST:
                known = self._known()
                save(self._path, known)
                self._entries = self._size = len(known)
            elif changes:
                with self._path.open("ab") as file:
                    file.write(_line(changes))
                self._entries += len(changes)
        except OSError as error:
            self._entries = None
            log.warning("%s cannot be written: %s", self._path, error)


def save(path: Path, known: _Known) -> None:
    """In the place of what the file had. Raises OSError."""
    partial = path.with_suffix(".new")
    partial.write_bytes(_line(known))
    partial.rename(path)


def _line(known: _Known) -> bytes:
    entries = [_Remembered(group=key.group, target=key.target, health=each) for key, each in known.items()]
    return msgspec.json.encode(entries) + b"\n"


def load(path: Path) -> dict[TargetKey, Health]:
    """Empty when there is nothing, or nothing readable; a line whose writer was killed half-way is left out."""
    try:
        return {TargetKey(each.group, each.target): each.health for each in _entries(path)}
    except FileNotFoundError:
        return {}
    except OSError as error:
        log.warning("%s cannot be read, targets are asked anew: %s", path, error)
        return {}


def _entries(path: Path) -> Iterable[_Remembered]:
    for line in path.read_bytes().splitlines():
        try:
            yield from _decode(line)
        except msgspec.DecodeError as error:
            log.warning("a line of %s is not readable, its targets are asked anew: %s", path, error)
