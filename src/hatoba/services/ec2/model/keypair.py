"""Key pairs: the public half. The private one is told once, to whoever had it made, and kept nowhere."""

from __future__ import annotations

from typing import Literal

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.services.ec2.model.errors import invalid
from hatoba.store import Index, Table
from hatoba.store.store import View

KEY_PAIRS = 5000  # of a region


class KeyPair(Record, frozen=True, kw_only=True):
    """The id is `key-…`; `public` is as OpenSSH writes it, without a comment."""

    name: str
    kind: Literal["rsa", "ed25519"]
    public: str
    fingerprint: str
    created: float


key_pairs = Table(
    "ec2.key_pairs",
    KeyPair,
    indexes=(Index("name", lambda pair: (*pair.scope, pair.name)), Index("scope", lambda pair: tuple(pair.scope))),
)


def by_name(view: View, scope: Scope, name: str) -> KeyPair | None:
    return next(iter(view.index(key_pairs, "name", (*scope, name))), None)


def the_pair(view: View, scope: Scope, name: str) -> KeyPair:
    """Raises InvalidKeyPair.NotFound."""
    found = by_name(view, scope, name)
    if found is None:
        raise invalid(f"The key pair '{name}' does not exist", "InvalidKeyPair.NotFound")
    return found
