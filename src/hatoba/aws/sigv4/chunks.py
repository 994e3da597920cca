"""Bodies that are checked while they stream: signed whole, or chunk by chunk (`aws-chunked`).

A chunk is `<hex length>;chunk-signature=<signature>\\r\\n<bytes>\\r\\n`; its signature covers the one before it, the
first one that of the request. The last has length 0; trailing headers may follow, with a signature of their own.
Unsigned chunks have a length only, and the trailer's checksum is what guards them.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from hashlib import sha256

from hatoba.aws.sigv4 import canonical, refusals
from hatoba.aws.sigv4.credential import Verified
from hatoba.aws.sigv4.rules import rules
from hatoba.aws.wire import WireRequest
from hatoba.core.checksums import ALGORITHMS, text

_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
_LONGEST_LINE = 8192
_LARGEST_CHUNK = 64 * 2**20  # held in memory until its signature is checked


def content(request: WireRequest, verified: Verified) -> AsyncIterator[bytes]:
    """The body as the client meant it. Raises `AwsError`, at the latest at its end, if it is not what was signed.

    Nothing of a signed chunk is given out before its signature is right; but what came before a refusal was given out,
    so that the reader must throw away what it has when this raises.
    """
    source = _pieces(request)
    sums = _Sums(request.headers.get("x-amz-trailer", ""), request.headers.get("x-amz-decoded-content-length"))
    match verified.payload:
        case canonical.UNSIGNED:
            return source
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER":
            return _decoded(_Reader(source), _Signer(verified), sums)
        case "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
            return _decoded(_Reader(source), None, sums)
        case said if said.startswith("STREAMING-"):
            raise refusals.broken_stream(f"The payload kind {said[:64]} is not supported.")
        case said:
            return _hashed(source, said, verified.service)


async def _pieces(request: WireRequest) -> AsyncIterator[bytes]:
    if isinstance(request.body, bytes):
        yield request.body
    else:
        async for piece in request.body:
            yield piece


async def _hashed(source: AsyncIterator[bytes], said: str, service: str) -> AsyncIterator[bytes]:
    digest = sha256()
    async for piece in source:
        digest.update(piece)
        yield piece
    if not hmac.compare_digest(digest.hexdigest().encode(), canonical.encoded(said)):
        raise refusals.content() if rules(service).body_said else refusals.QUERY.mismatch()


async def _decoded(reader: _Reader, signer: _Signer | None, sums: _Sums) -> AsyncIterator[bytes]:
    while True:
        length, signature = _head(await reader.line())
        data = await reader.exactly(length)
        if signer is not None:
            signer.check(data, signature)
        if length == 0:
            break
        await reader.newline()
        sums.update(data)
        yield data
    await _trailer(reader, signer, sums)


def _head(line: bytes) -> tuple[int, bytes]:
    size, _, extension = line.partition(b";")
    try:
        length = int(size, 16) if 0 < len(size) <= 8 else -1
    except ValueError:
        length = -1
    if not 0 <= length <= _LARGEST_CHUNK:
        raise refusals.broken_stream("The length of a chunk of the body is not right.")
    return length, extension.removeprefix(b"chunk-signature=")


async def _trailer(reader: _Reader, signer: _Signer | None, sums: _Sums) -> None:
    """Headers after the last chunk: checksums, and for signed ones the trailer's signature."""
    lines: list[tuple[str, str]] = []
    signature = b""
    while line := await reader.line(at_end=True):
        name, _, value = (part.strip() for part in line.decode("latin-1").partition(":"))
        if name.lower() == "x-amz-trailer-signature":
            signature = value.encode("latin-1")
        else:
            lines.append((name.lower(), value))
        if len(lines) > 32:
            raise refusals.broken_stream("The body has too many trailing headers.")
    if signer is not None and signer.trailer:
        signer.check_trailer("".join(f"{name}:{value}\n" for name, value in lines), signature)
    sums.check(dict(lines))


class _Signer:
    """The chain of chunk signatures."""

    def __init__(self, verified: Verified) -> None:
        self._key = canonical.signing_key(verified.credential.secret, verified.date, verified.region, verified.service)
        self._head = f"{verified.time}\n{verified.date}/{verified.region}/{verified.service}/aws4_request"
        self._last = verified.signature
        self.trailer = verified.payload == _SIGNED_TRAILER

    def check(self, data: bytes, said: bytes) -> None:
        text = f"{canonical.EMPTY_HASH}\n{sha256(data).hexdigest()}"
        self._expect(f"AWS4-HMAC-SHA256-PAYLOAD\n{self._head}\n{self._last}\n{text}", said)

    def check_trailer(self, trailer: str, said: bytes) -> None:
        digest = sha256(trailer.encode("latin-1")).hexdigest()
        self._expect(f"AWS4-HMAC-SHA256-TRAILER\n{self._head}\n{self._last}\n{digest}", said)

    def _expect(self, text: str, said: bytes) -> None:
        self._last = canonical.signature(self._key, text)
        if not hmac.compare_digest(self._last.encode(), said):
            raise refusals.chunk()


_CHECKSUMS = {f"x-amz-checksum-{name.lower()}": made for name, made in ALGORITHMS.items()}


class _Sums:
    """The length that was announced, and the checksums that the trailer is announced to carry."""

    def __init__(self, announced: str, length: str | None) -> None:
        self._length = length
        self._size = 0
        names = [name.strip().lower() for name in announced.split(",")]
        self._sums = {name: _CHECKSUMS[name]() for name in names if name in _CHECKSUMS}

    def update(self, data: bytes) -> None:
        self._size += len(data)
        for checksum in self._sums.values():
            checksum.update(data)

    def check(self, told: dict[str, str]) -> None:
        """`told`: the trailer. What was announced has to have come."""
        if self._length is not None and self._length != str(self._size):
            raise refusals.broken_stream("The body's chunks are not as long as x-amz-decoded-content-length says.")
        for name, checksum in self._sums.items():
            if told.get(name) is None:
                raise refusals.broken_stream(f"The body's trailer does not have {name}, which was announced.")
            if told[name] != text(checksum):
                raise refusals.bad_checksum(name)


class _Reader:
    """Lines and exact lengths out of pieces of any size."""

    def __init__(self, source: AsyncIterator[bytes]) -> None:
        self._source = source
        self._buffer = bytearray()

    async def exactly(self, length: int) -> bytes:
        while len(self._buffer) < length:
            await self._more()
        data = bytes(self._buffer[:length])
        del self._buffer[:length]
        return data

    async def newline(self) -> None:
        if await self.exactly(2) != b"\r\n":
            raise refusals.broken_stream("A chunk of the body is longer than it says.")

    async def line(self, *, at_end: bool = False) -> bytes:
        """Without its end. `at_end`: the body may end here, which counts as an empty line."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _LONGEST_LINE:
                raise refusals.broken_stream("A line of the body is too long.")
            if not await self._more(at_end=at_end and not self._buffer):
                return b""
        line = bytes(self._buffer[:end]).rstrip(b"\r")
        del self._buffer[: end + 1]
        return line

    async def _more(self, *, at_end: bool = False) -> bool:
        try:
            self._buffer += await anext(self._source)
        except StopAsyncIteration:
            if at_end:
                return False
            raise refusals.broken_stream("The request body ended before all of it had come.") from None
        return True
