"""What accounts have one of, and what is noted of the use of things."""

from __future__ import annotations

import msgspec

from hatoba.core.records import Record
from hatoba.store import Index, Table


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


class Preferences(Record, frozen=True, kw_only=True):
    """What an account chose; the id is always `account`."""

    tokens: int = 1  # the version of the global endpoint's


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


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Who of an organisation used a service last."""

    at: float
    region: str
    path: str  # of the account
    accounts: int  # that used it at all


class OrganizationJob(Record, frozen=True, kw_only=True):
    """Which services control policies leave to a part of an organisation, and who used them last."""

    made: float
    services: tuple[str, ...]  # namespaces
    used: dict[str, Reach]


class Alias(Record, frozen=True, kw_only=True):
    """An account's other name; the id is that."""


password_rules = Table("iam.password_rules", PasswordRules)
preferences = Table("iam.preferences", Preferences)
uses = Table("iam.uses", Uses)
credential_reports = Table("iam.credential_reports", CredentialReport)
access_jobs = Table("iam.access_jobs", AccessJob)
organization_jobs = Table("iam.organization_jobs", OrganizationJob)
aliases = Table("iam.account_aliases", Alias, indexes=(Index("id", lambda alias: alias.id),))
