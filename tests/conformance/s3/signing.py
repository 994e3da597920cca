"""Requests that no client makes by itself: signed by hand."""

from __future__ import annotations

import time

from hatoba.aws import sigv4
from hatoba.aws.sigv4 import Credential
from hatoba.aws.wire import WireRequest
from tests.conformance.apart import KEY, REGION

CREDENTIAL = Credential(access_key_id=KEY[0], secret=KEY[1])


def presigned(host: str, path: str, query: str = "", method: str = "GET", expires: int = 60) -> str:
    """The path and query of a presigned request."""
    request = WireRequest(method=method, path=path, query=query, headers={"host": host})
    return f"{path}?{sigv4.presign(request, CREDENTIAL, REGION, 's3', time.time(), expires=expires)}"


def signed(
    host: str, method: str, path: str, headers: dict[str, str], body: bytes = b"", *, query: str = ""
) -> dict[str, str]:
    """The headers of a signed request."""
    request = WireRequest(method=method, path=path, query=query, headers={"host": host, **headers}, body=body)
    return sigv4.sign(request, CREDENTIAL, REGION, "s3", time.time())
