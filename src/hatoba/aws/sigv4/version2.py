"""Presigned requests of Signature Version 2, which boto3 and the AWS CLI still make of S3's in some regions.

    ?AWSAccessKeyId=…&Expires=<seconds since the epoch>&Signature=<HMAC-SHA1, in base64>

Source: the S3 user guide, "Signing and authenticating REST requests (AWS signature version 2)". Only S3 takes them, and
only in the query.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable

from hatoba.aws.sigv4 import canonical
from hatoba.aws.sigv4.credential import Credential, Verified
from hatoba.aws.sigv4.refusals import Words
from hatoba.aws.wire import WireRequest, form

# What of the query belongs to the resource, beside `response-…`.
_RESOURCE = frozenset(
    "acl accelerate analytics cors delete inventory lifecycle location logging metrics notification object-lock "
    "partNumber policy replication requestPayment restore select select-type storageClass tagging torrent uploadId "
    "uploads versionId versioning versions website".split()
)


# What else may be there: where a listing begins and how it looks. The signature does not cover it, as with AWS.
_FREE = frozenset(
    "AWSAccessKeyId Expires Signature continuation-token delimiter encoding-type fetch-owner key-marker list-type "
    "marker max-keys prefix start-after upload-id-marker version-id-marker x-id".split()
)


def claimed_key(query: str) -> str | None:
    """The access key id that a request says it is signed with; None for one that is not signed so."""
    if "AWSAccessKeyId=" not in query or "Signature=" not in query or "X-Amz-" in query:
        return None
    return dict(form(query)).get("AWSAccessKeyId")


def verify(request: WireRequest, find: Callable[[str], Credential | None], now: float, words: Words) -> Verified:
    """`request` as it is addressed: with its bucket in the path, and with all headers that were signed."""
    fields = dict(form(request.query))
    expires = fields.get("Expires", "")
    if not (expires.isdecimal() and len(expires) < 16):
        raise words.scope("Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")
    credential = find(fields["AWSAccessKeyId"])
    if credential is None:
        raise words.unknown_key()
    if request.headers.get("x-amz-security-token") != credential.token:
        raise words.unknown_token()
    if credential.expires is not None and credential.expires <= now:
        raise words.expired_token()
    if int(expires) < now:
        raise words.presigned_expired()
    text = _string_to_sign(request, expires, words)
    digest = hmac.digest(canonical.encoded(credential.secret), canonical.encoded(text), "sha1")
    if not hmac.compare_digest(base64.b64encode(digest), canonical.encoded(fields.get("Signature", ""))):
        raise words.mismatch()
    return Verified(
        access_key_id=credential.access_key_id,
        date="",
        region="",
        service="s3",
        credential=credential,
        signature="",
        time="",
        payload=canonical.UNSIGNED,
    )


def _string_to_sign(request: WireRequest, expires: str, words: Words) -> str:
    headers = request.headers
    amz = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers) if name.startswith("x-amz-"))
    plain = f"{headers.get('content-md5', '')}\n{headers.get('content-type', '')}"
    parts = []
    for part in request.query.split("&"):
        name, equals, _ = part.partition("=")
        if name in _RESOURCE or name.startswith("response-"):
            value = dict(form(part)).get(name, "")
            parts.append(f"{name}={value}" if equals else name)
        elif name not in _FREE and not name.startswith(("x-amz-", "content-")):
            raise words.mismatch()  # else it could make another operation of it
    resource = request.path + ("?" + "&".join(sorted(parts)) if parts else "")
    return f"{request.method}\n{plain}\n{expires}\n{amz}{resource}"
