"""Signatures against botocore's signers: what it signs is accepted, and any change to it is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, urlsplit

import msgspec
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.aws import sigv4
from hatoba.aws.sigv4 import Credential, refusals
from hatoba.aws.wire import WireRequest
from hatoba.core.errors import AwsError

NOW = 1_700_000_000.0
KEY = Credential(access_key_id="AKIDEXAMPLE", secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SESSION = Credential(access_key_id="ASIAEXAMPLE", secret="other", token="a/token+with=signs")
_KEYS = {key.access_key_id: key for key in (KEY, SESSION)}
_SIGNERS: dict[str, Any] = {
    "header": SigV4Auth,
    "query": SigV4QueryAuth,
    "s3-header": S3SigV4Auth,
    "s3-query": S3SigV4QueryAuth,
}


def signed(kind: str, key: Credential, method: str, url: str, body: bytes, headers: dict[str, str]) -> WireRequest:
    """A request as botocore signs it, at NOW."""
    request = AWSRequest(method=method, url=url, data=body, headers=headers)
    service = "s3" if kind.startswith("s3") else "ecs"
    with patch("botocore.auth.get_current_datetime", return_value=datetime.fromtimestamp(NOW, UTC)):
        _SIGNERS[kind](Credentials(key.access_key_id, key.secret, key.token), service, "eu-west-1").add_auth(request)
    sent = urlsplit(request.url)
    return WireRequest(
        method=method,
        path=sent.path or "/",
        query=sent.query,
        headers={name.lower(): value for name, value in request.headers.items()} | {"host": sent.netloc},
        body=body,
    )


def verified(request: WireRequest, now: float = NOW, *, old: bool = False) -> sigv4.Verified:
    return sigv4.verify(request, _KEYS.get, now, words=refusals.QUERY if old else refusals.JSON)


def refusal(request: WireRequest, now: float = NOW, *, old: bool = False) -> AwsError:
    with pytest.raises(AwsError) as caught:
        verified(request, now, old=old)
    return caught.value


_PATHS = st.text("abcü /.%+~:@é", max_size=12).map(lambda text: "/" + quote(text))
_WORDS = st.text("abcü /+&=%~*'()", max_size=6)


@pytest.mark.parametrize("kind", _SIGNERS)
@pytest.mark.parametrize("key", [KEY, SESSION], ids=["user", "session"])
def test_what_botocore_signs_is_accepted(kind: str, key: Credential) -> None:
    @settings(max_examples=60, deadline=None)
    @given(
        st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
        _PATHS,
        st.lists(st.tuples(st.text("abcX-", min_size=1, max_size=4), _WORDS), max_size=3),
        st.binary(max_size=20),
        st.dictionaries(st.sampled_from(["X-Amz-Target", "Content-Type", "X-Custom"]), st.text("ab  ;c", min_size=1)),
    )
    def check(method: str, path: str, query: list[tuple[str, str]], body: bytes, headers: dict[str, str]) -> None:
        text = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
        stripped = {name: value.strip() or "x" for name, value in headers.items()}
        data = b"" if method == "GET" or "query" in kind else body
        request = signed(kind, key, method, f"http://localhost:4566{path}{'?' + text if text else ''}", data, stripped)
        result = verified(request)
        assert (result.access_key_id, result.region) == (key.access_key_id, "eu-west-1")
        assert result.service == ("s3" if kind.startswith("s3") else "ecs")
        assert sigv4.signing_scope(request) == (key.access_key_id, "eu-west-1", result.service)

    check()


@pytest.mark.parametrize("kind", _SIGNERS)
def test_any_change_is_refused(kind: str) -> None:
    method, body = ("GET", b"") if "query" in kind else ("PUT", b"body")  # botocore presigns without a body
    request = signed(kind, SESSION, method, "http://h/a/b?x=1&y=2", body, {"X-Amz-Target": "A.B"})
    verified(request)
    headers = request.headers
    changes: list[WireRequest] = [
        msgspec.structs.replace(request, method="POST"),
        msgspec.structs.replace(request, path="/a/c"),
        msgspec.structs.replace(request, query=request.query + "&z=3"),
        msgspec.structs.replace(request, query=request.query.replace("x=1", "x=2")),
        msgspec.structs.replace(request, headers=headers | {"host": "other"}),
    ]
    if "query" not in kind:
        changes += [
            msgspec.structs.replace(request, headers=headers | {"x-amz-target": "A.C"}),
            msgspec.structs.replace(request, headers={n: v for n, v in headers.items() if n != "x-amz-target"}),
            msgspec.structs.replace(request, body=b"Body"),
        ]
    for changed in changes:
        assert refusal(changed, old=True).code in ("SignatureDoesNotMatch", "XAmzContentSHA256Mismatch")


def test_a_presigned_body_is_guarded_too() -> None:
    bare = WireRequest(method="POST", path="/", headers={"host": "h"}, body=b"body")
    request = msgspec.structs.replace(bare, query=sigv4.presign(bare, KEY, "us-east-1", "ecs", NOW))
    verified(request)
    assert refusal(msgspec.structs.replace(request, body=b"Body")).code == "InvalidSignatureException"


def test_time() -> None:
    request = signed("header", KEY, "POST", "http://h/", b"", {})
    verified(request, NOW + 899)
    verified(request, NOW - 899)
    late = refusal(request, NOW + 901)
    assert late.code == "InvalidSignatureException"
    assert late.message == (
        "Signature expired: 20231114T221320Z is now earlier than 20231114T221321Z (20231114T222821Z - 15 min.)"
    )
    early = refusal(request, NOW - 901, old=True)
    assert (early.code, early.status) == ("SignatureDoesNotMatch", 403)
    assert "still later than 20231114T221319Z (20231114T215819Z + 15 min.)" in early.message


def test_presigned_life() -> None:
    request = signed("s3-query", KEY, "GET", "http://h/bucket/key", b"", {})
    verified(request, NOW + 3600)
    assert refusal(request, NOW + 3601, old=True).code == "RequestExpired"
    week = msgspec.structs.replace(request, query=request.query.replace("Expires=3600", "Expires=604801"))
    assert refusal(week).code == "IncompleteSignatureException"


def test_keys() -> None:
    request = signed("header", SESSION, "POST", "http://h/", b"", {})

    def with_key(key: Credential | None, old: bool = False) -> AwsError:
        with pytest.raises(AwsError) as caught:
            sigv4.verify(request, lambda _: key, NOW, words=refusals.QUERY if old else refusals.JSON)
        return caught.value

    text = "The security token included in the request is invalid."
    assert (with_key(None).code, with_key(None).message) == ("UnrecognizedClientException", text)
    assert with_key(None, old=True).code == "InvalidClientTokenId"
    assert with_key(msgspec.structs.replace(SESSION, token=None)).code == "UnrecognizedClientException"
    assert with_key(msgspec.structs.replace(SESSION, token="another")).code == "UnrecognizedClientException"
    assert with_key(msgspec.structs.replace(SESSION, expires=NOW)).code == "ExpiredTokenException"
    assert with_key(msgspec.structs.replace(SESSION, expires=NOW), old=True).code == "ExpiredToken"
    assert with_key(msgspec.structs.replace(SESSION, secret="wrong")).code == "InvalidSignatureException"
    without_token = signed("header", msgspec.structs.replace(SESSION, token=None), "POST", "http://h/", b"", {})
    assert refusal(without_token).code == "UnrecognizedClientException"


@pytest.mark.parametrize(
    ("header", "code", "says"),
    [
        (None, "MissingAuthenticationTokenException", "Missing Authentication Token"),
        ("Basic abc", "IncompleteSignatureException", "Basic"),
        ("AWS4-ECDSA-P256-SHA256 Credential=a", "IncompleteSignatureException", "4A"),
        ("AWS4-HMAC-SHA256 Credential=A/20231114/r/s/aws4_request", "IncompleteSignatureException", "'Signature'"),
        (
            "AWS4-HMAC-SHA256 Credential=A/b, SignedHeaders=host, Signature=0",
            "IncompleteSignatureException",
            "exactly 5",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=A/20231114/r/s/x, SignedHeaders=host, Signature=0",
            "InvalidSignatureException",
            "aws4_r",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=A/20231114/r/s/aws4_request, SignedHeaders=x, Signature=0",
            "InvalidSignatureException",
            "'Host'",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20231113/r/s/aws4_request, SignedHeaders=host, Signature=0",
            "InvalidSignatureException",
            "does not match YYYYMMDD",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20231114/r/s/aws4_request, SignedHeaders=host, Signature=\udcff",
            "InvalidSignatureException",
            "does not match the signature you provided",
        ),
    ],
)
def test_broken_signatures_are_explained(header: str | None, code: str, says: str) -> None:
    headers = {"host": "h", "x-amz-date": "20231114T221320Z"} | ({"authorization": header} if header else {})
    error = refusal(WireRequest(method="POST", path="/", headers=headers))
    assert error.code == code
    assert says in error.message


@given(st.text(max_size=60), st.text(max_size=30), st.text("X-AmzSignature=&%Credntial", max_size=60))
def test_nonsense_is_refused(header: str, date: str, query: str) -> None:
    scope = "Credential=AKIDEXAMPLE/20231114/r/s/aws4_request, SignedHeaders=host;x, Signature="
    for said in (header, f"AWS4-HMAC-SHA256 {header}", f"AWS4-HMAC-SHA256 {scope}{header}"):
        headers = {"host": "h", "date": date, "authorization": said}
        refusal(WireRequest(method="POST", path="/", headers=headers, query=query))
    presigned = WireRequest(
        method="GET", path="/", headers={"host": "h"}, query=f"X-Amz-Algorithm=AWS4-HMAC-SHA256&{query}"
    )
    refusal(presigned)


@pytest.mark.parametrize("service", ["ecs", "s3"])
def test_our_own_signer(service: str) -> None:
    bare = WireRequest(method="PUT", path="/a b/%2F//c/../d", query="b=2&a=+1&a", headers={"host": "h"}, body=b"x")
    request = msgspec.structs.replace(bare, headers=sigv4.sign(bare, SESSION, "us-east-1", service, NOW))
    assert verified(request).service == service
    query = sigv4.presign(bare, SESSION, "us-east-1", service, NOW, expires=60)
    request = msgspec.structs.replace(bare, query=query)
    assert verified(request, NOW + 60).region == "us-east-1"
    assert refusal(request, NOW + 61).code == "InvalidSignatureException"


def test_an_http_date_will_do() -> None:
    request = signed("header", KEY, "POST", "http://h/", b"", {"Date": "Tue, 14 Nov 2023 22:13:20 GMT"})
    assert "x-amz-date" not in request.headers
    assert verified(request).time == "20231114T221320Z"
