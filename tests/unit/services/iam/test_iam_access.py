"""What IAM's requests need to be allowed: users, groups and roles with their paths, boundaries, tags, passed roles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hatoba.gateway.call import Principal
from hatoba.gateway.tags import Tags, tags
from hatoba.services.iam.access import ACCESS
from hatoba.services.iam.model import (
    InstanceProfile,
    Policy,
    PolicyVersion,
    Role,
    ServerCertificate,
    ServiceCredential,
    User,
    groups,
    instance_profiles,
    policies,
    roles,
    server_certificates,
    service_credentials,
    users,
)
from hatoba.services.iam.naming import linked_role
from tests.unit.services.asked import ALICE, ROLE, SCOPE, Asked

BOUNDARY = f"arn:aws:iam::{SCOPE.account}:policy/limit"
READ = "arn:aws:iam::aws:policy/ReadOnlyAccess"
BLUE = [{"Key": "team", "Value": "blue"}]
PAIR = {"CertificateBody": "-", "PrivateKey": "-"}
TRUST = {"AssumeRolePolicyDocument": "{}"}
HERE = SCOPE.everywhere()


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    """The user /eng/bob and the role /app/web, bounded and red; ECS's linked role; a policy; an instance profile."""
    tables = (users, groups, roles, policies, instance_profiles, server_certificates, service_credentials, tags)
    asked = Asked("iam", ACCESS, *tables)
    common: dict[str, Any] = {"unique": "x", "created": 0.0}
    held: dict[str, Any] = {**common, "inline": {}, "boundary": BOUNDARY}
    asked.put(users, User(key=users.key(HERE, "bob"), name="Bob", path="/eng/", **held))
    asked.put(roles, Role(key=roles.key(HERE, "web"), name="web", path="/app/", trust="{}", **held))
    linked = Role(
        key=roles.key(HERE, "awsserviceroleforecs"),
        name="AWSServiceRoleForECS",
        path="/aws-service-role/ecs.amazonaws.com/",
        trust="{}",
        inline={},
        **common,
    )
    asked.put(roles, linked)
    versions = (PolicyVersion(id="v1", document="{}", created=0.0),)
    asked.put(policies, Policy(key=policies.key(HERE, "limit"), name="limit", versions=versions, updated=0.0, **common))
    profile = InstanceProfile(key=instance_profiles.key(HERE, "box"), name="box", path="/app/", **common)
    asked.put(instance_profiles, profile)
    shown = ServerCertificate(
        key=server_certificates.key(HERE, "c"), name="c", path="/app/", body="", ends=0.0, **common
    )
    asked.put(server_certificates, shown)
    git: dict[str, Any] = {
        "user": "eve",
        "created": 0.0,
        "service": "codecommit.amazonaws.com",
        "name": "eve",
        "digest": "",
    }
    asked.put(service_credentials, ServiceCredential(key=service_credentials.key(HERE, "ACCA1" * 4), **git))
    for resource in ("user/eng/Bob", "role/app/web", "policy/limit"):
        arn = f"arn:aws:iam::{SCOPE.account}:{resource}"
        asked.put(tags, Tags(key=tags.key(HERE, arn), tags={"team": "red"}))
    yield asked
    asked.close()


@pytest.mark.parametrize(
    ("operation", "req", "needs"),
    [
        ("GetUser", {"UserName": "bob"}, ["GetUser user/eng/Bob"]),  # names have no case
        ("GetUser", {"UserName": "none"}, ["GetUser user/none"]),
        ("GetUser", {}, ["GetUser user/alice"]),  # who asks
        ("CreateAccessKey", {}, ["CreateAccessKey user/alice"]),
        ("CreateUser", {"UserName": "eve", "Path": "/ops/"}, ["CreateUser user/ops/eve"]),
        ("CreateUser", {"UserName": "eve", "Tags": BLUE}, ["CreateUser user/eve", "TagUser user/eve"]),
        ("UpdateUser", {"UserName": "Bob"}, ["UpdateUser user/eng/Bob"]),
        ("UpdateUser", {"UserName": "Bob", "NewUserName": "rob"},
         ["UpdateUser user/eng/Bob", "UpdateUser user/eng/rob"]),
        ("UpdateUser", {"UserName": "Bob", "NewPath": "/ops/"}, ["UpdateUser user/eng/Bob", "UpdateUser user/ops/Bob"]),
        ("ListUsers", {}, ["ListUsers user/"]),
        ("ListRoles", {"PathPrefix": "/app/"}, ["ListRoles role/app/"]),
        ("ListPolicies", {}, ["ListPolicies *"]),
        ("AddUserToGroup", {"GroupName": "g", "UserName": "bob"}, ["AddUserToGroup group/g"]),
        ("CreateRole", {"RoleName": "r", "Path": "/app/", "Tags": BLUE, **TRUST},
         ["CreateRole role/app/r", "TagRole role/app/r"]),
        ("CreatePolicy", {"PolicyName": "p", "PolicyDocument": "{}", "Tags": BLUE},
         ["CreatePolicy policy/p", "TagPolicy policy/p"]),
        ("CreateInstanceProfile", {"InstanceProfileName": "i", "Tags": BLUE},
         ["CreateInstanceProfile instance-profile/i", "TagInstanceProfile instance-profile/i"]),
        ("AttachRolePolicy", {"RoleName": "web", "PolicyArn": READ}, ["AttachRolePolicy role/app/web"]),
        ("GetPolicy", {"PolicyArn": READ}, [f"GetPolicy {READ}"]),
        ("TagPolicy", {"PolicyArn": BOUNDARY, "Tags": BLUE}, ["TagPolicy policy/limit"]),
        ("AddRoleToInstanceProfile", {"InstanceProfileName": "box", "RoleName": "web"},
         ["AddRoleToInstanceProfile instance-profile/app/box", "PassRole role/app/web"]),
        ("RemoveRoleFromInstanceProfile", {"InstanceProfileName": "box", "RoleName": "web"},
         ["RemoveRoleFromInstanceProfile instance-profile/app/box"]),
        ("CreateServiceLinkedRole", {"AWSServiceName": "ecs.amazonaws.com"},
         ["CreateServiceLinkedRole role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"]),
        ("DeleteServiceLinkedRole", {"RoleName": "AWSServiceRoleForECS"},
         ["DeleteServiceLinkedRole role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"]),
        ("GetServiceLinkedRoleDeletionStatus",
         {"DeletionTaskId": "task/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS/1-2"},
         ["GetServiceLinkedRoleDeletionStatus role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"]),
        ("GetServiceLinkedRoleDeletionStatus", {"DeletionTaskId": "x"}, ["GetServiceLinkedRoleDeletionStatus *"]),
        ("GetAccountSummary", {}, ["GetAccountSummary *"]),
        ("UploadServerCertificate", {"ServerCertificateName": "c", "Path": "/web/", "Tags": BLUE, **PAIR},
         ["UploadServerCertificate server-certificate/web/c", "TagServerCertificate server-certificate/web/c"]),
        ("GetServerCertificate", {"ServerCertificateName": "c"}, ["GetServerCertificate server-certificate/app/c"]),
        ("UpdateServerCertificate", {"ServerCertificateName": "c", "NewPath": "/"},
         ["UpdateServerCertificate server-certificate/app/c", "UpdateServerCertificate server-certificate/c"]),
        ("UploadSSHPublicKey", {"UserName": "bob", "SSHPublicKeyBody": "-"}, ["UploadSSHPublicKey user/eng/Bob"]),
        ("UploadSigningCertificate", {"CertificateBody": "-"}, ["UploadSigningCertificate user/alice"]),
        ("CreateServiceSpecificCredential", {"UserName": "bob", "ServiceName": "s"},
         ["CreateServiceSpecificCredential user/eng/Bob"]),
    ],
)  # fmt: skip
def test_what_is_meant(asked: Asked, operation: str, req: dict[str, Any], needs: list[str]) -> None:
    assert asked.said(operation, **req) == [f"iam:{need}" for need in needs]


def test_who_is_no_user_has_no_name_of_their_own(asked: Asked) -> None:
    asked.who = Principal(
        kind="role", account=SCOPE.account, arn="arn:aws:sts::1:assumed-role/deploy/s", id="x", role=ROLE
    )
    try:
        assert asked.said("GetUser") == ["iam:GetUser *"]
    finally:
        asked.who = ALICE


RED = {"iam:ResourceTag/team": "red"}
BOUNDED = {"iam:PermissionsBoundary": "policy/limit"}
TAGGED = {"aws:TagKeys": ["team"], "aws:RequestTag/team": "blue"}


@pytest.mark.parametrize(
    ("operation", "req", "keys"),
    [
        ("GetRole", {"RoleName": "web"}, RED),
        ("GetRole", {"RoleName": "none"}, {}),
        ("CreateServiceSpecificCredential",
         {"UserName": "eve", "ServiceName": "logs.amazonaws.com", "CredentialAgeDays": 3},
         {"iam:ServiceSpecificCredentialServiceName": "logs.amazonaws.com",
          "iam:ServiceSpecificCredentialAgeDays": "3"}),
        ("ResetServiceSpecificCredential", {"UserName": "eve", "ServiceSpecificCredentialId": "ACCA1" * 4},
         {"iam:ServiceSpecificCredentialServiceName": "codecommit.amazonaws.com"}),
        ("DeleteServiceSpecificCredential", {"UserName": "eve", "ServiceSpecificCredentialId": "n" * 20}, {}),
        ("CreateUser", {"UserName": "eve", "PermissionsBoundary": BOUNDARY, "Tags": BLUE}, {**BOUNDED, **TAGGED}),
        ("CreateRole", {"RoleName": "r", "PermissionsBoundary": BOUNDARY, **TRUST}, BOUNDED),
        ("CreateRole", {"RoleName": "r", **TRUST}, {}),
        ("AttachRolePolicy", {"RoleName": "web", "PolicyArn": READ}, {**RED, **BOUNDED, "iam:PolicyARN": READ}),
        ("DetachUserPolicy", {"UserName": "bob", "PolicyArn": READ}, {**RED, **BOUNDED, "iam:PolicyARN": READ}),
        ("AttachGroupPolicy", {"GroupName": "g", "PolicyArn": READ}, {"iam:PolicyARN": READ}),
        ("PutRolePolicy", {"RoleName": "web", "PolicyName": "p", "PolicyDocument": "{}"}, {**RED, **BOUNDED}),
        ("DeleteUserPolicy", {"UserName": "bob", "PolicyName": "p"}, {**RED, **BOUNDED}),
        ("TagRole", {"RoleName": "web", "Tags": BLUE}, {**RED, **TAGGED}),
        ("UntagPolicy", {"PolicyArn": BOUNDARY, "TagKeys": ["team"]}, {**RED, "aws:TagKeys": ["team"]}),
        ("CreateServiceLinkedRole", {"AWSServiceName": "ecs.amazonaws.com"},
         {"iam:AWSServiceName": "ecs.amazonaws.com"}),
        ("DeleteServiceLinkedRole", {"RoleName": "awsserviceroleforecs"}, {"iam:AWSServiceName": "ecs.amazonaws.com"}),
        ("DeleteServiceLinkedRole", {"RoleName": "web"}, {}),
    ],
)  # fmt: skip
def test_condition_keys(asked: Asked, operation: str, req: dict[str, Any], keys: dict[str, Any]) -> None:
    assert asked.keys(operation, **req) == keys


def test_an_instance_profile_hands_its_role_to_machines(asked: Asked) -> None:
    passed = asked.needs("AddRoleToInstanceProfile", InstanceProfileName="box", RoleName="web")[1]
    assert passed.keys == {"iam:PassedToService": "ec2.amazonaws.com"}


def test_names_of_linked_roles() -> None:
    assert linked_role("ecs.amazonaws.com") == "AWSServiceRoleForECS"
    assert linked_role("new-thing.amazonaws.com") == "AWSServiceRoleForNewThing"
    assert linked_role("autoscaling.amazonaws.com", "blue") == "AWSServiceRoleForAutoScaling_blue"
