"""What the request path does with bodies before a protocol reads them: a form's one field, gzip, and what is wrong."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

import msgspec

from hatoba.aws.sigv4 import Credential, Verified, chunks
from hatoba.aws.wire import WireRequest, malformed
from hatoba.core.errors import AwsError
from hatoba.gateway.http import BodyCut, BodyTooLarge

FORM = "application/x-www-form-urlencoded"
UNPACKED = 32 * 1024 * 1024  # what a compressed body may grow to


def form_field(form: bytes, name: bytes) -> str | None:
    """One plain field of a form, without reading the others."""
    start = form.find(name + b"=")
    while start > 0 and form[start - 1 : start] != b"&":
        start = form.find(name + b"=", start + 1)
    if start < 0:
        return None
    return form[start + len(name) + 1 :].partition(b"&")[0][:64].decode("latin-1")


def unpacked(request: WireRequest) -> WireRequest:
    """The request as it was before the client compressed it, as the SDKs do with large metric data."""
    if request.headers.get("content-encoding", "") != "gzip" or not isinstance(request.body, bytes):
        return request
    machine = zlib.decompressobj(wbits=31)
    try:
        plain = machine.decompress(request.body, UNPACKED)
    except zlib.error as error:
        raise malformed(f"The body is not valid gzip: {error}.") from None
    if machine.unconsumed_tail or not machine.eof:
        raise malformed(f"The gzip body is incomplete, or has more than {UNPACKED} bytes.")
    return msgspec.structs.replace(request, body=plain)


def unsigned(request: WireRequest) -> WireRequest:
    """With signatures not looked at: a streamed body without the frames that signatures of its chunks need."""
    said = request.headers.get("x-amz-content-sha256", "")
    if not said.startswith("STREAMING-"):
        return request
    nobody = Verified(
        access_key_id="",
        date="",
        region="",
        service="",
        credential=Credential(access_key_id="", secret=""),
        signature="",
        time="",
        payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    )
    return msgspec.structs.replace(request, body=chunks.content(request, nobody))


async def whole(pieces: AsyncIterator[bytes], limit: int) -> bytes:
    """A body that an operation takes in one piece, though it was sent in several."""
    found, size = [], 0
    async for piece in pieces:
        size += len(piece)
        if size > limit:
            raise BodyTooLarge(f"The request's body has more than the {limit} bytes that are taken here.")
        found.append(piece)
    return b"".join(found)


def cut(error: BodyCut) -> AwsError:
    return AwsError(str(error), code="IncompleteBody", status=400)


def too_large(error: BodyTooLarge) -> AwsError:
    return AwsError(str(error), code="RequestEntityTooLarge", status=413)
