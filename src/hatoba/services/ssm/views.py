"""Records → the model's shapes."""

from __future__ import annotations

from hatoba.aws.shapes import ssm as t
from hatoba.core.keys import Scope
from hatoba.services.ssm.model import Found, Parameter, Version, parameter_arn
from hatoba.services.ssm.plan.policies import Policy
from hatoba.services.ssm.plan.public import PUBLISHED, Public


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
