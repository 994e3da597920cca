"""Security groups and their rules, and what of them reaches the nodes."""

from __future__ import annotations

from typing import Any

import pytest

from hatoba.core.keys import Scope
from hatoba.fleet import model as fleet
from hatoba.fleet.model import Rule
from tests.conformance.ec2.networks import Platform, by
from tests.conformance.serving import ACCOUNT, refused


@pytest.fixture
def group(ec2: Any, vpc: str) -> str:
    id_: str = ec2.create_security_group(GroupName="web", Description="the web", VpcId=vpc)["GroupId"]
    return id_


@pytest.fixture
def policies(platform: Platform, region: str, group: str) -> Any:
    """What the nodes are told of the group."""

    def read() -> fleet.PolicySet:
        found = platform.store.find(fleet.policy_sets, Scope("aws", ACCOUNT, region), group)
        assert found is not None
        return found

    return read


def tcp(port: int, to: int | None = None, **peers: Any) -> dict[str, Any]:
    """An `IpPermission`: `tcp(80, IpRanges=["10.0.0.0/8"])`."""
    names = {"IpRanges": "CidrIp", "Ipv6Ranges": "CidrIpv6", "UserIdGroupPairs": "GroupId"}
    far = {kind: [{names[kind]: peer} for peer in given] for kind, given in peers.items()}
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port if to is None else to, **far}


def allow(ec2: Any, group: str, *permissions: dict[str, Any]) -> list[dict[str, Any]]:
    answer = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=list(permissions))
    rules: list[dict[str, Any]] = answer["SecurityGroupRules"]
    return rules


def shown(ec2: Any, group: str) -> list[dict[str, Any]]:
    permissions: list[dict[str, Any]] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0][
        "IpPermissions"
    ]
    return permissions


# --- groups


def test_names_are_unique_within_a_vpc(ec2: Any, vpc: str, group: str) -> None:
    assert (
        refused("InvalidGroup.Duplicate", ec2.create_security_group, GroupName="web", Description="x", VpcId=vpc)
        == f"The security group 'web' already exists for VPC '{vpc}'"
    )
    elsewhere = ec2.create_security_group(GroupName="web", Description="in the default VPC")["GroupId"]
    assert elsewhere != group
    assert ec2.describe_security_groups(GroupNames=["web"])["SecurityGroups"][0]["GroupId"] == elsewhere
    (default,) = ec2.describe_vpcs(Filters=by("is-default", "true"))["Vpcs"]
    assert refused("InvalidGroup.NotFound", ec2.describe_security_groups, GroupNames=["nope"]) == (
        f"The security group 'nope' does not exist in default VPC '{default['VpcId']}'"
    )
    ec2.delete_security_group(GroupName="web")
    assert refused("InvalidGroup.NotFound", ec2.delete_security_group, GroupId=elsewhere) == (
        f"The security group '{elsewhere}' does not exist"
    )


@pytest.mark.parametrize("name", ["", "sg-mine", "default", "naïve", "a" * 256])
def test_names_that_no_group_may_have(ec2: Any, name: str) -> None:
    refused("InvalidParameterValue", ec2.create_security_group, GroupName=name, Description="x")


def test_a_description_is_checked_too(ec2: Any) -> None:
    words = refused("InvalidParameterValue", ec2.create_security_group, GroupName="a", Description="a\tb")
    assert "GroupDescription" in words


def test_the_default_group_stays(ec2: Any) -> None:
    (group,) = ec2.describe_security_groups()["SecurityGroups"]
    assert refused("CannotDelete", ec2.delete_security_group, GroupId=group["GroupId"]) == (
        f'the specified group: "{group["GroupId"]}" name: "default" cannot be deleted by a user'
    )


def test_a_group_that_others_need_stays(ec2: Any, vpc: str, subnet: str, group: str) -> None:
    other = ec2.create_security_group(GroupName="db", Description="db", VpcId=vpc)["GroupId"]
    allow(ec2, other, tcp(5432, UserIdGroupPairs=[group]))
    assert refused("DependencyViolation", ec2.delete_security_group, GroupId=group) == (
        f"resource {group} has a dependent object"
    )
    ec2.delete_security_group(GroupId=other)
    allow(ec2, group, tcp(80, UserIdGroupPairs=[group]))  # itself is no obstacle
    interface = ec2.create_network_interface(SubnetId=subnet, Groups=[group])["NetworkInterface"]
    refused("DependencyViolation", ec2.delete_security_group, GroupId=group)
    ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    ec2.delete_security_group(GroupId=group)


def test_groups_for_a_vpc(ec2: Any, vpc: str, group: str) -> None:
    found = ec2.get_security_groups_for_vpc(VpcId=vpc)["SecurityGroupForVpcs"]
    assert {(each["GroupName"], each["PrimaryVpcId"]) for each in found} == {("default", vpc), ("web", vpc)}
    found = ec2.get_security_groups_for_vpc(VpcId=vpc, Filters=by("group-id", group))["SecurityGroupForVpcs"]
    assert [each["Description"] for each in found] == ["the web"]


# --- rules


def test_rules_are_what_the_nodes_enforce(ec2: Any, group: str, policies: Any) -> None:
    assert policies().ingress == ()
    assert policies().egress == (Rule(cidrs=("0.0.0.0/0",)),)
    allow(
        ec2,
        group,
        tcp(80, 81, IpRanges=["10.1.2.3/8", "192.168.0.0/16"], Ipv6Ranges=["2001:db8::/32"]),
        {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "UserIdGroupPairs": [{"GroupId": group}]},
        {"IpProtocol": "icmp", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
        {"IpProtocol": "-1", "FromPort": 7, "ToPort": 9, "IpRanges": [{"CidrIp": "10.9.0.0/16"}]},
        {"IpProtocol": "50", "FromPort": 7, "ToPort": 9, "IpRanges": [{"CidrIp": "10.9.0.0/16"}]},
    )
    assert policies().ingress == (
        Rule(protocol="tcp", from_port=80, to_port=81, cidrs=("10.0.0.0/8",)),
        Rule(protocol="tcp", from_port=80, to_port=81, cidrs=("192.168.0.0/16",)),
        Rule(protocol="tcp", from_port=80, to_port=81, cidrs=("2001:db8::/32",)),
        Rule(protocol="udp", from_port=53, to_port=53, groups=(group,)),
        Rule(protocol="icmp", cidrs=("0.0.0.0/0",)),
        Rule(cidrs=("10.9.0.0/16",)),
        Rule(protocol="50", cidrs=("10.9.0.0/16",)),
    )
    first = shown(ec2, group)[0]
    assert [ip["CidrIp"] for ip in first["IpRanges"]] == ["10.0.0.0/8", "192.168.0.0/16"]
    assert first["Ipv6Ranges"] == [{"CidrIpv6": "2001:db8::/32"}]
    assert shown(ec2, group)[1]["UserIdGroupPairs"] == [{"GroupId": group, "UserId": ACCOUNT}]
    assert shown(ec2, group)[2] | {"FromPort": -1, "ToPort": -1} == shown(ec2, group)[2]
    assert "FromPort" not in shown(ec2, group)[3]


def test_the_old_single_rule_parameters(ec2: Any, group: str, policies: Any) -> None:
    one = {"GroupId": group, "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "10.0.0.0/8"}
    ec2.authorize_security_group_ingress(**one)
    assert policies().ingress == (Rule(protocol="tcp", from_port=22, to_port=22, cidrs=("10.0.0.0/8",)),)
    ec2.revoke_security_group_ingress(**one)
    assert policies().ingress == ()


def test_a_rule_is_there_once(ec2: Any, group: str, policies: Any) -> None:
    allow(ec2, group, tcp(80, IpRanges=["10.0.0.0/8"]))
    before = policies()

    def again(*permissions: dict[str, Any]) -> str:
        code = "InvalidPermission.Duplicate"
        return refused(code, ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=list(permissions))

    assert again(tcp(81, IpRanges=["10.0.0.0/8"]), tcp(80, IpRanges=["10.0.0.1/8"])) == (
        'the specified rule "peer: 10.0.0.0/8, TCP, from port: 80, to port: 80, ALLOW" already exists'
    )
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    words = refused(
        "InvalidPermission.Duplicate", ec2.authorize_security_group_egress, GroupId=group, IpPermissions=[everything]
    )
    assert words == 'the specified rule "peer: 0.0.0.0/0, ALL, ALLOW" already exists'
    twice = [tcp(90, IpRanges=["10.0.0.0/8", "10.0.0.0/8"])]
    words = refused("InvalidParameterValue", ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=twice)
    assert words == "The same permission must not appear multiple times"
    assert policies() == before, "a refused call adds none of its rules"


@pytest.mark.parametrize(
    ("permission", "code", "words"),
    [
        ({"FromPort": 1, "ToPort": 2}, "MissingParameter", "The request must contain the parameter ipProtocol"),
        (
            {"IpProtocol": "tpc"},
            "InvalidParameterValue",
            'Unsupported IP protocol "tpc"  - supported: [tcp, udp, icmp]',
        ),
        (
            {"IpProtocol": "256"},
            "InvalidParameterValue",
            'Unsupported IP protocol "256"  - supported: [tcp, udp, icmp]',
        ),
        (
            {"IpProtocol": "tcp", "FromPort": 1},
            "InvalidParameterValue",
            "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
        ),
        (
            {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 65536},
            "InvalidParameterValue",
            "Invalid value '65536' for portRange. Must be between 0 and 65535",
        ),
        (
            {"IpProtocol": "udp", "FromPort": 2, "ToPort": 1},
            "InvalidParameterValue",
            "Invalid TCP/UDP port range (2:1). The from port must not be above the to port.",
        ),
        (tcp(1, IpRanges=["10.0.0.1"]), "InvalidParameterValue", "CIDR block 10.0.0.1 is malformed"),
        (tcp(1, IpRanges=["10.0.0.0/33"]), "InvalidParameterValue", "CIDR block 10.0.0.0/33 is malformed"),
        (tcp(1, Ipv6Ranges=["10.0.0.0/8"]), "InvalidParameterValue", "CIDR block 10.0.0.0/8 is malformed"),
        (tcp(1, Ipv6Ranges=["fe80::%eth0/64"]), "InvalidParameterValue", "CIDR block fe80::%eth0/64 is malformed"),
        (
            tcp(1, UserIdGroupPairs=["sg-0123456789abcdef0"]),
            "InvalidGroup.NotFound",
            "The security group 'sg-0123456789abcdef0' does not exist",
        ),
        (tcp(1), "MissingParameter", "The request must contain the parameter ipPermissions"),
        (
            {**tcp(1), "PrefixListIds": [{"PrefixListId": "pl-12345678"}]},
            "InvalidPrefixListID.NotFound",
            "The prefix list ID 'pl-12345678' does not exist",
        ),
        (
            {"IpProtocol": "icmp", "FromPort": 300, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
            "InvalidParameterValue",
            "ICMP type (300) and code (-1) must be between -1 and 255",
        ),
    ],
)
def test_rules_that_cannot_be(
    ec2: Any, group: str, policies: Any, permission: dict[str, Any], code: str, words: str
) -> None:
    assert refused(code, ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[permission]) == words
    assert policies().ingress == ()


def test_a_group_of_another_vpc_is_no_peer(ec2: Any, group: str) -> None:
    other = ec2.create_security_group(GroupName="far", Description="far")["GroupId"]
    permission = tcp(80, UserIdGroupPairs=[other])
    words = refused(
        "InvalidGroup.NotFound", ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[permission]
    )
    assert words == "You have specified two resources that belong to different networks."


def test_sixty_rules_each_way(ec2: Any, group: str) -> None:
    allow(ec2, group, *(tcp(port, IpRanges=["10.0.0.0/8"]) for port in range(60)))
    one_more = [tcp(60, IpRanges=["10.0.0.0/8"])]
    refused(
        "RulesPerSecurityGroupLimitExceeded",
        ec2.authorize_security_group_ingress,
        GroupId=group,
        IpPermissions=one_more,
    )
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=one_more)
    allow(ec2, group, *(tcp(port, Ipv6Ranges=["2001:db8::/32"]) for port in range(59)))  # of IPv6 as many
    of_both = [tcp(60, UserIdGroupPairs=[group])]
    refused(
        "RulesPerSecurityGroupLimitExceeded", ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=of_both
    )
    allow(ec2, group, tcp(60, Ipv6Ranges=["2001:db8::/32"]))
    one_more = [tcp(61, Ipv6Ranges=["2001:db8::/32"])]
    refused(
        "RulesPerSecurityGroupLimitExceeded",
        ec2.authorize_security_group_ingress,
        GroupId=group,
        IpPermissions=one_more,
    )


def test_revoking_by_peer_by_id_and_what_is_not_there(ec2: Any, group: str, policies: Any) -> None:
    rules = allow(
        ec2, group, tcp(80, IpRanges=["10.0.0.0/8"], UserIdGroupPairs=[group]), tcp(81, IpRanges=["10.0.0.0/8"])
    )
    by_peer = ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[tcp(80, UserIdGroupPairs=[group])])
    (gone,) = by_peer["RevokedSecurityGroupRules"]
    assert gone["SecurityGroupRuleId"] == rules[1]["SecurityGroupRuleId"]
    assert gone["ReferencedGroupId"] == group
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[rules[0]["SecurityGroupRuleId"]])
    assert [rule.from_port for rule in policies().ingress] == [81]

    def not_there(code: str, **what: Any) -> str:
        return refused(code, ec2.revoke_security_group_ingress, GroupId=group, **what)

    half = [tcp(81, IpRanges=["10.0.0.0/8"]), tcp(82, IpRanges=["10.0.0.0/8"])]
    assert not_there("InvalidPermission.NotFound", IpPermissions=half) == (
        "The specified rule does not exist in this security group."
    )
    id_ = rules[0]["SecurityGroupRuleId"]
    assert not_there("InvalidSecurityGroupRuleId.NotFound", SecurityGroupRuleIds=[id_]) == (
        f"The security group rule ID '{id_}' does not exist"
    )
    egress = ec2.describe_security_group_rules(Filters=by("group-id", group))["SecurityGroupRules"]
    (out,) = (rule["SecurityGroupRuleId"] for rule in egress if rule["IsEgress"])
    not_there("InvalidSecurityGroupRuleId.NotFound", SecurityGroupRuleIds=[out])
    not_there("MissingParameter")
    assert [rule.from_port for rule in policies().ingress] == [81]
    ec2.revoke_security_group_egress(GroupId=group, SecurityGroupRuleIds=[out])
    assert policies().egress == ()


def test_rules_are_changed_in_place(ec2: Any, vpc: str, group: str, policies: Any) -> None:
    first, second = allow(ec2, group, tcp(80, IpRanges=["10.0.0.0/8"]), tcp(81, IpRanges=["10.0.0.0/8"]))

    def modify(rule: dict[str, Any], code: str | None = None, **wanted: Any) -> str:
        wanted = {"IpProtocol": "tcp", "FromPort": 90, "ToPort": 91, **wanted}
        update = [{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": wanted}]
        if code is None:
            ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=update)
            return ""
        return refused(code, ec2.modify_security_group_rules, GroupId=group, SecurityGroupRules=update)

    modify(first, CidrIpv4="10.7.0.0/16", Description="ours")
    assert policies().ingress[0] == Rule(protocol="tcp", from_port=90, to_port=91, cidrs=("10.7.0.0/16",))
    (now,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[first["SecurityGroupRuleId"]])[
        "SecurityGroupRules"
    ]
    assert (now["Description"], now["CidrIpv4"]) == ("ours", "10.7.0.0/16")
    same = {"FromPort": 81, "ToPort": 81, "CidrIpv4": "10.0.0.0/8"}
    assert modify(first, "InvalidPermission.Duplicate", **same).startswith('the specified rule "peer: 10.0.0.0/8, TCP')
    words = modify(second, "InvalidParameterValue", ReferencedGroupId=group)
    assert words == f"The source or destination of rule {second['SecurityGroupRuleId']} must stay of its type."
    modify(second, "InvalidParameterValue")  # a rule without a peer
    modify(
        {"SecurityGroupRuleId": "sgr-0123456789abcdef0"}, "InvalidSecurityGroupRuleId.NotFound", CidrIpv4="10.0.0.0/8"
    )
    assert [rule.from_port for rule in policies().ingress] == [90, 81]


def test_descriptions(ec2: Any, group: str) -> None:
    (rule,) = allow(ec2, group, tcp(80, IpRanges=["10.0.0.0/8"]))

    def described() -> str | None:
        (now,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])[
            "SecurityGroupRules"
        ]
        text: str | None = now.get("Description")
        return text

    assert described() is None
    given = tcp(80)
    given["IpRanges"] = [{"CidrIp": "10.0.0.0/8", "Description": "the office"}]
    ec2.update_security_group_rule_descriptions_ingress(GroupId=group, IpPermissions=[given])
    assert described() == "the office"
    assert shown(ec2, group)[0]["IpRanges"] == [{"CidrIp": "10.0.0.0/8", "Description": "the office"}]
    by_id = [{"SecurityGroupRuleId": rule["SecurityGroupRuleId"]}]
    ec2.update_security_group_rule_descriptions_ingress(GroupId=group, SecurityGroupRuleDescriptions=by_id)
    assert described() is None
    update = ec2.update_security_group_rule_descriptions_ingress
    refused("InvalidPermission.NotFound", update, GroupId=group, IpPermissions=[tcp(99, IpRanges=["10.0.0.0/8"])])
    refused("MissingParameter", update, GroupId=group)
    egress = ec2.update_security_group_rule_descriptions_egress
    refused("InvalidSecurityGroupRuleId.NotFound", egress, GroupId=group, SecurityGroupRuleDescriptions=by_id)
    wrong = tcp(80)
    wrong["IpRanges"] = [{"CidrIp": "10.0.0.0/8", "Description": "ä"}]
    assert refused("InvalidParameterValue", update, GroupId=group, IpPermissions=[wrong]).startswith(
        "Invalid rule description."
    )


def test_rules_have_tags_of_their_own(ec2: Any, group: str) -> None:
    specification = [{"ResourceType": "security-group-rule", "Tags": [{"Key": "team", "Value": "a"}]}]
    answer = ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[tcp(80, IpRanges=["10.0.0.0/8"])], TagSpecifications=specification
    )
    (rule,) = answer["SecurityGroupRules"]
    assert rule["Tags"] == [{"Key": "team", "Value": "a"}]
    assert len(ec2.describe_security_group_rules(Filters=by("tag:team", "a"))["SecurityGroupRules"]) == 1
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    assert ec2.describe_tags()["Tags"] == []


def test_rules_page_by_page(ec2: Any, group: str) -> None:
    allow(ec2, group, *(tcp(port, IpRanges=["10.0.0.0/8"]) for port in range(11)))
    pages = ec2.get_paginator("describe_security_group_rules").paginate(
        Filters=by("group-id", group), PaginationConfig={"PageSize": 5}
    )
    sizes = [len(page["SecurityGroupRules"]) for page in pages]
    assert sizes == [5, 5, 2]


def test_filters_on_rules(ec2: Any, group: str) -> None:
    allow(ec2, group, tcp(80, 90, IpRanges=["10.0.0.0/8"], UserIdGroupPairs=[group]))

    def found(name: str, value: str) -> bool:
        groups = ec2.describe_security_groups(Filters=[*by(name, value), *by("group-id", group)])["SecurityGroups"]
        return len(groups) == 1

    for name, value in [
        ("ip-permission.cidr", "10.0.0.0/8"),
        ("ip-permission.from-port", "80"),
        ("ip-permission.to-port", "90"),
        ("ip-permission.protocol", "tcp"),
        ("ip-permission.group-id", group),
        ("ip-permission.group-name", "web"),
        ("ip-permission.user-id", ACCOUNT),
        ("egress.ip-permission.cidr", "0.0.0.0/0"),
        ("egress.ip-permission.protocol", "-1"),
    ]:
        assert found(name, value), name
        assert not found(name, "other"), name
    assert not found("egress.ip-permission.cidr", "10.0.0.0/8")


def test_what_is_not_there_to_revoke_is_no_error_in_a_default_vpc(ec2: Any) -> None:
    id_ = ec2.create_security_group(GroupName="web", Description="web")["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=id_, IpPermissions=[tcp(1, IpRanges=["10.0.0.0/8"])])
    both = [tcp(1, IpRanges=["10.0.0.0/8"]), tcp(2, IpRanges=["10.0.0.0/8"])]
    answer = ec2.revoke_security_group_ingress(GroupId=id_, IpPermissions=both)
    assert [rule["FromPort"] for rule in answer["RevokedSecurityGroupRules"]] == [1]
    assert [(each["FromPort"], each["IpRanges"]) for each in answer["UnknownIpPermissions"]] == [
        (2, [{"CidrIp": "10.0.0.0/8"}])
    ]
    assert ec2.describe_security_groups(GroupIds=[id_])["SecurityGroups"][0]["IpPermissions"] == []


def test_elsewhere_it_is_and_nothing_is_revoked(ec2: Any, group: str) -> None:
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(1, IpRanges=["10.0.0.0/8"])])
    both = [tcp(1, IpRanges=["10.0.0.0/8"]), tcp(2, IpRanges=["10.0.0.0/8"])]
    refused("InvalidPermission.NotFound", ec2.revoke_security_group_ingress, GroupId=group, IpPermissions=both)
    (left,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert [each["FromPort"] for each in left["IpPermissions"]] == [1]


def test_everything_from_a_group_of_the_default_vpc_by_its_name(ec2: Any) -> None:
    web = ec2.create_security_group(GroupName="web", Description="web")["GroupId"]
    ec2.create_security_group(GroupName="db", Description="db")
    allow = ec2.authorize_security_group_ingress
    made = allow(GroupName="db", SourceSecurityGroupName="web")["SecurityGroupRules"]
    assert [(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in made] == [
        ("tcp", 0, 65535),
        ("udp", 0, 65535),
        ("icmp", -1, -1),
    ]
    assert {rule["ReferencedGroupInfo"]["GroupId"] for rule in made} == {web}
    refused("InvalidGroup.NotFound", allow, GroupName="db", SourceSecurityGroupName="nobody")
    refused("InvalidParameterCombination", allow, GroupName="db", SourceSecurityGroupName="web", CidrIp="10.0.0.0/8")
    owner = {"SourceSecurityGroupName": "web", "SourceSecurityGroupOwnerId": "999999999999"}
    refused("InvalidGroup.NotFound", allow, GroupName="db", **owner)
    gone = ec2.revoke_security_group_ingress(GroupName="db", SourceSecurityGroupName="web")
    assert len(gone["RevokedSecurityGroupRules"]) == 3


def test_stale_rules_and_references_are_of_what_there_is(ec2: Any, vpc: str, group: str) -> None:
    """Within a VPC none goes stale, and who names whom is not told; of peered ones: `test_ec2_peering`."""
    other = ec2.create_security_group(GroupName="other", Description="other", VpcId=vpc)["GroupId"]
    rule = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[rule])
    assert ec2.describe_stale_security_groups(VpcId=vpc)["StaleSecurityGroupSet"] == []
    assert ec2.describe_security_group_references(GroupId=[group])["SecurityGroupReferenceSet"] == []
    refused("InvalidVpcID.NotFound", ec2.describe_stale_security_groups, VpcId="vpc-0123456789abcdef0")
    refused("InvalidGroup.NotFound", ec2.describe_security_group_references, GroupId=[group, "sg-0123456789abcdef0"])
