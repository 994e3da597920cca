"""Verifying a signed request, in headers or in the query.

Every refusal is an `AwsError` in AWS's words. The order of the checks is AWS's too: completeness, key, expiry of the
key, time, signature, body; so that a client with a wrong clock learns about its clock.
"""

from __future__ import annotations

import hmac
from calendar import timegm
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256
from time import gmtime, strftime

import msgspec

from hatoba.aws.sigv4 import canonical, refusals, version2
from hatoba.aws.sigv4.credential import Credential, Verified
from hatoba.aws.sigv4.refusals import Words
from hatoba.aws.sigv4.rules import rules
from hatoba.aws.wire import WireRequest, form

SKEW = 15 * 60
_LONGEST = 7 * 24 * 3600  # a presigned request's greatest life
_TIME = len("20240102T030405Z")
_LONGEST_NAME = 64  # of a scope's region and service: what is derived for them is remembered


class _Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says about its own signature."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed: str  # names of the signed headers, as sent
    signature: str
    time: str
    query: str  # canonical
    token: str | None
    expires: int | None  # life of a presigned request, in seconds

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def signing_scope(request: WireRequest) -> tuple[str, str | None, str] | None:
    """(access key id, region, service) that a request claims, not verified: for finding the service it is for. Of
    version 2 the region is None."""
    header = request.headers.get("authorization", "")
    start = header.find("Credential=")
    if start >= 0:
        credential = header[start + 11 :].partition(",")[0]
    elif "X-Amz-Credential=" in request.query:
        credential = dict(form(request.query)).get("X-Amz-Credential", "")
    elif (key := version2.claimed_key(request.query)) is not None:
        return key, None, "s3"
    else:
        return None
    parts = credential.strip().rsplit("/", 4)
    return (parts[0], parts[2], parts[3]) if len(parts) == 5 else None


def verify(
    request: WireRequest,
    find_secret: Callable[[str], Credential | None],
    now: float,
    *,
    words: Words = refusals.JSON,
) -> Verified:
    """Raises `AwsError` unless the request is signed, in time, with a known key.

    A body that streams, or that is sent in signed chunks, is not read here: `chunks.content` checks it while it is
    read.
    """
    header = request.headers.get("authorization")
    if header is not None:
        claim = _header_claim(request, header, words)
    elif "X-Amz-Algorithm=" in request.query:
        claim = _query_claim(request, words)
    else:
        raise words.missing()
    if signing_scope(request) != (claim.access_key_id, claim.region, claim.service):
        # Where to is read from the one, who from the other: what is added to a header that was heard chooses neither.
        raise words.incomplete("The request names more than one Credential. ")
    credential = find_secret(claim.access_key_id)
    if credential is None:
        raise words.unknown_key()
    if (claim.token or None) != credential.token:
        raise words.unknown_token()
    if credential.expires is not None and credential.expires <= now:
        raise words.expired_token()
    _check_time(claim, now, words)
    payload = _payload(request, claim)
    key = canonical.signing_key(credential.secret, claim.date, claim.region, claim.service)
    text = canonical.canonical_request(
        request.method,
        canonical.canonical_path(request.path, once=rules(claim.service).path_once),
        claim.query,
        request.headers,
        claim.signed,
        payload,
    )
    expected = canonical.signature(key, canonical.string_to_sign(claim.time, claim.scope, text))
    if not hmac.compare_digest(expected.encode(), canonical.encoded(claim.signature)):
        raise words.mismatch()
    _check_signed(request, claim.signed, words)
    _check_payload(request, payload, claim.service, words)
    return Verified(
        access_key_id=claim.access_key_id,
        date=claim.date,
        region=claim.region,
        service=claim.service,
        credential=credential,
        signature=claim.signature,
        time=claim.time,
        payload=payload,
    )


def _header_claim(request: WireRequest, header: str, words: Words) -> _Claim:
    algorithm, _, rest = header.partition(" ")
    _check_algorithm(algorithm, words)
    fields = {}
    for part in rest.split(","):
        name, _, value = part.strip().partition("=")
        fields[name] = value
    lacking = [name for name in ("Credential", "Signature", "SignedHeaders") if not fields.get(name)]
    time = request.headers.get("x-amz-date") or _http_date(request.headers.get("date", ""))
    lacks = "".join(f"Authorization header requires '{name}' parameter. " for name in lacking)
    if not time:
        lacks += "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
    if lacks:
        raise words.incomplete(f"{lacks}Authorization={algorithm}")
    access_key_id, date, region, service = _scope(fields["Credential"], words)
    if "host" not in (names := fields["SignedHeaders"].split(";")) and ":authority" not in names:
        raise words.scope("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    return _Claim(
        access_key_id=access_key_id,
        date=date,
        region=region,
        service=service,
        signed=fields["SignedHeaders"],
        signature=fields["Signature"],
        time=time,
        query=canonical.canonical_query(request.query),
        token=request.headers.get("x-amz-security-token"),
        expires=None,
    )


def _query_claim(request: WireRequest, words: Words) -> _Claim:
    fields = dict(form(request.query))
    _check_algorithm(fields["X-Amz-Algorithm"], words)
    needed = ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")
    lacks = "".join(f"AWS query-string parameters must include '{name}'. " for name in needed if not fields.get(name))
    if lacks:
        raise words.incomplete(f"{lacks}Re-examine the query-string parameters.")
    access_key_id, date, region, service = _scope(fields["X-Amz-Credential"], words)
    expires = fields.get("X-Amz-Expires")
    if expires is not None and not (expires.isdecimal() and len(expires) < 8 and int(expires) <= _LONGEST):
        raise words.incomplete("X-Amz-Expires must be a number of seconds, less than a week (604800).")
    token = fields.get("X-Amz-Security-Token")
    return _Claim(
        access_key_id=access_key_id,
        date=date,
        region=region,
        service=service,
        signed=fields["X-Amz-SignedHeaders"],
        signature=fields["X-Amz-Signature"],
        time=fields["X-Amz-Date"],
        query=canonical.canonical_query(request.query, without="X-Amz-Signature"),
        token=token,
        expires=None if expires is None else int(expires),
    )


def _check_algorithm(algorithm: str, words: Words) -> None:
    if algorithm == canonical.ALGORITHM:
        return
    if algorithm == "AWS4-ECDSA-P256-SHA256":
        raise refusals.version_4a(words)
    raise words.incomplete(f"Unsupported AWS 'algorithm': '{algorithm[:64]}'.")


def _scope(credential: str, words: Words) -> tuple[str, str, str, str]:
    parts = credential.split("/")
    if len(parts) != 5:
        wanted = "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term"
        raise words.incomplete(f"{wanted}, got '{credential[:128]}'")
    if parts[4] != "aws4_request":
        raise words.scope(
            f"Credential should be scoped with a valid terminator: 'aws4_request', not '{parts[4][:64]}'."
        )
    if max(map(len, parts[1:4])) > _LONGEST_NAME:
        raise words.scope("Credential should be scoped to a valid date, region and service.")
    return parts[0], parts[1], parts[2], parts[3]


def _check_time(claim: _Claim, now: float, words: Words) -> None:
    time = _seconds(claim.time) if len(claim.time) == _TIME else None
    if time is None:
        said = f"Date must be in ISO-8601 'basic format'. Got '{claim.time[:64]}'."
        raise words.incomplete(f"{said} See http://en.wikipedia.org/wiki/ISO_8601")
    if claim.date != claim.time[:8]:
        said = "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP"
        raise words.scope(f"{said}: '{claim.date[:64]}' != '{claim.time[:8]}', from '{claim.time}'.")
    if time > now + SKEW:
        raise words.skewed(claim.time, _stamp(now), _stamp(now + SKEW), early=False)
    if claim.expires is not None:
        if time + claim.expires < now:
            raise words.presigned_expired()
    elif time < now - SKEW:
        raise words.skewed(claim.time, _stamp(now), _stamp(now - SKEW), early=True)


def _check_signed(request: WireRequest, signed: str, words: Words) -> None:
    """AWS's own headers (which operation, whose token) must be signed: whoever listens could put in others."""
    names = signed.split(";")
    for name in request.headers:
        if name.startswith("x-amz-") and name not in names and name != "x-amz-user-agent":
            raise words.scope(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")


def _payload(request: WireRequest, claim: _Claim) -> str:
    """The last line of the canonical request. A client that does not say it has hashed the body."""
    said = request.headers.get("x-amz-content-sha256")
    if said is not None:
        return said
    if claim.expires is not None and not rules(claim.service).presigned_body:
        return canonical.UNSIGNED
    return _hash(request.body) if isinstance(request.body, bytes) else canonical.UNSIGNED


def _check_payload(request: WireRequest, payload: str, service: str, words: Words) -> None:
    if payload == canonical.UNSIGNED or payload.startswith("STREAMING-") or not isinstance(request.body, bytes):
        return
    if not hmac.compare_digest(_hash(request.body).encode(), canonical.encoded(payload)):
        raise refusals.content() if rules(service).body_said else words.mismatch()


def _hash(body: bytes) -> str:
    return sha256(body).hexdigest() if body else canonical.EMPTY_HASH


@lru_cache(maxsize=1024)
def _seconds(time: str) -> int | None:
    """20240102T030405Z in seconds since the epoch."""
    if len(time) != _TIME or time[8] != "T" or time[15] != "Z" or not (time[:8] + time[9:15]).isdecimal():
        return None
    year, month, day = int(time[:4]), int(time[4:6]), int(time[6:8])
    hour, minute, second = int(time[9:11]), int(time[11:13]), int(time[13:15])
    if year < 1 or not 1 <= month <= 12 or not 1 <= day <= 31 or hour > 23 or minute > 59 or second > 60:
        return None
    return timegm((year, month, day, hour, minute, second))


def _stamp(seconds: float) -> str:
    return strftime("%Y%m%dT%H%M%SZ", gmtime(seconds))


def _http_date(text: str) -> str:
    """The `Date` header, which may be in HTTP's own format, as a basic ISO 8601 date."""
    if not text or _seconds(text) is not None:
        return text
    try:
        return f"{parsedate_to_datetime(text).astimezone(UTC):%Y%m%dT%H%M%SZ}"
    except (ValueError, TypeError, IndexError, OverflowError):
        return text
