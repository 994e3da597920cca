"""What IAM stores.

Names are unique within an account without regard to case, as IAM has it: a record's id is its name in lower case.
Everything is in the account's global scope. `Kind` says how each kind of thing is found and spoken of.
"""

from __future__ import annotations

import base64
from typing import Any, Generic, TypeVar

import msgspec

from hatoba.aws.shapes import iam as t
from hatoba.core.errors import AwsError
from hatoba.core.ids import Ids
from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.core.secret import Secret
from hatoba.services.iam import managed
from hatoba.store import Index, Table
from hatoba.store.store import View


class Named(Record, frozen=True, kw_only=True):
    """What everything with a name has in common. The record's id is the name in lower case."""

    name: str
    path: str = "/"
    unique: str
    created: float


class Principal(Named, frozen=True, kw_only=True):
    """What users, groups and roles have in common: policies."""

    boundary: str | None = None
    inline: dict[str, str]  # policy documents by name
    attached: tuple[str, ...] = ()  # ARNs of managed policies


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A user's password, salted and hashed (`passwords`)."""

    password: Secret
    earlier: tuple[Secret, ...] = ()  # the newest first
    created: float
    changed: float
    reset: bool = False  # has to be changed when it is used next


class User(Principal, frozen=True, kw_only=True):
    groups: tuple[str, ...] = ()  # ids
    login: Login | None = None


class Group(Principal, frozen=True, kw_only=True):
    pass


class Role(Principal, frozen=True, kw_only=True):
    trust: str
    description: str | None = None
    max_session: int = 3600

    @property
    def linked(self) -> bool:
        """To a service, which alone may change it."""
        return self.path.startswith("/aws-service-role/")


class InstanceProfile(Named, frozen=True, kw_only=True):
    role: str | None = None  # id


class AccessKey(Record, frozen=True, kw_only=True):
    """The id is the access key id."""

    user: str
    secret: Secret
    status: str = "Active"
    created: float


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    id: str  # v1, v2 …: never used twice
    document: str
    created: float


class Policy(Named, frozen=True, kw_only=True):
    """A customer's managed policy."""

    description: str | None = None
    versions: tuple[PolicyVersion, ...]  # the newest last
    default: str = "v1"
    made: int = 1  # versions so far
    updated: float


class MfaDevice(Named, frozen=True, kw_only=True):
    """A virtual second factor."""

    seed: Secret  # base 32
    user: str | None = None  # id
    enabled: float | None = None
    drift: int = 0  # steps that its clock is ahead
    last: int = 0  # step of the last code that was shown


class OidcProvider(Record, frozen=True, kw_only=True):
    """Who vouches for identities with tokens. The id is its URL without `https://`."""

    clients: tuple[str, ...] = ()  # audiences
    thumbprints: tuple[str, ...] = ()
    created: float

    @property
    def arn(self) -> str:
        return f"arn:{self.key.partition}:iam::{self.key.account}:oidc-provider/{self.id}"


class SamlProvider(Named, frozen=True, kw_only=True):
    metadata: str  # XML
    ends: float | None = None
    encryption: str | None = None


class PasswordRules(Record, frozen=True, kw_only=True):
    """An account's password policy; the id is always `account`."""

    least: int = 6  # characters
    symbols: bool = False
    numbers: bool = False
    upper: bool = False
    lower: bool = False
    own_change: bool = False
    days: int | None = None  # a password lasts
    remembered: int | None = None  # passwords that cannot be used again
    hard_expiry: bool | None = None


class Used(msgspec.Struct, frozen=True):
    at: float
    region: str


class Uses(Record, frozen=True, kw_only=True):
    """When something was used last, by service. The id is an access key's, or the unique one of a user or a role."""

    services: dict[str, Used]


class CredentialReport(Record, frozen=True, kw_only=True):
    """The latest one of an account; the id is always `account`."""

    content: str  # CSV
    made: float


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody used a service, last."""

    service: str
    arn: str
    at: float
    region: str


class AccessJob(Record, frozen=True, kw_only=True):
    """Which services somebody's policies grant, and who used them last."""

    made: float
    services: tuple[str, ...]  # namespaces
    visits: tuple[Visit, ...]


class Alias(Record, frozen=True, kw_only=True):
    """An account's other name; the id is that."""


def _with_versions(row: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 had one document."""
    version = {"id": "v1", "document": row.pop("document"), "created": row["created"]}
    return {**row, "versions": [version], "updated": row["created"]}


def _attached(principal: Principal) -> list[tuple[str, str]]:
    return [(principal.key.account, arn) for arn in principal.attached]


def _boundary(principal: Principal) -> tuple[str, str] | None:
    return (principal.key.account, principal.boundary) if principal.boundary is not None else None


users: Table[User] = Table(
    "iam.users",
    User,
    indexes=(
        Index("attached", _attached, many=True),
        Index("boundary", _boundary),
        Index("group", lambda user: [(user.key.account, group) for group in user.groups], many=True),
    ),
)
groups: Table[Group] = Table("iam.groups", Group, indexes=(Index("attached", _attached, many=True),))
roles: Table[Role] = Table(
    "iam.roles", Role, indexes=(Index("attached", _attached, many=True), Index("boundary", _boundary))
)
instance_profiles = Table(
    "iam.instance_profiles",
    InstanceProfile,
    indexes=(Index("role", lambda profile: (profile.key.account, profile.role) if profile.role else None),),
)
access_keys = Table(
    "iam.access_keys",
    AccessKey,
    indexes=(Index("id", lambda key: key.key.id), Index("user", lambda key: (key.key.account, key.user.lower()))),
)
policies = Table("iam.policies", Policy, schema=2, migrations={1: _with_versions})
mfa_devices: Table[MfaDevice] = Table(
    "iam.mfa_devices",
    MfaDevice,
    indexes=(Index("user", lambda device: (device.key.account, device.user) if device.user else None),),
)
oidc_providers = Table("iam.oidc_providers", OidcProvider)
saml_providers: Table[SamlProvider] = Table("iam.saml_providers", SamlProvider)
password_rules = Table("iam.password_rules", PasswordRules)
uses = Table("iam.uses", Uses)
credential_reports = Table("iam.credential_reports", CredentialReport)
access_jobs = Table("iam.access_jobs", AccessJob)
aliases = Table("iam.account_aliases", Alias, indexes=(Index("id", lambda alias: alias.id),))

TABLES: tuple[Table[Any], ...] = (
    users,
    groups,
    roles,
    instance_profiles,
    access_keys,
    policies,
    mfa_devices,
    oidc_providers,
    saml_providers,
    password_rules,
    uses,
    credential_reports,
    access_jobs,
    aliases,
)

N = TypeVar("N", bound=Named)


class Kind(msgspec.Struct, Generic[N], frozen=True, kw_only=True, eq=False):
    """How one kind of thing with a name is spoken of."""

    noun: str
    table: Table[N]
    resource: str  # in its ARN
    prefix: str  # of its unique ids
    absent: str = "The {noun} with name {name} cannot be found."
    taken: str = "{noun} with name {name} already exists."

    @property
    def title(self) -> str:
        """In the middle of quotas and members: `PoliciesPerRole`, `RoleName`."""
        return self.noun.title().replace(" ", "")

    def arn(self, record: N) -> str:
        return f"arn:{record.key.partition}:iam::{record.key.account}:{self.resource}{record.path}{record.name}"

    def find(self, view: View, scope: Scope, name: str) -> N | None:
        return view.find(self.table, scope.everywhere(), name.lower())

    def the(self, view: View, scope: Scope, name: str) -> N:
        """Raises NoSuchEntity."""
        record = self.find(view, scope, name)
        if record is None:
            raise t.NoSuchEntityException(self.absent.format(noun=self.noun, name=name))
        return record

    def free(self, view: View, scope: Scope, name: str) -> None:
        """Raises EntityAlreadyExists."""
        if self.find(view, scope, name) is not None:
            raise t.EntityAlreadyExistsException(self.taken.format(noun=self.noun.capitalize(), name=name))


USER = Kind(noun="user", table=users, resource="user", prefix="AIDA")
GROUP = Kind(noun="group", table=groups, resource="group", prefix="AGPA")
ROLE = Kind(noun="role", table=roles, resource="role", prefix="AROA")
POLICY = Kind(
    noun="policy",
    table=policies,
    resource="policy",
    prefix="ANPA",
    taken="A policy called {name} already exists. Duplicate names are not allowed.",
)
PROFILE = Kind(
    noun="instance profile",
    table=instance_profiles,
    resource="instance-profile",
    prefix="AIPA",
    absent="Instance Profile {name} cannot be found.",
    taken="Instance Profile {name} already exists.",
)


MFA = Kind(
    noun="virtual mfa device",
    table=mfa_devices,
    resource="mfa",
    prefix="ASGA",
    taken="MFADevice entity at the same path and name already exists.",
)


SAML = Kind(
    noun="saml provider",
    table=saml_providers,
    resource="saml-provider",
    prefix="ASSP",
    absent="SAMLProvider not found for arn {name}",
    taken="SAMLProvider {name} already exists.",
)


def find_device(view: View, scope: Scope, serial: str) -> MfaDevice | None:
    """By its serial number, which is its ARN."""
    device = MFA.find(view, scope, serial.rpartition("/")[2])
    return device if device is not None and MFA.arn(device) == serial else None


def unique_id(ids: Ids, prefix: str, length: int = 17) -> str:
    """`AIDA…`, `AROA…`, `ANPA…` (17 further characters), `AKIA…`, `ASIA…` (16)."""
    return prefix + base64.b32encode(bytes.fromhex(ids.hex(24))).decode()[:length]


def the_policy(view: View, scope: Scope, arn: str) -> Policy:
    """A customer's. Raises NoSuchEntity, and AccessDenied for one that is not theirs to change."""
    if is_managed_by_aws(arn) and managed.find(arn) is not None:
        raise AwsError("Policy is outside your own account.", code="AccessDenied", status=403)
    policy = POLICY.find(view, scope, arn.rpartition("/")[2])
    if policy is None or POLICY.arn(policy) != arn:
        raise t.NoSuchEntityException(f"Policy {arn} was not found.")
    return policy


def the_document(view: View, scope: Scope, arn: str) -> str | None:
    """What a managed policy says now, AWS's or a customer's of this account; None when it is not there."""
    if is_managed_by_aws(arn):
        return managed.document(arn)
    policy = POLICY.find(view, scope, arn.rpartition("/")[2])
    if policy is None or POLICY.arn(policy) != arn:
        return None
    return next(version.document for version in policy.versions if version.id == policy.default)


def is_managed_by_aws(arn: str) -> bool:
    return ":iam::aws:policy/" in arn
