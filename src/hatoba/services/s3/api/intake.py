"""What every operation that takes bytes has in common: they are taken in, held against their checksums, and refused
before anybody sees them where they are not what the client says.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from hatoba.core.checksums import ALGORITHMS, Algorithm, text
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.objects.disk import Full
from hatoba.objects.files import Kept
from hatoba.services.s3 import refusals
from hatoba.services.s3.api.room import files
from hatoba.services.s3.plan import integrity

LARGEST = 5 * 2**30  # bytes of one request


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    body: Kept
    md5: str
    algorithm: str
    checksum: str

    @property
    def checksums(self) -> dict[str, str]:
        return {self.algorithm: self.checksum}


@contextlib.asynccontextmanager
async def taken(
    call: Call, req: Mapping[str, Any], algorithm: Algorithm | None = None, under: bytes | None = None
) -> AsyncIterator[Taken]:
    """A request's body, durable and verified. What is not recorded within the block is deleted at its end.

    `algorithm`: of the checksum that is told, where it need not be the one that the request has; `under`: what
    seals the key (`locks`)."""
    wanted, said = asked_checksum(req), _content_md5(req.get("ContentMD5"))
    body = _body(req)
    told = algorithm or wanted.algorithm
    md5, checksum = hashlib.md5(usedforsecurity=False), ALGORITHMS[told]()
    own = checksum if told == wanted.algorithm or wanted.value is None else ALGORITHMS[wanted.algorithm]()
    sums = (md5, checksum) if own is checksum else (md5, checksum, own)
    try:
        async with files(call).receive(body, sums, under) as kept:
            if said is not None and said != md5.digest():
                raise refusals.bad_digest("Content-MD5")
            if wanted.value is not None and wanted.value != text(own):
                raise refusals.bad_digest(wanted.algorithm)
            yield Taken(body=kept, md5=md5.hexdigest(), algorithm=told, checksum=text(checksum))
    except Full:
        raise refusals.no_space() from None


def asked_checksum(req: Mapping[str, Any]) -> integrity.Wanted:
    named = req.get("ChecksumAlgorithm")
    for algorithm in integrity.UNKNOWN:
        if named == algorithm or req.get(f"Checksum{algorithm}") is not None:
            raise refusals.not_here(f"x-amz-checksum-{algorithm.lower()}")
    try:
        return integrity.wanted(req)
    except integrity.BadChecksum as error:
        raise refusals.invalid_request(str(error)) from None


def _content_md5(said: str | None) -> bytes | None:
    if said is None:
        return None
    digest = integrity.decoded(said)
    if digest is None or len(digest) != 16:
        raise refusals.invalid_digest()
    return digest


def _body(req: Mapping[str, Any]) -> AsyncIterator[bytes] | bytes:
    body, length = req.get("Body", b""), req.get("ContentLength")
    if isinstance(body, bytes):
        return body
    if length is None:
        raise AwsError("You must provide the Content-Length HTTP header.", code="MissingContentLength", status=411)
    if length > LARGEST:
        raise AwsError(
            "Your proposed upload exceeds the maximum allowed size",
            code="EntityTooLarge",
            status=400,
            ProposedSize=str(length),
            MaxSizeAllowed=str(LARGEST),
        )
    return body  # type: ignore[no-any-return]
