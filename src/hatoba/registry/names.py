"""Digests, tags and repository names: the grammar of the OCI distribution specification (1.1, "Pulling manifests")."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import NewType, Protocol

Digest = NewType("Digest", str)  # "sha256:<64 hex>" or "sha512:<128 hex>", lower case

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
NAME_LIMIT = 320  # ECR allows 256, and a prefix may say whose the repository is


class Hash(Protocol):
    """What hashlib's objects have in common."""

    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


_ALGORITHMS: dict[str, Callable[[], Hash]] = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}


def digest(text: str) -> Digest | None:
    return Digest(text) if _DIGEST.fullmatch(text) else None


def is_tag(text: str) -> bool:
    return _TAG.fullmatch(text) is not None


def is_name(text: str) -> bool:
    return len(text) <= NAME_LIMIT and _NAME.fullmatch(text) is not None


def algorithm(of: Digest) -> str:
    return of.partition(":")[0]


def hasher(algorithm_name: str) -> Hash:
    return _ALGORITHMS[algorithm_name]()


def digest_of(data: bytes, algorithm_name: str = "sha256") -> Digest:
    running = hasher(algorithm_name)
    running.update(data)
    return Digest(f"{algorithm_name}:{running.hexdigest()}")
