"""What clients other than boto3 send: bodies in signed and unsigned chunks with trailers, and how errors look."""

from __future__ import annotations

import base64
import re
import socket
import time
import zlib
from hashlib import sha256
from typing import Any

import pytest
import urllib3

from hatoba.aws.sigv4 import canonical
from tests.conformance.apart import REGION
from tests.conformance.s3.objectland import Objectland
from tests.conformance.s3.signing import CREDENTIAL, presigned, signed

HTTP = urllib3.PoolManager(retries=False)
CRC = "x-amz-checksum-crc32c"
SIGNED, TRAILED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


class Chunked:
    """A PutObject of `aws-chunked`."""

    def __init__(self, land: Objectland, bucket: str, payload: str, **headers: str) -> None:
        self.url = f"{land.endpoint}/{bucket}/k"
        more = {"content-encoding": "aws-chunked,gzip", "x-amz-content-sha256": payload, **headers}
        self.headers = signed(f"localhost:{land.port}", "PUT", f"/{bucket}/k", more)

    def send(self, body: bytes) -> urllib3.BaseHTTPResponse:
        return HTTP.request("PUT", self.url, body=body, headers=self.headers)

    def frames(self, *pieces: bytes) -> bytes:
        """Signed one by one, after the request's own signature."""
        date, stamp = self.headers["x-amz-date"][:8], self.headers["x-amz-date"]
        key = canonical.signing_key(CREDENTIAL.secret, date, REGION, "s3")
        last, wire = self.headers["authorization"].rpartition("=")[2], b""
        for piece in (*pieces, b""):
            head = f"AWS4-HMAC-SHA256-PAYLOAD\n{stamp}\n{date}/{REGION}/s3/aws4_request\n{last}\n"
            last = canonical.signature(key, f"{head}{canonical.EMPTY_HASH}\n{sha256(piece).hexdigest()}")
            wire += f"{len(piece):x};chunk-signature={last}\r\n".encode() + piece + b"\r\n"
        return wire


def code(answer: urllib3.BaseHTTPResponse) -> str:
    return re.findall(r"<Code>(\w+)</Code>", answer.data.decode())[0]


def test_chunks_that_are_signed(land: Objectland, s3: Any, bucket: str) -> None:
    length = {"x-amz-decoded-content-length": "70000"}
    put = Chunked(land, bucket, SIGNED, **length)
    wire = put.frames(b"a" * 65536, b"b" * 4464)
    assert put.send(wire).status == 200
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["ContentEncoding"]) == (b"a" * 65536 + b"b" * 4464, "gzip")
    files = land.files()
    for spoiled in (wire.replace(b"aa\r\n", b"ab\r\n"), wire[:-90], wire.replace(b"signature=", b"signature=0", 1)):
        assert put.send(spoiled).status in (400, 403)
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 70000
    assert land.files() == files


def test_an_unsigned_trailer_is_verified_stored_and_told(land: Objectland, s3: Any, bucket: str) -> None:
    told = {"x-amz-trailer": CRC, "x-amz-decoded-content-length": "9"}
    put = Chunked(land, bucket, TRAILED, **told)
    wire = f"5\r\n12345\r\n4\r\n6789\r\n0\r\n{CRC}:4waSgw==\r\n\r\n".encode()
    answer = put.send(wire)
    assert (answer.status, answer.headers[CRC]) == (200, "4waSgw==")
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head["ChecksumCRC32C"], head["ContentLength"]) == ("4waSgw==", 9)
    for spoiled, why in (
        (wire.replace(b"6789", b"678a"), "BadDigest"),
        (wire.replace(CRC.encode(), b"x-amz-checksum-crc32"), "IncompleteBody"),  # another than was announced
        (wire.replace(b"4\r\n6789\r\n", b""), "IncompleteBody"),
        (wire[:-20], "IncompleteBody"),
    ):
        answer = put.send(spoiled)
        assert (answer.status, code(answer)) == (400, why), spoiled
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"123456789"


def test_operations_that_take_no_stream_take_chunks_too(land: Objectland, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    body = b"2e\r\n<Delete><Object><Key>k</Key></Object></Delete>\r\n0\r\nx-amz-checksum-crc32:{}\r\n\r\n"
    document = body[4:50]
    crc = base64.b64encode(zlib.crc32(document).to_bytes(4, "big"))
    more = {"x-amz-content-sha256": TRAILED, "x-amz-trailer": "x-amz-checksum-crc32"}
    headers = signed(f"localhost:{land.port}", "POST", f"/{bucket}", more, query="delete")
    url = f"{land.endpoint}/{bucket}?delete"
    answer = HTTP.request("POST", url, body=body.replace(b"{}", b"AAAAAA=="), headers=headers)
    assert (answer.status, code(answer)) == (400, "BadDigest")
    answer = HTTP.request("POST", url, body=body.replace(b"{}", crc), headers=headers)
    assert b"<Deleted><Key>k</Key></Deleted>" in answer.data


def test_a_body_that_was_not_signed_so(land: Objectland, s3: Any, bucket: str) -> None:
    headers = signed(f"localhost:{land.port}", "PUT", f"/{bucket}/k", {}, b"true")
    answer = HTTP.request("PUT", f"{land.endpoint}/{bucket}/k", body=b"fals", headers=headers)
    assert (answer.status, code(answer)) == (400, "XAmzContentSHA256Mismatch")
    headers = signed(f"localhost:{land.port}", "PUT", f"/{bucket}/k", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    assert HTTP.request("PUT", f"{land.endpoint}/{bucket}/k", body=b"any", headers=headers).status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"any"


def test_presigned(land: Objectland, s3: Any, bucket: str) -> None:
    host = f"localhost:{land.port}"
    put = presigned(host, f"/{bucket}/a%20%2B//b", "x-amz-meta-who=me", method="PUT")
    form = {"content-type": "application/x-www-form-urlencoded"}  # as some libraries say of any body
    assert HTTP.request("PUT", f"{land.endpoint}{put}", body=b"abc", headers=form).status == 200
    assert s3.head_object(Bucket=bucket, Key="a +//b")["Metadata"] == {"who": "me"}
    get = presigned(host, f"/{bucket}/a%20%2B//b", "response-content-type=a%2Fb")
    answer = HTTP.request("GET", f"{land.endpoint}{get}")
    assert (answer.data, answer.headers["content-type"]) == (b"abc", "a/b")
    for wrong, said in (
        (presigned(host, f"/{bucket}/a%20%2B//b", expires=-1), "AccessDenied"),
        (get.replace("a%2Fb", "a%2Fc"), "SignatureDoesNotMatch"),
        (get.replace("AKIA", "AKIB"), "InvalidAccessKeyId"),
        (put, "SignatureDoesNotMatch"),
    ):
        answer = HTTP.request("GET", f"{land.endpoint}{wrong}")
        assert answer.status in (400, 403), wrong
        assert code(answer) in (said, "AuthorizationHeaderMalformed"), wrong


@pytest.mark.parametrize("expires", [60, -60])
def test_presigned_by_version_2(land: Objectland, s3: Any, bucket: str, expires: int) -> None:
    """What boto3 and the AWS CLI make for us-east-1, still."""
    s3.put_object(Bucket=bucket, Key="a b", Body=b"abc")
    params = {"Bucket": bucket, "Key": "a b", "ResponseContentType": "text/plain"}
    url = s3.generate_presigned_url("get_object", Params=params, ExpiresIn=expires)
    assert "AWSAccessKeyId=" in url
    answer = HTTP.request("GET", url)
    if expires < 0:
        assert (answer.status, code(answer)) == (403, "AccessDenied")
        return
    assert (answer.status, answer.data, answer.headers["content-type"]) == (200, b"abc", "text/plain")
    assert code(HTTP.request("GET", url.replace("plain", "plaim"))) == "SignatureDoesNotMatch"
    assert code(HTTP.request("GET", url.replace("a%20b", "a%20c"))) == "SignatureDoesNotMatch"
    assert code(HTTP.request("GET", f"{url}&attributes")) == "SignatureDoesNotMatch"
    assert code(HTTP.request("PUT", url, body=b"x")) == "SignatureDoesNotMatch"
    assert code(HTTP.request("GET", url.replace("AKIA", "AKIB"))) == "InvalidAccessKeyId"


def test_nobody_may_do_nothing(land: Objectland, bucket: str) -> None:
    answer = HTTP.request("GET", f"{land.endpoint}/", headers={"host": f"{bucket}.s3.localhost:{land.port}"})
    assert (answer.status, code(answer)) == (403, "AccessDenied")


def test_errors_look_like_s3s(land: Objectland, bucket: str) -> None:
    host = f"localhost:{land.port}"
    answer = HTTP.request("GET", f"{land.endpoint}{presigned(host, f'/{bucket}/none')}")
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/xml"
    id_ = answer.headers["x-amz-request-id"]
    assert answer.data.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code>'
        "<Message>The specified key does not exist.</Message><Key>none</Key>"
        f"<RequestId>{id_}</RequestId><HostId>{id_}</HostId></Error>"
    )


def test_a_client_that_goes_away_leaves_nothing(land: Objectland, s3: Any, bucket: str) -> None:
    host, files = f"localhost:{land.port}", land.files()
    headers = signed(host, "PUT", f"/{bucket}/k", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", land.port), timeout=10) as wire:
        wire.sendall(f"PUT /{bucket}/k HTTP/1.1\r\n{lines}content-length: 9000000\r\n\r\n".encode() + bytes(3_000_000))
    deadline = time.monotonic() + 10
    while any((land.folder / "objects" / "staging").iterdir()):
        assert time.monotonic() < deadline
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert land.files() == files
