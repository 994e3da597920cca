"""What a trust store is made of, handed out by a URL that its owner was given: ten minutes, that file, nothing else.

`GET /_hatoba/trust-stores/<ARN>/bundle?token=…`, `…/<ARN>/revocations/<number>?token=…`

Where AWS answers a presigned URL of S3, this is one of the platform's own endpoint. The token is sealed for the very
file and says until when; whoever has the URL needs no credentials, and without it nobody gets anything.

Source: GetTrustStoreCaCertificatesBundle, GetTrustStoreRevocationContent.
"""

from __future__ import annotations

from urllib.parse import parse_qs, quote, unquote

from hatoba.core.errors import AwsError
from hatoba.core.pages import BadToken
from hatoba.gateway.call import Call, Platform
from hatoba.gateway.http import Handler, Request, Response
from hatoba.gateway.own import PREFIX
from hatoba.services.elbv2.model import arns
from hatoba.services.elbv2.model.trust import TrustStore, trust_store_by_arn

PAGES = "trust-stores/"
VALID = 600.0  # seconds
BUNDLE = "bundle"
_SEALED_FOR = "trust-stores"


def revocation(number: int) -> str:
    """The file of one list that was added."""
    return f"revocations/{number}"


def location(call: Call, store: TrustStore, file: str) -> str:
    """Its URL, at the endpoint that the client has reached."""
    until = str(call.now + VALID)
    token = call.platform.pager.token(store.scope, _SEALED_FOR, (store.arn, file), until)
    place = f"{PREFIX}{PAGES}{quote(store.arn, safe=':/')}/{file}"
    return f"{'https' if call.secure else 'http'}://{call.host or 'localhost'}{place}?token={quote(token, safe='')}"


def files(platform: Platform) -> Handler:
    async def answer(request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return _plain(405, "Only GET is answered here.", allow="GET, HEAD")
        try:
            return _plain(200, _content(platform, request))
        except AwsError as error:
            return _plain(error.status, error.message)

    return answer


def _content(platform: Platform, request: Request) -> str:
    arn, file = _named(unquote(request.path.removeprefix(PREFIX + PAGES)))
    given = parse_qs(request.query).get("token", [""])[0]
    parsed = arns.parse(arn)
    if parsed is None or not _valid(platform, given, arn, file):
        raise AwsError("The URL is not one that was given out, or no longer valid.", code="AccessDenied", status=403)
    store = trust_store_by_arn(platform.store, arn)
    contents = {} if store is None else {revocation(each.id): each.content for each in store.revocations}
    if store is not None:
        contents[BUNDLE] = store.bundle
    if file not in contents:
        raise AwsError("The file is no longer there.", code="NoSuchKey", status=404)
    return contents[file]


def _named(path: str) -> tuple[str, str]:
    """(trust store, file): the ARN has two slashes of its own."""
    parts = path.split("/", 3)
    return "/".join(parts[:3]), parts[3] if len(parts) > 3 else ""


def _valid(platform: Platform, token: str, arn: str, file: str) -> bool:
    parsed = arns.parse(arn)
    if parsed is None:
        return False
    try:
        until = platform.pager.last(parsed[0], _SEALED_FOR, (arn, file), token)
    except BadToken:
        return False
    return platform.clock.now() < float(until)


def _plain(status: int, text: str, **headers: str) -> Response:
    told = {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store", **headers}
    return Response(status=status, headers=told, body=text.encode())
