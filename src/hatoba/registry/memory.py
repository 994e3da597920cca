"""Repositories in memory: the twin of the room's, for tests and benchmarks. Repositories come to be when named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from hatoba.registry import manifests
from hatoba.registry.manifests import Descriptor, Manifest
from hatoba.registry.names import Digest
from hatoba.registry.ports import Action, Errand, Guest, Noting, Principal, Stored
from hatoba.registry.problems import Problem


class Repository:
    def __init__(self) -> None:
        self.blobs: dict[Digest, int] = {}
        self.manifests: dict[Digest, Manifest] = {}
        self.tags: dict[str, Digest] = {}
        self.pulls: list[Digest] = []
        self.immutable = False


class Inside:
    """Implements `ports.Entry`; nobody is told."""

    noting: Noting | None = None

    def __init__(self, repository: str) -> None:
        self.repository = repository

    def left(self, headers: Mapping[str, str] | None, problem: Problem | None) -> None:
        return


class MemoryRepositories:
    def __init__(self, *names: str) -> None:
        self.all = {name: Repository() for name in names}
        self.denied: set[tuple[str, Action]] = set()

    def enter(self, guest: Guest, errand: Errand) -> Inside:
        name, action = errand.name, errand.action
        if (name, action) in self.denied:
            raise Problem("DENIED", f"{guest.principal} may not do this here: {action}.")
        if action != "catalog" and name not in self.all:
            raise Problem("NAME_UNKNOWN", detail={"name": name})
        return Inside(name)

    def catalog(self, after: str, limit: int) -> list[str]:
        return sorted(name for name in self.all if name > after)[:limit]

    def has_blob(self, repository: str, digest: Digest) -> bool:
        return digest in self.all[repository].blobs

    def link_blob(self, repository: str, digest: Digest, size: int, noting: Noting | None = None) -> None:
        self.all[repository].blobs[digest] = size

    def unlink_blob(self, repository: str, digest: Digest, noting: Noting | None = None) -> bool:
        if digest not in self.unused(repository):
            return False
        del self.all[repository].blobs[digest]
        return True

    def find(self, repository: str, reference: str) -> Stored | None:
        here = self.all[repository]
        manifest = here.manifests.get(here.tags.get(reference, Digest(reference)))
        if manifest is None:
            return None
        return Stored(digest=manifest.digest, media_type=manifest.media_type, size=manifest.size)

    def put_manifest(self, repository: str, manifest: Manifest, tag: str | None, noting: Noting | None = None) -> None:
        here = self.all[repository]
        manifests.check(manifest, here.blobs.__contains__, here.manifests.__contains__)
        if tag is not None:
            if here.immutable and here.tags.get(tag, manifest.digest) != manifest.digest:
                raise Problem("TAG_INVALID", f"The tag {tag!r} may not move.")
            here.tags[tag] = manifest.digest
        here.manifests[manifest.digest] = manifest

    def delete_manifest(self, repository: str, digest: Digest, noting: Noting | None = None) -> bool:
        here = self.all[repository]
        lists = [manifest.digest for manifest in here.manifests.values() if digest in manifest.children]
        if lists:
            raise Problem("UNSUPPORTED", f"The manifest is part of the index {lists[0]}: delete that first.")
        here.tags = {tag: of for tag, of in here.tags.items() if of != digest}
        return here.manifests.pop(digest, None) is not None

    def delete_tag(self, repository: str, tag: str, noting: Noting | None = None) -> bool:
        return self.all[repository].tags.pop(tag, None) is not None

    def tags(self, repository: str, after: str, limit: int) -> list[str]:
        return sorted(tag for tag in self.all[repository].tags if tag > after)[:limit]

    def referrers(self, repository: str, subject: Digest, after: str, limit: int) -> list[Descriptor]:
        found = (m for m in self.all[repository].manifests.values() if m.subject == subject and m.digest > after)
        return [manifest.referrer() for manifest in sorted(found, key=lambda m: m.digest)[:limit]]

    def pulled(self, repository: str, digest: Digest) -> None:
        self.all[repository].pulls.append(digest)

    def everywhere(self) -> Iterable[str]:
        return self.all

    def unused(self, repository: str) -> list[Digest]:
        here = self.all[repository]
        used = {digest for manifest in here.manifests.values() for digest in manifest.blobs}
        return [digest for digest in here.blobs if digest not in used]

    def is_held(self, digest: Digest) -> bool:
        return any(digest in here.blobs or digest in here.manifests for here in self.all.values())

    async def settle(self) -> None:
        """All is as durable as it gets."""


class OpenAccess:
    """One user, one password; anonymous unless told otherwise."""

    def __init__(self, user: str = "", password: str = "", mode: Literal["open", "closed"] = "open") -> None:
        self._user, self._password, self._mode = user, password, mode

    async def verify(self, user: str, password: str) -> Principal | None:
        return Principal(user) if (user, password) == (self._user, self._password) else None

    def ticket(self, path: str, ticket: str) -> Principal | None:
        return Principal("guest") if ticket == f"to {path}" else None

    def anonymous(self) -> Principal | None:
        return Principal("anonymous") if self._mode == "open" else None
