"""A path of the distribution API, taken apart.

Repository names may contain any word of the API ("a/blobs/uploads"), so a path is read from its end.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hatoba.registry import names
from hatoba.registry.problems import Problem

Kind = Literal["base", "catalog", "tags", "manifest", "blob", "uploads", "upload", "referrers"]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    kind: Kind
    name: str = ""  # of the repository, as the client wrote it
    reference: str = ""  # tag, digest or upload id


def parse(path: str) -> Route | None:
    """The route, or None when the path is none of the API's. A repository name that is not valid is a `Problem`."""
    if path in ("/v2", "/v2/"):
        return Route(kind="base")
    if path == "/v2/_catalog":
        return Route(kind="catalog")
    if not path.startswith("/v2/"):
        return None
    route = _in_repository(path[len("/v2/") :])
    if route is not None and not names.is_name(route.name):
        raise Problem("NAME_INVALID", detail={"name": route.name})
    return route


def _in_repository(path: str) -> Route | None:
    if path.endswith("/tags/list"):
        return Route(kind="tags", name=path.removesuffix("/tags/list"))
    for ending in ("/blobs/uploads/", "/blobs/uploads"):
        if path.endswith(ending):
            return Route(kind="uploads", name=path.removesuffix(ending))
    parts = path.rsplit("/", 3)
    if len(parts) == 4 and parts[1:3] == ["blobs", "uploads"]:
        return Route(kind="upload", name=parts[0], reference=parts[3])
    name, _, last = path.rpartition("/")
    name, _, word = name.rpartition("/")
    match word:
        case "manifests":
            return Route(kind="manifest", name=name, reference=last)
        case "blobs":
            return Route(kind="blob", name=name, reference=last)
        case "referrers":
            return Route(kind="referrers", name=name, reference=last)
    return None
