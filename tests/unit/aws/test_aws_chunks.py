"""Bodies that are signed chunk by chunk, after the example that AWS documents, and every way to spoil them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.aws import sigv4
from hatoba.aws.sigv4 import Credential, Verified, canonical
from hatoba.aws.wire import WireRequest
from hatoba.core.errors import AwsError

# "Example: PUT object" of "Transferring payload in multiple chunks" in the S3 API reference.
_KEY = Credential(access_key_id="AKIAIOSFODNN7EXAMPLE", secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
_SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
_SIGNATURES = (
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
_CONTENT = b"a" * 66560
_SIZES = (65536, 1024, 0)
_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def claim(payload: str) -> Verified:
    return Verified(
        access_key_id=_KEY.access_key_id,
        date="20130524",
        region="us-east-1",
        service="s3",
        credential=_KEY,
        signature=_SEED,
        time="20130524T000000Z",
        payload=payload,
    )


def example() -> bytes:
    wire, start = b"", 0
    for size, signature in zip(_SIZES, _SIGNATURES, strict=True):
        wire += f"{size:x};chunk-signature={signature}\r\n".encode() + _CONTENT[start : start + size] + b"\r\n"
        start += size
    return wire


async def read(wire: bytes, payload: str, piece: int = 1000, trailer: str = "") -> bytes:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(wire), piece):
            yield wire[start : start + piece]

    headers = {"x-amz-trailer": trailer} if trailer else {}
    request = WireRequest(method="PUT", path="/", headers=headers, body=pieces())
    return b"".join([part async for part in sigv4.content(request, claim(payload))])


@pytest.mark.parametrize("piece", [7, 1000, 10**6])
async def test_the_documented_example(piece: int) -> None:
    assert await read(example(), _SIGNED, piece) == _CONTENT


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\r\na", b"\r\nb"),  # the content
        (b"signature=ad", b"signature=ae"),
        (b"signature=b6", b"signature=b7"),  # of the last, empty chunk: the end is signed too
        (b"10000;", b"ffff;"),
        (b"10000;", b"-1;"),
        (b"10000;", b"fffffffff;"),
        (b"10000;", b";"),
    ],
)
async def test_spoiled(old: bytes, new: bytes) -> None:
    with pytest.raises(AwsError) as caught:
        await read(example().replace(old, new, 1), _SIGNED)
    assert caught.value.code in ("SignatureDoesNotMatch", "IncompleteBody")


@pytest.mark.parametrize("kept", [0, 50, 70, 65_700, len(example()) - 90])
async def test_cut_short(kept: int) -> None:
    with pytest.raises(AwsError, match="ended before"):
        await read(example()[:kept], _SIGNED)


async def test_nothing_of_a_bad_chunk_is_given_out() -> None:
    request = WireRequest(method="PUT", path="/", body=example().replace(b"signature=00", b"signature=01"))
    content = sigv4.content(request, claim(_SIGNED))
    assert await anext(content) == _CONTENT[:65536]
    with pytest.raises(AwsError):
        await anext(content)


async def test_unsigned_chunks_with_a_checksum() -> None:
    wire = b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n"
    assert await read(wire, _UNSIGNED_TRAILER, trailer="x-amz-checksum-crc32") == b"abc"
    with pytest.raises(AwsError, match="BadDigest"):
        await read(wire.replace(b"abc", b"abd"), _UNSIGNED_TRAILER, trailer="x-amz-checksum-crc32")


async def test_signed_trailer() -> None:
    payload = f"{_SIGNED}-TRAILER"
    key = canonical.signing_key(_KEY.secret, "20130524", "us-east-1", "s3")
    head, last = "20130524T000000Z\n20130524/us-east-1/s3/aws4_request", _SEED
    wire = b""
    for data in (b"abc", b""):
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{head}\n{last}\n{canonical.EMPTY_HASH}\n{sha256(data).hexdigest()}"
        last = canonical.signature(key, text)
        wire += f"{len(data):x};chunk-signature={last}\r\n".encode() + data + (b"\r\n" if data else b"")
    trailer = "x-amz-checksum-crc32:NSRBwg=="
    digest = sha256(f"{trailer}\n".encode()).hexdigest()
    final = canonical.signature(key, f"AWS4-HMAC-SHA256-TRAILER\n{head}\n{last}\n{digest}")
    wire += f"{trailer}\r\nx-amz-trailer-signature:{final}\r\n\r\n".encode()
    assert await read(wire, payload, trailer="x-amz-checksum-crc32") == b"abc"
    for spoiled in (wire.replace(b"NSRB", b"NSRC"), wire.replace(b"trailer-signature:", b"trailer-signature:0")):
        with pytest.raises(AwsError):
            await read(spoiled, payload)


async def test_a_body_signed_whole_is_checked_while_it_streams() -> None:
    assert await read(b"abc", sha256(b"abc").hexdigest()) == b"abc"
    with pytest.raises(AwsError) as caught:
        await read(b"abd", sha256(b"abc").hexdigest())
    assert caught.value.code == "XAmzContentSHA256Mismatch"
    assert await read(b"abc", "UNSIGNED-PAYLOAD") == b"abc"


async def test_an_unknown_kind_of_streaming_is_refused() -> None:
    with pytest.raises(AwsError, match="ECDSA"):
        await read(b"", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")


@given(st.binary(max_size=200), st.sampled_from([_SIGNED, f"{_SIGNED}-TRAILER", _UNSIGNED_TRAILER]))
async def test_nonsense(wire: bytes, payload: str) -> None:
    try:
        content = await read(wire, payload, 7)
    except AwsError:
        return
    assert payload == _UNSIGNED_TRAILER or content == b""
