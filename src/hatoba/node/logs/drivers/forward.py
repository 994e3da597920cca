"""The driver `fluentd`: Fluentd's forward protocol (version 1), over TCP or a socket.

Each part of a batch is one message in forward mode, `[tag, [[time, record], …], options]`. With acknowledgements it
names a chunk, and counts as delivered once the receiver has answered with that name; a batch of which only some parts
were acknowledged is repeated without these. Without them it counts once the kernel has taken it. Source: the
protocol's specification, "Forward Protocol Specification v1"; the records' members are those of Docker's driver.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import Mapping

import msgspec

from hatoba.core.errors import PortError
from hatoba.node.logs import protocol
from hatoba.node.logs.batch import LogBatch
from hatoba.node.logs.drivers.address import Address, socket_path
from hatoba.node.logs.drivers.address import parse as address
from hatoba.node.logs.drivers.writer import Writer, boolean, check, extra, tag
from hatoba.node.logs.drivers.writer import spooling as plain_spooling
from hatoba.node.logs.options import MIN_BUFFER_BYTES, SPOOL_BYTES, size_of
from hatoba.streams.port import Batch

PORT = 24224
CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 3.0
ANSWER_SECONDS = 30.0  # for writing a message, and for its acknowledgement
LONGEST_ANSWER = 64 << 10
UNSENT = "logs-unsent"  # `PortError.code` of what may work later
_EVENT_TIME = 0  # the extension type of a time with nanoseconds
# How often and how long to try again is for the shipper to say: for as long as the container runs.
_KNOWN = frozenset(
    {
        "fluentd-address",
        "fluentd-async",
        "fluentd-async-connect",
        "fluentd-async-reconnect-interval",
        "fluentd-buffer-limit",
        "fluentd-max-retries",
        "fluentd-request-ack",
        "fluentd-retry-wait",
        "fluentd-sub-second-precision",
        "fluentd-write-timeout",
        "tag",
    }
)


class Forward(msgspec.Struct, frozen=True, kw_only=True):
    """`eager`: the container does not start without a receiver."""

    address: Address
    tag: str
    acknowledged: bool = False
    precise: bool = False
    eager: bool = True
    id: str = ""
    name: str = ""
    extra: dict[str, str] = msgspec.field(default_factory=dict)


def settings(options: Mapping[str, str], writer: Writer) -> Forward:
    """Raises `BadOption`."""
    check("fluentd", options, _KNOWN)
    text = options.get("fluentd-address", f"tcp://127.0.0.1:{PORT}")
    return Forward(
        address=address("fluentd-address", text if "://" in text else f"tcp://{text}", ("tcp", "unix"), PORT),
        tag=tag(options.get("tag") or "{{.ID}}", writer),
        acknowledged=boolean(options, "fluentd-request-ack"),
        precise=boolean(options, "fluentd-sub-second-precision"),
        eager=not _later(options),
        id=writer.id,
        name=writer.name,
        extra=extra(options, writer),
    )


def _later(options: Mapping[str, str]) -> bool:
    return boolean(options, "fluentd-async") or boolean(options, "fluentd-async-connect")


def spooling(options: Mapping[str, str]) -> tuple[str, int]:
    """An asynchronous driver does not keep the container waiting: what its buffer has no room for is dropped."""
    if not _later(options):
        return plain_spooling(options)
    if "fluentd-buffer-limit" not in options:
        return protocol.DROP, SPOOL_BYTES
    if options["fluentd-buffer-limit"] == "0":
        return protocol.DROP, MIN_BUFFER_BYTES
    return protocol.DROP, max(MIN_BUFFER_BYTES, size_of(options["fluentd-buffer-limit"], "fluentd-buffer-limit"))


# --- messages ------------------------------------------------------------------------------------------------------


def message(settings: Forward, part: Batch, chunk: str | None) -> bytes:
    """One message of the forward mode. Pure."""
    source = part.producer.rpartition("/")[2]
    record = {**settings.extra, "container_id": settings.id, "container_name": f"/{settings.name}", "source": source}
    entries = [
        (_time(time, precise=settings.precise), {**record, "log": text})
        for time, text in zip(part.times, part.messages, strict=True)
    ]
    about: dict[str, object] = {"size": len(entries)}
    if chunk is not None:
        about["chunk"] = chunk
    return msgspec.msgpack.encode((settings.tag, entries, about))


def _time(milliseconds: int, *, precise: bool) -> int | msgspec.msgpack.Ext:
    seconds, rest = divmod(milliseconds, 1000)
    if not precise:
        return seconds
    return msgspec.msgpack.Ext(_EVENT_TIME, seconds.to_bytes(4, "big") + (rest * 1_000_000).to_bytes(4, "big"))


def chunk_of(part: Batch) -> str:
    """Names a part for its acknowledgement: the same part has the same name, also after a restart."""
    text = f"{part.producer}:{part.ends[0]}:{part.ends[-1]}:{part.times[0]}"
    return base64.b64encode(hashlib.blake2b(text.encode(), digest_size=16).digest()).decode()


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    ack: str


_answers = msgspec.msgpack.Decoder(_Answer)


# --- the connection ------------------------------------------------------------------------------------------------


class ForwardSink:
    def __init__(self, settings: Forward) -> None:
        self._settings = settings
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._acknowledged: set[str] = set()  # of the batch that is under way

    async def send(self, batch: LogBatch) -> None:
        if not batch.parts and not self._settings.eager:
            return
        try:
            reader, writer = await self._connected()
            for part in batch.parts:
                await self._deliver(reader, writer, part)
        except (OSError, EOFError, TimeoutError) as error:
            await self._hang_up()
            said = str(error) or type(error).__name__
            raise PortError(UNSENT, f"the log receiver at {self._settings.address}: {said}") from error
        except BaseException:
            await self._hang_up()  # cancelled in the middle of a message
            raise
        self._acknowledged.clear()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._connection is not None and self._connection[0].at_eof():
            await self._hang_up()  # the receiver has hung up meanwhile: what is written now would be lost
        if self._connection is None:
            to = self._settings.address
            async with asyncio.timeout(CONNECT_SECONDS):
                if to.kind == "unix":
                    with socket_path(to.path) as path:
                        made = await asyncio.open_unix_connection(path)
                else:
                    made = await asyncio.open_connection(to.host, to.port)
            made[1].transport.set_write_buffer_limits(0)  # `drain` means that the kernel has it all
            self._connection = made
        return self._connection

    async def _deliver(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, part: Batch) -> None:
        chunk = chunk_of(part) if self._settings.acknowledged else None
        if chunk in self._acknowledged:
            return
        async with asyncio.timeout(ANSWER_SECONDS):
            writer.write(message(self._settings, part, chunk))
            await writer.drain()
            if chunk is not None:
                await self._acknowledgement(reader, chunk)
                self._acknowledged.add(chunk)

    @staticmethod
    async def _acknowledgement(reader: asyncio.StreamReader, chunk: str) -> None:
        """Reads one answer, which may come in pieces. Raises `OSError` for anything else."""
        read = b""
        while len(read) < LONGEST_ANSWER:
            piece = await reader.read(4096)
            if not piece:
                raise EOFError("it hung up before it acknowledged")
            read += piece
            try:
                answer = _answers.decode(read)
            except msgspec.ValidationError as error:
                raise OSError(f"its acknowledgement makes no sense: {error}") from error
            except msgspec.DecodeError:
                continue  # there is more to come
            if answer.ack != chunk:
                raise OSError("it acknowledged something else")
            return
        raise OSError("its acknowledgement has no end")

    async def _hang_up(self) -> None:
        if self._connection is not None:
            writer = self._connection[1]
            self._connection = None
            writer.transport.abort()

    async def close(self) -> None:
        """Without acknowledgements the receiver has read everything once it hangs up too, which it does when it has
        read the end: worth a moment, because it may be about to be stopped."""
        if self._connection is not None and not self._settings.acknowledged:
            reader, writer = self._connection
            with contextlib.suppress(OSError, TimeoutError):
                writer.write_eof()
                async with asyncio.timeout(CLOSE_SECONDS):
                    while await reader.read(4096):
                        pass
        await self._hang_up()
