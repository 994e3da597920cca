"""What IAM stores. Names are unique within an account without regard to case, as IAM has it."""

from __future__ import annotations

import base64
from typing import Any

from hatoba.aws.shapes import iam as t
from hatoba.core.ids import Ids
from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.core.secret import Secret
from hatoba.store import Index, Table
from hatoba.store.store import View


class Principal(Record, frozen=True, kw_only=True):
    """What users and roles have in common. The record's id is the name in lower case."""

    name: str
    path: str = "/"
    unique: str
    created: float
    boundary: str | None = None
    inline: dict[str, str]  # policy documents by name
    attached: tuple[str, ...] = ()  # ARNs of managed policies


class User(Principal, frozen=True, kw_only=True):
    pass


class Role(Principal, frozen=True, kw_only=True):
    trust: str
    description: str | None = None
    max_session: int = 3600


class AccessKey(Record, frozen=True, kw_only=True):
    """The id is the access key id."""

    user: str
    secret: Secret
    status: str = "Active"
    created: float


class Policy(Record, frozen=True, kw_only=True):
    """A customer's managed policy. The id is the name in lower case."""

    name: str
    path: str = "/"
    unique: str
    description: str | None = None
    document: str
    created: float


users = Table("iam.users", User, indexes=(Index("attached", lambda u: u.attached, many=True),))
roles = Table("iam.roles", Role, indexes=(Index("attached", lambda r: r.attached, many=True),))
access_keys = Table(
    "iam.access_keys",
    AccessKey,
    indexes=(Index("id", lambda key: key.key.id), Index("user", lambda key: (key.key.account, key.user.lower()))),
)
policies = Table("iam.policies", Policy)

TABLES: tuple[Table[Any], ...] = (users, roles, access_keys, policies)


def unique_id(ids: Ids, prefix: str, length: int = 17) -> str:
    """`AIDA…`, `AROA…`, `ANPA…` (17 further characters), `AKIA…`, `ASIA…` (16)."""
    return prefix + base64.b32encode(bytes.fromhex(ids.hex(24))).decode()[:length]


def user_arn(user: User) -> str:
    return f"arn:{user.key.partition}:iam::{user.key.account}:user{user.path}{user.name}"


def role_arn(role: Role) -> str:
    return f"arn:{role.key.partition}:iam::{role.key.account}:role{role.path}{role.name}"


def policy_arn(policy: Policy) -> str:
    return f"arn:{policy.key.partition}:iam::{policy.key.account}:policy{policy.path}{policy.name}"


def the_user(view: View, scope: Scope, name: str) -> User:
    user = view.find(users, scope.everywhere(), name.lower())
    if user is None:
        raise t.NoSuchEntityException(f"The user with name {name} cannot be found.")
    return user


def the_role(view: View, scope: Scope, name: str) -> Role:
    role = view.find(roles, scope.everywhere(), name.lower())
    if role is None:
        raise t.NoSuchEntityException(f"The role with name {name} cannot be found.")
    return role


def the_policy(view: View, scope: Scope, arn: str) -> Policy:
    name = arn.rpartition("/")[2]
    policy = view.find(policies, scope.everywhere(), name.lower())
    if policy is None or policy_arn(policy) != arn:
        raise t.NoSuchEntityException(f"Policy {arn} was not found.")
    return policy


def is_managed_by_aws(arn: str) -> bool:
    return ":iam::aws:policy/" in arn
