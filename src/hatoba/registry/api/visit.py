"""One request to a repository: what it may do there, and the small readings that handlers share."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

import msgspec

from hatoba.registry import names
from hatoba.registry.messages import Request
from hatoba.registry.names import Digest
from hatoba.registry.ports import Action, Entry, Errand, Guest, Noting, Repositories
from hatoba.registry.problems import Problem


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    request: Request
    guest: Guest
    repositories: Repositories
    name: str  # what the client calls the repository, for Location headers
    reference: str  # tag, digest or upload id
    entries: list[Entry] = []  # what it was let in for; the first is what the request is for

    def enter(self, action: Action, *, name: str = "", digest: str = "") -> Entry:
        """For one more thing, there or in another repository. Raises DENIED, NAME_UNKNOWN."""
        errand = Errand(action=action, name=name or self.name, reference=self.reference, digest=digest)
        entry = self.repositories.enter(self.guest, errand)
        self.entries.append(entry)
        return entry

    def left(self, headers: Mapping[str, str] | None, problem: Problem | None) -> None:
        for entry in self.entries:
            entry.left(headers, problem)

    @property
    def repository(self) -> str:
        """The room's own name for it."""
        return self.entries[0].repository

    @property
    def noting(self) -> Noting | None:
        return self.entries[0].noting

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
