"""Service and resource control policies decide, in real accounts, with stock clients: from the next request on, for
every principal of a member account, in AWS's words; and never for the management account nor for services."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.gateway.access import anonymous
from hatoba.gateway.call import Call
from hatoba.services.sts.api.room import Role, vouched
from hatoba.services.sts.plan.limits import Wish
from tests.conformance.organizations.world import Company, Somebody, World, allow, deny, document
from tests.conformance.serving import refused

DENIED = "with an explicit deny in a service control policy"
FULL = "p-FullAWSAccess"


def may(who: Somebody, service: str = "iam", operation: str = "list_users", **params: Any) -> bool:
    try:
        getattr(who(service), operation)(**params)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"):
            raise
        return False
    return True


def test_a_deny_counts_in_the_next_request_for_every_principal_of_the_account(company: Company) -> None:
    boss, member = company.boss, company.member("dev")
    ann = member.user("ann", allow("*"))
    assert may(member)
    assert may(ann)
    policy = company.policy(deny("iam:ListUsers"), on=member.account)
    said = refused("AccessDenied", ann("iam").list_users)
    assert said.startswith(f"User: arn:aws:iam::{member.account}:user/ann is not authorized to perform: iam:ListUsers")
    assert said.endswith(DENIED)
    assert not may(member)
    assert may(boss), "the management account is another"
    company.org.detach_policy(PolicyId=policy, TargetId=member.account)
    assert may(member)
    assert may(ann)


def test_the_root_of_a_member_account_is_limited_too(world: World, company: Company) -> None:
    root = world.alone()
    made = company.org.invite_account_to_organization(Target={"Id": root.account, "Type": "ACCOUNT"})["Handshake"]
    root("organizations").accept_handshake(HandshakeId=made["Id"])
    assert may(root)
    company.policy(deny("iam:*"), on=root.account)
    assert refused("AccessDenied", root("iam").list_users).endswith(DENIED)


def test_every_level_has_to_allow_and_any_may_deny(company: Company) -> None:
    member = company.member("dev")
    outer = company.unit("outer")
    inner = company.unit("inner", outer)
    company.org.move_account(AccountId=member.account, SourceParentId=company.root, DestinationParentId=inner)
    assert may(member)
    only = company.policy(allow("ec2:*"), on=outer)
    assert may(member), "beside the one that allows everything"
    company.org.detach_policy(PolicyId=FULL, TargetId=outer)
    assert refused("AccessDenied", member("iam").list_users).endswith(
        "because no service control policy allows the iam:ListUsers action"
    )
    assert may(member, "ec2", "describe_vpcs")
    company.org.update_policy(PolicyId=only, Content=json.dumps({"Version": "2012-10-17", "Statement": [allow("*")]}))
    assert may(member)
    company.policy(deny("iam:*"), on=company.root)
    assert not may(member)
    company.org.move_account(AccountId=member.account, SourceParentId=inner, DestinationParentId=company.root)
    assert not may(member), "the root is above everywhere"


def test_moving_an_account_changes_what_limits_it(company: Company) -> None:
    member, quiet = company.member("dev"), company.unit("quiet")
    company.policy(deny("iam:ListUsers"), on=quiet)
    assert may(member)
    company.org.move_account(AccountId=member.account, SourceParentId=company.root, DestinationParentId=quiet)
    assert not may(member)
    company.org.remove_account_from_organization(AccountId=member.account)
    assert may(member), "who stands alone is limited by nobody"


def test_nothing_is_limited_while_the_type_is_not_enabled(company: Company) -> None:
    member = company.member("dev")
    company.policy(deny("iam:*"), on=company.root)
    assert not may(member)
    company.org.disable_policy_type(RootId=company.root, PolicyType="SERVICE_CONTROL_POLICY")
    assert may(member)
    company.org.enable_policy_type(RootId=company.root, PolicyType="SERVICE_CONTROL_POLICY")
    assert may(member), "what was detached stays so"


def test_the_management_account_and_services_are_never_limited(world: World, company: Company) -> None:
    member = company.member("dev")
    company.policy(deny("*"), on=company.root)
    ann = company.boss.user("ann", allow("iam:ListUsers"))
    assert may(company.boss)
    assert may(ann)
    sts = world.door(Scope("aws", member.account, "us-east-1"), "sts")
    assert sts("iam", "get_role", RoleName="OrganizationAccountAccessRole")["Role"]["Arn"]
    assert not may(member, "ec2", "describe_vpcs")


def test_a_condition_decides_like_anywhere(company: Company) -> None:
    member = company.member("dev")
    outside = {"StringNotEquals": {"aws:RequestedRegion": ["us-east-1"]}}
    company.policy(deny("ec2:*", Condition=outside), on=company.root)
    assert may(member, "ec2", "describe_vpcs")
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        member("ec2", region="eu-west-1").describe_vpcs()
    spared = {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/OrganizationAccountAccessRole"}}
    company.policy(deny("iam:*", Condition=spared), on=member.account)
    assert may(member)
    assert not may(member.user("ann", allow("*")))


def test_the_simulator_knows_them(company: Company) -> None:
    member = company.member("dev")
    company.policy(deny("ec2:*"), on=member.account)
    arn = f"arn:aws:iam::{member.account}:role/OrganizationAccountAccessRole"
    asked = {"PolicySourceArn": arn, "ActionNames": ["ec2:RunInstances", "ecs:RunTask"]}
    results = member("iam").simulate_principal_policy(**asked)["EvaluationResults"]
    found = [(one["EvalDecision"], one["OrganizationsDecisionDetail"]["AllowedByOrganizations"]) for one in results]
    assert found == [("explicitDeny", False), ("allowed", True)]


# --- resources


def test_resource_control_policies_guard_resources_of_members_against_everybody(world: World) -> None:
    company = Company(world, "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY")
    member, stranger = company.member("dev"), world.alone()
    secret = member("secretsmanager").create_secret(Name="s", SecretString="a")["ARN"]
    who = {"AWS": [stranger.account, company.boss.account]}
    shared = {"Version": "2012-10-17", "Statement": [{**allow("secretsmanager:GetSecretValue"), "Principal": who}]}
    member("secretsmanager").put_resource_policy(SecretId=secret, ResourcePolicy=json.dumps(shared))
    key = member("kms").create_key(Policy=json.dumps(_open(member.account)))["KeyMetadata"]["Arn"]
    member("secretsmanager").update_secret(SecretId=secret, KmsKeyId=key, SecretString="b")
    asked = ("secretsmanager", "get_secret_value")
    assert may(stranger, *asked, SecretId=secret)
    assert may(company.boss, *asked, SecretId=secret)
    outside = {"StringNotEquals": {"aws:PrincipalOrgID": company.id}}
    perimeter = deny("secretsmanager:*", Principal="*", Condition=outside)
    company.policy(perimeter, on=company.root, type_="RESOURCE_CONTROL_POLICY")
    assert refused("AccessDeniedException", stranger("secretsmanager").get_secret_value, SecretId=secret).endswith(
        "with an explicit deny in a resource control policy"
    )
    assert may(member, *asked, SecretId=secret)
    assert may(company.boss, *asked, SecretId=secret)


def _open(account: str) -> dict[str, Any]:
    own = {**allow("kms:*"), "Principal": {"AWS": account}}
    return {"Version": "2012-10-17", "Statement": [own, {**allow("kms:Decrypt"), "Principal": {"AWS": "*"}}]}


def test_they_guard_roles_against_whom_a_provider_vouches_for(world: World) -> None:
    """Nobody of any account, so no authorizer sees them: STS does."""
    company = Company(world, "RESOURCE_CONTROL_POLICY")
    member = company.member("dev")
    role = Role(
        arn=f"arn:aws:iam::{member.account}:role/deploy",
        name="deploy",
        unique="AROA",
        trust=document({**allow("sts:AssumeRoleWithWebIdentity"), "Principal": {"Federated": "provider"}}),
        longest=3600,
        account=member.account,
        partition="aws",
    )
    call = Call(
        world.plane,
        scope=Scope("aws", member.account, "us-east-1"),
        service="sts",
        operation="AssumeRoleWithWebIdentity",
        principal=anonymous(member.account),
        request_id="r",
    )

    def trusted() -> bool:
        return vouched(call, role, "sts:AssumeRoleWithWebIdentity", "provider", "me", {"id.test:sub": "x"}, Wish())

    assert trusted()
    condition = {"StringNotEquals": {"id.test:sub": "y"}, "StringEquals": {"aws:ResourceOrgID": company.id}}
    perimeter = deny("sts:AssumeRoleWithWebIdentity", Principal="*", Condition=condition)
    company.policy(perimeter, on=member.account, type_="RESOURCE_CONTROL_POLICY")
    assert not trusted()


# --- condition keys of organisations


def test_a_role_may_trust_a_service_for_an_organisation(world: World, company: Company) -> None:
    member, stranger = company.member("dev"), world.alone()
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust["Condition"] = {"StringEquals": {"aws:SourceOrgID": company.id}}
    for who, taken in ((member, True), (stranger, False)):
        arn = who("iam").create_role(RoleName="task", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
        ask = world.door(Scope("aws", who.account, "us-east-1"), "ecs")
        try:
            ask("sts", "assume_role", RoleArn=arn, RoleSessionName="task")
        except AwsError:
            assert not taken
        else:
            assert taken


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("aws:PrincipalOrgID", "{org}"),
        ("aws:PrincipalOrgPaths", "{org}/{root}/{unit}/"),
        ("aws:PrincipalAccount", "{member}"),
    ],
)
def test_a_role_may_trust_an_organisation(world: World, company: Company, key: str, value: str) -> None:
    """Whoever is in it, or in a unit of it, and nobody else, though the trust names everybody."""
    member, unit = company.member("dev"), company.unit("u")
    company.org.move_account(AccountId=member.account, SourceParentId=company.root, DestinationParentId=unit)
    wanted = value.format(org=company.id, root=company.root, unit=unit, member=member.account)
    operator = "ForAnyValue:StringLike" if key.endswith("Paths") else "StringEquals"
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    trust["Condition"] = {operator: {key: wanted}}
    owner = world.alone()
    owner("iam").create_role(RoleName="shared", AssumeRolePolicyDocument=document(trust))
    asked = {"RoleArn": f"arn:aws:iam::{owner.account}:role/shared", "RoleSessionName": "me"}
    assert may(member, "sts", "assume_role", **asked)
    assert not may(world.alone(), "sts", "assume_role", **asked)
    assert may(company.boss, "sts", "assume_role", **asked) is (key == "aws:PrincipalOrgID")
