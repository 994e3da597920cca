"""The canonical request, the string to sign and the keys, as AWS's documentation of Signature Version 4 defines them.

Texts become bytes by `surrogateescape`, which gives back what a server read from a header that is not UTF-8.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote, unquote_to_bytes

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_HASH = sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"


@lru_cache(maxsize=4096)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The derived key. It lives for a day, so that almost every request finds it here."""
    key = encoded("AWS4" + secret)
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, encoded(part), "sha256")
    return key


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def signature(key: bytes, text: str) -> str:
    return hmac.digest(key, encoded(text), "sha256").hex()


def string_to_sign(time: str, scope: str, canonical_request: str) -> str:
    return f"{ALGORITHM}\n{time}\n{scope}\n{sha256(encoded(canonical_request)).hexdigest()}"


def canonical_request(
    method: str, path: str, query: str, headers: Mapping[str, str], signed: str, payload_hash: str
) -> str:
    """`path` and `query` canonical already; `signed` the semicolon-separated names, lower case, sorted."""
    lines = []
    for name in signed.split(";"):
        value = headers.get(name, "")
        # Runs of blanks count as one, as the client's signer made them.
        lines.append(f"{name}:{' '.join(value.split()) if '  ' in value or value[:1] == ' ' else value}")
    rows = "\n".join(lines)
    return f"{method}\n{path}\n{query}\n{rows}\n\n{signed}\n{payload_hash}"


def canonical_path(path: str, *, once: bool) -> str:
    """The path as it is signed: encoded twice, except for S3 (`once`), whose keys may hold anything."""
    if path in ("", "/"):
        return "/"
    if once:
        return quote(unquote_to_bytes(encoded(path)), safe="/~")
    return quote(encoded(normal_path(path)), safe="/~")


def normal_path(path: str) -> str:
    """Without empty, `.` and `..` segments, keeping a slash at the end."""
    if "//" not in path and "/." not in path:
        return path
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    end = "/" if kept and path.endswith("/") else ""
    return "/" + "/".join(kept) + end


def canonical_query(query: str, *, without: str | None = None) -> str:
    """Sorted, and encoded as AWS encodes: only letters, digits and `-_.~` stand for themselves."""
    if not query:
        return ""
    pairs = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if part and name != without:
            pairs.append((_encode(name), _encode(value)))
    return join(sorted(pairs))


def _encode(text: str) -> str:
    return quote(unquote_to_bytes(encoded(text.replace("+", "%20"))), safe="-_.~")


def join(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in pairs)
