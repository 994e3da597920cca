"""Our end of a data channel, without I/O: messages of the socket in, events out; what is to be said, as bytes to send.

greet ─▶ (client answers, or types without having answered: it knows no handshake) ─▶ complete
hear(message) → replies           next() → the next event in order, with its acknowledgement
output(data), exit_code(n), closed(why) → a message      again() → what has to be sent once more
"""

from __future__ import annotations

from typing import NamedTuple

from hatoba.core.clock import Clock
from hatoba.core.ids import Ids
from hatoba.services.ssm.session import frames as f
from hatoba.services.ssm.session import words
from hatoba.services.ssm.session.flow import Incoming, Outgoing
from hatoba.services.ssm.session.frames import BadFrame, Frame, Payload

WINDOW = 512 * 1024  # bytes of output that the client has not acknowledged
HELD = 1 << 20  # bytes of input that came and were not taken yet
MOST_COLUMNS = 10_000


class Typed(NamedTuple):
    """Input for the program; `end`: and no more of it."""

    data: bytes
    end: bool


class Resized(NamedTuple):
    columns: int
    rows: int


class Answered(NamedTuple):
    """The handshake. `error`: what the client could not do."""

    error: str


class Terminated(NamedTuple):
    """The client ends the session."""


class Nothing(NamedTuple):
    """A message that concerns us not, or is not understood: as the agent, we take it and go on."""


Event = Typed | Resized | Answered | Terminated | Nothing


class DataChannel:
    def __init__(self, session: str, target: str, clock: Clock, ids: Ids) -> None:
        self._session = session
        self._target = target
        self._clock = clock
        self._ids = ids
        self._out = Outgoing(WINDOW)
        self._in = Incoming(HELD)
        self._greeted: float | None = None

    # --- out

    def greet(self, kind: words.SessionType) -> bytes:
        self._greeted = self._clock.monotonic()
        return self._stream(Payload.HANDSHAKE_REQUEST, words.encode(words.handshake(kind)))

    def complete(self) -> bytes:
        took = self._clock.monotonic() - (self._greeted or 0.0)
        done = words.HandshakeComplete(handshake_time_to_complete=int(took * 1e9))
        return self._stream(Payload.HANDSHAKE_COMPLETE, words.encode(done))

    def output(self, data: bytes, *, error: bool = False) -> bytes:
        return self._stream(Payload.STDERR if error else Payload.OUTPUT, data)

    def exit_code(self, code: int) -> bytes:
        return self._stream(Payload.EXIT_CODE, str(code).encode())

    def publication(self, *, starts: bool) -> bytes:
        """To the client's notice: whether somebody is there to take what it types."""
        return f.encode(self._frame(f.START if starts else f.PAUSE))

    def closed(self, why: str = "") -> bytes:
        """The last message: the client ends when it reads this."""
        frame = self._frame(f.CLOSED)
        said = words.ChannelClosed(
            message_id=frame.id,
            created_date=str(frame.created),
            destination_id=self._target,
            session_id=self._session,
            output=why,
        )
        return f.encode(self._frame(f.CLOSED, payload=words.encode(said)))

    def _stream(self, payload_type: Payload, payload: bytes) -> bytes:
        number = self._out.number()
        flags = f.SYN if number == 0 else 0
        frame = self._frame(f.OUTPUT, sequence=number, flags=flags, payload_type=payload_type, payload=payload)
        data = f.encode(frame)
        self._out.sent(number, frame.id, data, self._clock.monotonic())
        return data

    def _frame(
        self, kind: str, *, sequence: int = 0, flags: int = 0, payload_type: int = 0, payload: bytes = b""
    ) -> Frame:
        return Frame(
            kind=kind,
            id=self._ids.uuid(),
            created=int(self._clock.now() * 1000),
            sequence=sequence,
            flags=flags,
            payload_type=payload_type,
            payload=payload,
        )

    # --- flow

    @property
    def has_room(self) -> bool:
        """Whether more output may be sent."""
        return self._out.has_room

    @property
    def quiet(self) -> bool:
        """Whether all that was sent is acknowledged."""
        return not len(self._out)

    @property
    def due(self) -> float | None:
        """When `again` has something to say, on the monotonic clock."""
        return self._out.due

    def again(self) -> bytes | None:
        """Raises `flow.GivenUp`."""
        return self._out.again(self._clock.monotonic())

    # --- in

    def hear(self, message: bytes) -> bytes | None:
        """A message of the socket's; what to answer at once. Raises `BadFrame`. Then ask for `next`."""
        frame = f.decode(message)
        if frame.kind == f.ACKNOWLEDGE:
            said = words.decode(frame.payload, words.Acknowledged)
            self._out.acknowledged(said.id, self._clock.monotonic())
        elif frame.kind == f.INPUT and self._in.came(frame):
            return self._acknowledgement(frame)
        return None

    def next(self) -> tuple[Event, bytes] | None:
        """The next event, and the acknowledgement to send for it; None when the next message has not come yet."""
        frame = self._in.take()
        return None if frame is None else (_event(frame), self._acknowledgement(frame))

    def _acknowledgement(self, frame: Frame) -> bytes:
        said = words.Acknowledged(type=frame.kind, id=frame.id, sequence=frame.sequence)
        return f.encode(self._frame(f.ACKNOWLEDGE, flags=f.SYN | f.FIN, payload=words.encode(said)))


def _event(frame: Frame) -> Event:
    try:
        match frame.payload_type:
            case Payload.OUTPUT:
                return Typed(frame.payload, bool(frame.flags & f.FIN))
            case Payload.SIZE:
                size = words.decode(frame.payload, words.Size)
                if 0 < size.cols <= MOST_COLUMNS and 0 < size.rows <= MOST_COLUMNS:
                    return Resized(size.cols, size.rows)
            case Payload.HANDSHAKE_RESPONSE:
                response = words.decode(frame.payload, words.HandshakeResponse)
                return Answered("; ".join(response.errors or ()))
            case Payload.FLAG if int.from_bytes(frame.payload, "big") == words.TERMINATE:
                return Terminated()
            case _:
                pass
    except BadFrame:
        pass
    return Nothing()
