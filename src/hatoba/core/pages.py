"""Opaque page tokens: a sealed (scope, operation, filter hash, last key).

A token survives a restart (the key is durable), belongs to one operation with the same filters, and cannot be made up.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable
from typing import TypeVar

from hatoba.core.errors import Refused
from hatoba.core.keys import Scope
from hatoba.core.secret import Sealer

T = TypeVar("T")


class BadToken(ValueError):
    """The token is not ours, or belongs to another request."""


def filter_hash(*parts: object) -> bytes:
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()


class Pager:
    """Makes and reads the tokens of one control plane."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def _context(self, scope: Scope, operation: str, filters: object) -> bytes:
        return b"page\0" + filter_hash(scope, operation, filters)

    def token(self, scope: Scope, operation: str, filters: object, last: str) -> str:
        sealed = self._sealer.seal(last.encode(), self._context(scope, operation, filters))
        return base64.urlsafe_b64encode(sealed).decode()

    def last(self, scope: Scope, operation: str, filters: object, token: str) -> str:
        """The last key of the page before. Raises `BadToken`."""
        try:
            sealed = base64.urlsafe_b64decode(token.encode())
            return self._sealer.unseal(sealed, self._context(scope, operation, filters)).decode()
        except (Refused, ValueError, binascii.Error):
            raise BadToken(token) from None

    def page(
        self,
        rows: Iterable[T],
        *,
        order: Callable[[T], str],
        scope: Scope,
        operation: str,
        filters: object,
        token: str | None,
        limit: int,
    ) -> tuple[list[T], str | None]:
        """One page of `rows` (which must be sorted by `order`) after `token`, and the next token if there is more."""
        after = self.last(scope, operation, filters, token) if token else None
        page: list[T] = []
        for row in rows:
            if after is not None and order(row) <= after:
                continue
            if len(page) == limit:
                return page, self.token(scope, operation, filters, order(page[-1]))
            page.append(row)
        return page, None
