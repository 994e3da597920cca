"""How AWS words what is wrong with a signature: the codes and statuses differ by protocol family.

JSON     JSON, CBOR and rest-json
QUERY    query, EC2 and rest-xml
S3       S3 alone (its error reference, "Error responses")
"""

from __future__ import annotations

from hatoba.core.errors import AwsError

_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
_INVALID_TOKEN = "The security token included in the request is invalid."
_EXPIRED_TOKEN = "The security token included in the request is expired"


class Words:
    """The JSON family's; the others differ from it."""

    def missing(self) -> AwsError:
        return AwsError("Missing Authentication Token", code="MissingAuthenticationTokenException", status=400)

    def incomplete(self, message: str) -> AwsError:
        return AwsError(message, code="IncompleteSignatureException", status=400)

    def unknown_key(self) -> AwsError:
        return AwsError(_INVALID_TOKEN, code="UnrecognizedClientException", status=400)

    def unknown_token(self) -> AwsError:
        """A key that is known, with another session token than its own."""
        return self.unknown_key()

    def expired_token(self) -> AwsError:
        return AwsError(_EXPIRED_TOKEN, code="ExpiredTokenException", status=400)

    def mismatch(self) -> AwsError:
        return self.scope(_MISMATCH)

    def scope(self, message: str) -> AwsError:
        """The credential scope, or what was signed, does not fit the request."""
        return AwsError(message, code="InvalidSignatureException", status=400)

    def skewed(self, time: str, server: str, bound: str, *, early: bool) -> AwsError:
        """The request's time is out of the 15 minutes. `bound`: the server's time minus or plus these."""
        if early:
            return self.scope(f"Signature expired: {time} is now earlier than {bound} ({server} - 15 min.)")
        return self.scope(f"Signature not yet current: {time} is still later than {bound} ({server} + 15 min.)")

    def presigned_expired(self) -> AwsError:
        return self.scope("Signature expired")

    def another_service(self, wanted: str) -> AwsError:
        return AwsError(_wanted(wanted), code="InvalidSignatureException", status=403)


class _Query(Words):
    def missing(self) -> AwsError:
        return AwsError("Request is missing Authentication Token", code="MissingAuthenticationToken", status=403)

    def incomplete(self, message: str) -> AwsError:
        return AwsError(message, code="IncompleteSignature", status=400)

    def unknown_key(self) -> AwsError:
        return AwsError(_INVALID_TOKEN, code="InvalidClientTokenId", status=403)

    def expired_token(self) -> AwsError:
        return AwsError(_EXPIRED_TOKEN, code="ExpiredToken", status=403)

    def scope(self, message: str) -> AwsError:
        return AwsError(message, code="SignatureDoesNotMatch", status=403)

    def presigned_expired(self) -> AwsError:
        return AwsError("Request has expired.", code="RequestExpired", status=400)

    def another_service(self, wanted: str) -> AwsError:
        return self.scope(_wanted(wanted))


class _S3(Words):
    def missing(self) -> AwsError:
        return AwsError("Access Denied", code="AccessDenied", status=403)

    def incomplete(self, message: str) -> AwsError:
        return AwsError(message, code="AuthorizationHeaderMalformed", status=400)

    def unknown_key(self) -> AwsError:
        said = "The AWS Access Key Id you provided does not exist in our records."
        return AwsError(said, code="InvalidAccessKeyId", status=403)

    def unknown_token(self) -> AwsError:
        return AwsError("The provided token is malformed or otherwise invalid.", code="InvalidToken", status=400)

    def expired_token(self) -> AwsError:
        return AwsError("The provided token has expired.", code="ExpiredToken", status=400)

    def mismatch(self) -> AwsError:
        said = "The request signature we calculated does not match the signature you provided. Check your key and "
        return AwsError(f"{said}signing method.", code="SignatureDoesNotMatch", status=403)

    def scope(self, message: str) -> AwsError:
        return AwsError(message, code="AccessDenied", status=403)

    def skewed(self, time: str, server: str, bound: str, *, early: bool) -> AwsError:
        said = "The difference between the request time and the current time is too large."
        return AwsError(said, code="RequestTimeTooSkewed", status=403, RequestTime=time, ServerTime=server)

    def presigned_expired(self) -> AwsError:
        return AwsError("Request has expired", code="AccessDenied", status=403)

    def another_service(self, wanted: str) -> AwsError:
        return self.incomplete(f"The authorization header is malformed; incorrect service. It should be '{wanted}'.")


JSON, QUERY, S3 = Words(), _Query(), _S3()


def _wanted(service: str) -> str:
    return f"Credential should be scoped to correct service: '{service}'. "


# --- of bodies


def content() -> AwsError:
    """The body is not the one whose hash was signed, of services that have a name for it."""
    said = "The provided 'x-amz-content-sha256' header does not match what was computed."
    return AwsError(said, code="XAmzContentSHA256Mismatch", status=400)


def chunk() -> AwsError:
    return AwsError(_MISMATCH, code="SignatureDoesNotMatch", status=403)


def broken_stream(message: str) -> AwsError:
    return AwsError(message, code="IncompleteBody", status=400)


def bad_checksum(name: str) -> AwsError:
    """A trailer's checksum is not the body's."""
    algorithm = name.removeprefix("x-amz-checksum-").upper()
    return AwsError(f"The {algorithm} you specified did not match what we received.", code="BadDigest", status=400)


def version_4a(words: Words) -> AwsError:
    return words.incomplete(
        "Signature Version 4A (AWS4-ECDSA-P256-SHA256) is not supported by this endpoint: sign with Version 4 "
        "(AWS4-HMAC-SHA256).",
    )
