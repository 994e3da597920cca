"""What Organizations stores: organisations, accounts, organisational units, policies, and how accounts come to be.

An organisation and what belongs to it lives in the global scope of its management account; an account in its own, with
its number as the id, whether or not it is in an organisation. What a policy is attached to says so (`policies`): so the
levels above an account tell all that limits it. There is one root, a part of the organisation's record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.services.organizations.plan.managed import Type
from hatoba.store import Index, Table
from hatoba.store.store import View

Features = Literal["ALL", "CONSOLIDATED_BILLING"]
ROOT_NAME = "Root"


class Granted(msgspec.Struct, frozen=True):
    """A service, and since when it has what it was given."""

    service: str  # `ecs.amazonaws.com`
    since: float


class Organization(Record, frozen=True, kw_only=True):
    """The id is `o-…`; the policies are those of its root."""

    root: str  # `r-…`
    features: Features
    enabled: tuple[Type, ...] = ()  # in the root
    policies: tuple[str, ...] = ()
    trusted: tuple[Granted, ...] = ()  # services with access

    @property
    def management(self) -> str:
        return self.key.account

    @property
    def arn(self) -> str:
        return f"{self.stem}:organization/{self.id}"

    @property
    def root_arn(self) -> str:
        return f"{self.stem}:root/{self.id}/{self.root}"

    @property
    def stem(self) -> str:
        """How the ARNs begin of all that it has."""
        return f"arn:{self.key.partition}:organizations::{self.key.account}"


class Unit(Record, frozen=True, kw_only=True):
    """The id is `ou-…`."""

    organization: str
    parent: str
    name: str
    policies: tuple[str, ...] = ()

    @property
    def arn(self) -> str:
        return f"arn:{self.key.partition}:organizations::{self.key.account}:ou/{self.organization}/{self.id}"


class Account(Record, frozen=True, kw_only=True):
    """The id is its number. Without an organisation it stands alone, and of what follows on that nothing counts."""

    name: str
    email: str
    closed: float | None = None  # since when
    organization: str | None = None
    management: str = ""  # the organisation's account
    parent: str = ""  # root or unit
    joined: float = 0.0
    method: Literal["CREATED", "INVITED"] = "INVITED"
    policies: tuple[str, ...] = ()
    delegated: tuple[Granted, ...] = ()  # services that it administers for the organisation

    @property
    def home(self) -> Scope:
        """Where its organisation is."""
        return Scope(self.key.partition, self.management, "")

    @property
    def arn(self) -> str:
        stem = f"arn:{self.key.partition}:organizations::{self.management}"
        return f"{stem}:account/{self.organization}/{self.id}"


class Policy(Record, frozen=True, kw_only=True):
    """A customer's. The id is `p-…`."""

    organization: str
    type: Type
    name: str
    description: str
    content: str

    @property
    def arn(self) -> str:
        kind = self.type.lower()
        stem = f"arn:{self.key.partition}:organizations::{self.key.account}"
        return f"{stem}:policy/{self.organization}/{kind}/{self.id}"


class Creation(Record, frozen=True, kw_only=True):
    """An account that is to come to be. The id is `car-…`."""

    organization: str
    account: str  # its number
    name: str
    email: str
    role: str
    region: str  # in which it was asked for
    tags: tuple[tuple[str, str], ...] = ()
    requested: float
    state: Literal["IN_PROGRESS", "SUCCEEDED", "FAILED"] = "IN_PROGRESS"  # the controller only, as what follows
    completed: float | None = None
    reason: str | None = None


class Handshake(Record, frozen=True, kw_only=True):
    """An invitation. The id is `h-…`."""

    organization: str
    target: str  # the invited account's number
    email: str | None = None  # by which it was named
    notes: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    state: Literal["OPEN", "CANCELED", "ACCEPTED", "DECLINED"] = "OPEN"
    requested: float
    expires: float

    @property
    def arn(self) -> str:
        stem = f"arn:{self.key.partition}:organizations::{self.key.account}"
        return f"{stem}:handshake/{self.organization}/invite/{self.id}"

    def open_at(self, now: float) -> bool:
        return self.state == "OPEN" and now < self.expires


Target = Organization | Unit | Account  # what a policy can be attached to; the organisation stands for its root


def _attached(record: Unit | Account) -> list[tuple[str | None, str]]:
    return [(record.organization, policy) for policy in record.policies]


organizations = Table("organizations.organizations", Organization)
units = Table(
    "organizations.units",
    Unit,
    indexes=(
        Index[Unit]("organization", lambda unit: unit.organization),
        Index[Unit]("parent", lambda unit: (unit.organization, unit.parent)),
        Index[Unit]("policy", _attached, many=True),
    ),
)
accounts = Table(
    "organizations.accounts",
    Account,
    indexes=(
        Index[Account]("organization", lambda account: account.organization),
        Index[Account]("parent", lambda a: (a.organization, a.parent) if a.organization else None),
        Index[Account]("policy", _attached, many=True),
        Index[Account]("email", lambda account: (account.key.partition, account.email.lower())),
    ),
)
policies = Table(
    "organizations.policies",
    Policy,
    indexes=(Index[Policy]("type", lambda policy: (policy.organization, policy.type)),),
)
creations = Table(
    "organizations.creations",
    Creation,
    indexes=(
        Index[Creation]("organization", lambda creation: creation.organization),
        Index[Creation]("state", lambda creation: (creation.organization, creation.state)),
    ),
)

handshakes = Table(
    "organizations.handshakes",
    Handshake,
    indexes=(
        Index[Handshake]("id", lambda one: (one.key.partition, one.id)),
        Index[Handshake]("organization", lambda one: one.organization),
        Index[Handshake]("target", lambda one: (one.key.partition, one.target)),
    ),
)

TABLES: tuple[Table[Any], ...] = (organizations, units, accounts, policies, creations, handshakes)


# --- finding


def find_handshake(view: View, partition: str, id_: str) -> Handshake | None:
    """Whoever's it is."""
    return next(iter(view.index(handshakes, "id", (partition, id_))), None)


def find_account(view: View, partition: str, number: str) -> Account | None:
    return view.find(accounts, Scope(partition, number, ""), number)


def organization_of(view: View, account: Account) -> Organization | None:
    if account.organization is None:
        return None
    return view.find(organizations, account.home, account.organization)


def member(view: View, org: Organization, number: str) -> Account | None:
    """An account of the organisation, by its number."""
    account = find_account(view, org.key.partition, number)
    return account if account is not None and account.organization == org.id else None


def find_unit(view: View, org: Organization, id_: str) -> Unit | None:
    return view.find(units, org.scope, id_)


def find_target(view: View, org: Organization, id_: str) -> Target | None:
    """The root, a unit or an account, by its id."""
    if id_ == org.root:
        return org
    return find_unit(view, org, id_) if id_.startswith("ou-") else member(view, org, id_)


def members(view: View, org: Organization) -> list[Account]:
    return view.index(accounts, "organization", org.id)


def creations_under_way(view: View, org: Organization) -> int:
    return view.count(creations, "state", (org.id, "IN_PROGRESS"))


def children(view: View, org: Organization, parent: str) -> tuple[list[Unit], list[Account]]:
    return view.index(units, "parent", (org.id, parent)), view.index(accounts, "parent", (org.id, parent))


def above(view: View, org: Organization, target: Target) -> list[Target]:
    """From the root down to the target, with both."""
    found: list[Target] = [target]
    while not isinstance(found[-1], Organization):
        parent = found[-1].parent
        unit = find_unit(view, org, parent) if parent != org.root else None
        found.append(unit if unit is not None else org)
    return found[::-1]


def path(org: Organization, levels: Sequence[Target]) -> str:
    """`o-…/r-…/ou-…/`: of the levels, which begin with the root; accounts are no part of it."""
    below = "".join(f"{level.id}/" for level in levels if isinstance(level, Unit))
    return f"{org.id}/{org.root}/{below}"


def targets_of(view: View, org: Organization, policy: str) -> list[Target]:
    """To what a policy is attached."""
    root: Iterable[Target] = [org] if policy in org.policies else []
    return [*root, *view.index(units, "policy", (org.id, policy)), *view.index(accounts, "policy", (org.id, policy))]
