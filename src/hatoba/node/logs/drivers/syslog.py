"""The driver `syslog`: lines to a syslog server, as RFC 5424, RFC 3164 or the older form of local daemons.

Lines of stdout are informational, those of stderr errors. Sources: RFC 5424, RFC 3164; Docker's driver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec

from hatoba.node.logs.batch import LogBatch
from hatoba.node.logs.drivers.address import Address
from hatoba.node.logs.drivers.address import parse as address
from hatoba.node.logs.drivers.datagrams import Line
from hatoba.node.logs.drivers.writer import Writer, check, tag
from hatoba.node.logs.options import BadOption

PORT = 514
_KNOWN = frozenset({"syslog-address", "syslog-facility", "syslog-format", "tag"})
_FACILITIES = (
    "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock "
    "local0 local1 local2 local3 local4 local5 local6 local7"
).split()
_SEVERITY = {"stdout": 6, "stderr": 3}
_LARGEST = 65_000  # bytes of a datagram


class Syslog(msgspec.Struct, frozen=True, kw_only=True):
    address: Address
    facility: int
    format: str
    tag: str
    host: str


def settings(options: Mapping[str, str], writer: Writer) -> Syslog:
    """Raises `BadOption`."""
    check("syslog", options, _KNOWN)
    facility = options.get("syslog-facility", "daemon")
    if facility not in _FACILITIES and not (facility.isdecimal() and int(facility) < len(_FACILITIES)):
        raise BadOption("invalid syslog facility")
    if options.get("syslog-format", "") not in ("", *_FORMATS):
        raise BadOption("Invalid syslog format")
    where = options.get("syslog-address", "unixgram:///dev/log")
    return Syslog(
        address=address("syslog-address", where, ("tcp", "udp", "unix", "unixgram"), PORT),
        facility=int(facility) if facility.isdecimal() else _FACILITIES.index(facility),
        format=options.get("syslog-format", ""),
        tag=tag(options.get("tag") or "{{.ID}}", writer),
        host=writer.host,
    )


def line(settings: Syslog, time: int, stream: str, text: str) -> bytes:
    """One message. Pure."""
    priority = settings.facility * 8 + _SEVERITY[stream]
    at = datetime.fromtimestamp(time / 1000, UTC)
    words = _FORMATS.get(settings.format, _local)(settings, at)
    return f"<{priority}>{words}{text}".encode()


def _stamp(at: datetime) -> str:
    return f"{at:%b} {at.day:2} {at:%H:%M:%S}"


def _local(settings: Syslog, at: datetime) -> str:
    return f"{_stamp(at)} {settings.tag}: "


def _rfc3164(settings: Syslog, at: datetime) -> str:
    return f"{_stamp(at)} {settings.host} {settings.tag}: "


def _rfc5424(settings: Syslog, at: datetime) -> str:
    return f"1 {at:%Y-%m-%dT%H:%M:%SZ} {settings.host} {settings.tag} - {settings.tag} - "


def _rfc5424_micro(settings: Syslog, at: datetime) -> str:
    return f"1 {at:%Y-%m-%dT%H:%M:%S.%fZ} {settings.host} {settings.tag} - {settings.tag} - "


_FORMATS: dict[str, Callable[[Syslog, datetime], str]] = {
    "rfc3164": _rfc3164,
    "rfc5424": _rfc5424,
    "rfc5424micro": _rfc5424_micro,
}


class SyslogSink:
    def __init__(self, settings: Syslog) -> None:
        self._settings = settings
        self._line = Line(settings.address)
        self._streaming = settings.address.kind in ("tcp", "unix")

    async def send(self, batch: LogBatch) -> None:
        messages = [
            line(self._settings, time, part.producer.rpartition("/")[2], text)
            for part in batch.parts
            for time, text in zip(part.times, part.messages, strict=True)
        ]
        if self._streaming:
            await self._line.send(*(message + b"\n" for message in messages))
        else:
            await self._line.send(*(message[:_LARGEST] for message in messages))

    async def close(self) -> None:
        self._line.close()
