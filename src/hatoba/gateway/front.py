"""Everything behind the one port: our own paths, the registry, data channels, and AWS for all the rest.

`/v2/` is the registry's unless the request carries an AWS signature: a few AWS services have paths that begin so, and
no registry client signs that way.
"""

from __future__ import annotations

from collections.abc import Mapping

from hatoba.gateway import own
from hatoba.gateway.http import Handler, Request, Response

_REGISTRY = "/v2/"


def front(
    *, aws: Handler, registry: Handler | None, own_paths: Handler, others: Mapping[str, Handler] | None = None
) -> Handler:
    """`others`: by prefix of the path; what no AWS model knows of (the data channels of sessions)."""
    prefixed = tuple((others or {}).items())

    async def answer(request: Request) -> Response:
        target = request.target
        if target.startswith(_REGISTRY[:-1]) and registry is not None and _for_registry(request):
            return await registry(request)
        if target.startswith(own.PREFIX):
            return await own_paths(request)
        for prefix, handler in prefixed:
            if target.startswith(prefix):
                return await handler(request)
        return await aws(request)

    return answer


def _for_registry(request: Request) -> bool:
    if not (request.target.startswith(_REGISTRY) or request.path == "/v2"):
        return False
    authorization = request.headers.get("authorization", "")
    return not authorization.startswith("AWS4-") and "X-Amz-Signature=" not in request.query
