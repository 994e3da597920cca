"""The policies that AWS manages: found, read, attached, counted, and nobody's to change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.ec2.networks import Platform
from tests.conformance.serving import fresh_account, refused

EXECUTION = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


@pytest.fixture
def role(iam: Any) -> str:
    iam.create_role(RoleName="Execution", AssumeRolePolicyDocument=TRUST)
    return "Execution"


def names(iam: Any, **params: Any) -> list[str]:
    pages = iam.get_paginator("list_policies").paginate(**params)
    return [policy["PolicyName"] for page in pages for policy in page["Policies"]]


def test_one_is_read_as_terraform_reads_it(iam: Any) -> None:
    """`data.aws_iam_policy` by ARN and by name: GetPolicy, GetPolicyVersion; ListPolicies."""
    policy = iam.get_policy(PolicyArn=EXECUTION)["Policy"]
    assert policy["PolicyName"] == "AmazonECSTaskExecutionRolePolicy"
    assert (policy["Path"], policy["Arn"], policy["IsAttachable"]) == ("/service-role/", EXECUTION, True)
    assert policy["PolicyId"].startswith("ANPA")
    assert len(policy["PolicyId"]) == 21
    version = policy["DefaultVersionId"]
    shown = iam.get_policy_version(PolicyArn=EXECUTION, VersionId=version)["PolicyVersion"]
    assert shown["IsDefaultVersion"]
    (statement,) = shown["Document"]["Statement"]
    assert set(statement["Action"]) == {
        "ecr:GetAuthorizationToken",
        "ecr:BatchCheckLayerAvailability",
        "ecr:GetDownloadUrlForLayer",
        "ecr:BatchGetImage",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }
    assert [v["VersionId"] for v in iam.list_policy_versions(PolicyArn=EXECUTION)["Versions"]] == [version]
    refused("NoSuchEntity", iam.get_policy_version, PolicyArn=EXECUTION, VersionId="v99")


def test_lists_by_scope_and_use(iam: Any, role: str, account: str) -> None:
    own = iam.create_policy(
        PolicyName="Zebra",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
        ),
    )["Policy"]["Arn"]
    every, aws, local = names(iam), names(iam, Scope="AWS"), names(iam, Scope="Local")
    assert local == ["Zebra"]
    assert every == [*local, *aws]
    assert len(aws) == len(set(aws)) > 150
    assert names(iam, OnlyAttached=True) == []
    iam.attach_role_policy(RoleName=role, PolicyArn=EXECUTION)
    iam.attach_role_policy(RoleName=role, PolicyArn=own)
    assert names(iam, OnlyAttached=True) == ["Zebra", "AmazonECSTaskExecutionRolePolicy"]
    assert names(iam, Scope="AWS", OnlyAttached=True) == ["AmazonECSTaskExecutionRolePolicy"]
    assert names(iam, PolicyUsageFilter="PermissionsBoundary") == []
    assert names(iam, PathPrefix="/job-function/", Scope="AWS")[:2] == ["Billing", "DatabaseAdministrator"]


def test_attachments_are_counted_by_account(platform: Platform, iam: Any, role: str) -> None:
    iam.attach_role_policy(RoleName=role, PolicyArn=READ_ONLY)
    assert iam.get_policy(PolicyArn=READ_ONLY)["Policy"]["AttachmentCount"] == 1
    entities = iam.list_entities_for_policy(PolicyArn=READ_ONLY)
    assert [r["RoleName"] for r in entities["PolicyRoles"]] == [role]
    stranger = platform.client("iam", account=fresh_account())
    assert stranger.get_policy(PolicyArn=READ_ONLY)["Policy"]["AttachmentCount"] == 0
    assert stranger.list_entities_for_policy(PolicyArn=READ_ONLY)["PolicyRoles"] == []
    assert names(stranger, OnlyAttached=True) == []


def test_nobody_changes_them(iam: Any) -> None:
    document = json.dumps({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    for operation, params in [
        (iam.delete_policy, {}),
        (iam.create_policy_version, {"PolicyDocument": document}),
        (iam.set_default_policy_version, {"VersionId": "v1"}),
        (iam.tag_policy, {"Tags": [{"Key": "a", "Value": "b"}]}),
    ]:
        assert refused("AccessDenied", operation, PolicyArn=READ_ONLY, **params) == (
            "Policy is outside your own account."
        )


def test_a_linked_role_has_its_services_policies(iam: Any) -> None:
    iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
    attached = iam.list_attached_role_policies(RoleName="AWSServiceRoleForECS")["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [
        "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy",
        "arn:aws:iam::aws:policy/aws-service-role/HatobaECSServiceRolePolicy",
    ]
