"""What Secrets Manager keeps: secrets, and each of their versions.

A value is kept under a data key of KMS's (`envelope`): what stands here says nothing of it. A replica is a secret of
its own, in another region, that its primary's controller keeps in step.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from hatoba.core.records import Record, replace
from hatoba.gateway.call import Principal
from hatoba.gateway.tags import forget_tags
from hatoba.reconcile import Published
from hatoba.services.secretsmanager.plan.names import Named, secret_arn
from hatoba.services.secretsmanager.plan.stages import Stages
from hatoba.store import Change, Index, Table, Tx
from hatoba.store.store import View

Step = Literal["createSecret", "setSecret", "testSecret", "finishSecret"]


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """How a secret is rotated, and how far a rotation has come."""

    function: str
    days: int | None = None
    schedule: str | None = None
    duration: str | None = None
    enabled: bool = True
    next: float | None = None  # the controller too
    last: float | None = None  # the controller only
    token: str | None = None  # of the rotation that is under way; the controller ends it
    step: Step = "createSecret"  # the controller only
    testing: bool = False  # no rotation, but a trial of the function; the controller ends it
    attempts: int = 0  # the controller only
    retry: float = 0.0  # the controller only: not before


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """A region that has a copy. Status and message: the controller only."""

    region: str
    kms_key: str | None = None
    force: bool = False  # a secret that is there already is overwritten
    status: Literal["InSync", "Failed", "InProgress"] = "InProgress"
    message: str | None = None


class Lent(msgspec.Struct, frozen=True, kw_only=True):
    """The replica in another account."""

    arn: str
    role: str | None = None  # which the service assumes to write it
    by: Principal | None = None  # who changed the secret last: without a role it is written with their permissions
    via: tuple[str, ...] = ()  # the services through which they did
    status: Literal["InSync", "Failed", "InProgress", "Detached"] = "InProgress"  # the controller too
    message: str | None = None  # the controller only


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Of a replica of another account's secret: that secret. Status and message: its controller too."""

    arn: str
    status: Literal["Pending", "InSync", "Failed", "InProgress", "Detached"] = "Pending"
    message: str | None = None


class StoredSecret(Record, frozen=True, kw_only=True):
    """The id is the name."""

    suffix: str  # six letters, so that a secret made anew has another ARN
    created: float
    changed: float
    accessed: float | None = None  # a day, no more
    description: str | None = None
    kms_key: str | None = None  # None: alias/aws/secretsmanager
    deletion: float | None = None  # when it will be gone
    policy: str | None = None
    rotation: Rotation | None = None
    replicas: tuple[Replica, ...] = ()
    primary: str | None = None  # of a replica: the region of its primary
    lent: Lent | None = None
    origin: Origin | None = None

    @property
    def arn(self) -> str:
        return secret_arn(self.scope, self.id, self.suffix)


class Version(Record, frozen=True, kw_only=True):
    """The id is `<name>:<version>`: no name has a colon."""

    secret: str
    name: str
    created: float
    accessed: float | None = None  # a day, no more
    stages: tuple[str, ...] = ()
    data_key: bytes = b""  # KMS's ciphertext; none yet while a rotation makes the value
    sealed: bytes = b""  # the value, under the data key
    binary: bool = False
    kms_key: str = ""  # the ARN of the key that it is under

    @property
    def has_value(self) -> bool:
        return bool(self.data_key)


def _waits(secret: StoredSecret) -> list[str]:
    """What controllers do with it."""
    what = {
        "deletion": secret.deletion is not None,
        "rotation": secret.rotation is not None,
        "replicas": bool(secret.replicas),
        "lent": secret.lent is not None and secret.lent.status == "InProgress",
    }
    return [name for name, holds in what.items() if holds]


secrets = Table("secretsmanager.secrets", StoredSecret, indexes=(Index[StoredSecret]("waits", _waits, many=True),))
versions = Table(
    "secretsmanager.versions",
    Version,
    indexes=(Index[Version]("secret", lambda version: (version.scope, version.secret)),),
)

TABLES: tuple[Table[Any], ...] = (secrets, versions)


def _changed(change: Change[StoredSecret]) -> list[str]:
    """Whatever is done to a secret or its versions writes its record; but so does the first read of a day."""
    before, after = change.before, change.after
    if before is None or after is None:
        return [record.arn for record in (before, after) if record is not None]
    read = before.accessed != after.accessed
    return [] if read and replace(before, accessed=after.accessed, version=after.version) == after else [after.arn]


PUBLISHED = (Published(secrets, _changed),)


# --- reading


def find_secret(view: View, wanted: Named) -> StoredSecret | None:
    for name, suffix in wanted.names:
        secret = view.find(secrets, wanted.scope, name)
        if secret is not None and suffix in (None, secret.suffix):
            return secret
    return None


def find_version(view: View, secret: StoredSecret, name: str) -> Version | None:
    return view.find(versions, secret.scope, f"{secret.id}:{name}")


def versions_of(view: View, secret: StoredSecret) -> list[Version]:
    return view.index(versions, "secret", (secret.scope, secret.id))


def stages_of(view: View, secret: StoredSecret) -> Stages:
    return {version.name: version.stages for version in versions_of(view, secret)}


def staged(view: View, secret: StoredSecret, label: str) -> Version | None:
    return next((version for version in versions_of(view, secret) if label in version.stages), None)


# --- writing


def set_stages(tx: Tx, secret: StoredSecret, stages: Stages) -> None:
    """Writes the versions whose labels are others than before."""
    for version in versions_of(tx, secret):
        if version.stages != stages.get(version.name, version.stages):
            tx.put(versions, replace(version, stages=stages[version.name]))


def delete_secret(tx: Tx, secret: StoredSecret) -> None:
    """With all that is in it, for good."""
    for version in versions_of(tx, secret):
        tx.forget(versions, version.key)
    forget_tags(tx, secret.scope, secret.arn)
    tx.forget(secrets, secret.key)
