"""One question over HTTP/2, as a state machine without I/O: the smallest client that reads a status.

Of headers it reads `:status` and `grpc-status` alone. It forbids its peer to refer to earlier headers (RFC 7541: a
dynamic table of no size), so their names are those bytes, plain or in HPACK's Huffman code, and values are digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hatoba.proxy.health import Answered, Failed, Result

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _AWAY, _CONTINUATION = 0, 1, 3, 4, 6, 7, 9
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 1, 1, 4, 8, 32
_STREAM = 1
_NO_TABLE_NO_PUSH = b"\0\1\0\0\0\0" + b"\0\2\0\0\0\0"
_LARGEST = 64 * 1024  # of an answer, all frames together

_STATUSES = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}  # HPACK's own table
_ENTRIES = 61
_DIGITS = {"00000": 0, "00001": 1, "00010": 2, **{f"{0x19 + n:06b}": 3 + n for n in range(7)}}
_LETTERS = {":": "1011100", "-": "010110", "a": "00011", "c": "00100", "g": "100110", "p": "101011"} | {
    "r": "101100",
    "s": "01000",
    "t": "01001",
    "u": "101101",
}


class Broken(Exception):
    """Not what HTTP/2 allows, or more than is read here."""


def _coded(text: str) -> bytes:
    bits = "".join(_LETTERS[each] for each in text)
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


_NAMES = {coded: name for name in (":status", "grpc-status") for coded in (name.encode(), _coded(name))}


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def question(headers: Sequence[tuple[str, str]], body: bytes | None = None) -> bytes:
    """All that a client says. `body`: one message, or None for a request without any."""
    block = b"".join(b"\0" + _string(name) + _string(value) for name, value in headers)
    ends = _END_STREAM if body is None else 0
    said = _PREFACE + frame(_SETTINGS, 0, 0, _NO_TABLE_NO_PUSH) + frame(_HEADERS, _END_HEADERS | ends, _STREAM, block)
    return said if body is None else said + frame(_DATA, _END_STREAM, _STREAM, body)


def _string(text: str) -> bytes:
    raw = text.encode()
    length = len(raw)
    if length < 127:
        return bytes((length,)) + raw
    length, coded = length - 127, bytearray((127,))
    while length >= 128:
        coded.append(length % 128 | 128)
        length //= 128
    return bytes((*coded, length)) + raw


class Conversation:
    """Feed it what comes; `result` is there once the answer is. With `grpc` its code is the gRPC status."""

    def __init__(self, *, grpc: bool) -> None:
        self._grpc = grpc
        self._received = b""
        self._read = 0
        self._block = b""
        self._ends = False
        self._status = 0
        self.result: Result | None = None

    def receive(self, data: bytes) -> bytes:
        """What is to be sent in return."""
        self._received += data
        reply = b""
        try:
            for kind, flags, stream, payload in self._frames():
                reply += self._frame(kind, flags, stream, payload)
        except Broken as error:
            self._settle(Failed(why=str(error)))
        return reply

    def closed(self) -> Result:
        return self.result or Failed(why="connection closed without an answer")

    def _settle(self, result: Result) -> None:
        if self.result is None:
            self.result = result

    def _frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        while len(self._received) >= 9:
            length = int.from_bytes(self._received[:3], "big")
            self._read += 9 + length
            if self._read > _LARGEST:
                raise Broken("an answer without end")
            if len(self._received) < 9 + length:
                self._read -= 9 + length
                return
            head, payload = self._received[:9], self._received[9 : 9 + length]
            self._received = self._received[9 + length :]
            yield head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7FFFFFFF, payload

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        if kind == _SETTINGS and not flags & _ACK:
            return frame(_SETTINGS, _ACK, 0)
        if kind == _PING and not flags & _ACK:
            return frame(_PING, _ACK, 0, payload)
        if kind == _AWAY and int.from_bytes(payload[:4], "big") < _STREAM:
            raise Broken("refused by GOAWAY")
        if stream == _STREAM and kind == _RESET:
            raise Broken("the stream was reset")
        if stream == _STREAM and kind in (_HEADERS, _CONTINUATION):
            self._headers(kind, flags, payload)
        elif stream == _STREAM and kind == _DATA and flags & _END_STREAM:
            self._over()
        return b""

    def _headers(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == _HEADERS:
            self._ends = bool(flags & _END_STREAM)
            if flags & _PADDED:
                payload = payload[1 : len(payload) - payload[0]] if payload else b""
            self._block = payload[5:] if flags & _PRIORITY else payload
        else:
            self._block += payload
        if not flags & _END_HEADERS:
            return
        found = dict(statuses(self._block))
        self._block = b""
        self._status = found.get(":status", self._status)
        if self._status < 200:
            return  # an interim answer: the real one follows
        if not self._grpc:
            self._settle(Answered(code=self._status))
        elif "grpc-status" in found:
            self._settle(Answered(code=found["grpc-status"]))
        elif self._status != 200:
            self._settle(Failed(why=f"HTTP status {self._status}"))
        if self._ends:
            self._over()

    def _over(self) -> None:
        self._settle(Failed(why="ended without a gRPC status"))


def statuses(block: bytes) -> Iterator[tuple[str, int]]:
    """`:status` and `grpc-status` of a block of headers."""
    at = 0
    while at < len(block):
        first = block[at]
        if first & 0x80:
            index, at = _number(block, at, 7)
            if not 0 < index <= _ENTRIES:
                raise Broken("a header that was never said")
            if index in _STATUSES:
                yield ":status", _STATUSES[index]
        elif first & 0xE0 == 0x20:
            _, at = _number(block, at, 5)
        else:
            index, at = _number(block, at, 6 if first & 0x40 else 4)
            name = ":status" if index in _STATUSES else ""
            if index > _ENTRIES:
                raise Broken("a header that was never said")
            if index == 0:
                _, text, at = _text(block, at)
                name = _NAMES.get(text, "")
            coded, text, at = _text(block, at)
            if name:
                yield name, _digits(coded, text)


def _number(block: bytes, at: int, bits: int) -> tuple[int, int]:
    most = (1 << bits) - 1
    value = block[at] & most
    at += 1
    if value < most:
        return value, at
    for shift in range(0, 28, 7):
        if at >= len(block):
            break
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
    raise Broken("a number without end")


def _text(block: bytes, at: int) -> tuple[bool, bytes, int]:
    if at >= len(block):
        raise Broken("a header cut short")
    coded = bool(block[at] & 0x80)
    length, at = _number(block, at, 7)
    if at + length > len(block):
        raise Broken("a header cut short")
    return coded, block[at : at + length], at + length


def _digits(coded: bool, text: bytes) -> int:
    if not coded:
        if not (text.isdigit() and len(text) <= 3):
            raise Broken("a status that is no number")
        return int(text)
    value, pending = 0, ""
    for bit in "".join(f"{byte:08b}" for byte in text[:4]):
        pending += bit
        if pending in _DIGITS:
            value, pending = 10 * value + _DIGITS[pending], ""
        elif len(pending) > 7:
            raise Broken("a status that is no number")
    return value
