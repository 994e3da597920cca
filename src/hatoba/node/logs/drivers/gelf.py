"""The driver `gelf`: Graylog's extended log format, over UDP (compressed, in chunks) or TCP (plain, ended by a zero).

Source: "GELF specification" 1.1; the fields are those of Docker's driver.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Mapping

import msgspec

from hatoba.node.logs.batch import LogBatch
from hatoba.node.logs.drivers.address import Address
from hatoba.node.logs.drivers.address import parse as address
from hatoba.node.logs.drivers.datagrams import Line
from hatoba.node.logs.drivers.writer import Writer, check, extra, tag
from hatoba.node.logs.options import BadOption

PORT = 12201
_KNOWN = frozenset(
    {
        "gelf-address",
        "gelf-compression-level",
        "gelf-compression-type",
        "gelf-tcp-max-reconnect",  # it is tried again for as long as the container runs
        "gelf-tcp-reconnect-delay",
        "tag",
    }
)
_CHUNK = 1420 - 12  # bytes that fit into an Ethernet frame, beside a chunk's own header
_MOST_CHUNKS = 128
_LEVEL = {"stdout": 6, "stderr": 3}


class Gelf(msgspec.Struct, frozen=True, kw_only=True):
    address: Address
    compression: str = "gzip"
    level: int = 1
    host: str = ""
    fields: dict[str, str] = msgspec.field(default_factory=dict)


def settings(options: Mapping[str, str], writer: Writer) -> Gelf:
    """Raises `BadOption`."""
    check("gelf", options, _KNOWN)
    if "gelf-address" not in options:
        raise BadOption("gelf-address is a required parameter")
    compression, level = options.get("gelf-compression-type", "gzip"), options.get("gelf-compression-level", "1")
    if compression not in ("gzip", "zlib", "none"):
        raise BadOption("gelf: invalid compression type: it must be gzip, zlib or none")
    if level not in {str(number) for number in range(10)}:
        raise BadOption("gelf: invalid compression level: it must be from 0 to 9")
    return Gelf(
        address=address("gelf-address", options["gelf-address"], ("udp", "tcp"), PORT),
        compression=compression,
        level=int(level),
        host=writer.host,
        fields={
            **{f"_{name}": text for name, text in extra(options, writer).items()},
            "_container_id": writer.id,
            "_container_name": writer.name,
            "_image_id": writer.image_id,
            "_image_name": writer.image,
            "_tag": tag(options.get("tag") or "{{.ID}}", writer),
        },
    )


def message(settings: Gelf, time: int, stream: str, text: str) -> bytes:
    """One message, uncompressed. Pure."""
    return msgspec.json.encode(
        {
            "version": "1.1",
            "host": settings.host,
            "short_message": text,
            "timestamp": time / 1000,
            "level": _LEVEL[stream],
            **settings.fields,
        }
    )


def datagrams(settings: Gelf, plain: bytes) -> Iterator[bytes]:
    """A message as the datagrams that carry it: none when it would take more than a receiver takes. Pure."""
    data = plain
    if settings.compression == "gzip":
        data = gzip.compress(plain, settings.level, mtime=0)
    elif settings.compression == "zlib":
        data = zlib.compress(plain, settings.level)
    if len(data) <= _CHUNK:
        yield data
        return
    pieces = [data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK)]
    if len(pieces) > _MOST_CHUNKS:
        return
    name = hashlib.blake2b(plain, digest_size=8).digest()
    for number, piece in enumerate(pieces):
        yield b"\x1e\x0f" + name + bytes((number, len(pieces))) + piece


class GelfSink:
    def __init__(self, settings: Gelf) -> None:
        self._settings = settings
        self._line = Line(settings.address)

    async def send(self, batch: LogBatch) -> None:
        messages = [
            message(self._settings, time, part.producer.rpartition("/")[2], text)
            for part in batch.parts
            for time, text in zip(part.times, part.messages, strict=True)
        ]
        if self._settings.address.kind == "tcp":
            await self._line.send(*(message + b"\0" for message in messages))
        else:
            await self._line.send(*(one for message in messages for one in datagrams(self._settings, message)))

    async def close(self) -> None:
        self._line.close()
