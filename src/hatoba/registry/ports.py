"""Who knows the repositories: implemented by a room upon the store's records, and in memory for tests.

Reads and changes are decided at once, in memory, in one step of the loop; `settle` waits until they are durable, and
nothing is answered before it has returned. A `repository` is the room's own name for one (`resolve` gives it), opaque
here; so is a `Principal`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NewType, Protocol

import msgspec

from hatoba.registry.manifests import Descriptor, Manifest
from hatoba.registry.names import Digest
from hatoba.registry.problems import Problem

Principal = NewType("Principal", object)
Action = Literal[
    "catalog",
    "tags",
    "referrers",
    "blob",
    "has blob",
    "mount",  # takes a blob from here into another repository
    "delete blob",
    "begin upload",
    "upload",
    "upload status",
    "cancel upload",
    "finish upload",
    "manifest",
    "put manifest",
    "delete manifest",
]

Noting = Callable[[Any], None]  # what the room's transactions write along with a change


class Guest(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and what else is known of them."""

    principal: Principal
    host: str  # the name by which they reached us
    address: str = ""
    agent: str = ""
    secure: bool = False  # by TLS
    way: object | None = None


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody has come for."""

    action: Action
    name: str = ""  # of the repository, as the client writes it; "" for the catalog
    reference: str = ""  # tag, digest or upload id
    digest: str = ""  # of what an upload is to become


class Entry(Protocol):
    """Somebody who may do what they have come for."""

    @property
    def repository(self) -> str:
        """The room's own name for it; "" for the catalog."""
        ...

    @property
    def noting(self) -> Noting | None: ...

    def left(self, headers: Mapping[str, str] | None, problem: Problem | None) -> None:
        """With the headers of the answer, or with what was wrong; neither where it failed in a way nobody foresaw."""
        ...


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest that a repository has."""

    digest: Digest
    media_type: str
    size: int


class Access(Protocol):
    """Who is asking."""

    async def verify(self, user: str, password: str) -> Principal | None:
        """The principal of these credentials, or None."""
        ...

    def ticket(self, path: str, ticket: str) -> Principal | None:
        """Who was given this ticket for this path: a download link that carries its own permission."""
        ...

    def anonymous(self) -> Principal | None:
        """Who comes without credentials; None: nobody may."""
        ...


class Repositories(Protocol):
    def enter(self, guest: Guest, errand: Errand) -> Entry:
        """The repository that the errand names, for whoever may do this there. Raises DENIED, whether or not it exists,
        then NAME_UNKNOWN."""
        ...

    def catalog(self, after: str, limit: int) -> list[str]:
        """Names, in order, after `after`."""
        ...

    def has_blob(self, repository: str, digest: Digest) -> bool: ...

    # What changes something takes what is to be noted along with it.

    def link_blob(self, repository: str, digest: Digest, size: int, noting: Noting | None = None) -> None:
        """The repository has this blob from now on."""
        ...

    def unlink_blob(self, repository: str, digest: Digest, noting: Noting | None = None) -> bool:
        """Removes the link if it is there and no manifest of the repository refers to it; says whether it did."""
        ...

    def find(self, repository: str, reference: str) -> Stored | None:
        """The manifest of a tag or digest."""
        ...

    def put_manifest(self, repository: str, manifest: Manifest, tag: str | None, noting: Noting | None = None) -> None:
        """Records the manifest and moves the tag to it.

        Raises TAG_INVALID where tags may not move, MANIFEST_BLOB_UNKNOWN when the repository lacks something that it
        refers to (`manifests.check`).
        """
        ...

    def delete_manifest(self, repository: str, digest: Digest, noting: Noting | None = None) -> bool:
        """Removes a manifest and its tags; says whether it was there. Raises UNSUPPORTED while an index lists it."""
        ...

    def delete_tag(self, repository: str, tag: str, noting: Noting | None = None) -> bool: ...

    def tags(self, repository: str, after: str, limit: int) -> list[str]:
        """Tags, in order, after `after`."""
        ...

    def referrers(self, repository: str, subject: Digest, after: str, limit: int) -> list[Descriptor]:
        """Manifests whose subject this is, by digest, after `after`."""
        ...

    def pulled(self, repository: str, digest: Digest) -> None:
        """A manifest was pulled: for the record."""
        ...

    async def settle(self) -> None:
        """Returns when all that reads show now is durable."""
        ...

    # For the collection.

    def everywhere(self) -> Iterable[str]:
        """Every repository."""
        ...

    def unused(self, repository: str) -> list[Digest]:
        """The blobs that the repository has and none of its manifests refers to."""
        ...

    def is_held(self, digest: Digest) -> bool:
        """Whether any repository has this blob or manifest."""
        ...
