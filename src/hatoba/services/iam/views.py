"""Record → API shape. Documents are URL-encoded where IAM encodes them."""

from __future__ import annotations

from urllib.parse import quote

from hatoba.aws.shapes import iam as t
from hatoba.services.iam.model import AccessKey, Policy, Role, User, policy_arn, role_arn, user_arn


def tags(given: dict[str, str]) -> list[t.Tag]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


def user(record: User, own: dict[str, str] | None = None) -> t.User:
    shown: t.User = {
        "Path": record.path,
        "UserName": record.name,
        "UserId": record.unique,
        "Arn": user_arn(record),
        "CreateDate": record.created,
    }
    if own:
        shown["Tags"] = tags(own)
    return shown


def role(record: Role, own: dict[str, str] | None = None) -> t.Role:
    shown: t.Role = {
        "Path": record.path,
        "RoleName": record.name,
        "RoleId": record.unique,
        "Arn": role_arn(record),
        "CreateDate": record.created,
        "AssumeRolePolicyDocument": quote(record.trust, safe=""),
        "MaxSessionDuration": record.max_session,
    }
    if record.description is not None:
        shown["Description"] = record.description
    if record.boundary is not None:
        shown["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
            "PermissionsBoundaryArn": record.boundary,
        }
    if own:
        shown["Tags"] = tags(own)
    return shown


def access_key(record: AccessKey) -> t.AccessKeyMetadata:
    return {
        "UserName": record.user,
        "AccessKeyId": record.id,
        "Status": "Active" if record.status == "Active" else "Inactive",
        "CreateDate": record.created,
    }


def policy(record: Policy, attachments: int) -> t.Policy:
    shown: t.Policy = {
        "PolicyName": record.name,
        "PolicyId": record.unique,
        "Arn": policy_arn(record),
        "Path": record.path,
        "DefaultVersionId": "v1",
        "AttachmentCount": attachments,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": record.created,
        "UpdateDate": record.created,
    }
    if record.description is not None:
        shown["Description"] = record.description
    return shown
