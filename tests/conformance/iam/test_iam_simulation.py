"""Policies tried out: the simulator's answers, with the examples of the AWS CLI's documentation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.iam.test_iam_people import refused

AFTER = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":'
    '{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'
)
LISTS = """{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "codecommit:ListRepositories",
            "Resource": "*"
        }
    ]
}"""


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, on: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, **more}


def at(time: str) -> list[dict[str, Any]]:
    return [{"ContextKeyName": "aws:CurrentTime", "ContextKeyValues": [time], "ContextKeyType": "date"}]


def decisions(answer: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {
        (each["EvalActionName"], each["EvalResourceName"]): each["EvalDecision"] for each in answer["EvaluationResults"]
    }


@pytest.fixture
def alice(iam: Any) -> str:
    arn: str = iam.create_user(UserName="Alice")["User"]["Arn"]
    return arn


def test_the_examples_of_the_cli(iam: Any, alice: str) -> None:
    """`aws iam simulate-custom-policy help` and `simulate-principal-policy help`, positions included."""
    asked: dict[str, Any] = {"PolicyInputList": [AFTER], "ActionNames": ["dynamodb:CreateBackup"]}
    answer = iam.simulate_custom_policy(**asked, ContextEntries=at("2019-04-25T11:00:00Z"))
    (found,) = answer["EvaluationResults"]
    assert (found["EvalActionName"], found["EvalResourceName"]) == ("dynamodb:CreateBackup", "*")
    assert (found["EvalDecision"], found["MissingContextValues"], answer["IsTruncated"]) == ("allowed", [], False)
    (matched,) = found["MatchedStatements"]
    assert matched["SourcePolicyId"] == "PolicyInputList.1"
    assert (matched["StartPosition"], matched["EndPosition"]) == (
        {"Line": 1, "Column": 38},
        {"Line": 1, "Column": 167},
    )
    before = iam.simulate_custom_policy(**asked, ContextEntries=at("2014-04-25T11:00:00Z"))["EvaluationResults"][0]
    assert (before["EvalDecision"], before["MatchedStatements"]) == ("implicitDeny", [])
    iam.put_user_policy(UserName="Alice", PolicyName="Lists", PolicyDocument=LISTS)
    answer = iam.simulate_principal_policy(PolicySourceArn=alice, ActionNames=["codecommit:ListRepositories"])
    (matched,) = answer["EvaluationResults"][0]["MatchedStatements"]
    assert (matched["SourcePolicyId"], matched["SourcePolicyType"]) == ("user_Alice_Lists", "user")
    assert matched["StartPosition"] == {"Line": 3, "Column": 19}
    assert matched["EndPosition"] == {"Line": 8, "Column": 10}


def test_what_a_condition_needs_and_is_not_given_is_told(iam: Any) -> None:
    asked: dict[str, Any] = {"PolicyInputList": [AFTER], "ActionNames": ["dynamodb:CreateBackup"]}
    assert iam.get_context_keys_for_custom_policy(PolicyInputList=[AFTER])["ContextKeyNames"] == ["aws:CurrentTime"]
    (found,) = iam.simulate_custom_policy(**asked)["EvaluationResults"]
    assert (found["EvalDecision"], found["MissingContextValues"]) == ("implicitDeny", ["aws:CurrentTime"])


def test_every_action_on_every_resource_in_pages(iam: Any) -> None:
    resources = [f"arn:aws:ecs:us-east-1:123456789012:cluster/{name}" for name in "ab"]
    policy = document(allow("ecs:Describe*", on=resources[0]), {**allow("ecs:Stop*"), "Effect": "Deny"})
    asked = {"PolicyInputList": [policy], "ActionNames": ["ecs:DescribeClusters", "ecs:StopTask"]}
    answer = iam.simulate_custom_policy(**asked, ResourceArns=resources)
    assert decisions(answer) == {
        ("ecs:DescribeClusters", resources[0]): "allowed",
        ("ecs:DescribeClusters", resources[1]): "implicitDeny",
        ("ecs:StopTask", resources[0]): "explicitDeny",
        ("ecs:StopTask", resources[1]): "explicitDeny",
    }
    pages = iam.get_paginator("simulate_custom_policy").paginate(
        **asked, ResourceArns=resources, PaginationConfig={"PageSize": 3}
    )
    sizes = [len(page["EvaluationResults"]) for page in pages]
    assert sizes == [3, 1]


def test_a_principals_policies_groups_boundary_and_exclusions(iam: Any, alice: str, account: str) -> None:
    iam.create_group(GroupName="ops")
    iam.put_group_policy(GroupName="ops", PolicyName="stops", PolicyDocument=document(allow("ecs:StopTask")))
    iam.add_user_to_group(GroupName="ops", UserName="Alice")
    own = iam.create_policy(PolicyName="runs", PolicyDocument=document(allow("ecs:RunTask")))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="Alice", PolicyArn=own)
    read = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    iam.attach_user_policy(UserName="Alice", PolicyArn=read)
    actions = ["ecs:RunTask", "ecs:StopTask", "ecs:ListTasks", "ecs:DeleteCluster"]

    def found(**more: Any) -> list[str]:
        answer = iam.simulate_principal_policy(PolicySourceArn=alice, ActionNames=actions, **more)
        return [each["EvalDecision"] for each in answer["EvaluationResults"]]

    no = "implicitDeny"
    assert found() == ["allowed", "allowed", "allowed", no]
    answer = iam.simulate_principal_policy(PolicySourceArn=alice, ActionNames=actions[:3])
    sources = [each["MatchedStatements"][0] for each in answer["EvaluationResults"]]
    assert [(each["SourcePolicyId"], each["SourcePolicyType"]) for each in sources] == [
        ("runs", "user-managed"),
        ("group_ops_stops", "group"),
        ("ReadOnlyAccess", "aws-managed"),
    ]
    assert found(PolicyInputList=[document(allow("ecs:DeleteCluster"))])[3] == "allowed"
    assert found(PolicyExclusionList=[{"PolicyArn": own}]) == [no, "allowed", "allowed", no]
    assert found(PolicyExclusionList=[{"PolicyType": "aws-managed"}]) == ["allowed", "allowed", no, no]
    inline = {"PolicyName": "stops", "AttachmentType": "group", "AttachmentName": "ops"}
    assert found(PolicyExclusionList=[{"InlinePolicyIdentifier": inline}]) == ["allowed", no, "allowed", no]
    limited = {"PermissionsBoundaryPolicyInputList": [document(allow("ecs:Run*"))]}
    assert found(**limited) == ["allowed", no, no, no]
    answer = iam.simulate_principal_policy(PolicySourceArn=alice, ActionNames=actions[:2], **limited)
    details = [each["PermissionsBoundaryDecisionDetail"] for each in answer["EvaluationResults"]]
    assert [each["AllowedByPermissionsBoundary"] for each in details] == [True, False]
    group = iam.get_group(GroupName="ops")["Group"]["Arn"]
    answer = iam.simulate_principal_policy(PolicySourceArn=group, ActionNames=actions[:2])
    assert list(decisions(answer).values()) == [no, "allowed"]


def test_the_caller_stands_in_variables_and_resources_policies(iam: Any, alice: str, account: str) -> None:
    own = document(allow("s3:GetObject", on="arn:aws:s3:::home/${aws:username}/*"))
    iam.put_user_policy(UserName="Alice", PolicyName="home", PolicyDocument=own)
    resources = ["arn:aws:s3:::home/Alice/x", "arn:aws:s3:::home/Bob/x"]
    asked: dict[str, Any] = {"PolicySourceArn": alice, "ActionNames": ["s3:GetObject"], "ResourceArns": resources}
    assert list(decisions(iam.simulate_principal_policy(**asked)).values()) == ["allowed", "implicitDeny"]
    as_bob = {"CallerArn": f"arn:aws:iam::{account}:user/Bob"}
    assert list(decisions(iam.simulate_principal_policy(**asked, **as_bob)).values()) == ["implicitDeny", "allowed"]
    bucket = document({**allow("s3:GetObject", on=resources[1]), "Principal": {"AWS": alice}})
    answer = iam.simulate_principal_policy(**asked, ResourcePolicy=bucket)
    assert list(decisions(answer).values()) == ["allowed", "allowed"]
    (matched,) = answer["EvaluationResults"][1]["MatchedStatements"]
    assert (matched["SourcePolicyId"], matched["SourcePolicyType"]) == ("ResourcePolicy", "resource")
    elsewhere = iam.simulate_principal_policy(**asked, ResourcePolicy=bucket, ResourceOwner="444455556666")
    assert list(decisions(elsewhere).values()) == ["implicitDeny", "implicitDeny"], "both sides have to allow"
    keys = iam.get_context_keys_for_principal_policy(PolicySourceArn=alice)["ContextKeyNames"]
    assert keys == ["aws:username"]


def test_every_level_of_an_organisation_has_to_allow(iam: Any) -> None:
    levels = [
        {"ServiceControlPolicyInputList": [document(allow("*"))]},
        {"ServiceControlPolicyInputList": [document(allow("ecs:*"))]},
    ]
    answer = iam.simulate_custom_policy(
        PolicyInputList=[document(allow("*"))],
        OrderedOrganizationPolicyInputList=levels,
        ActionNames=["ecs:RunTask", "ecr:PutImage"],
    )
    found = [
        (each["EvalDecision"], each["OrganizationsDecisionDetail"]["AllowedByOrganizations"])
        for each in answer["EvaluationResults"]
    ]
    assert found == [("allowed", True), ("implicitDeny", False)]


def test_what_cannot_be_simulated(iam: Any, alice: str, account: str) -> None:
    custom, principal = iam.simulate_custom_policy, iam.simulate_principal_policy
    actions = {"ActionNames": ["ecs:RunTask"]}
    refused("InvalidInput", custom, PolicyInputList=["{"], **actions)
    refused("InvalidInput", custom, PolicyInputList=[LISTS], ActionNames=["RunTask"])
    refused("InvalidInput", custom, PolicyInputList=[LISTS], ResourcePolicy=LISTS, **actions)
    refused("InvalidInput", custom, PolicyInputList=[LISTS], ResourceHandlingOption="EC2-VPC-EBS", **actions)
    refused("NoSuchEntity", principal, PolicySourceArn=f"arn:aws:iam::{account}:user/Nobody", **actions)
    refused("InvalidInput", principal, PolicySourceArn=f"arn:aws:iam::{account}:policy/Alice", **actions)
    refused("InvalidInput", principal, PolicySourceArn=alice, CallerArn=f"arn:aws:iam::{account}:root", **actions)


def test_lists_that_have_more_pairs_than_there_is_memory_for(iam: Any) -> None:
    """A hundred million of them: the first page is told, and the rest is not made."""
    import tracemalloc

    tracemalloc.start()
    try:
        answer = iam.simulate_custom_policy(
            PolicyInputList=[AFTER],
            ActionNames=[f"s3:A{number}" for number in range(10_000)],
            ResourceArns=[f"arn:aws:s3:::b{number}" for number in range(10_000)],
            MaxItems=2,
        )
        assert (len(answer["EvaluationResults"]), answer["IsTruncated"]) == (2, True)
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()
