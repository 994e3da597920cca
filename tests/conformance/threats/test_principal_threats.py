"""Principals who want more than their policies give them: by another's role, a service, a role of their own making.

Each attack is tried with stock clients against the real rooms and the real authorizer; then without the check that
stops it, and succeeds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from tests.conformance.ec2.networks import Platform, served
from tests.conformance.serving import fresh_account
from tests.conformance.threats.disarm import without

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with served(tmp_path_factory.mktemp("principals")) as platform:
        yield platform


class Victim:
    """An account with an administrator's role, and somebody in it who may do little."""

    def __init__(self, platform: Platform) -> None:
        self.platform, self.account = platform, fresh_account()
        self.iam = platform.client("iam", account=self.account)
        self.iam.create_user(UserName="mallory")
        key = self.iam.create_access_key(UserName="mallory")["AccessKey"]
        self.key = (key["AccessKeyId"], key["SecretAccessKey"])

    def mallory(self, service: str) -> Any:
        return self.platform.client(service, account=self.account, key=self.key)

    def may(self, *statements: dict[str, Any]) -> None:
        self.iam.put_user_policy(UserName="mallory", PolicyName="own", PolicyDocument=document(*statements))

    def role(self, principal: Any, **condition: Any) -> str:
        trusts = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition}
        arn: str = self.iam.create_role(RoleName="admin", AssumeRolePolicyDocument=document(trusts))["Role"]["Arn"]
        self.iam.attach_role_policy(RoleName="admin", PolicyArn=ADMINISTRATOR)
        return arn


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, on: str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on}


def deny(*actions: str) -> dict[str, Any]:
    return {**allow(*actions), "Effect": "Deny"}


def works(operation: Callable[..., Any], **params: Any) -> bool:
    try:
        operation(**params)
    except (ClientError, AwsError):
        return False
    return True


def without_any_policy(victim: Victim) -> bool:
    return works(victim.mallory("iam").list_users)


def against_a_deny(victim: Victim) -> bool:
    victim.may(allow("*"), deny("iam:*"))
    return works(victim.mallory("iam").list_users)


def beyond_a_boundary(victim: Victim) -> bool:
    """Whoever may write their own policies, but within a boundary."""
    ec2_only = "arn:aws:iam::aws:policy/AmazonEC2FullAccess"
    victim.iam.put_user_permissions_boundary(UserName="mallory", PermissionsBoundary=ec2_only)
    victim.may(allow("*"))
    return works(victim.mallory("iam").list_users)


def a_session_for_more_than_its_policy(victim: Victim) -> bool:
    """A token that was made for one thing only, used for another."""
    role = victim.role({"AWS": f"arn:aws:iam::{victim.account}:root"})
    sts = victim.platform.client("sts", account=victim.account)
    given = sts.assume_role(RoleArn=role, RoleSessionName="one", Policy=document(allow("ec2:*")))["Credentials"]
    key = (given["AccessKeyId"], given["SecretAccessKey"])
    return works(victim.platform.client("iam", key=key, token=given["SessionToken"]).list_users)


def by_two_tags_that_differ_in_case(victim: Victim) -> bool:
    """Whoever may give one value of a tag gives another, and beside it the right one under nearly the same key."""
    condition = {"StringEquals": {"aws:RequestTag/team": "blue"}}
    victim.may({**allow("ec2:CreateVpc", "ec2:CreateTags"), "Condition": condition})
    tags = [{"Key": "team", "Value": "red"}, {"Key": "Team", "Value": "blue"}]
    given = [{"ResourceType": "vpc", "Tags": tags}]
    return works(victim.mallory("ec2").create_vpc, CidrBlock="10.0.0.0/16", TagSpecifications=given)


def whose_device_it_is(victim: Victim) -> bool:
    """Whoever may look at their own devices looks at another's, by its number."""
    serial = victim.iam.create_virtual_mfa_device(VirtualMFADeviceName="of-ann")["VirtualMFADevice"]["SerialNumber"]
    victim.may(allow("iam:GetMFADevice", on=f"arn:aws:iam::{victim.account}:user/${{aws:username}}"))
    return works(victim.mallory("iam").get_mfa_device, SerialNumber=serial)


def a_role_that_trusts_others(victim: Victim) -> bool:
    role = victim.role({"AWS": f"arn:aws:iam::{fresh_account()}:root"})
    victim.may(allow("sts:AssumeRole"))
    return works(victim.mallory("sts").assume_role, RoleArn=role, RoleSessionName="one")


def a_role_of_somebody_who_is_gone(victim: Victim) -> bool:
    """Whoever may make users makes one with the name of one who was deleted, and whom a role still trusts."""
    ann = victim.iam.create_user(UserName="ann")["User"]["Arn"]
    role = victim.role({"AWS": ann})
    victim.iam.delete_user(UserName="ann")
    victim.may(allow("iam:CreateUser", "iam:CreateAccessKey"))
    victim.mallory("iam").create_user(UserName="ann")
    made = victim.mallory("iam").create_access_key(UserName="ann")["AccessKey"]
    again = victim.platform.client("sts", account=victim.account, key=(made["AccessKeyId"], made["SecretAccessKey"]))
    return works(again.assume_role, RoleArn=role, RoleSessionName="one")


def a_role_of_somebody_who_is_not_there_yet(victim: Victim) -> bool:
    """Likewise, of one whom a role was to trust before there was anybody of that name."""
    if not works(victim.role, principal={"AWS": f"arn:aws:iam::{victim.account}:user/eve"}):
        return False
    victim.may(allow("iam:CreateUser", "iam:CreateAccessKey"))
    victim.mallory("iam").create_user(UserName="eve")
    made = victim.mallory("iam").create_access_key(UserName="eve")["AccessKey"]
    eve = victim.platform.client("sts", account=victim.account, key=(made["AccessKeyId"], made["SecretAccessKey"]))
    return works(eve.assume_role, RoleArn=f"arn:aws:iam::{victim.account}:role/admin", RoleSessionName="one")


def a_role_for_tasks(victim: Victim) -> bool:
    """Its trust is in a service, and mallory is none."""
    role = victim.role({"Service": "ecs-tasks.amazonaws.com"})
    victim.may(allow("sts:AssumeRole"))
    return works(victim.mallory("sts").assume_role, RoleArn=role, RoleSessionName="one")


def a_role_of_another_account_by_a_service(victim: Victim) -> bool:
    """The confused deputy: ECS, asked by another account, is to run a task with the victim's role, whose ARN is no
    secret. It is refused even where the role's trust forgets to ask for whom the service acts."""
    role = victim.role({"Service": "ecs-tasks.amazonaws.com"})
    ask = victim.platform.door(Scope("aws", fresh_account(), "us-east-1"), "ecs")
    return works(lambda: ask("sts", "assume_role", RoleArn=role, RoleSessionName="task"))


def a_role_by_a_service_for_another_region(victim: Victim) -> bool:
    """The same by the source's ARN: the role is for what runs in one region."""
    source = f"arn:aws:ecs:eu-west-1:{victim.account}:*"
    role = victim.role({"Service": "ecs-tasks.amazonaws.com"}, ArnLike={"aws:SourceArn": source})
    task = f"arn:aws:ecs:us-east-1:{victim.account}:task/default/1"
    ask = victim.platform.door(Scope("aws", victim.account, "us-east-1"), "ecs", source=task)
    return works(lambda: ask("sts", "assume_role", RoleArn=role, RoleSessionName="task"))


def a_service_that_does_what_is_not_its_business(victim: Victim) -> bool:
    """A room that somebody has got to ask for them: its own role limits what it may do."""
    ask = victim.platform.door(Scope("aws", victim.account, "us-east-1"), "logs")
    return works(lambda: ask("iam", "create_user", UserName="made"))


def an_interface_that_is_somebody_elses(victim: Victim) -> bool:
    """ECS is got to change an interface that it has not made: that of a user, whose groups would let anybody in."""
    ec2 = victim.platform.client("ec2", account=victim.account)
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    theirs = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    ask = victim.platform.door(Scope("aws", victim.account, "us-east-1"), "ecs")
    own = ask("ec2", "create_network_interface", SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    ask("ec2", "modify_network_interface_attribute", NetworkInterfaceId=own, AssociatePublicIpAddress=True)
    change = {"NetworkInterfaceId": theirs, "SourceDestCheck": {"Value": False}}
    return works(lambda: ask("ec2", "modify_network_interface_attribute", **change))


Attack = Callable[[Victim], bool]
DECIDE = "hatoba.policy.decision:decide"
TRUST = "hatoba.services.sts.api.assume:_context"
REFUSED = ("hatoba.services.iam.authorizer.decide:PolicyAuthorizer.decide", "if not decision.allowed:", "if False:")
THREATS: list[tuple[Attack, tuple[str, str, str]]] = [
    (without_any_policy, REFUSED),
    (against_a_deny, (DECIDE, "if denying is not None:", "if False:")),
    (
        beyond_a_boundary,
        ("hatoba.services.iam.authorizer.standing:of_holder", "if holder.boundary is not None:", "if False:"),
    ),
    (
        a_session_for_more_than_its_policy,
        (
            "hatoba.services.iam.authorizer.standing:papers_of",
            "session=tuple(given) if limited else None",
            "session=None",
        ),
    ),
    (
        by_two_tags_that_differ_in_case,
        ("hatoba.services.iam.authorizer.facts:_folded", "if key in found else", "if False else"),
    ),
    (
        whose_device_it_is,
        ("hatoba.services.iam.targets:of_device", 'if req.get("UserName"):', "if True:"),
    ),
    (a_role_that_trusts_others, REFUSED),
    (
        a_role_of_somebody_who_is_gone,
        ("hatoba.services.iam.trusts:kept", "return found.unique", "return name"),
    ),
    (a_role_of_somebody_who_is_not_there_yet, ("hatoba.services.iam.trusts:kept", "name.startswith(own)", "False")),
    (a_role_for_tasks, REFUSED),
    (a_role_of_another_account_by_a_service, REFUSED),
    (
        a_role_by_a_service_for_another_region,
        (TRUST, "call.source or None", "call.source.replace('us-east-1', 'eu-west-1')"),
    ),
    (a_service_that_does_what_is_not_its_business, REFUSED),
    (an_interface_that_is_somebody_elses, REFUSED),
]


@pytest.mark.parametrize(("attack", "check"), THREATS, ids=[attack.__name__ for attack, _ in THREATS])
def test_refused_by_a_check_that_is_needed(platform: Platform, attack: Attack, check: tuple[str, str, str]) -> None:
    assert not attack(Victim(platform))
    with without(*check):
        assert attack(Victim(platform)), "it is not this check that refuses it"
