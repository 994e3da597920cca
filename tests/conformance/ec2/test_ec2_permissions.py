"""Who may not, is told what they may not, and on what; a dry run tells it before anything is looked at.

The policies are those that EC2's user guide shows: tags at creation, by their values and by the action that gives them,
tags of resources, a VPC's own groups, attributes by what they become.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.ec2.networks import Platform
from tests.conformance.serving import ACCOUNT, refused


@pytest.fixture
def nobody(platform: Platform, region: str) -> Any:
    """EC2 for a user without any policy."""
    iam = platform.client("iam")
    iam.create_user(UserName=region)
    key = iam.create_access_key(UserName=region)["AccessKey"]
    return platform.client("ec2", region=region, key=(key["AccessKeyId"], key["SecretAccessKey"]))


def test_a_refusal_names_who_what_and_where(ec2: Any, nobody: Any, region: str, vpc: str) -> None:
    words = refused("UnauthorizedOperation", nobody.delete_vpc, VpcId=vpc)
    assert words.startswith(
        f"You are not authorized to perform this operation. User: arn:aws:iam::{ACCOUNT}:user/{region} is not "
        f"authorized to perform: ec2:DeleteVpc on resource: arn:aws:ec2:{region}:{ACCOUNT}:vpc/{vpc} because "
    )
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]


def test_a_dry_run_tells_whether_one_may(ec2: Any, nobody: Any, vpc: str) -> None:
    assert refused("DryRunOperation", ec2.delete_vpc, VpcId=vpc, DryRun=True) == (
        "Request would have succeeded, but DryRun flag is set."
    )
    refused("UnauthorizedOperation", nobody.delete_vpc, VpcId=vpc, DryRun=True)
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]


Allowed = Callable[..., Any]


@pytest.fixture
def allowed(platform: Platform, region: str) -> Allowed:
    """EC2 for a user with these statements."""

    def client(*statements: dict[str, Any]) -> Any:
        iam = platform.client("iam")
        name = f"{region}-allowed"
        iam.create_user(UserName=name)
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]}
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return platform.client("ec2", region=region, key=(key["AccessKeyId"], key["SecretAccessKey"]))

    return client


def tagged(kind: str, **tags: str) -> dict[str, Any]:
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]}


def test_tags_are_given_at_creation_only_and_as_the_policy_says(ec2: Any, allowed: Allowed, vpc: str) -> None:
    user = allowed(
        {"Action": "ec2:CreateVpc", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestTag/env": "test"}}},
        {
            "Action": "ec2:CreateTags",
            "Resource": "arn:aws:ec2:*:*:vpc/*",
            "Condition": {"StringEquals": {"ec2:CreateAction": "CreateVpc"}},
        },
    )
    made = user.create_vpc(CidrBlock="10.9.0.0/16", **tagged("vpc", env="test"))["Vpc"]
    assert made["Tags"] == [{"Key": "env", "Value": "test"}]
    before = ec2.describe_vpcs()["Vpcs"]
    refused("UnauthorizedOperation", user.create_vpc, CidrBlock="10.9.0.0/16", **tagged("vpc", env="live"))
    refused("UnauthorizedOperation", user.create_vpc, CidrBlock="10.9.0.0/16")
    refused("UnauthorizedOperation", user.create_tags, Resources=[vpc], Tags=[{"Key": "env", "Value": "test"}])
    assert ec2.describe_vpcs()["Vpcs"] == before


@pytest.mark.parametrize("key", ["aws:ResourceTag/team", "ec2:ResourceTag/team"])
def test_what_bears_ones_tag(ec2: Any, allowed: Allowed, vpc: str, key: str) -> None:
    user = allowed({"Action": "ec2:Delete*", "Resource": "*", "Condition": {"StringEquals": {key: "blue"}}})
    ours = ec2.create_key_pair(KeyName="ours", KeyType="ed25519", **tagged("key-pair", team="blue"))["KeyPairId"]
    ec2.create_key_pair(KeyName="theirs", KeyType="ed25519", **tagged("key-pair", team="red"))
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    refused("UnauthorizedOperation", user.delete_security_group, GroupId=group)
    ec2.create_tags(Resources=[group], Tags=[{"Key": "team", "Value": "blue"}])
    user.delete_security_group(GroupId=group)
    refused("UnauthorizedOperation", user.delete_key_pair, KeyName="theirs")
    user.delete_key_pair(KeyPairId=ours)


def test_groups_of_one_vpc(ec2: Any, allowed: Allowed, region: str, vpc: str) -> None:
    here = f"arn:aws:ec2:{region}:{ACCOUNT}:vpc/{vpc}"
    user = allowed(
        {"Action": "ec2:AuthorizeSecurityGroup*", "Resource": "*", "Condition": {"ArnEquals": {"ec2:Vpc": here}}}
    )
    rule = {"IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]}
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    elsewhere = ec2.create_security_group(GroupName="g", Description="g")["GroupId"]
    user.authorize_security_group_ingress(GroupId=group, **rule)
    refused("UnauthorizedOperation", user.authorize_security_group_ingress, GroupId=elsewhere, **rule)
    refused("UnauthorizedOperation", user.authorize_security_group_ingress, GroupName="g", **rule)


def test_an_attribute_by_what_it_becomes(allowed: Allowed, subnet: str) -> None:
    private = {"StringEquals": {"ec2:Attribute/MapPublicIpOnLaunch": "false"}}
    user = allowed({"Action": "ec2:ModifySubnetAttribute", "Resource": "*", "Condition": private})
    user.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
    modify = user.modify_subnet_attribute
    refused("UnauthorizedOperation", modify, SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    refused("UnauthorizedOperation", modify, SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": False})


def test_aws_s_own_lists_are_read_by_whoever_may_read_lists(ec2: Any, allowed: Allowed, region: str) -> None:
    theirs = ec2.describe_prefix_lists()["PrefixLists"][0]["PrefixListId"]
    user = allowed({"Action": "ec2:GetManagedPrefixListEntries", "Resource": f"arn:aws:ec2:{region}:aws:prefix-list/*"})
    assert user.get_managed_prefix_list_entries(PrefixListId=theirs)["Entries"]
    own = ec2.create_managed_prefix_list(PrefixListName="l", AddressFamily="IPv4", MaxEntries=1)["PrefixList"]
    refused("UnauthorizedOperation", user.get_managed_prefix_list_entries, PrefixListId=own["PrefixListId"])
