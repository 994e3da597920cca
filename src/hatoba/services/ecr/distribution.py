"""The registry engine's `Repositories`, upon ECR's records: a `docker push` is visible to the API at once.

The engine names a repository by an address: partition, account, region and name, joined by slashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hatoba.core.clock import Clock
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.registry import manifests
from hatoba.registry.manifests import Descriptor, Manifest
from hatoba.registry.names import Digest
from hatoba.registry.ports import Errand, Guest, Noting, Stored
from hatoba.registry.problems import Problem
from hatoba.services.ecr import model
from hatoba.services.ecr.naming import Naming
from hatoba.services.ecr.permits import Permit
from hatoba.services.ecr.plan import tag as tag_plan
from hatoba.store import Store

Admit = Callable[[Guest, Errand, Scope, str], Permit]  # raises DENIED

PULL_SECONDS = 60.0  # a pull is recorded when the last record is older than this


def address(scope: Scope, name: str) -> str:
    return f"{scope.partition}/{scope.account}/{scope.region}/{name}"


def place(address: str) -> tuple[Scope, str]:
    partition, account, region, name = address.split("/", 3)
    return Scope(partition, account, region), name


class StoredRepositories:
    def __init__(self, store: Store, naming: Naming, clock: Clock, admit: Admit) -> None:
        self._store = store
        self._naming = naming
        self._clock = clock
        self._admit = admit

    def enter(self, guest: Guest, errand: Errand) -> Permit:
        if errand.action == "catalog":
            return self._admit(guest, errand, self._naming.default, "*")
        scope, name = self._naming.resolve(guest.host, errand.name)
        permit = self._admit(guest, errand, scope, name)
        if self._store.find(model.repositories, scope, name) is None:
            problem = Problem("NAME_UNKNOWN", unknown(scope, name))
            permit.left(None, problem)
            raise problem
        permit.repository = address(scope, name)
        return permit

    def catalog(self, after: str, limit: int) -> list[str]:
        """The repositories of the default account and region: the only ones with plain names."""
        found = self._store.scan(model.repositories, self._naming.default, after or None)
        return [repository.id for repository, _ in zip(found, range(limit), strict=False)]

    def has_blob(self, repository: str, digest: Digest) -> bool:
        return model.find_layer(self._store, *place(repository), digest) is not None

    def link_blob(self, repository: str, digest: Digest, size: int, noting: Noting | None = None) -> None:
        scope, name = place(repository)
        with self._store.tx(noting) as tx:
            self._existing(scope, name)
            model.put_layer(tx, scope, name, digest, size)

    def unlink_blob(self, repository: str, digest: Digest, noting: Noting | None = None) -> bool:
        scope, name = place(repository)
        with self._store.tx(noting) as tx:
            layer = model.find_layer(tx, scope, name, digest)
            if layer is None or model.referring(tx, scope, name, digest):
                return False
            tx.forget(model.layers, layer.key)
            return True

    def find(self, repository: str, reference: str) -> Stored | None:
        image = self._image(repository, reference)
        if image is None:
            return None
        return Stored(digest=image.digest, media_type=image.media_type, size=image.size)

    def put_manifest(self, repository: str, manifest: Manifest, tag: str | None, noting: Noting | None = None) -> None:
        scope, name = place(repository)
        with self._store.tx(noting) as tx:
            record = self._existing(scope, name)
            manifests.check(
                manifest,
                lambda digest: model.find_layer(tx, scope, name, digest) is not None,
                lambda digest: model.find_image(tx, scope, name, digest) is not None,
            )
            image = model.put_image(tx, scope, name, manifest, self._clock.now())
            if tag is None:
                return
            before = model.find_tag(tx, scope, name, tag)
            if before is not None and before.digest != image.digest and not tag_plan.may_move(record, tag):
                raise Problem("TAG_INVALID", tag_plan.immutable_message(name, tag))
            model.put_tag(tx, image, tag)

    def delete_manifest(self, repository: str, digest: Digest, noting: Noting | None = None) -> bool:
        scope, name = place(repository)
        with self._store.tx(noting) as tx:
            image = model.find_image(tx, scope, name, digest)
            if image is None:
                return False
            lists = model.referring(tx, scope, name, digest)
            if lists:
                raise Problem("UNSUPPORTED", f"The manifest is part of the index {lists[0].digest}: delete that first.")
            model.delete_image(tx, image)
            return True

    def delete_tag(self, repository: str, tag: str, noting: Noting | None = None) -> bool:
        scope, name = place(repository)
        with self._store.tx(noting) as tx:
            return tx.forget(model.tags, model.tags.key(scope, f"{name}:{tag}")) is not None

    def tags(self, repository: str, after: str, limit: int) -> list[str]:
        found = self._store.index(model.tags, "repository", place(repository))
        return [record.tag for record in found if record.tag > after][:limit]

    def referrers(self, repository: str, subject: Digest, after: str, limit: int) -> list[Descriptor]:
        scope, name = place(repository)
        found = self._store.index(model.images, "subject", (scope, name, subject))
        return [referrer(image) for image in found if image.digest > after][:limit]

    def pulled(self, repository: str, digest: Digest) -> None:
        image = self._image(repository, digest)
        now = self._clock.now()
        if image is not None and (image.pulled is None or image.pulled < now - PULL_SECONDS):
            with self._store.tx() as tx:
                tx.put(model.images, replace(image, pulled=now))

    async def settle(self) -> None:
        await self._store.durable()

    def everywhere(self) -> Iterable[str]:
        return [address(record.scope, record.id) for record in self._store.all(model.repositories)]

    def unused(self, repository: str) -> list[Digest]:
        scope, name = place(repository)
        found = self._store.index(model.layers, "repository", (scope, name))
        return [layer.digest for layer in found if not model.referring(self._store, scope, name, layer.digest)]

    def is_held(self, digest: Digest) -> bool:
        count = self._store.count
        return bool(count(model.layers, "digest", digest) or count(model.images, "digest", digest))

    def _existing(self, scope: Scope, name: str) -> model.Repository:
        record = self._store.find(model.repositories, scope, name)
        if record is None:  # deleted while the push was going on
            raise Problem("NAME_UNKNOWN", unknown(scope, name))
        return record

    def _image(self, repository: str, reference: str) -> model.Image | None:
        scope, name = place(repository)
        if ":" not in reference:
            tag = model.find_tag(self._store, scope, name, reference)
            if tag is None:
                return None
            reference = tag.digest
        return model.find_image(self._store, scope, name, reference)


def unknown(scope: Scope, name: str) -> str:
    return f"The repository with name '{name}' does not exist in the registry with id '{scope.account}'"


def referrer(image: model.Image) -> Descriptor:
    return Descriptor(
        media_type=image.media_type,
        digest=image.digest,
        size=image.size,
        artifact_type=image.artifact_type,
        annotations=image.annotations or None,
    )
