"""Signing requests: for Hatoba's own clients and for tests."""

from __future__ import annotations

from hashlib import sha256
from time import gmtime, strftime
from urllib.parse import quote

from hatoba.aws.sigv4 import canonical
from hatoba.aws.sigv4.credential import Credential
from hatoba.aws.sigv4.rules import rules
from hatoba.aws.wire import WireRequest


def sign(request: WireRequest, credential: Credential, region: str, service: str, now: float) -> dict[str, str]:
    """The request's headers with those that sign it. `host` must be among them; all that are given are signed."""
    time, date = _stamps(now)
    headers = {**request.headers, "x-amz-date": time}
    if credential.token is not None:
        headers["x-amz-security-token"] = credential.token
    payload = headers.get("x-amz-content-sha256")
    if payload is None:
        payload = sha256(request.whole_body()).hexdigest()
        if rules(service).body_said:
            headers["x-amz-content-sha256"] = payload
    names = ";".join(sorted(headers))
    scope = f"{date}/{region}/{service}/aws4_request"
    path = canonical.canonical_path(request.path, once=rules(service).path_once)
    text = canonical.canonical_request(
        request.method, path, canonical.canonical_query(request.query), headers, names, payload
    )
    key = canonical.signing_key(credential.secret, date, region, service)
    signature = canonical.signature(key, canonical.string_to_sign(time, scope, text))
    headers["authorization"] = (
        f"{canonical.ALGORITHM} Credential={credential.access_key_id}/{scope}, SignedHeaders={names}, "
        f"Signature={signature}"
    )
    return headers


def presign(
    request: WireRequest, credential: Credential, region: str, service: str, now: float, *, expires: int = 3600
) -> str:
    """The request's query string with the parameters that sign it. Of the headers `host` and AWS's own are signed."""
    time, date = _stamps(now)
    scope = f"{date}/{region}/{service}/aws4_request"
    names = ";".join(sorted(name for name in request.headers if name == "host" or name.startswith("x-amz-")))
    fields = {
        "X-Amz-Algorithm": canonical.ALGORITHM,
        "X-Amz-Credential": f"{credential.access_key_id}/{scope}",
        "X-Amz-Date": time,
        "X-Amz-Expires": str(expires),
        "X-Amz-SignedHeaders": names,
    }
    if credential.token is not None:
        fields["X-Amz-Security-Token"] = credential.token
    added = canonical.join((name, quote(value, safe="-_.~")) for name, value in fields.items())
    query = f"{request.query}&{added}" if request.query else added
    payload = sha256(request.whole_body()).hexdigest() if rules(service).presigned_body else canonical.UNSIGNED
    path = canonical.canonical_path(request.path, once=rules(service).path_once)
    text = canonical.canonical_request(
        request.method, path, canonical.canonical_query(query), request.headers, names, payload
    )
    key = canonical.signing_key(credential.secret, date, region, service)
    return f"{query}&X-Amz-Signature={canonical.signature(key, canonical.string_to_sign(time, scope, text))}"


def _stamps(now: float) -> tuple[str, str]:
    time = strftime("%Y%m%dT%H%M%SZ", gmtime(now))
    return time, time[:8]
