"""How AWS words what is wrong with a signature.

The codes and statuses differ by protocol family: `old` is that of the query and XML protocols, else JSON and CBOR.
"""

from __future__ import annotations

from hatoba.core.errors import AwsError

_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


def missing(old: bool) -> AwsError:
    if old:
        return AwsError("Request is missing Authentication Token", code="MissingAuthenticationToken", status=403)
    return AwsError("Missing Authentication Token", code="MissingAuthenticationTokenException", status=400)


def incomplete(old: bool, message: str) -> AwsError:
    if old:
        return AwsError(message, code="IncompleteSignature", status=400)
    return AwsError(message, code="IncompleteSignatureException", status=400)


def unknown_key(old: bool) -> AwsError:
    code, status = ("InvalidClientTokenId", 403) if old else ("UnrecognizedClientException", 400)
    return AwsError("The security token included in the request is invalid.", code=code, status=status)


def expired_token(old: bool) -> AwsError:
    code, status = ("ExpiredToken", 403) if old else ("ExpiredTokenException", 400)
    return AwsError("The security token included in the request is expired", code=code, status=status)


def mismatch(old: bool) -> AwsError:
    return _invalid(old, _MISMATCH)


def scope(old: bool, message: str) -> AwsError:
    """The credential scope does not fit the request."""
    return _invalid(old, message)


def skewed(old: bool, time: str, server: str, bound: str, *, early: bool) -> AwsError:
    """The request's time is out of the 15 minutes. `bound`: the server's time minus or plus these."""
    if early:
        return _invalid(old, f"Signature expired: {time} is now earlier than {bound} ({server} - 15 min.)")
    return _invalid(old, f"Signature not yet current: {time} is still later than {bound} ({server} + 15 min.)")


def presigned_expired(old: bool) -> AwsError:
    if old:
        return AwsError("Request has expired.", code="RequestExpired", status=400)
    return _invalid(old, "Signature expired")


def payload(old: bool, service: str) -> AwsError:
    """The body is not the one that was signed. S3 has a name for it, the others call it a wrong signature."""
    if service == "s3":
        said = "The provided 'x-amz-content-sha256' header does not match what was computed."
        return AwsError(said, code="XAmzContentSHA256Mismatch", status=400)
    return mismatch(old)


def chunk() -> AwsError:
    return AwsError(_MISMATCH, code="SignatureDoesNotMatch", status=403)


def broken_stream(message: str) -> AwsError:
    return AwsError(message, code="IncompleteBody", status=400)


def version_4a(old: bool) -> AwsError:
    return incomplete(
        old,
        "Signature Version 4A (AWS4-ECDSA-P256-SHA256) is not supported by this endpoint: sign with Version 4 "
        "(AWS4-HMAC-SHA256).",
    )


def _invalid(old: bool, message: str) -> AwsError:
    if old:
        return AwsError(message, code="SignatureDoesNotMatch", status=403)
    return AwsError(message, code="InvalidSignatureException", status=400)
