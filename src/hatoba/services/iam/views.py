"""Record → API shape.

Documents are URL-encoded where IAM encodes them. What is secret is shown where it is made, once, and
never from a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote

from hatoba.aws.shapes import iam as t
from hatoba.services.iam import managed
from hatoba.services.iam.managed import Managed
from hatoba.services.iam.model import (
    CERTIFICATE,
    GROUP,
    POLICY,
    PROFILE,
    ROLE,
    USER,
    AccessKey,
    Group,
    InstanceProfile,
    OfUser,
    Policy,
    PolicyVersion,
    Role,
    ServerCertificate,
    ServiceCredential,
    SigningCertificate,
    SshKey,
    Used,
    User,
)
from hatoba.services.iam.plan import credentials, sshkeys

Tags = Mapping[str, str]


def document(text: str) -> str:
    return quote(text, safe="")


def tags(given: Tags) -> list[t.Tag]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


def boundary(arn: str) -> t.AttachedPermissionsBoundary:
    return {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": arn}


def user(record: User, own: Tags | None = None) -> t.User:
    shown: t.User = {
        "Path": record.path,
        "UserName": record.name,
        "UserId": record.unique,
        "Arn": USER.arn(record),
        "CreateDate": record.created,
    }
    if record.boundary is not None:
        shown["PermissionsBoundary"] = boundary(record.boundary)
    if own:
        shown["Tags"] = tags(own)
    return shown


def group(record: Group) -> t.Group:
    return {
        "Path": record.path,
        "GroupName": record.name,
        "GroupId": record.unique,
        "Arn": GROUP.arn(record),
        "CreateDate": record.created,
    }


def role(record: Role, own: Tags | None = None, used: tuple[str, Used] | None = None) -> t.Role:
    """`used`: the service that was used with it last, and when."""
    shown: t.Role = {
        "Path": record.path,
        "RoleName": record.name,
        "RoleId": record.unique,
        "Arn": ROLE.arn(record),
        "CreateDate": record.created,
        "AssumeRolePolicyDocument": document(record.trust),
        "MaxSessionDuration": record.max_session,
    }
    if record.description is not None:
        shown["Description"] = record.description
    if record.boundary is not None:
        shown["PermissionsBoundary"] = boundary(record.boundary)
    if own:
        shown["Tags"] = tags(own)
    if used is not None:
        shown["RoleLastUsed"] = {"LastUsedDate": used[1].at, "Region": used[1].region}
    return shown


def instance_profile(record: InstanceProfile, held: Role | None, own: Tags | None = None) -> t.InstanceProfile:
    shown: t.InstanceProfile = {
        "Path": record.path,
        "InstanceProfileName": record.name,
        "InstanceProfileId": record.unique,
        "Arn": PROFILE.arn(record),
        "CreateDate": record.created,
        "Roles": [role(held)] if held is not None else [],
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


def policy(record: Policy, attachments: int, boundaries: int = 0, own: Tags | None = None) -> t.Policy:
    shown: t.Policy = {
        "PolicyName": record.name,
        "PolicyId": record.unique,
        "Arn": POLICY.arn(record),
        "Path": record.path,
        "DefaultVersionId": record.default,
        "AttachmentCount": attachments,
        "PermissionsBoundaryUsageCount": boundaries,
        "IsAttachable": True,
        "CreateDate": record.created,
        "UpdateDate": record.updated,
    }
    if record.description is not None:
        shown["Description"] = record.description
    if own:
        shown["Tags"] = tags(own)
    return shown


def managed_policy(
    record: Managed, partition: str, attachments: int, boundaries: int, *, whole: bool = False
) -> t.Policy:
    """`whole`: with its description, as GetPolicy shows it."""
    shown: t.Policy = {
        "PolicyName": record.name,
        "PolicyId": record.unique,
        "Arn": record.arn(partition),
        "Path": record.path,
        "DefaultVersionId": managed.VERSION,
        "AttachmentCount": attachments,
        "PermissionsBoundaryUsageCount": boundaries,
        "IsAttachable": not record.linked,
        "CreateDate": managed.CREATED,
        "UpdateDate": managed.CREATED,
    }
    if whole:
        shown["Description"] = record.description
        shown["Tags"] = []
    return shown


def managed_version(record: Managed, *, whole: bool = False) -> t.PolicyVersion:
    shown: t.PolicyVersion = {
        "VersionId": managed.VERSION,
        "IsDefaultVersion": True,
        "CreateDate": managed.CREATED,
    }
    if whole:
        shown["Document"] = document(managed.document(record.arn()) or "")
    return shown


def policy_version(record: Policy, version: PolicyVersion, *, whole: bool = False) -> t.PolicyVersion:
    """`whole`: with its document."""
    shown: t.PolicyVersion = {
        "VersionId": version.id,
        "IsDefaultVersion": version.id == record.default,
        "CreateDate": version.created,
    }
    if whole:
        shown["Document"] = document(version.document)
    return shown


# --- certificates, and what users show to single services


def server_certificate(record: ServerCertificate) -> t.ServerCertificateMetadata:
    return {
        "Path": record.path,
        "ServerCertificateName": record.name,
        "ServerCertificateId": record.unique,
        "Arn": CERTIFICATE.arn(record),
        "UploadDate": record.created,
        "Expiration": record.ends,
    }


def _status(record: OfUser) -> Literal["Active", "Inactive"]:
    return "Active" if record.status == "Active" else "Inactive"


def signing_certificate(record: SigningCertificate) -> t.SigningCertificate:
    return {
        "UserName": record.user,
        "CertificateId": record.id,
        "CertificateBody": record.body,
        "Status": _status(record),
        "UploadDate": record.created,
    }


def ssh_key(record: SshKey, body: str) -> t.SSHPublicKey:
    return {
        "UserName": record.user,
        "SSHPublicKeyId": record.id,
        "Fingerprint": sshkeys.fingerprint(record.public),
        "SSHPublicKeyBody": body,
        "Status": _status(record),
        "UploadDate": record.created,
    }


def ssh_key_metadata(record: SshKey) -> t.SSHPublicKeyMetadata:
    return {
        "UserName": record.user,
        "SSHPublicKeyId": record.id,
        "Status": _status(record),
        "UploadDate": record.created,
    }


def service_credential(record: ServiceCredential, told: str, now: float) -> t.ServiceSpecificCredential:
    """`told`: its secret, in clear, this once."""
    shown: t.ServiceSpecificCredential = {
        "CreateDate": record.created,
        "ServiceName": record.service,
        "ServiceSpecificCredentialId": record.id,
        "UserName": record.user,
        "Status": _standing(record, now),
    }
    if record.service in credentials.API_KEYS:
        shown["ServiceCredentialAlias"] = record.name
        shown["ServiceCredentialSecret"] = told
    else:
        shown["ServiceUserName"] = record.name
        shown["ServicePassword"] = told
    if record.expires is not None:
        shown["ExpirationDate"] = record.expires
    return shown


def service_credential_metadata(record: ServiceCredential, now: float) -> t.ServiceSpecificCredentialMetadata:
    shown: t.ServiceSpecificCredentialMetadata = {
        "CreateDate": record.created,
        "ServiceName": record.service,
        "ServiceSpecificCredentialId": record.id,
        "UserName": record.user,
        "Status": _standing(record, now),
    }
    if record.service in credentials.API_KEYS:
        shown["ServiceCredentialAlias"] = record.name
    else:
        shown["ServiceUserName"] = record.name
    if record.expires is not None:
        shown["ExpirationDate"] = record.expires
    return shown


def _standing(record: ServiceCredential, now: float) -> Literal["Active", "Inactive", "Expired"]:
    return "Expired" if record.expires is not None and record.expires <= now else _status(record)
