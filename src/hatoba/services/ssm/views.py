"""Records → the model's shapes."""

from __future__ import annotations

from typing import Literal

from hatoba.aws.shapes import ssm as t
from hatoba.core.keys import Scope
from hatoba.fleet.model import Node
from hatoba.services.ssm.model import Activation, Found, Managed, Parameter, Version, parameter_arn
from hatoba.services.ssm.plan.policies import Policy
from hatoba.services.ssm.plan.public import PUBLISHED, Public
from hatoba.services.ssm.plan.sessions import object_key
from hatoba.services.ssm.session.model import Session, over

_STATUS: dict[str, Literal["Connected", "Connecting", "Terminated"]] = {
    "offered": "Connecting",
    "connected": "Connected",
    "ended": "Terminated",
}


def parameter(found: Found, value: str) -> t.Parameter:
    """`value`: in clear, or as it is encrypted."""
    version = found.version
    shown: t.Parameter = {
        "Name": version.name,
        "Type": version.type,
        "Value": value,
        "Version": version.number,
        "LastModifiedDate": version.modified,
        "ARN": parameter_arn(version.scope, version.name),
        "DataType": version.data_type,
    }
    if found.selector:
        shown["Selector"] = found.selector
    return shown


def public(scope: Scope, found: Public, selector: str = "") -> t.Parameter:
    shown: t.Parameter = {
        "Name": found.name,
        "Type": "String",
        "Value": found.value,
        "Version": found.version,
        "LastModifiedDate": PUBLISHED,
        "ARN": f"arn:{scope.partition}:ssm:{scope.region}::parameter{found.name}",
        "DataType": "text",
    }
    if selector:
        shown["Selector"] = selector
    return shown


def metadata(parameter: Parameter, version: Version) -> t.ParameterMetadata:
    shown: t.ParameterMetadata = {
        "Name": version.name,
        "ARN": parameter_arn(version.scope, version.name),
        "Type": version.type,
        "LastModifiedDate": version.modified,
        "LastModifiedUser": version.user,
        "Version": version.number,
        "Tier": parameter.tier,
        "Policies": [policy(each) for each in parameter.policies],
        "DataType": version.data_type,
    }
    if version.key_id is not None:
        shown["KeyId"] = version.key_id
    if version.description is not None:
        shown["Description"] = version.description
    if version.pattern is not None:
        shown["AllowedPattern"] = version.pattern
    return shown


def history(version: Version, value: str) -> t.ParameterHistory:
    shown: t.ParameterHistory = {
        "Name": version.name,
        "Type": version.type,
        "LastModifiedDate": version.modified,
        "LastModifiedUser": version.user,
        "Value": value,
        "Version": version.number,
        "Labels": list(version.labels),
        "Tier": version.tier,
        "Policies": [policy(each) for each in version.policies],
        "DataType": version.data_type,
    }
    if version.key_id is not None:
        shown["KeyId"] = version.key_id
    if version.description is not None:
        shown["Description"] = version.description
    if version.pattern is not None:
        shown["AllowedPattern"] = version.pattern
    return shown


def policy(record: Policy) -> t.ParameterInlinePolicy:
    return {"PolicyText": record.text, "PolicyType": record.type, "PolicyStatus": record.status}


# --- machines


def activation(record: Activation, now: float) -> t.Activation:
    shown: t.Activation = {
        "ActivationId": record.id,
        "Description": record.description,
        "DefaultInstanceName": record.name,
        "IamRole": record.role,
        "RegistrationLimit": record.limit,
        "RegistrationsCount": record.registrations,
        "ExpirationDate": record.expires,
        "Expired": record.expires <= now,
        "CreatedDate": record.created,
        "Tags": [{"Key": key, "Value": value} for key, value in record.tags.items()],
    }
    return shown


def managed(record: Managed, node: Node | None, now: float, newest: str) -> t.InstanceInformation:
    """`node` None: it is gone. A node that is connected gives a sign of life every few seconds."""
    there = node is not None and node.state == "ready"
    shown: t.InstanceInformation = {
        "InstanceId": record.id,
        "PingStatus": "Online" if there else "ConnectionLost",
        "PlatformType": "Linux",
        "ActivationId": record.activation,
        "IamRole": record.role,
        "RegistrationDate": record.registered,
        "ResourceType": "ManagedInstance",
        "Name": record.name,
    }
    if node is None:
        return shown
    shown["ComputerName"] = node.name
    if node.seen_at:
        shown["LastPingDateTime"] = now if there else node.seen_at
        shown["AgentVersion"], shown["IsLatestVersion"] = node.agent, node.agent == newest
    if node.address:
        shown["IPAddress"] = node.address
    return shown


# --- sessions


def session(record: Session, now: float) -> t.Session:
    missed = record.state == "offered" and over(record, now)
    shown: t.Session = {
        "SessionId": record.id,
        "Target": record.target,
        "Status": "Failed" if missed else _STATUS[record.state],
        "StartDate": record.started,
        "DocumentName": record.document,
        "Owner": record.owner,
        "AccessType": "Standard",
    }
    ended = record.token_until if missed else record.ended
    if ended is not None:
        shown["EndDate"] = ended
    if record.reason:
        shown["Reason"] = record.reason
    if record.why:
        shown["Details"] = record.why
    if record.log_group:
        shown["OutputUrl"] = {"CloudWatchOutputUrl": record.log_group}
    if record.log_bucket:
        place = f"{record.log_bucket}/{object_key(record.log_prefix, record.id)}"
        shown["OutputUrl"] = {**shown.get("OutputUrl", {}), "S3OutputUrl": place}
    return shown
