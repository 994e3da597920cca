"""Indexes, manifests and image configs (OCI image specification; Docker's image manifest version 2, schema 2). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from hatoba.core.errors import PortError
from hatoba.runtime.base import ImageConfig, Platform
from hatoba.runtime.failures import Failure, failure

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ACCEPT = ", ".join((*INDEXES, *MANIFESTS))

_LAYERS = (
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
)


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    digest: str
    size: int
    media_type: str = ""
    platform: Platform | None = None
    annotations: Mapping[str, str] | None = None


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """A manifest, or an index: then `manifests` is there and the others are not."""

    schema_version: int = 2
    media_type: str = ""
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] | None = None


class _Rootfs(msgspec.Struct, frozen=True):
    diff_ids: tuple[str, ...] = ()


class _Defaults(msgspec.Struct, frozen=True, rename="pascal"):
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    env: tuple[str, ...] | None = None
    user: str | None = None
    working_dir: str | None = None
    stop_signal: str | None = None
    exposed_ports: dict[str, object] | None = None
    volumes: dict[str, object] | None = None
    labels: dict[str, str] | None = None


class _ConfigFile(msgspec.Struct, frozen=True):
    architecture: str = ""
    os: str = ""
    variant: str = ""
    rootfs: _Rootfs = _Rootfs()
    config: _Defaults | None = None


class ConfigFile(msgspec.Struct, frozen=True, kw_only=True):
    platform: Platform
    diff_ids: tuple[str, ...]  # digests of the uncompressed layers
    config: ImageConfig


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _bad(text: str) -> PortError:
    return failure(Failure.IMAGE_MANIFEST, text)


def parse(content: bytes, media_type: str = "") -> Manifest:
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _bad(f"the manifest cannot be read: {error}") from error
    kind = manifest.media_type or media_type.partition(";")[0].strip()
    if manifest.schema_version != 2:
        raise _bad(f"manifest schema version {manifest.schema_version} is not supported")
    if kind and kind not in (*INDEXES, *MANIFESTS):
        raise _bad(f"manifest type {kind} is not supported")
    if manifest.manifests is None and manifest.config is None:
        raise _bad("the manifest has neither a config nor other manifests")
    return manifest if manifest.media_type else msgspec.structs.replace(manifest, media_type=kind or _guess(manifest))


def _guess(manifest: Manifest) -> str:
    return MANIFESTS[0] if manifest.manifests is None else INDEXES[0]


def choose(index: Manifest, wanted: Platform) -> Descriptor:
    """The entry for a platform. An entry without a platform serves any; a wanted variant must match if one is named."""
    entries = index.manifests or ()
    for entry in entries:
        if entry.platform is None or _serves(entry.platform, wanted):
            return entry
    offered = ", ".join(sorted({_name(e.platform) for e in entries if e.platform and e.platform.os != "unknown"}))
    raise failure(Failure.IMAGE_PLATFORM, f"no match for platform {_name(wanted)}: the image has {offered or 'none'}")


def _serves(offered: Platform, wanted: Platform) -> bool:
    same = (offered.os, offered.architecture) == (wanted.os, wanted.architecture)
    return same and (not wanted.variant or not offered.variant or offered.variant == wanted.variant)


def _name(platform: Platform) -> str:
    return "/".join(filter(None, (platform.os, platform.architecture, platform.variant)))


def check_layers(manifest: Manifest, config: ConfigFile, wanted: Platform) -> None:
    """That the layers are ones we can unpack, as many as the config says, for this machine."""
    for layer in manifest.layers:
        if not layer.media_type.startswith(_LAYERS):
            raise _bad(f"layer {layer.digest} is of type {layer.media_type or 'unknown'}, which is not supported")
    if len(manifest.layers) != len(config.diff_ids):
        raise _bad(f"{len(manifest.layers)} layers, but the config names {len(config.diff_ids)}")
    if config.platform.architecture and not _serves(config.platform, wanted):
        raise failure(
            Failure.IMAGE_PLATFORM,
            f"no match for platform {_name(wanted)}: the image is for {_name(config.platform)}",
        )


def parse_config(content: bytes) -> ConfigFile:
    try:
        file = msgspec.json.decode(content, type=_ConfigFile)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _bad(f"the image's config cannot be read: {error}") from error
    defaults = file.config or _Defaults()
    return ConfigFile(
        platform=Platform(os=file.os or "linux", architecture=file.architecture, variant=file.variant),
        diff_ids=file.rootfs.diff_ids,
        config=ImageConfig(
            entrypoint=defaults.entrypoint or (),
            cmd=defaults.cmd or (),
            env=defaults.env or (),
            user=defaults.user or "",
            cwd=defaults.working_dir or "",
            stop_signal=defaults.stop_signal or "",
            exposed_ports=tuple(sorted(defaults.exposed_ports or {})),
            volumes=tuple(sorted(defaults.volumes or {})),
            labels=defaults.labels or {},
        ),
    )


def chain_ids(diff_ids: Sequence[str]) -> tuple[str, ...]:
    """The name of each layer together with all below it (OCI image specification, "Layer ChainID")."""
    chain: list[str] = []
    for diff_id in diff_ids:
        chain.append(digest(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return tuple(chain)
