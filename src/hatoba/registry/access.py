"""Who is asking: HTTP Basic credentials, as `docker login` sends them, or the anonymous principal where allowed."""

from __future__ import annotations

import base64
from collections.abc import Mapping

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


async def authenticate(access: Access, headers: Mapping[str, str], realm: str) -> Principal:
    """Raises UNAUTHORIZED, with the challenge that makes clients ask for credentials."""
    header = headers.get("authorization")
    if header is None:
        principal = access.anonymous()
        why = "Authentication is required: log in to the registry first."
    else:
        given = credentials(header)
        principal = None if given is None else await access.verify(*given)
        why = "The credentials are not valid, or the authorization token has expired. Log in to the registry again."
    if principal is None:
        raise Problem("UNAUTHORIZED", why, headers={"www-authenticate": f'Basic realm="{realm}"'})
    return principal
