"""The platform's public names in the host's /etc/hosts, only when asked: `hatoba names install`.

A block of our own, marked with the instance's name, follows the names as they come and go; nothing else in the file is
touched. `hatoba names remove` and `hatoba down` take it out again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hatoba.core.errors import Refused
from hatoba.fleet import model as fleet
from hatoba.store import Change, Store

HOSTS = Path("/etc/hosts")


def with_block(text: str, instance: str, names: Mapping[str, Iterable[str]] | None) -> str:
    """The file's text with this instance's block made anew, or (None) taken out. Pure."""
    begin, end = f"# hatoba {instance}: begin", f"# hatoba {instance}: end"
    lines, inside = [], False
    for line in text.splitlines():
        if line == begin:
            inside = True
        elif line == end and inside:
            inside = False
        elif not inside:
            lines.append(line)
    if names is not None:
        entries = [f"{address} {name}" for name, addresses in sorted(names.items()) for address in sorted(addresses)]
        lines += [begin, *entries, end]
    return "\n".join(lines) + "\n"


def write_block(instance: str, names: Mapping[str, Iterable[str]] | None) -> None:
    """Changes the file if it has to change. Raises `Refused`."""
    try:
        text = HOSTS.read_text()
        wanted = with_block(text, instance, names)
        if wanted != text and (names is not None or f"# hatoba {instance}:" in text):
            # In place: inside containers and some hosts /etc/hosts is a mount that cannot be replaced.
            with HOSTS.open("r+") as file:
                file.write(wanted)
                file.truncate()
                os.fsync(file.fileno())
    except OSError as error:
        raise Refused(f"{HOSTS} cannot be changed: {error.strerror}.") from None


class HostNames:
    """Keeps the block current while it is wanted; that it is wanted is a file, so a restart goes on with it."""

    def __init__(self, store: Store, instance: str, flag: Path) -> None:
        self._store = store
        self._instance = instance
        self._flag = flag
        store.feed.subscribe(fleet.zones, self._changed)

    async def install(self, _: str) -> str:
        self._flag.touch()
        self._write()
        return f"{HOSTS} follows the platform's names now.\n"

    async def remove(self, _: str) -> str:
        self._flag.unlink(missing_ok=True)
        write_block(self._instance, None)
        return f"{HOSTS} is as it was.\n"

    def refresh(self) -> None:
        """At the start of the control plane."""
        if self._flag.exists():
            self._write()

    def _changed(self, change: Change[Any]) -> None:
        if self._flag.exists():
            self._write()

    def _write(self) -> None:
        public = {zone.id: zone.addresses for zone in self._store.all(fleet.zones) if not zone.network}
        write_block(self._instance, public)
