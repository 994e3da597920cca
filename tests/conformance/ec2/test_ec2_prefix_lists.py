"""Managed prefix lists: versions, and what they mean for the rules of groups that name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.core.keys import Scope
from hatoba.fleet import model as fleet
from hatoba.services.ec2.model import prefixlist
from hatoba.services.ec2.model.interface import PublicPool
from tests.conformance.ec2.networks import Platform, by, served
from tests.conformance.serving import ACCOUNT, refused


def entry(cidr: str, description: str | None = None) -> dict[str, str]:
    return {"Cidr": cidr} | ({"Description": description} if description else {})


@pytest.fixture
def offices(ec2: Any) -> str:
    """Version 1, with room for three."""
    made = ec2.create_managed_prefix_list(
        PrefixListName="offices",
        AddressFamily="IPv4",
        MaxEntries=3,
        Entries=[entry("192.0.2.0/25", "Osaka"), entry("198.51.100.0/24")],
    )
    id_: str = made["PrefixList"]["PrefixListId"]
    return id_


def shown(ec2: Any, id_: str) -> dict[str, Any]:
    found: dict[str, Any] = ec2.describe_managed_prefix_lists(PrefixListIds=[id_])["PrefixLists"][0]
    return found


def cidrs(ec2: Any, id_: str, **how: Any) -> list[str]:
    return [each["Cidr"] for each in ec2.get_managed_prefix_list_entries(PrefixListId=id_, **how)["Entries"]]


def change(ec2: Any, id_: str, version: int, **what: Any) -> dict[str, Any]:
    answer = ec2.modify_managed_prefix_list(PrefixListId=id_, CurrentVersion=version, **what)
    found: dict[str, Any] = answer["PrefixList"]
    return found


def test_as_it_was_made(ec2: Any, offices: str) -> None:
    found = shown(ec2, offices)
    assert (found["PrefixListName"], found["AddressFamily"], found["MaxEntries"]) == ("offices", "IPv4", 3)
    assert (found["Version"], found["State"], found["OwnerId"]) == (1, "create-complete", ACCOUNT)
    assert found["PrefixListArn"].endswith(f":{ACCOUNT}:prefix-list/{offices}")
    entries = ec2.get_managed_prefix_list_entries(PrefixListId=offices)["Entries"]
    assert entries == [entry("192.0.2.0/25", "Osaka"), entry("198.51.100.0/24")]
    for wanted in (by("prefix-list-name", "off*"), by("owner-id", ACCOUNT), by("prefix-list-id", offices)):
        assert ec2.describe_managed_prefix_lists(Filters=wanted)["PrefixLists"] == [found]


def test_each_change_of_entries_is_a_version_that_can_be_restored(ec2: Any, offices: str) -> None:
    after = change(ec2, offices, 1, AddEntries=[entry("203.0.113.9/24")], RemoveEntries=[entry("192.0.2.0/25")])
    assert (after["Version"], after["State"]) == (2, "modify-complete")
    assert cidrs(ec2, offices) == ["198.51.100.0/24", "203.0.113.0/24"], "in canonical form"
    assert cidrs(ec2, offices, TargetVersion=1) == ["192.0.2.0/25", "198.51.100.0/24"]
    restored = ec2.restore_managed_prefix_list_version(PrefixListId=offices, PreviousVersion=1, CurrentVersion=2)
    assert (restored["PrefixList"]["Version"], restored["PrefixList"]["State"]) == (3, "restore-complete")
    assert cidrs(ec2, offices) == ["192.0.2.0/25", "198.51.100.0/24"]


def test_name_and_room_are_no_versions(ec2: Any, offices: str) -> None:
    ec2.modify_managed_prefix_list(PrefixListId=offices, PrefixListName="sites")
    after = ec2.modify_managed_prefix_list(PrefixListId=offices, MaxEntries=2)["PrefixList"]
    assert (after["PrefixListName"], after["MaxEntries"], after["Version"]) == ("sites", 2, 1)


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ({"CurrentVersion": 2, "AddEntries": [entry("203.0.113.0/24")]}, "PrefixListVersionMismatch"),
        ({"AddEntries": [entry("203.0.113.0/24")]}, "MissingParameter"),
        ({"CurrentVersion": 1, "AddEntries": [entry("203.0.113.0/33")]}, "InvalidParameterValue"),
        ({"CurrentVersion": 1, "AddEntries": [entry("2001:db8::/32")]}, "InvalidParameterValue"),
        ({"CurrentVersion": 1, "AddEntries": [entry("203.0.113.0/24")] * 2}, "InvalidParameterValue"),
        ({"CurrentVersion": 1, "AddEntries": [entry("192.0.2.0/25")]}, "InvalidPrefixListModification"),
        ({"CurrentVersion": 1, "RemoveEntries": [entry("203.0.113.0/24")]}, "InvalidPrefixListModification"),
        (
            {
                "CurrentVersion": 1,
                "AddEntries": [entry("192.0.2.0/25", "x")],
                "RemoveEntries": [entry("192.0.2.0/25")],
            },
            "InvalidParameterValue",
        ),
        (
            {"CurrentVersion": 1, "AddEntries": [entry("203.0.113.0/24"), entry("203.0.114.0/24")]},
            "PrefixListMaxEntriesExceeded",
        ),
        ({"MaxEntries": 1}, "PrefixListMaxEntriesExceeded"),
        ({"MaxEntries": 0}, "InvalidParameterValue"),
        ({"MaxEntries": 1001}, "InvalidParameterValue"),
        (
            {"CurrentVersion": 1, "MaxEntries": 9, "AddEntries": [entry("203.0.113.0/24")]},
            "InvalidPrefixListModification",
        ),
        ({"PrefixListName": "com.amazonaws.mine"}, "InvalidParameterValue"),
        ({"PrefixListName": ""}, "InvalidParameterValue"),
        ({"PrefixListId": "pl-0123456789abcdef0", "PrefixListName": "x"}, "InvalidPrefixListID.NotFound"),
    ],
)
def test_what_a_change_cannot_be(ec2: Any, offices: str, what: dict[str, Any], code: str) -> None:
    before = shown(ec2, offices), cidrs(ec2, offices)
    refused(code, ec2.modify_managed_prefix_list, **{"PrefixListId": offices, **what})
    assert (shown(ec2, offices), cidrs(ec2, offices)) == before


@pytest.mark.parametrize(
    "what",
    [
        {"AddressFamily": "IPv5"},
        {"MaxEntries": 0},
        {"PrefixListName": "com.amazonaws.x"},
        {"Entries": [{"Cidr": "2001:db8::/32"}]},
        {"Entries": [{"Cidr": "10.0.0.0/8", "Description": "x" * 256}]},
    ],
)
def test_what_a_list_cannot_be(ec2: Any, what: dict[str, Any]) -> None:
    given = {"PrefixListName": "x", "AddressFamily": "IPv4", "MaxEntries": 5, **what}
    refused("InvalidParameterValue", ec2.create_managed_prefix_list, **given)
    assert ec2.describe_managed_prefix_lists(Filters=by("owner-id", ACCOUNT))["PrefixLists"] == []


def test_versions_that_were_never_there(ec2: Any, offices: str) -> None:
    restore = ec2.restore_managed_prefix_list_version
    refused("InvalidParameterValue", restore, PrefixListId=offices, PreviousVersion=2, CurrentVersion=1)
    refused("PrefixListVersionMismatch", restore, PrefixListId=offices, PreviousVersion=1, CurrentVersion=2)
    refused("InvalidParameterValue", cidrs, ec2=ec2, id_=offices, TargetVersion=7)


def test_entries_by_page(ec2: Any, offices: str) -> None:
    first = ec2.get_managed_prefix_list_entries(PrefixListId=offices, MaxResults=1)
    rest = ec2.get_managed_prefix_list_entries(PrefixListId=offices, MaxResults=1, NextToken=first["NextToken"])
    assert [each["Cidr"] for each in first["Entries"] + rest["Entries"]] == ["192.0.2.0/25", "198.51.100.0/24"]
    change(ec2, offices, 1, AddEntries=[entry("203.0.113.0/24")])
    ask = ec2.get_managed_prefix_list_entries
    refused("InvalidNextToken", ask, PrefixListId=offices, NextToken=first["NextToken"], TargetVersion=1)


def test_aws_has_lists_of_its_own(ec2: Any, region: str, vpc: str) -> None:
    theirs = ec2.describe_managed_prefix_lists(Filters=by("owner-id", "AWS"))["PrefixLists"]
    assert [each["PrefixListName"] for each in sorted(theirs, key=lambda each: each["PrefixListName"])] == [
        f"com.amazonaws.{region}.dynamodb",
        f"com.amazonaws.{region}.s3",
    ]
    older = ec2.describe_prefix_lists(Filters=by("prefix-list-name", f"com.amazonaws.{region}.s3"))["PrefixLists"]
    assert [(each["PrefixListName"], each["Cidrs"]) for each in older] == [
        (f"com.amazonaws.{region}.s3", ["100.64.0.0/22"])
    ]
    id_ = older[0]["PrefixListId"]
    assert cidrs(ec2, id_) == ["100.64.0.0/22"]
    refused("OperationNotPermitted", ec2.modify_managed_prefix_list, PrefixListId=id_, MaxEntries=5)
    refused("OperationNotPermitted", ec2.delete_managed_prefix_list, PrefixListId=id_)
    refused("InvalidPrefixListID.NotFound", ec2.describe_prefix_lists, PrefixListIds=["pl-0123456789abcdef0"])


# --- in rules


def policy(platform: Platform, region: str, group: str) -> fleet.PolicySet:
    found = platform.store.find(fleet.policy_sets, Scope("aws", ACCOUNT, region), group)
    assert found is not None
    return found


def https(prefix_list: str) -> list[dict[str, Any]]:
    listed = [{"PrefixListId": prefix_list, "Description": "ours"}]
    return [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": listed}]


@pytest.fixture
def group(ec2: Any, vpc: str) -> str:
    id_: str = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    return id_


def test_a_rule_follows_its_list(platform: Platform, ec2: Any, region: str, group: str, offices: str) -> None:
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=https(offices))["SecurityGroupRules"]
    assert [(rule["PrefixListId"], rule["Description"]) for rule in made] == [(offices, "ours")]
    assert policy(platform, region, group).ingress[0].cidrs == ("192.0.2.0/25", "198.51.100.0/24")
    change(ec2, offices, 1, RemoveEntries=[entry("192.0.2.0/25")])
    assert policy(platform, region, group).ingress[0].cidrs == ("198.51.100.0/24",)
    ec2.restore_managed_prefix_list_version(PrefixListId=offices, PreviousVersion=1, CurrentVersion=2)
    assert policy(platform, region, group).ingress[0].cidrs == ("192.0.2.0/25", "198.51.100.0/24")

    (asked,) = ec2.describe_security_groups(Filters=by("ip-permission.prefix-list-id", offices))["SecurityGroups"]
    assert asked["IpPermissions"][0]["PrefixListIds"] == [{"PrefixListId": offices, "Description": "ours"}]
    associations = ec2.get_managed_prefix_list_associations(PrefixListId=offices)["PrefixListAssociations"]
    assert associations == [{"ResourceId": group, "ResourceOwner": ACCOUNT}]
    refused("DependencyViolation", ec2.delete_managed_prefix_list, PrefixListId=offices)
    refused(
        "InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=https(offices)
    )
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=https(offices))
    assert policy(platform, region, group).ingress == ()
    gone = ec2.delete_managed_prefix_list(PrefixListId=offices)["PrefixList"]
    assert gone["State"] == "delete-complete"
    refused("InvalidPrefixListID.NotFound", ec2.describe_managed_prefix_lists, PrefixListIds=[offices])


def test_a_rule_may_name_a_list_of_awss(platform: Platform, ec2: Any, region: str, group: str) -> None:
    s3 = ec2.describe_prefix_lists(Filters=by("prefix-list-name", "*.s3"))["PrefixLists"][0]["PrefixListId"]
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=https(s3))
    assert policy(platform, region, group).egress[-1].cidrs == ("100.64.0.0/22",)


def test_a_rule_that_names_a_list_may_come_to_name_another(
    platform: Platform, ec2: Any, region: str, group: str, offices: str
) -> None:
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=https(offices))["SecurityGroupRules"]
    other = ec2.create_managed_prefix_list(PrefixListName="o", AddressFamily="IPv6", MaxEntries=1)["PrefixList"]
    anew = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListId": other["PrefixListId"]}
    rule = made[0]["SecurityGroupRuleId"]
    modify = ec2.modify_security_group_rules
    modify(GroupId=group, SecurityGroupRules=[{"SecurityGroupRuleId": rule, "SecurityGroupRule": anew}])
    assert policy(platform, region, group).ingress[0].cidrs == ()
    change(ec2, other["PrefixListId"], 1, AddEntries=[entry("2001:DB8::/32")])
    assert policy(platform, region, group).ingress[0].cidrs == ("2001:db8::/32",)
    cidr = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "10.0.0.0/8"}
    changed = [{"SecurityGroupRuleId": rule, "SecurityGroupRule": cidr}]
    refused("InvalidParameterValue", modify, GroupId=group, SecurityGroupRules=changed)
    nobody = anew | {"PrefixListId": "pl-0123456789abcdef0"}
    changed = [{"SecurityGroupRuleId": rule, "SecurityGroupRule": nobody}]
    refused("InvalidPrefixListID.NotFound", modify, GroupId=group, SecurityGroupRules=changed)


def test_a_list_counts_for_as_many_rules_as_it_has_room_for(ec2: Any, group: str, offices: str) -> None:
    allow = ec2.authorize_security_group_ingress
    cidrs = [{"CidrIp": f"10.0.{n}.0/24"} for n in range(58)]
    allow(GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": cidrs}])
    refused("RulesPerSecurityGroupLimitExceeded", allow, GroupId=group, IpPermissions=https(offices))
    ec2.modify_managed_prefix_list(PrefixListId=offices, MaxEntries=2)
    allow(GroupId=group, IpPermissions=https(offices))
    refused("RulesPerSecurityGroupLimitExceeded", ec2.modify_managed_prefix_list, PrefixListId=offices, MaxEntries=3)
    assert shown(ec2, offices)["MaxEntries"] == 2


def test_the_last_thousand_versions_are_kept(
    platform: Platform, ec2: Any, offices: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefixlist, "VERSIONS", 2)
    for number in range(1, 4):
        change(ec2, offices, number, AddEntries=[entry("203.0.113.0/24")] if number % 2 else [], **removing(number))
    assert shown(ec2, offices)["Version"] == 4
    assert cidrs(ec2, offices, TargetVersion=3) == ["192.0.2.0/25", "198.51.100.0/24"]
    refused("InvalidParameterValue", cidrs, ec2=ec2, id_=offices, TargetVersion=2)
    ec2.delete_managed_prefix_list(PrefixListId=offices)
    left = platform.run(lambda: platform.store.all(prefixlist.earlier_versions))
    assert [record for record in left if record.id.startswith(offices)] == []


def removing(number: int) -> dict[str, Any]:
    return {} if number % 2 else {"RemoveEntries": [entry("203.0.113.0/24")]}


# --- in routes


@pytest.fixture
def gateway(ec2: Any, vpc: str) -> str:
    id_: str = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=id_, VpcId=vpc)
    return id_


@pytest.fixture
def table(ec2: Any, vpc: str, subnet: str) -> str:
    """The subnet's."""
    id_: str = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=id_, SubnetId=subnet)
    return id_


def ways(platform: Platform, region: str, vpc: str) -> list[tuple[str, str]]:
    """What the nodes see of the only subnet's routes."""
    network = platform.store.find(fleet.networks, Scope("aws", ACCOUNT, region), vpc)
    assert network is not None
    (subnet,) = network.subnets
    return [(route.to, route.kind) for route in subnet.routes]


def routes(ec2: Any, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    return found


def test_a_route_follows_its_list(
    platform: Platform, ec2: Any, region: str, vpc: str, table: str, gateway: str, offices: str
) -> None:
    to = {"RouteTableId": table, "DestinationPrefixListId": offices}
    ec2.create_route(GatewayId=gateway, **to)
    assert ways(platform, region, vpc) == [("192.0.2.0/25", "outside"), ("198.51.100.0/24", "outside")]
    assert routes(ec2, table)[1] == {
        "DestinationPrefixListId": offices,
        "GatewayId": gateway,
        "Origin": "CreateRoute",
        "State": "active",
    }
    change(ec2, offices, 1, RemoveEntries=[entry("192.0.2.0/25")], AddEntries=[entry("10.0.9.0/24")])
    assert ways(platform, region, vpc) == [("198.51.100.0/24", "outside")], "what lies in the VPC stays there"
    found = ec2.describe_route_tables(Filters=by("route.destination-prefix-list-id", offices))["RouteTables"]
    assert [each["RouteTableId"] for each in found] == [table]
    associations = ec2.get_managed_prefix_list_associations(PrefixListId=offices)["PrefixListAssociations"]
    assert associations == [{"ResourceId": table, "ResourceOwner": ACCOUNT}]
    refused("DependencyViolation", ec2.delete_managed_prefix_list, PrefixListId=offices)
    refused("DependencyViolation", ec2.delete_internet_gateway, InternetGatewayId=gateway)
    ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.1.0.0/16")
    ec2.delete_route(**to)
    assert ways(platform, region, vpc) == []
    ec2.delete_managed_prefix_list(PrefixListId=offices)


def test_a_route_of_its_own_counts_for_more_than_a_list(
    platform: Platform, ec2: Any, region: str, vpc: str, table: str, gateway: str, offices: str
) -> None:
    ec2.create_route(RouteTableId=table, GatewayId=gateway, DestinationPrefixListId=offices)
    other = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    refused(
        "InvalidParameterValue",
        ec2.create_route,
        RouteTableId=table,
        GatewayId=other,
        DestinationCidrBlock="198.51.100.0/24",
    )
    ec2.create_route(RouteTableId=table, GatewayId=gateway, DestinationCidrBlock="198.51.100.0/24")
    assert [to for to, _ in ways(platform, region, vpc)] == ["192.0.2.0/25", "198.51.100.0/24"]
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert ways(platform, region, vpc) == [("192.0.2.0/25", "closed"), ("198.51.100.0/24", "closed")]
    assert [route["State"] for route in routes(ec2, table)] == ["active", "blackhole", "blackhole"]


def test_routes_to_lists_that_cannot_be(ec2: Any, table: str, gateway: str, offices: str) -> None:
    to = {"RouteTableId": table, "DestinationPrefixListId": offices, "GatewayId": gateway}
    before = routes(ec2, table)
    nobody = "pl-0123456789abcdef0"
    for code, what in (
        ("InvalidParameterCombination", {"DestinationCidrBlock": "0.0.0.0/0"}),
        ("InvalidPrefixListID.NotFound", {"DestinationPrefixListId": nobody}),
        ("InvalidInternetGatewayID.NotFound", {"GatewayId": "igw-0123456789abcdef0"}),
        ("InvalidParameterCombination", {"NatGatewayId": "nat-0123456789abcdef0"}),
    ):
        refused(code, ec2.create_route, **{**to, **what})
    refused("InvalidRoute.NotFound", ec2.replace_route, **to)
    refused("InvalidRoute.NotFound", ec2.delete_route, RouteTableId=table, DestinationPrefixListId=offices)
    refused(
        "InvalidParameterCombination",
        ec2.delete_route,
        RouteTableId=table,
        DestinationPrefixListId=offices,
        DestinationCidrBlock="0.0.0.0/0",
    )
    assert routes(ec2, table) == before


def test_a_route_to_a_list_of_awss(
    platform: Platform, ec2: Any, region: str, vpc: str, table: str, gateway: str
) -> None:
    s3 = ec2.describe_prefix_lists(Filters=by("prefix-list-name", "*.s3"))["PrefixLists"][0]["PrefixListId"]
    ec2.create_route(RouteTableId=table, GatewayId=gateway, DestinationPrefixListId=s3)
    assert ways(platform, region, vpc) == [("100.64.0.0/22", "outside")]


def test_awss_own_have_the_address_too_at_which_other_machines_ask_the_platform(tmp_path: Path) -> None:
    """Rules of groups that name them let out to it, from wherever."""
    with served(tmp_path, PublicPool(control="192.0.2.9")) as platform:
        ec2 = platform.client("ec2")
        (found,) = ec2.describe_prefix_lists(Filters=by("prefix-list-name", "*.s3"))["PrefixLists"]
        assert found["Cidrs"] == ["100.64.0.0/22", "192.0.2.9/32"]
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        group = ec2.create_security_group(GroupName="s3", Description="s3", VpcId=vpc)["GroupId"]
        ec2.authorize_security_group_egress(GroupId=group, IpPermissions=https(found["PrefixListId"]))
        (rule,) = platform.run(
            lambda: [r for p in platform.store.all(fleet.policy_sets) if p.id == group for r in p.egress if r.from_port]
        )
        assert rule.cidrs == ("100.64.0.0/22", "192.0.2.9/32")
