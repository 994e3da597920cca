"""Users, groups, roles, instance profiles, and what users show: access keys, second factors."""

from __future__ import annotations

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.core.secret import Secret
from hatoba.services.iam.model.named import Kind, Named
from hatoba.store import Index, Table
from hatoba.store.store import View


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


class MfaDevice(Named, frozen=True, kw_only=True):
    """A virtual second factor."""

    seed: Secret  # base 32
    user: str | None = None  # id
    enabled: float | None = None
    drift: int = 0  # steps that its clock is ahead
    last: int = 0  # step of the last code that was shown


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
        Index("unique", lambda user: user.unique),
    ),
)
groups: Table[Group] = Table("iam.groups", Group, indexes=(Index("attached", _attached, many=True),))
roles: Table[Role] = Table(
    "iam.roles",
    Role,
    indexes=(
        Index("attached", _attached, many=True),
        Index("boundary", _boundary),
        Index("linked", lambda role: role.key.account if role.linked else None),
        Index("unique", lambda role: role.unique),
    ),
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
mfa_devices: Table[MfaDevice] = Table(
    "iam.mfa_devices",
    MfaDevice,
    indexes=(Index("user", lambda device: (device.key.account, device.user) if device.user else None),),
)


class _Roles(Kind[Role], frozen=True, kw_only=True, eq=False):
    """Those that belong to services do not count: nobody chose to have them."""

    def held(self, view: View, scope: Scope) -> int:
        return super().held(view, scope) - view.count(self.table, "linked", scope.account)


USER = Kind(noun="user", table=users, resource="user", prefix="AIDA", quota=("UsersPerAccount", 5000))
GROUP = Kind(noun="group", table=groups, resource="group", prefix="AGPA", quota=("GroupsPerAccount", 300))
ROLE = _Roles(noun="role", table=roles, resource="role", prefix="AROA", quota=("RolesPerAccount", 1000))
PROFILE = Kind(
    noun="instance profile",
    table=instance_profiles,
    resource="instance-profile",
    prefix="AIPA",
    absent="Instance Profile {name} cannot be found.",
    taken="Instance Profile {name} already exists.",
    quota=("InstanceProfilesPerAccount", 1000),
)
MFA = Kind(
    noun="virtual mfa device",
    table=mfa_devices,
    resource="mfa",
    prefix="ASGA",
    taken="MFADevice entity at the same path and name already exists.",
    quota=("MFADevicesPerAccount", 5000),
)


def find_device(view: View, scope: Scope, serial: str) -> MfaDevice | None:
    """By its serial number, which is its ARN."""
    device = MFA.find(view, scope, serial.rpartition("/")[2])
    return device if device is not None and MFA.arn(device) == serial else None
