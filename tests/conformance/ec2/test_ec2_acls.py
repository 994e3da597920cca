"""Network ACLs through boto3: what is kept, what is shown, and what the nodes are told."""

from __future__ import annotations

from typing import Any

import pytest

from hatoba.core.keys import Scope
from hatoba.fleet import model as fleet
from tests.conformance.ec2.networks import Platform, by
from tests.conformance.serving import ACCOUNT, refused

HTTPS: dict[str, Any] = {
    "RuleNumber": 100,
    "Protocol": "6",
    "RuleAction": "allow",
    "Egress": False,
    "CidrBlock": "0.0.0.0/0",
    "PortRange": {"From": 443, "To": 443},
}


@pytest.fixture
def acl(ec2: Any, vpc: str) -> str:
    id_: str = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    return id_


def shown(ec2: Any, id_: str) -> dict[str, Any]:
    found: dict[str, Any] = ec2.describe_network_acls(NetworkAclIds=[id_])["NetworkAcls"][0]
    return found


def entries(ec2: Any, id_: str) -> list[dict[str, Any]]:
    """Those that somebody made."""
    return [entry for entry in shown(ec2, id_)["Entries"] if entry["RuleNumber"] < 32767]


def move(ec2: Any, subnet: str, acl: str) -> str:
    (before,) = ec2.describe_network_acls(Filters=by("association.subnet-id", subnet))["NetworkAcls"]
    (old,) = [each["NetworkAclAssociationId"] for each in before["Associations"] if each["SubnetId"] == subnet]
    new: str = ec2.replace_network_acl_association(AssociationId=old, NetworkAclId=acl)["NewAssociationId"]
    return new


def told(platform: Platform, region: str, vpc: str) -> tuple[fleet.Acl, ...]:
    """What the nodes hear of the VPC's ACLs."""
    network = platform.store.find(fleet.networks, Scope("aws", ACCOUNT, region), vpc)
    assert network is not None
    return network.acls


def test_a_new_one_has_no_rules_and_no_subnets(ec2: Any, vpc: str, subnet: str) -> None:
    tags = [{"ResourceType": "network-acl", "Tags": [{"Key": "Name", "Value": "web"}]}]
    made = ec2.create_network_acl(VpcId=vpc, TagSpecifications=tags)["NetworkAcl"]
    assert made["Associations"] == []
    assert not made["IsDefault"]
    assert made["Tags"] == tags[0]["Tags"]
    assert [(e["Egress"], e["RuleNumber"], e["RuleAction"]) for e in made["Entries"]] == [
        (True, 32767, "deny"),
        (False, 32767, "deny"),
    ]
    assert shown(ec2, made["NetworkAclId"]) == made
    assert ec2.describe_network_acls(Filters=by("tag:Name", "web"))["NetworkAcls"] == [made]


def test_a_repeated_token_finds_the_first(ec2: Any, vpc: str) -> None:
    first, second = (ec2.create_network_acl(VpcId=vpc, ClientToken="t") for _ in range(2))
    assert first["NetworkAcl"] == second["NetworkAcl"]
    other = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    refused("IdempotentParameterMismatch", ec2.create_network_acl, VpcId=other, ClientToken="t")


def test_entries_are_in_the_order_of_their_numbers(ec2: Any, acl: str) -> None:
    for number in (300, 100, 200):
        ec2.create_network_acl_entry(NetworkAclId=acl, **HTTPS | {"RuleNumber": number})
    ec2.create_network_acl_entry(NetworkAclId=acl, **HTTPS | {"Egress": True, "Protocol": "tcp"})
    listed = [(entry["Egress"], entry["RuleNumber"]) for entry in shown(ec2, acl)["Entries"]]
    assert listed == [(True, 100), (True, 32767), (False, 100), (False, 200), (False, 300), (False, 32767)]
    assert entries(ec2, acl)[0] == HTTPS | {"Egress": True}, "a protocol is shown by its number"


def test_an_entry_is_replaced_and_deleted_by_its_number_and_direction(ec2: Any, acl: str) -> None:
    ec2.create_network_acl_entry(NetworkAclId=acl, **HTTPS)
    ec2.create_network_acl_entry(NetworkAclId=acl, **HTTPS | {"Egress": True})
    words = refused("NetworkAclEntryAlreadyExists", ec2.create_network_acl_entry, NetworkAclId=acl, **HTTPS)
    assert words == "The network acl entry identified by 100 already exists."
    denied = HTTPS | {"RuleAction": "deny", "CidrBlock": "192.0.2.0/24"}
    ec2.replace_network_acl_entry(NetworkAclId=acl, **denied)
    assert entries(ec2, acl) == [HTTPS | {"Egress": True}, denied]
    ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Egress=True)
    assert entries(ec2, acl) == [denied]
    gone = {"NetworkAclId": acl, "RuleNumber": 100, "Egress": True}
    refused("InvalidNetworkAclEntry.NotFound", ec2.delete_network_acl_entry, **gone)
    refused("InvalidNetworkAclEntry.NotFound", ec2.replace_network_acl_entry, **HTTPS | gone)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"RuleNumber": 0}, "InvalidParameterValue"),
        ({"RuleNumber": 32767}, "InvalidParameterValue"),
        ({"RuleNumber": -5}, "InvalidParameterValue"),
        ({"Protocol": "nonsense"}, "InvalidParameterValue"),
        ({"Protocol": "256"}, "InvalidParameterValue"),
        ({"CidrBlock": "10.0.0.0"}, "InvalidParameterValue"),
        ({"CidrBlock": "10.0.0.0/33"}, "InvalidParameterValue"),
        ({"CidrBlock": None}, "MissingParameter"),
        ({"Ipv6CidrBlock": "::/0"}, "InvalidParameterCombination"),
        ({"CidrBlock": None, "Ipv6CidrBlock": "10.0.0.0/8"}, "InvalidParameterValue"),
        ({"CidrBlock": None, "Ipv6CidrBlock": "fe80::%eth0/64"}, "InvalidParameterValue"),
        ({"PortRange": None}, "MissingParameter"),
        ({"PortRange": {"From": 443}}, "MissingParameter"),
        ({"PortRange": {"From": 443, "To": 80}}, "InvalidParameterValue"),
        ({"PortRange": {"From": -1, "To": 80}}, "InvalidParameterValue"),
        ({"PortRange": {"From": 1, "To": 65536}}, "InvalidParameterValue"),
        ({"Protocol": "1"}, "MissingParameter"),
        ({"Protocol": "icmp", "IcmpTypeCode": {"Type": 8}}, "MissingParameter"),
        ({"Protocol": "1", "IcmpTypeCode": {"Type": 256, "Code": 0}}, "InvalidParameterValue"),
        ({"Protocol": "1", "IcmpTypeCode": {"Type": -1, "Code": 0}}, "InvalidParameterValue"),
        ({"Protocol": "58", "IcmpTypeCode": {"Type": -1, "Code": -1}}, "InvalidParameterValue"),
        ({"RuleAction": "maybe"}, "InvalidParameterValue"),
        ({"NetworkAclId": "acl-0123456789abcdef0"}, "InvalidNetworkAclID.NotFound"),
    ],
)
def test_what_an_entry_cannot_be(ec2: Any, acl: str, wrong: dict[str, Any], code: str) -> None:
    ec2.create_network_acl_entry(NetworkAclId=acl, **HTTPS)
    before = shown(ec2, acl)
    said = {"NetworkAclId": acl, **HTTPS, **wrong}
    said = {name: value for name, value in said.items() if value is not None}
    for call in (ec2.create_network_acl_entry, ec2.replace_network_acl_entry):
        refused(code, call, **said)
    assert shown(ec2, acl) == before


def test_an_acl_holds_so_many_rules_in_each_direction(ec2: Any, acl: str) -> None:
    for number in range(1, 21):
        ec2.create_network_acl_entry(NetworkAclId=acl, **HTTPS | {"RuleNumber": number})
    refused(
        "NetworkAclEntryLimitExceeded", ec2.create_network_acl_entry, NetworkAclId=acl, **HTTPS | {"RuleNumber": 21}
    )
    ec2.replace_network_acl_entry(NetworkAclId=acl, **HTTPS | {"RuleNumber": 20, "RuleAction": "deny"})
    ec2.create_network_acl_entry(NetworkAclId=acl, **HTTPS | {"Egress": True})


def test_a_subnet_follows_one_acl_at_a_time(ec2: Any, vpc: str, subnet: str, acl: str) -> None:
    default = shown(ec2, vpc.replace("vpc-", "acl-"))
    old = default["Associations"][0]["NetworkAclAssociationId"]
    new = move(ec2, subnet, acl)
    assert shown(ec2, acl)["Associations"] == [
        {"NetworkAclAssociationId": new, "NetworkAclId": acl, "SubnetId": subnet}
    ]
    assert shown(ec2, default["NetworkAclId"])["Associations"] == []
    refused("InvalidAssociationID.NotFound", ec2.replace_network_acl_association, AssociationId=old, NetworkAclId=acl)
    refused("DependencyViolation", ec2.delete_network_acl, NetworkAclId=acl)
    back = move(ec2, subnet, default["NetworkAclId"])
    assert back not in (old, new)
    ec2.delete_network_acl(NetworkAclId=acl)
    refused("InvalidNetworkAclID.NotFound", ec2.describe_network_acls, NetworkAclIds=[acl])


def test_neither_the_default_one_nor_anothers_vpcs(ec2: Any, vpc: str, subnet: str) -> None:
    default = vpc.replace("vpc-", "acl-")
    words = refused("InvalidParameterValue", ec2.delete_network_acl, NetworkAclId=default)
    assert words == f"cannot delete default network ACL {default}"
    other = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    theirs = ec2.create_network_acl(VpcId=other)["NetworkAcl"]["NetworkAclId"]
    association = shown(ec2, default)["Associations"][0]["NetworkAclAssociationId"]
    refused(
        "InvalidParameterValue", ec2.replace_network_acl_association, AssociationId=association, NetworkAclId=theirs
    )
    refused("DependencyViolation", ec2.delete_vpc, VpcId=other)
    ec2.delete_network_acl(NetworkAclId=theirs)
    ec2.delete_vpc(VpcId=other)
    refused("InvalidNetworkAclID.NotFound", ec2.describe_network_acls, NetworkAclIds=[other.replace("vpc-", "acl-")])


def test_the_default_ones_rules_can_be_changed_and_go_with_the_vpc(ec2: Any, vpc: str) -> None:
    """As Terraform's `aws_default_network_acl` does: it removes all rules first."""
    default = vpc.replace("vpc-", "acl-")
    for egress in (True, False):
        ec2.delete_network_acl_entry(NetworkAclId=default, RuleNumber=100, Egress=egress)
    assert entries(ec2, default) == []
    ec2.create_network_acl_entry(NetworkAclId=default, **HTTPS)
    assert entries(ec2, default) == [HTTPS]
    assert shown(ec2, default)["IsDefault"]
    ec2.create_tags(Resources=[default], Tags=[{"Key": "a", "Value": "b"}])
    ec2.delete_vpc(VpcId=vpc)
    assert ec2.describe_network_acls(Filters=by("vpc-id", vpc))["NetworkAcls"] == []
    assert ec2.describe_tags(Filters=by("resource-id", default))["Tags"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("entry.cidr", "192.0.2.0/24"),
        ("entry.icmp.code", "0"),
        ("entry.icmp.type", "8"),
        ("entry.ipv6-cidr", "2001:db8::/32"),
        ("entry.port-range.from", "1000"),
        ("entry.port-range.to", "2000"),
        ("entry.protocol", "tcp"),
        ("entry.protocol", "6"),
        ("entry.rule-number", "7"),
    ],
)
def test_found_by_their_entries(ec2: Any, acl: str, name: str, value: str) -> None:
    ports = {"PortRange": {"From": 1000, "To": 2000}}
    echo = {"IcmpTypeCode": {"Type": 8, "Code": 0}}
    for number, rest in enumerate(
        ({"Protocol": "6", "CidrBlock": "192.0.2.0/24", **ports}, {"Protocol": "1", "CidrBlock": "0.0.0.0/0", **echo}),
        7,
    ):
        ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=number, RuleAction="allow", Egress=False, **rest)
    six = {"Protocol": "-1", "Ipv6CidrBlock": "2001:db8::/32"}
    ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=9, RuleAction="allow", Egress=True, **six)
    found = ec2.describe_network_acls(Filters=by(name, value))["NetworkAcls"]
    assert [each["NetworkAclId"] for each in found] == [acl]


def test_the_nodes_hear_of_those_that_filter_and_have_subnets(
    platform: Platform, ec2: Any, region: str, vpc: str, subnet: str, acl: str
) -> None:
    assert told(platform, region, vpc) == ()
    ec2.create_network_acl_entry(NetworkAclId=acl, **HTTPS)
    icmp = {"Protocol": "1", "IcmpTypeCode": {"Type": 8, "Code": -1}, "PortRange": {}, "RuleNumber": 7}
    ec2.create_network_acl_entry(NetworkAclId=acl, **HTTPS | icmp)
    assert told(platform, region, vpc) == (), "no subnet follows it"
    move(ec2, subnet, acl)
    border = fleet.Border(subnet=subnet, cidrs=("10.0.1.0/24",))
    echo = fleet.AclRule(allow=True, protocol="icmp", from_port=8, cidrs=("0.0.0.0/0",))
    https = fleet.AclRule(allow=True, protocol="tcp", from_port=443, to_port=443, cidrs=("0.0.0.0/0",))
    assert told(platform, region, vpc) == (fleet.Acl(id=acl, borders=(border,), ingress=(echo, https)),)

    everything = {"RuleNumber": 1, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}
    for egress in (True, False):
        ec2.create_network_acl_entry(NetworkAclId=acl, Egress=egress, **everything)
    assert told(platform, region, vpc) == (), "it lets everything pass"
    default = vpc.replace("vpc-", "acl-")
    ec2.delete_network_acl_entry(NetworkAclId=default, RuleNumber=100, Egress=True)
    assert told(platform, region, vpc) == ()
    second = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.2.0/24")["Subnet"]["SubnetId"]
    (filtering,) = told(platform, region, vpc)
    assert (filtering.id, [each.subnet for each in filtering.borders]) == (default, [second])
    ec2.delete_subnet(SubnetId=second)
    assert told(platform, region, vpc) == ()
