"""What KMS keeps: keys with all of their material, aliases, grants.

Material is `Secret`: sealed by the instance's master key wherever it is written. A key that has been rotated keeps its
older material for ever, since ciphertexts name the material they were made with.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from hatoba.core.ids import Ids
from hatoba.core.keys import Key, Scope
from hatoba.core.records import Record, replace
from hatoba.core.secret import Secret
from hatoba.gateway.tags import forget_tags
from hatoba.services.kms.plan.naming import key_arn
from hatoba.services.kms.plan.specs import SPECS, Spec, SpecName, Usage
from hatoba.services.kms.plan.states import State
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View

Origin = Literal["AWS_KMS", "EXTERNAL"]


DAY = 86400.0


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that a key works with; of imported material that was deleted or has expired, the bytes are gone."""

    id: str  # 64 hexadecimal digits, which say nothing of the bytes
    secret: Secret | None
    since: float  # when it became current
    kind: Literal["AUTOMATIC", "ON_DEMAND"] | None = None  # of the rotation that brought it; None: the first
    description: str | None = None  # of imported material
    valid_to: float | None = None  # of imported material that expires
    fingerprint: Secret | None = None  # of imported material: the same must be brought again

    def bytes(self) -> bytes:
        assert self.secret is not None
        return base64.b64decode(self.secret.reveal())


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    days: int
    next: float


class KmsKey(Record, frozen=True, kw_only=True):
    """The id is the key's. Material: the oldest first, the last one is current."""

    created: float
    spec: SpecName
    usage: Usage
    state: State
    origin: Origin = "AWS_KMS"
    manager: Literal["CUSTOMER", "AWS"] = "CUSTOMER"
    description: str = ""
    policy: str
    material: tuple[Material, ...] = ()  # the controller too
    pending: Material | None = None  # imported, for RotateKeyOnDemand to make it current; the controller too
    public: bytes | None = None  # of a pair
    rotation: Rotation | None = None  # the controller too
    deletion: float | None = None
    window: int | None = None  # days of waiting for its deletion
    primary: str | None = None  # of a multi-region key: the region of the primary
    replicas: tuple[str, ...] = ()  # of a multi-region key: the regions of the others

    @property
    def arn(self) -> str:
        return key_arn(self.scope, self.id)

    @property
    def kind(self) -> Spec:
        return SPECS[self.spec]

    @property
    def current(self) -> Material:
        return self.material[-1]

    @property
    def all_material(self) -> tuple[Material, ...]:
        return (*self.material, self.pending) if self.pending is not None else self.material

    @property
    def expires(self) -> float | None:
        """When the first of its imported material does."""
        return min((each.valid_to for each in self.all_material if each.valid_to is not None), default=None)

    def material_named(self, id_: str) -> Material | None:
        return next((each for each in self.material if each.id == id_), None)


class Alias(Record, frozen=True, kw_only=True):
    """The id is the name, with its `alias/`. Aliases of AWS's services may not have a key yet."""

    target: str
    created: float
    updated: float


class Grant(Record, frozen=True, kw_only=True):
    """The id is the grant's."""

    target: str  # the key's id
    created: float
    issuer: str  # an account
    name: str | None = None
    grantee: str | None = None
    grantee_service: str | None = None
    retiring: str | None = None
    retiring_service: str | None = None
    operations: tuple[str, ...] = ()
    constraints: bytes = b""  # GrantConstraints, in JSON
    token: Secret

    def says(self) -> tuple[object, ...]:
        """What it was asked for: with a name, the same is not made twice."""
        return (
            self.target,
            self.name,
            self.grantee,
            self.grantee_service,
            self.retiring,
            self.retiring_service,
            self.operations,
            self.constraints,
        )


class Import(Record, frozen=True, kw_only=True):
    """The wrapping key that a key's material is to come with. The id is the key's: only the last one is good."""

    token: Secret
    private: Secret
    algorithm: str
    expires: float


def _retiring(grant: Grant) -> tuple[str, str, str] | None:
    """In whichever account the key is."""
    who = grant.retiring or grant.retiring_service
    return None if who is None else (grant.key.partition, grant.key.region, who)


def due(key: KmsKey) -> float | None:
    """When something is to happen with a key; None for one that waits for nothing."""
    if key.deletion is not None:
        return key.deletion
    times = [key.expires]
    if key.rotation is not None and key.state == "Enabled":
        times.append(key.rotation.next)
    return min((when for when in times if when is not None), default=None)


keys = Table(
    "kms.keys",
    KmsKey,
    indexes=(
        Index[KmsKey]("multi", lambda key: key.id if key.primary is not None else None),
        Index[KmsKey]("waits", lambda key: None if due(key) is None else True),
    ),
)
aliases = Table("kms.aliases", Alias, indexes=(Index[Alias]("target", lambda alias: (alias.scope, alias.target)),))
grants = Table(
    "kms.grants",
    Grant,
    indexes=(
        Index[Grant]("target", lambda grant: (grant.scope, grant.target)),
        Index[Grant]("token", lambda grant: grant.token.reveal()),
        Index[Grant]("retiring", _retiring),
        Index[Grant]("grantee", lambda grant: (grant.scope, grant.target, grant.grantee or grant.grantee_service)),
    ),
)

imports = Table("kms.imports", Import)

TABLES: tuple[Table[Any], ...] = (keys, aliases, grants, imports)


def grant_by(view: View, scope: Scope, token: str) -> Grant | None:
    """By its token, whichever account's it is, in the region."""
    found = next(iter(view.index(grants, "token", token)), None)
    return found if found is not None and (found.key.partition, found.key.region) == (scope[0], scope[2]) else None


def new_material(ids: Ids, data: bytes, *, since: float, **more: Any) -> Material:
    return Material(id=ids.hex(64), secret=Secret(base64.b64encode(data).decode()), since=since, **more)


def fingerprint(data: bytes, key_id: str) -> Secret:
    """Tells whether bytes are the same that were there before."""
    return Secret(hashlib.blake2b(data, key=key_id.encode()[:64], digest_size=32).hexdigest())


def find_key(view: View, scope: Scope, key_id: str) -> KmsKey | None:
    return view.find(keys, scope, key_id)


def family(view: View, key: KmsKey) -> list[KmsKey]:
    """A multi-region key in all of its regions, itself included."""
    if key.primary is None:
        return [key]
    return [each for each in view.index(keys, "multi", key.id) if each.key.account == key.key.account]


def grants_of(view: View, key: Key) -> list[Grant]:
    return view.index(grants, "target", (key.scope, key.id))


def aliases_of(view: View, key: Key) -> list[Alias]:
    return view.index(aliases, "target", (key.scope, key.id))


def take_material(tx: Tx, key: KmsKey, gone: Callable[[Material], bool]) -> None:
    """Imported material is deleted or has expired: what it was stays known, so that only the same can come back. The
    key waits for it, whichever it was: or some of what it encrypted could be read, and some not."""
    left = tuple(replace(each, secret=None, valid_to=None) if gone(each) else each for each in key.material)
    pending = None if key.pending is not None and gone(key.pending) else key.pending
    tx.put(keys, with_material(key, left, pending))


def with_material(key: KmsKey, material: tuple[Material, ...], pending: Material | None = None) -> KmsKey:
    """The key with this material, enabled if all of it is there."""
    state = key.state
    if any(each.secret is None for each in material):
        state = "PendingImport" if state in ("Enabled", "Disabled") else state
    elif state == "PendingImport":
        state = "Enabled"
    return replace(key, material=material, pending=pending, state=state)


def delete_key(tx: Tx, key: KmsKey) -> None:
    """With all that speaks of it. What was encrypted with it is lost."""
    for alias in aliases_of(tx, key.key):
        tx.forget(aliases, alias.key)
    for grant in grants_of(tx, key.key):
        tx.forget(grants, grant.key)
    tx.forget(imports, imports.key(key.scope, key.id))
    forget_tags(tx, key.scope, key.arn)
    tx.forget(keys, key.key)
