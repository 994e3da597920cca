"""The driver `journald`: lines to this machine's journal, by its native protocol. Only where systemd runs.

Source: systemd, "Native Journal Protocol"; the fields are those of Docker's driver. A line that no datagram holds is
cut: the protocol's other way, a sealed memory file, is not spoken here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from hatoba.node.logs.batch import LogBatch
from hatoba.node.logs.drivers.address import Address
from hatoba.node.logs.drivers.datagrams import Line
from hatoba.node.logs.drivers.writer import Writer, check, extra, tag

SOCKET = "/run/systemd/journal/socket"
_LONGEST = 64 << 10  # bytes of a line
_KNOWN = frozenset({"tag"})
_NO_FIELD = re.compile(r"[^A-Z0-9_]")
_PRIORITY = {"stdout": "6", "stderr": "3"}


class Journald(msgspec.Struct, frozen=True, kw_only=True):
    fields: dict[str, str]
    socket: str = SOCKET


def settings(options: Mapping[str, str], writer: Writer) -> Journald:
    """Raises `BadOption`."""
    check("journald", options, _KNOWN)
    named = tag(options.get("tag") or "{{.ID}}", writer)
    return Journald(
        fields={
            **{_NO_FIELD.sub("_", name.upper()).lstrip("_"): text for name, text in extra(options, writer).items()},
            "CONTAINER_ID": writer.id[:12],
            "CONTAINER_ID_FULL": writer.id,
            "CONTAINER_NAME": writer.name,
            "CONTAINER_TAG": named,
            "IMAGE_NAME": writer.image,
            "SYSLOG_IDENTIFIER": named,
        }
    )


def entry(fields: Mapping[str, str], time: int, stream: str, text: str) -> bytes:
    """One entry. A value's length goes before it, so that it may hold whatever it likes. Pure."""
    at = {"PRIORITY": _PRIORITY[stream], "SYSLOG_TIMESTAMP": str(time * 1000)}
    named = {**{name: value.encode() for name, value in {**fields, **at}.items()}, "MESSAGE": text.encode()[:_LONGEST]}
    return b"".join(
        name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n" for name, value in named.items()
    )


class JournaldSink:
    def __init__(self, settings: Journald) -> None:
        self._settings = settings
        self._line = Line(Address(kind="unixgram", path=settings.socket))

    async def send(self, batch: LogBatch) -> None:
        entries = [
            entry(self._settings.fields, time, part.producer.rpartition("/")[2], text)
            for part in batch.parts
            for time, text in zip(part.times, part.messages, strict=True)
        ]
        await self._line.send(*entries)

    async def close(self) -> None:
        self._line.close()
