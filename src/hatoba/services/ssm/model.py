"""What Parameter Store keeps: parameters, and each of their versions.

A parameter is found by its name and points at its latest version; a version holds everything that PutParameter said,
since the history shows all of it. The value of a SecureString is KMS's ciphertext; that of the other types is not a
secret by its type, but people put passwords everywhere, so it is sealed in the journal too.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hatoba.core import arn
from hatoba.core.keys import Scope
from hatoba.core.records import Record, replace
from hatoba.core.secret import Secret
from hatoba.gateway.tags import forget_tags
from hatoba.reconcile import Published
from hatoba.services.ssm.plan.names import ancestors, folder
from hatoba.services.ssm.plan.policies import Policy
from hatoba.services.ssm.plan.values import Tier, Type
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View

MOST_VERSIONS = 100


class Parameter(Record, frozen=True, kw_only=True):
    """The id is the name."""

    latest: int
    created: float
    tier: Tier = "Standard"
    policies: tuple[Policy, ...] = ()  # the status in each: the controller only


class Version(Record, frozen=True, kw_only=True):
    """The id is `<name>:<number>`: no name has a colon."""

    name: str
    number: int
    type: Type
    value: Secret | None = None  # None: a SecureString
    ciphertext: bytes | None = None  # of a SecureString
    key_id: str | None = None  # of a SecureString, as it was given
    description: str | None = None
    pattern: str | None = None
    tier: Tier = "Standard"
    policies: tuple[Policy, ...] = ()  # as they were given
    data_type: str = "text"
    modified: float
    user: str
    labels: tuple[str, ...] = ()


def _under(parameter: Parameter) -> list[tuple[Scope, str]]:
    return [(parameter.scope, above) for above in ancestors(parameter.id)]


parameters = Table(
    "ssm.parameters",
    Parameter,
    indexes=(
        Index[Parameter]("folder", lambda parameter: (parameter.scope, folder(parameter.id))),
        Index[Parameter]("under", _under, many=True),
        Index[Parameter]("tier", lambda parameter: (parameter.scope, parameter.tier)),
        Index[Parameter]("policies", lambda parameter: bool(parameter.policies) or None),
    ),
)
versions = Table(
    "ssm.versions",
    Version,
    indexes=(
        Index[Version]("name", lambda version: (version.scope, version.name)),
        Index[Version](
            "label", lambda version: [(version.scope, version.name, label) for label in version.labels], many=True
        ),
    ),
)


class Setting(Record, frozen=True, kw_only=True):
    """A service setting that differs from its default. The id is the setting's."""

    value: str
    modified: float
    user: str


settings = Table("ssm.settings", Setting)


class Activation(Record, frozen=True, kw_only=True):
    """Machines may become managed instances with its code. Writers: the API; whoever lets them in counts them."""

    digest: bytes  # of the code
    role: str  # as it was given: a name
    limit: int
    expires: float
    created: float
    registrations: int = 0
    description: str = ""
    name: str = ""  # of the instances, until they have another
    tags: dict[str, str] = msgspec.field(default_factory=dict)  # theirs too


class Managed(Record, frozen=True, kw_only=True):
    """A managed instance; the id is `mi-…`. What it does is in its node's record."""

    node: str
    activation: str
    role: str
    registered: float
    name: str = ""


activations = Table("ssm.activations", Activation, indexes=(Index[Activation]("id", lambda record: record.id),))
managed = Table("ssm.managed_instances", Managed)

TABLES: tuple[Table[Any], ...] = (parameters, versions, settings, activations, managed)

PUBLISHED = (Published(parameters, lambda change: [parameter_arn(change.key.scope, change.key.id)]),)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter with one of its versions."""

    parameter: Parameter
    version: Version
    selector: str = ""  # how the version was asked for: ":3", ":prod", or not at all


def parameter_arn(scope: Scope, name: str) -> str:
    """Names at the top have the same ARN with and without their slash; so only one of the two can be."""
    return arn.make(scope, "ssm", f"parameter/{name.removeprefix('/')}")


def managed_arn(scope: Scope, id_: str) -> str:
    return arn.make(scope, "ssm", f"managed-instance/{id_}")


def twin(name: str) -> str | None:
    """The name that would have the same ARN."""
    if "/" not in name:
        return f"/{name}"
    return name[1:] if name.count("/") == 1 else None


def version_key(name: str, number: int) -> str:
    # Ten digits: keys are in the order of versions.
    return f"{name}:{number:010d}"


# --- reading


def find_version(view: View, scope: Scope, name: str, number: int) -> Version | None:
    return view.find(versions, scope, version_key(name, number))


def latest(view: View, parameter: Parameter) -> Version:
    version = find_version(view, parameter.scope, parameter.id, parameter.latest)
    assert version is not None, parameter.id  # the two are written and forgotten together
    return version


def versions_of(view: View, scope: Scope, name: str) -> list[Version]:
    """The oldest first."""
    return view.index(versions, "name", (scope, name))


def labelled(view: View, scope: Scope, name: str, label: str) -> Version | None:
    found = view.index(versions, "label", (scope, name, label))
    return found[0] if found else None


# --- writing


def delete_parameter(tx: Tx, parameter: Parameter) -> None:
    """With its history and its tags."""
    for version in versions_of(tx, parameter.scope, parameter.id):
        tx.forget(versions, version.key)
    forget_tags(tx, parameter.scope, parameter_arn(parameter.scope, parameter.id))
    tx.forget(parameters, parameter.key)


def set_labels(tx: Tx, version: Version, labels: tuple[str, ...]) -> Version:
    return tx.put(versions, replace(version, labels=labels))
