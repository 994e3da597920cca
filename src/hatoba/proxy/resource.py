"""What Envoy is sent: a serialised message with a name, and a version that is the hash of its content.

Versions by content make resending harmless: an agent that restarts offers the same versions that Envoy already has,
and nothing is sent at all. `needs` names the resources of the following kind without which Envoy holds this one back
(a cluster waits for its endpoints, a listener for its routes); `secrets` the certificates that a listener waits for.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, ParamSpec, TypeVar

import msgspec
from google.protobuf.any_pb2 import Any as Packed

Kind = Literal["cluster", "endpoints", "listener", "routes", "secret"]

# In the order in which Envoy must learn of them, so that nothing ever points at what is not there yet.
KINDS: tuple[Kind, ...] = ("cluster", "endpoints", "listener", "routes", "secret")

TYPE_URL: Mapping[Kind, str] = {
    "cluster": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "endpoints": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "listener": "type.googleapis.com/envoy.config.listener.v3.Listener",
    "routes": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    "secret": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
}

KIND_OF: Mapping[str, Kind] = {url: kind for kind, url in TYPE_URL.items()}


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    kind: Kind
    name: str
    version: str
    body: bytes
    needs: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


Snapshot = Mapping[Kind, Mapping[str, Resource]]

_Wish = ParamSpec("_Wish")
_Built = TypeVar("_Built")
_REMEMBERED = 4096

EMPTY: Snapshot = {kind: {} for kind in KINDS}


def resource(
    kind: Kind, name: str, message: Any, needs: tuple[str, ...] = (), secrets: tuple[str, ...] = ()
) -> Resource:
    body: bytes = message.SerializeToString(deterministic=True)
    version = hashlib.blake2b(body, digest_size=8).hexdigest()
    return Resource(kind=kind, name=name, version=version, body=body, needs=needs, secrets=secrets)


def snapshot_of(resources: Iterable[Resource]) -> Snapshot:
    snapshot: dict[Kind, dict[str, Resource]] = {kind: {} for kind in KINDS}
    for each in resources:
        snapshot[each.kind][each.name] = each
    return snapshot


def remembered(build: Callable[_Wish, _Built]) -> Callable[_Wish, _Built]:
    """Builds once for equal arguments; the least used are forgotten. For the very same arguments it costs next to
    nothing, however much there is to a balancer or a group: these remember their hashes."""
    return functools.lru_cache(maxsize=_REMEMBERED)(build)  # type: ignore[return-value]  # it does not keep the signature


def packed(message: Any) -> Packed:
    """An Any whose bytes do not depend on the order in which maps were filled."""
    return Packed(
        type_url=f"type.googleapis.com/{message.DESCRIPTOR.full_name}",
        value=message.SerializeToString(deterministic=True),
    )
