"""Who is asking: HTTP Basic credentials, as `docker login` sends them; a ticket in a download link; or nobody."""

from __future__ import annotations

import base64

from hatoba.registry.messages import Request
from hatoba.registry.ports import Access, Principal
from hatoba.registry.problems import Problem


def credentials(header: str) -> tuple[str, str] | None:
    """User and password of an Authorization header, or None when it is not a Basic one."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:  # not base64, or not text
        return None
    return (user, password) if colon else None


async def authenticate(access: Access, request: Request, realm: str) -> Principal:
    """Raises UNAUTHORIZED, with the challenge that makes clients ask for credentials."""
    header = request.headers.get("authorization")
    if header is not None:
        given = credentials(header)
        principal = None if given is None else await access.verify(*given)
        why = "The credentials are not valid, or the authorization token has expired. Log in to the registry again."
    elif "ticket" in request.query and request.method in ("GET", "HEAD"):
        principal = access.ticket(request.path, request.query["ticket"])
        why = "The download link is not valid, or has expired. Ask for another one."
    else:
        principal = access.anonymous()
        why = "Authentication is required: log in to the registry first."
    if principal is None:
        raise Problem("UNAUTHORIZED", why, headers={"www-authenticate": f'Basic realm="{realm}"'})
    return principal
