"""One authorised request to a repository, and the small readings that handlers share."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import msgspec

from hatoba.registry import names
from hatoba.registry.messages import Request
from hatoba.registry.names import Digest
from hatoba.registry.ports import Principal
from hatoba.registry.problems import Problem


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    request: Request
    principal: Principal
    repository: str  # what `Repositories.resolve` said
    name: str  # what the client calls it, for Location headers
    reference: str  # tag, digest or upload id

    def path(self, rest: str) -> str:
        """A path in this repository, as the client may follow it."""
        return f"/v2/{self.name}/{rest}"

    def link(self, path: str, **query: str) -> str:
        """A Link header to the next page."""
        return f'<{quote(path)}?{urlencode(query)}>; rel="next"'

    def digest(self) -> Digest:
        """The reference, which must be a digest."""
        return digest(self.reference)

    def limit(self, most: int) -> int:
        """How many results are wanted: `n`, never more than `most`."""
        text = self.request.query.get("n")
        if text is None:
            return most
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise Problem("PAGINATION_NUMBER_INVALID", f"n={text!r} is not a number of results.")
        return min(int(text), most)

    def length(self) -> int | None:
        """The body's length, when the client says it."""
        text = self.request.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() else None


def digest(text: str) -> Digest:
    found = names.digest(text)
    if found is None:
        raise Problem("DIGEST_INVALID", f"{text!r} is not a digest that this registry knows (sha256 or sha512).")
    return found
