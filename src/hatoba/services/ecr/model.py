"""What ECR stores: repositories, images, tags, layers, lifecycle policies; and the small verbs that keep them true.

An image is a manifest: its bytes are a blob of the registry, named by the digest. A tag names one image. A layer is the
right of a repository to a blob; blobs that no repository has are collected.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from hatoba.core import arn
from hatoba.core.keys import Key, Scope
from hatoba.core.records import Record, replace
from hatoba.gateway.tags import forget_tags
from hatoba.registry.manifests import Manifest
from hatoba.registry.names import Digest
from hatoba.services.ecr.plan.lifecycle import Expiry
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View

Mutability = Literal["MUTABLE", "IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION"]


class Repository(Record, frozen=True, kw_only=True):
    """The id is the name."""

    created: float
    mutability: Mutability = "MUTABLE"
    exclusions: tuple[str, ...] = ()  # wildcards: tags for which the other mutability holds
    scan_on_push: bool = False
    policy: str | None = None


class _Inside(Record, frozen=True, kw_only=True):
    """Something in a repository of its own account and region."""

    repository: str


class Layer(_Inside, frozen=True, kw_only=True):
    """The id is `<repository>@<digest>`."""

    digest: Digest
    size: int


class Tag(_Inside, frozen=True, kw_only=True):
    """The id is `<repository>:<tag>`."""

    tag: str
    digest: Digest


class Image(_Inside, frozen=True, kw_only=True):
    """The id is `<repository>@<digest>`."""

    digest: Digest
    media_type: str
    size: int  # of the manifest
    content_size: int  # of config and layers; of an index, its largest image's
    config_media_type: str | None = None
    artifact_type: str | None = None
    blobs: tuple[Digest, ...] = ()
    children: tuple[Digest, ...] = ()
    subject: Digest | None = None
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    pushed: float
    pulled: float | None = None  # the registry only


class LifecyclePolicy(Record, frozen=True, kw_only=True):
    """The id is the repository's name."""

    text: str
    evaluated: float | None = None  # the lifecycle controller only; None: not yet


class LifecyclePreview(Record, frozen=True, kw_only=True):
    """The id is the repository's name. What a policy would remove, in the order of its rules and of digests."""

    text: str
    found: tuple[Expiry, ...]


def _place(record: _Inside) -> tuple[Scope, str]:
    return record.scope, record.repository


repositories = Table("ecr.repositories", Repository)
layers = Table(
    "ecr.layers",
    Layer,
    indexes=(Index[Layer]("repository", _place), Index[Layer]("digest", lambda layer: layer.digest)),
)
tags = Table(
    "ecr.tags",
    Tag,
    indexes=(
        Index[Tag]("repository", _place),
        Index[Tag]("image", lambda tag: (tag.scope, tag.repository, tag.digest)),
    ),
)
images = Table(
    "ecr.images",
    Image,
    indexes=(
        Index[Image]("repository", _place),
        Index[Image]("digest", lambda image: image.digest),
        Index[Image]("subject", lambda image: image.subject and (image.scope, image.repository, image.subject)),
        Index[Image](
            "refers", lambda image: [(*_place(image), part) for part in image.blobs + image.children], many=True
        ),
    ),
)

lifecycle_policies = Table("ecr.lifecycle_policies", LifecyclePolicy)
lifecycle_previews = Table("ecr.lifecycle_previews", LifecyclePreview)

TABLES: tuple[Table[Any], ...] = (repositories, layers, tags, images, lifecycle_policies, lifecycle_previews)


def repository_arn(scope: Scope, name: str) -> str:
    return arn.make(scope, "ecr", f"repository/{name}")


# --- reading


def find_tag(view: View, scope: Scope, repository: str, tag: str) -> Tag | None:
    return view.find(tags, scope, f"{repository}:{tag}")


def find_image(view: View, scope: Scope, repository: str, digest: str) -> Image | None:
    return view.find(images, scope, f"{repository}@{digest}")


def find_layer(view: View, scope: Scope, repository: str, digest: str) -> Layer | None:
    return view.find(layers, scope, f"{repository}@{digest}")


def images_of(view: View, scope: Scope, repository: str) -> list[Image]:
    """In the order of their digests."""
    return view.index(images, "repository", (scope, repository))


def tags_of(view: View, image: Image) -> list[str]:
    return [tag.tag for tag in view.index(tags, "image", (image.scope, image.repository, image.digest))]


def referring(view: View, scope: Scope, repository: str, digest: str) -> list[Image]:
    """The images of the repository that a blob or an image is part of."""
    return view.index(images, "refers", (scope, repository, digest))


# --- writing


def put_image(tx: Tx, scope: Scope, repository: str, manifest: Manifest, now: float) -> Image:
    """Records the image; one that is there already stays as it was pushed first."""
    found = find_image(tx, scope, repository, manifest.digest)
    if found is not None:
        return found
    children = (find_image(tx, scope, repository, child) for child in manifest.children)
    sizes = [child.content_size for child in children if child is not None]
    image = Image(
        key=images.key(scope, f"{repository}@{manifest.digest}"),
        repository=repository,
        digest=manifest.digest,
        media_type=manifest.media_type,
        size=manifest.size,
        content_size=max([manifest.content_size, *sizes]),
        config_media_type=manifest.config_media_type,
        artifact_type=manifest.artifact_type,
        blobs=manifest.blobs,
        children=manifest.children,
        subject=manifest.subject,
        annotations=manifest.annotations or {},
        pushed=now,
    )
    return tx.put(images, image)


def put_tag(tx: Tx, image: Image, tag: str) -> None:
    """Moves the tag to the image."""
    found = find_tag(tx, image.scope, image.repository, tag)
    if found is None:
        key = tags.key(image.scope, f"{image.repository}:{tag}")
        tx.put(tags, Tag(key=key, repository=image.repository, tag=tag, digest=image.digest))
    elif found.digest != image.digest:
        tx.put(tags, replace(found, digest=image.digest))


def put_layer(tx: Tx, scope: Scope, repository: str, digest: Digest, size: int) -> None:
    if find_layer(tx, scope, repository, digest) is None:
        key = layers.key(scope, f"{repository}@{digest}")
        tx.put(layers, Layer(key=key, repository=repository, digest=digest, size=size))


def delete_image(tx: Tx, image: Image) -> list[str]:
    """With its tags, which are returned. Layers stay until they are collected: a push may be about to use them."""
    gone = tags_of(tx, image)
    for tag in gone:
        tx.forget(tags, tags.key(image.scope, f"{image.repository}:{tag}"))
    tx.forget(images, image.key)
    return gone


def delete_repository(tx: Tx, key: Key) -> None:
    """With all that is in it."""
    scope, name = key.scope, key.id
    for image in images_of(tx, scope, name):
        delete_image(tx, image)
    for layer in tx.index(layers, "repository", (scope, name)):
        tx.forget(layers, layer.key)
    tx.forget(lifecycle_policies, lifecycle_policies.key(scope, name))
    tx.forget(lifecycle_previews, lifecycle_previews.key(scope, name))
    forget_tags(tx, scope, repository_arn(scope, name))
    tx.forget(repositories, key)
