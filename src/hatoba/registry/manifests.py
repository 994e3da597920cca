"""What a manifest says: read from its bytes, checked, never rewritten (its digest is over the bytes as they came).

Docker v2 schema 2 and OCI manifests, Docker lists and OCI indexes. Source: OCI image specification 1.1, "Image
Manifest" and "Image Index"; distribution specification 1.1, "Pushing Manifests" and "Listing Referrers".
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from hatoba.registry import names
from hatoba.registry.names import Digest
from hatoba.registry.problems import Problem

LIMIT = 4 * 1024 * 1024  # what the specification asks a registry to take at least

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
IMAGES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
LISTS = frozenset({OCI_INDEX, DOCKER_LIST})


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Names content by digest and size. What is not listed here is not the registry's business."""

    media_type: str = ""
    digest: str = ""
    size: int = 0
    urls: tuple[str, ...] = ()
    artifact_type: str | None = None
    annotations: dict[str, str] | None = None


class _Document(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    schema_version: int = 0
    media_type: str | None = None
    artifact_type: str | None = None
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] | None = None
    manifests: tuple[Descriptor, ...] | None = None
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A checked manifest. `blobs` and `children` are what must be in the repository before it."""

    digest: Digest
    media_type: str
    size: int  # of the manifest itself
    config: Digest | None = None
    config_media_type: str | None = None
    blobs: tuple[Digest, ...] = ()
    children: tuple[Digest, ...] = ()
    content_size: int = 0  # config and layers, as the descriptors tell
    subject: Digest | None = None
    artifact_type: str | None = None
    annotations: dict[str, str] | None = None

    def referrer(self) -> Descriptor:
        """How it is shown among the referrers of its subject."""
        return Descriptor(
            media_type=self.media_type,
            digest=self.digest,
            size=self.size,
            artifact_type=self.artifact_type,
            annotations=self.annotations,
        )


_decoder = msgspec.json.Decoder(_Document)


def _invalid(why: str) -> Problem:
    return Problem("MANIFEST_INVALID", f"The manifest is not valid: {why}.")


def parse(data: bytes, content_type: str, algorithm: str = "sha256") -> Manifest:
    """`content_type` is what the client sent, "" when it sent none. Raises MANIFEST_INVALID."""
    try:
        document = _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _invalid(str(error)) from None
    media_type = _media_type(document, content_type.partition(";")[0].strip())
    if document.schema_version != 2:
        raise _invalid(f"schemaVersion is {document.schema_version}, not 2")
    common = {
        "digest": names.digest_of(data, algorithm),
        "media_type": media_type,
        "size": len(data),
        "subject": None if document.subject is None else _digest(document.subject, "subject"),
        "annotations": document.annotations,
    }
    if media_type in LISTS:
        if document.manifests is None:
            raise _invalid("an index needs manifests")
        children = tuple(_digest(child, f"manifests[{i}]") for i, child in enumerate(document.manifests))
        return Manifest(**common, children=children, artifact_type=document.artifact_type)  # type: ignore[arg-type]
    if document.config is None or document.layers is None:
        raise _invalid("an image manifest needs config and layers")
    content = [(document.config, "config"), *((layer, f"layers[{i}]") for i, layer in enumerate(document.layers))]
    digests = [(descriptor, _digest(descriptor, where)) for descriptor, where in content]
    return Manifest(
        **common,  # type: ignore[arg-type]
        config=digests[0][1],
        config_media_type=document.config.media_type,
        # A layer with urls may live elsewhere: foreign layers are never uploaded.
        blobs=tuple(dict.fromkeys(digest for descriptor, digest in digests if not descriptor.urls)),
        content_size=sum(descriptor.size for descriptor, _ in digests),
        artifact_type=document.artifact_type or document.config.media_type or None,
    )


def _media_type(document: _Document, content_type: str) -> str:
    inside = document.media_type
    if inside and content_type and inside != content_type:
        raise _invalid(f"its mediaType is {inside!r}, but it was sent as {content_type!r}")
    media_type = inside or content_type
    if not media_type:  # neither says it: the OCI kinds are told apart by what they contain
        media_type = OCI_INDEX if document.manifests is not None else OCI_MANIFEST
    if media_type not in IMAGES | LISTS:
        raise _invalid(f"media type {media_type!r} is not one that this registry stores")
    if document.manifests is not None and document.layers is not None:
        raise _invalid("it has both layers and manifests")  # readable as two things: refused, as the advisory asks
    return media_type


def _digest(descriptor: Descriptor, where: str) -> Digest:
    digest = names.digest(descriptor.digest)
    if digest is None:
        raise _invalid(f"{where} has no valid digest")
    if descriptor.size < 0:
        raise _invalid(f"{where} has a negative size")
    return digest


def check(manifest: Manifest, has_blob: Callable[[Digest], bool], has_manifest: Callable[[Digest], bool]) -> None:
    """Raises MANIFEST_BLOB_UNKNOWN unless all is there. A subject need not be: referrers may come first."""
    missing = [digest for digest in manifest.blobs if not has_blob(digest)]
    missing += [digest for digest in manifest.children if not has_manifest(digest)]
    if missing:
        raise Problem(
            "MANIFEST_BLOB_UNKNOWN",
            f"The manifest refers to {len(missing)} object(s) that the repository does not have: {missing[0]}.",
            detail=[{"digest": digest} for digest in missing[:20]],
        )
