"""Record → API shape. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from hatoba.aws.shapes import organizations as t
from hatoba.services.organizations import model
from hatoba.services.organizations.model import (
    Account,
    Creation,
    Granted,
    Handshake,
    Organization,
    Policy,
    Target,
    Unit,
)
from hatoba.services.organizations.plan.managed import KINDS, SERVICE, Managed


def organization(org: Organization, management: Account) -> t.Organization:
    return {
        "Id": org.id,
        "Arn": org.arn,
        "FeatureSet": org.features,
        "MasterAccountArn": management.arn,
        "MasterAccountId": management.id,
        "MasterAccountEmail": management.email,
        "AvailablePolicyTypes": [{"Type": SERVICE, "Status": "ENABLED"}] if org.features == "ALL" else [],
    }


def root(org: Organization) -> t.Root:
    kinds: list[t.PolicyTypeSummary] = [{"Type": kind, "Status": "ENABLED"} for kind in KINDS if kind in org.enabled]
    return {"Id": org.root, "Arn": org.root_arn, "Name": model.ROOT_NAME, "PolicyTypes": kinds}


def unit(org: Organization, levels: list[Target], one: Unit) -> t.OrganizationalUnit:
    """`levels`: from the root to the unit."""
    return {"Id": one.id, "Arn": one.arn, "Name": one.name, "Path": model.path(org, levels)}


def account(one: Account) -> t.Account:
    open_ = one.closed is None
    return {
        "Id": one.id,
        "Arn": one.arn,
        "Email": one.email,
        "Name": one.name,
        "Status": "ACTIVE" if open_ else "SUSPENDED",
        "State": "ACTIVE" if open_ else "CLOSED",
        "JoinedMethod": one.method,
        "JoinedTimestamp": one.joined,
    }


def creation(one: Creation) -> t.CreateAccountStatus:
    found: t.CreateAccountStatus = {
        "Id": one.id,
        "AccountName": one.name,
        "State": one.state,
        "RequestedTimestamp": one.requested,
    }
    if one.completed is not None:
        found["CompletedTimestamp"] = one.completed
    if one.state == "SUCCEEDED":
        found["AccountId"] = one.account
    if one.reason == "EMAIL_ALREADY_EXISTS":
        found["FailureReason"] = "EMAIL_ALREADY_EXISTS"
    return found


def policy(one: Policy | Managed, partition: str) -> t.PolicySummary:
    if isinstance(one, Managed):
        return {
            "Id": one.id,
            "Arn": one.arn(partition),
            "Name": one.name,
            "Description": one.description,
            "Type": one.type,
            "AwsManaged": True,
        }
    return {
        "Id": one.id,
        "Arn": one.arn,
        "Name": one.name,
        "Description": one.description,
        "Type": one.type,
        "AwsManaged": False,
    }


def target(one: Target) -> t.PolicyTargetSummary:
    match one:
        case Organization():
            return {"TargetId": one.root, "Arn": one.root_arn, "Name": model.ROOT_NAME, "Type": "ROOT"}
        case Unit():
            return {"TargetId": one.id, "Arn": one.arn, "Name": one.name, "Type": "ORGANIZATIONAL_UNIT"}
        case Account():
            return {"TargetId": one.id, "Arn": one.arn, "Name": one.name, "Type": "ACCOUNT"}


def handshake(one: Handshake, org: Organization | None, management: Account | None, now: float) -> t.Handshake:
    """`org` and its management account: None once they are gone."""
    about: list[t.HandshakeResource] = []
    if org is not None and management is not None:
        about = [
            {"Type": "MASTER_EMAIL", "Value": management.email},
            {"Type": "MASTER_NAME", "Value": management.name},
            {"Type": "ORGANIZATION_FEATURE_SET", "Value": org.features},
        ]
    party: t.HandshakeParty = {"Id": one.target, "Type": "ACCOUNT"}
    resource: t.HandshakeResource = {"Type": "ACCOUNT", "Value": one.target}
    if one.email is not None:
        party, resource = {"Id": one.email, "Type": "EMAIL"}, {"Type": "EMAIL", "Value": one.email}
    resources: list[t.HandshakeResource] = [
        {"Type": "ORGANIZATION", "Value": one.organization, "Resources": about},
        resource,
    ]
    if one.notes is not None:
        resources.append({"Type": "NOTES", "Value": one.notes})
    return {
        "Id": one.id,
        "Arn": one.arn,
        "Parties": [{"Id": one.organization, "Type": "ORGANIZATION"}, party],
        "State": "EXPIRED" if one.state == "OPEN" and not one.open_at(now) else one.state,
        "RequestedTimestamp": one.requested,
        "ExpirationTimestamp": one.expires,
        "Action": "INVITE",
        "Resources": resources,
    }


def trusted(granted: Iterable[Granted]) -> list[t.EnabledServicePrincipal]:
    return [{"ServicePrincipal": one.service, "DateEnabled": one.since} for one in granted]


def delegated(granted: Iterable[Granted]) -> list[t.DelegatedService]:
    return [{"ServicePrincipal": one.service, "DelegationEnabledDate": one.since} for one in granted]


def administrator(one: Account) -> t.DelegatedAdministrator:
    since = min(granted.since for granted in one.delegated)
    return cast("t.DelegatedAdministrator", {**account(one), "DelegationEnabledDate": since})
