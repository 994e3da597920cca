"""The node protocol, version 3: what travels between the control plane and a node.

Down: a `Snapshot` when a node connects (or when its base does not match), then `Delta`s. Each carries the journal's
epoch and a generation; a node refuses what is older than what it holds. Up: `Hello`, `Report`s (each the whole state of
one thing, so a later one replaces an earlier one), log batches and samples. Reports are kept by the node until they are
acknowledged, which happens when they are durable. Since version 2 a node may `Ask` about its own workloads, and may be
told to `Execute` something: it then dials a further connection, whose first message is `Dialled` (see `channels`).
Since version 3 it hands over `LogFile`s of its load balancers, and brings what asks for VPC endpoints on further
connections, whose first message is `Entered` (see `entering`); and it lets in load balancers of other nodes under their
clients' addresses (`items.EntryPart`).

Frames are a 4-byte length and one MessagePack value, over mutual TLS.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Literal, TypeVar

import msgspec

from hatoba.core.errors import HatobaError
from hatoba.core.secret import Secret
from hatoba.fleet.model import BalancerStatus, Part, TargetStatus, WorkloadStatus

PROTOCOL: Final = 3
ENTRIES_SINCE: Final = 3  # the first protocol of nodes that let in load balancers of others under clients' addresses
OLDEST: Final = 1  # the oldest protocol that this version still talks
LIMIT: Final = 64 << 20  # bytes of one frame
FIRST_LIMIT: Final = 64 << 10  # of the first one, which may come from anybody
LATER: Final = "later"

Kind = Literal["network", "interface", "policy", "peer", "public", "workload", "credential", "balancer", "zone"]


class Item(Part, frozen=True, kw_only=True):
    """One thing that the node must have. `body` is the struct of `items` for its kind, encoded."""

    kind: Kind
    id: str
    body: bytes


class Gone(Part, frozen=True, kw_only=True):
    kind: Kind
    id: str


# --- down ----------------------------------------------------------------------------------------------------------


class Welcome(Part, frozen=True, kw_only=True, tag="welcome"):
    """Answer to `Hello`. `pull` is where the platform's registry is reached, as "host:port"."""

    protocol: int
    region: str
    registry: str


class Snapshot(Part, frozen=True, kw_only=True, tag="snapshot"):
    epoch: int
    generation: int
    items: tuple[Item, ...]


class Delta(Part, frozen=True, kw_only=True, tag="delta"):
    epoch: int
    base: int
    generation: int
    put: tuple[Item, ...]
    gone: tuple[Gone, ...]


class Acknowledged(Part, frozen=True, kw_only=True, tag="acknowledged"):
    """Reports that are durable now, by (kind, id) and report number; or refused, which ends them too."""

    reports: tuple[tuple[str, str, int], ...]


class LogsKept(Part, frozen=True, kw_only=True, tag="logs-kept"):
    """The answer to a `Logs` or a `LogFile`: durable, or `error` (a code) when they can never be; of a file also
    `LATER`, when it cannot be for now."""

    number: int
    error: str = ""
    detail: str = ""


class Refusal(Part, frozen=True, kw_only=True, tag="refusal"):
    """The session ends: the node's protocol, certificate or token is not accepted."""

    text: str


class Joined(Part, frozen=True, kw_only=True, tag="joined"):
    """Answer to `Join`: PEM texts, and the node's part of the instance's addresses."""

    node: str
    certificate: str
    authority: str
    pool: str
    transit: str
    pool6: str = ""


class Told(Part, frozen=True, kw_only=True, tag="told"):
    """The answer to an `Ask`: `body`, encoded as the question has it, or `error` (a code)."""

    number: int
    body: bytes = b""
    error: str = ""
    detail: str = ""


class Execute(Part, frozen=True, kw_only=True, tag="execute"):
    """A process is wanted in a running container; its streams on a connection that the node dials. Since version 2."""

    channel: str
    workload: str
    container: str
    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    user: str = ""
    terminal: bool = False
    columns: int = 80
    rows: int = 24


Down = Welcome | Snapshot | Delta | Acknowledged | LogsKept | Refusal | Joined | Told | Execute


# --- up ------------------------------------------------------------------------------------------------------------


class Hello(Part, frozen=True, kw_only=True, tag="hello"):
    """First message of a session. `epoch` and `generation` are what the node holds (0 when it holds nothing)."""

    protocol: int
    name: str
    address: str
    cpu: int
    memory: int
    architecture: str
    attributes: dict[str, str]
    agent: str
    epoch: int
    generation: int


class WorkloadReport(Part, frozen=True, kw_only=True, tag="workload"):
    id: str
    report: int
    status: WorkloadStatus  # key and version are the receiver's business


class BalancerReport(Part, frozen=True, kw_only=True, tag="balancer"):
    id: str
    report: int
    status: BalancerStatus


class TargetReport(Part, frozen=True, kw_only=True, tag="target"):
    id: str
    report: int
    status: TargetStatus


Report = WorkloadReport | BalancerReport | TargetReport


class Reports(Part, frozen=True, kw_only=True, tag="reports"):
    reports: tuple[Report, ...]


class Logs(Part, frozen=True, kw_only=True, tag="logs"):
    """Output of one container: `body` is the node's own batch, encoded, which fleet carries unread.

    Sent again until it is kept; the batch says how far it reaches, so what is kept already is not kept twice.
    """

    number: int
    workload: str
    body: bytes


class LogFile(Part, frozen=True, kw_only=True, tag="log-file"):
    """A file of what a load balancer has noted, compressed. `name`: the last part of its object's key, which says whose
    it is; the same file has the same name, however often it is sent. Since version 3."""

    number: int
    name: str
    body: bytes


class Sample(Part, frozen=True, kw_only=True):
    """What a container uses now. Samples are not journalled and may be lost."""

    workload: str
    container: str
    at: float
    cpu_ns: int
    memory: int


class TrafficSample(Part, frozen=True, kw_only=True):
    """A load balancer's counters: the proxy engine's `BalancerTraffic` as MessagePack, which fleet carries unread."""

    balancer: str
    body: bytes


class Samples(Part, frozen=True, kw_only=True, tag="samples"):
    samples: tuple[Sample, ...]
    traffic: tuple[TrafficSample, ...] = ()


class Alive(Part, frozen=True, kw_only=True, tag="alive"):
    """Nothing to say, but here: renews the lease."""


class Join(Part, frozen=True, kw_only=True, tag="join"):
    """The only message of a connection without a client certificate: a token, or an activation's id and its code in the
    token's place, with a PEM certificate request."""

    token: str
    request: str
    name: str
    activation: str = ""


class Ask(Part, frozen=True, kw_only=True, tag="ask"):
    """A question about one of the node's own workloads that only the control plane can answer. Since version 2."""

    number: int
    workload: str
    what: str


class Dialled(Part, frozen=True, kw_only=True, tag="dialled"):
    """The first message of a connection that an `Execute` asked for. Since version 2."""

    channel: str


class Entered(Part, frozen=True, kw_only=True, tag="entered"):
    """The first message of a connection that a client of a VPC endpoint has opened on the node. Since version 3."""

    network: str
    endpoint: str  # the address that was asked
    client: str  # whose address asked, and from which port
    port: int
    tls: bool = False  # it speaks TLS, with the control plane


Up = Hello | Reports | Logs | LogFile | Samples | Alive | Join | Ask | Dialled | Entered


# --- frames --------------------------------------------------------------------------------------------------------


def _open_secret(value: Any) -> Any:
    if isinstance(value, Secret):  # the connection is encrypted and both ends are known
        return value.reveal()
    raise NotImplementedError(f"a message cannot hold a {type(value).__name__}")


def _close_secret(type_: type, value: Any) -> Any:
    if type_ is Secret:
        return Secret(value)
    raise NotImplementedError(f"a message cannot hold a {type_.__name__}")


encode = msgspec.msgpack.Encoder(enc_hook=_open_secret).encode
T = TypeVar("T")


def decoder(type_: type[T]) -> msgspec.msgpack.Decoder[T]:
    return msgspec.msgpack.Decoder(type_, dec_hook=_close_secret)


_down: msgspec.msgpack.Decoder[Down] = msgspec.msgpack.Decoder(Down, dec_hook=_close_secret)
_up: msgspec.msgpack.Decoder[Up] = msgspec.msgpack.Decoder(Up, dec_hook=_close_secret)


class Broken(HatobaError):
    """The other side sent what is not a message of this protocol."""


def frame(message: Down | Up) -> bytes:
    body = encode(message)
    return len(body).to_bytes(4, "big") + body


async def read_frame(reader: asyncio.StreamReader, limit: int = LIMIT) -> bytes:
    """One frame's body. Raises `EOFError` (asyncio.IncompleteReadError) when the other side is gone."""
    size = int.from_bytes(await reader.readexactly(4), "big")
    if size > limit:
        raise Broken(f"a frame of {size} bytes")
    return await reader.readexactly(size)


def decoded(decoder: msgspec.msgpack.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise Broken(str(error)) from error


async def read_down(reader: asyncio.StreamReader) -> Down:
    return decoded(_down, await read_frame(reader))


async def read_up(reader: asyncio.StreamReader, limit: int = LIMIT) -> Up:
    return decoded(_up, await read_frame(reader, limit))
