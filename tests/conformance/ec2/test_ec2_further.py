"""Secondary private addresses and delegated prefixes of network interfaces, and what the nodes are told of them."""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from tests.conformance.ec2.networks import Platform, by
from tests.conformance.serving import ACCOUNT, refused


@pytest.fixture
def told(platform: Platform, region: str) -> Any:
    """What the nodes are told of an interface."""

    def read(id_: str) -> fleet.Interface:
        found = platform.store.find(fleet.interfaces, Scope("aws", ACCOUNT, region), id_)
        assert found is not None
        return found

    return read


def make(ec2: Any, subnet: str, **params: Any) -> str:
    made: str = ec2.create_network_interface(SubnetId=subnet, **params)["NetworkInterface"]["NetworkInterfaceId"]
    return made


def shown(ec2: Any, id_: str) -> dict[str, Any]:
    (found,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[id_])["NetworkInterfaces"]
    answer: dict[str, Any] = found
    return answer


def secondary(ec2: Any, id_: str) -> list[str]:
    return [each["PrivateIpAddress"] for each in shown(ec2, id_)["PrivateIpAddresses"] if not each["Primary"]]


def free(ec2: Any, subnet: str) -> int:
    count: int = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"]
    return count


# --- at creation


def test_an_interface_is_made_with_more(ec2: Any, subnet: str, told: Any, region: str) -> None:
    listed = [{"PrivateIpAddress": "10.0.1.9"}, {"PrivateIpAddress": "10.0.1.8", "Primary": True}]
    one = ec2.create_network_interface(SubnetId=subnet, PrivateIpAddresses=listed)["NetworkInterface"]
    assert one["PrivateIpAddress"] == "10.0.1.8"
    assert one["PrivateIpAddresses"] == [
        {
            "Primary": own,
            "PrivateIpAddress": address,
            "PrivateDnsName": f"ip-{address.replace('.', '-')}.{region}.compute.internal",
        }
        for address, own in (("10.0.1.8", True), ("10.0.1.9", False))
    ]
    assert "Ipv4Prefixes" not in one
    assert (told(one["NetworkInterfaceId"]).address, told(one["NetworkInterfaceId"]).further) == (
        "10.0.1.8",
        ("10.0.1.9",),
    )
    counted = make(ec2, subnet, PrivateIpAddress="10.0.1.7", SecondaryPrivateIpAddressCount=3)
    assert secondary(ec2, counted) == ["10.0.1.4", "10.0.1.5", "10.0.1.6"], "the next ones that are free"
    prefixes = make(ec2, subnet, Ipv4PrefixCount=2)
    assert shown(ec2, prefixes)["Ipv4Prefixes"] == [{"Ipv4Prefix": "10.0.1.224/28"}, {"Ipv4Prefix": "10.0.1.208/28"}]
    chosen = make(ec2, subnet, Ipv4Prefixes=[{"Ipv4Prefix": "10.0.1.64/28"}])
    assert told(chosen).blocks == ("10.0.1.64/28",)
    assert free(ec2, subnet) == 251 - 2 - 4 - (1 + 32) - (1 + 16)


TWO = [{"PrivateIpAddress": "10.0.1.5"}, {"PrivateIpAddress": "10.0.1.6"}]
PREFIX = [{"Ipv4Prefix": "10.0.1.64/28"}]


@pytest.mark.parametrize(
    ("code", "asked"),
    [
        ("InvalidParameterCombination", {"PrivateIpAddresses": TWO, "SecondaryPrivateIpAddressCount": 1}),
        ("InvalidParameterCombination", {"PrivateIpAddresses": TWO, "Ipv4PrefixCount": 1}),
        ("InvalidParameterCombination", {"SecondaryPrivateIpAddressCount": 1, "Ipv4Prefixes": PREFIX}),
        ("InvalidParameterCombination", {"Ipv4PrefixCount": 1, "Ipv4Prefixes": PREFIX}),
        ("InvalidParameterCombination", {"PrivateIpAddresses": [{**each, "Primary": True} for each in TWO]}),
        (
            "InvalidParameterCombination",
            {"PrivateIpAddress": "10.0.1.9", "PrivateIpAddresses": [{**TWO[0], "Primary": True}]},
        ),
        ("InvalidParameterValue", {"SecondaryPrivateIpAddressCount": -1}),
        ("InvalidParameterValue", {"Ipv4Prefixes": [{"Ipv4Prefix": "10.0.1.64/27"}]}),
        ("InvalidParameterValue", {"Ipv4Prefixes": [{"Ipv4Prefix": "10.0.1.65/28"}]}),
        ("InvalidParameterValue", {"Ipv4Prefixes": [{"Ipv4Prefix": "10.0.1.0/28"}]}),  # the subnet keeps some of these
        ("InvalidParameterValue", {"Ipv4Prefixes": [{"Ipv4Prefix": "10.0.2.64/28"}]}),
        ("InvalidParameterValue", {"PrivateIpAddresses": [TWO[0], {"PrivateIpAddress": "10.0.2.6"}]}),
        ("PrivateIpAddressLimitExceeded", {"SecondaryPrivateIpAddressCount": 50}),
        ("InsufficientCidrBlocks", {"Ipv4PrefixCount": 15}),
    ],
)
def test_what_cannot_be_made_leaves_nothing(ec2: Any, subnet: str, code: str, asked: dict[str, Any]) -> None:
    refused(code, ec2.create_network_interface, SubnetId=subnet, **asked)
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    assert free(ec2, subnet) == 251
    assert make(ec2, subnet, PrivateIpAddress="10.0.1.5")


# --- later


def test_addresses_are_assigned_and_given_back(ec2: Any, subnet: str, told: Any) -> None:
    id_ = make(ec2, subnet)
    answer = ec2.assign_private_ip_addresses(NetworkInterfaceId=id_, PrivateIpAddresses=["10.0.1.20", "10.0.1.21"])
    assert answer["NetworkInterfaceId"] == id_
    assert answer["AssignedPrivateIpAddresses"] == [{"PrivateIpAddress": f"10.0.1.{n}"} for n in (20, 21)]
    counted = ec2.assign_private_ip_addresses(NetworkInterfaceId=id_, SecondaryPrivateIpAddressCount=1)
    assert counted["AssignedPrivateIpAddresses"] == [{"PrivateIpAddress": "10.0.1.5"}]
    again = ec2.assign_private_ip_addresses(NetworkInterfaceId=id_, PrivateIpAddresses=["10.0.1.20"])
    assert again["AssignedPrivateIpAddresses"] == [{"PrivateIpAddress": "10.0.1.20"}], "it has that already"
    delegated = ec2.assign_private_ip_addresses(NetworkInterfaceId=id_, Ipv4PrefixCount=1)
    assert delegated["AssignedIpv4Prefixes"] == [{"Ipv4Prefix": "10.0.1.224/28"}]
    assert told(id_).further == ("10.0.1.20", "10.0.1.21", "10.0.1.5")
    assert free(ec2, subnet) == 251 - 4 - 16
    ec2.unassign_private_ip_addresses(NetworkInterfaceId=id_, PrivateIpAddresses=["10.0.1.21", "10.0.1.5"])
    ec2.unassign_private_ip_addresses(NetworkInterfaceId=id_, Ipv4Prefixes=["10.0.1.224/28"])
    assert secondary(ec2, id_) == ["10.0.1.20"]
    assert told(id_).blocks == ()
    assert free(ec2, subnet) == 249
    later = ec2.assign_private_ip_addresses(NetworkInterfaceId=id_, Ipv4PrefixCount=1)
    assert later["AssignedIpv4Prefixes"] == [{"Ipv4Prefix": "10.0.1.208/28"}], "one that was given back rests"
    ec2.delete_network_interface(NetworkInterfaceId=id_)
    assert free(ec2, subnet) == 251


def test_what_is_taken_is_given_to_nobody_else(ec2: Any, subnet: str) -> None:
    one = make(ec2, subnet, PrivateIpAddress="10.0.1.10", SecondaryPrivateIpAddressCount=1)  # 10.0.1.4
    two = make(ec2, subnet, PrivateIpAddress="10.0.1.11", Ipv4Prefixes=[{"Ipv4Prefix": "10.0.1.16/28"}])

    def assign(code: str, **asked: Any) -> str:
        return refused(code, ec2.assign_private_ip_addresses, NetworkInterfaceId=two, **asked)

    words = assign("Resource.AlreadyAssigned", PrivateIpAddresses=["10.0.1.12", "10.0.1.4"])
    assert one in words
    assert secondary(ec2, two) == [], "nothing of what could have been"
    for address in ("10.0.1.10", "10.0.1.11", "10.0.1.17"):  # somebody's own, its own, of a prefix
        for move in (False, True):
            words = assign("InvalidIPAddress.InUse", PrivateIpAddresses=[address], AllowReassignment=move)
            assert words == f"Address {address} is in use."
    for address in ("10.0.1.4", "10.0.1.20"):
        refused("InvalidIPAddress.InUse", ec2.create_network_interface, SubnetId=subnet, PrivateIpAddress=address)
    ec2.assign_private_ip_addresses(NetworkInterfaceId=one, PrivateIpAddresses=["10.0.1.40"])
    assign("InvalidIPAddress.InUse", Ipv4Prefixes=["10.0.1.32/28"])
    assign("InvalidIPAddress.InUse", Ipv4Prefixes=["10.0.1.16/28", "10.0.1.32/28"])
    given = [make(ec2, subnet) for _ in range(12)]
    addresses = [shown(ec2, each)["PrivateIpAddress"] for each in given]
    assert addresses == [f"10.0.1.{n}" for n in (5, 6, 7, 8, 9, 12, 13, 14, 15, 32, 33, 34)]


def test_a_small_subnet_runs_out(ec2: Any, vpc: str) -> None:
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.9.0/27")["Subnet"]["SubnetId"]  # 27 addresses
    id_ = make(ec2, subnet, SecondaryPrivateIpAddressCount=20)
    assign = ec2.assign_private_ip_addresses
    words = refused("InsufficientCidrBlocks", assign, NetworkInterfaceId=id_, Ipv4PrefixCount=1)
    assert words == "The specified subnet does not have enough free cidr blocks to satisfy the request."
    words = refused(
        "InsufficientFreeAddressesInSubnet", assign, NetworkInterfaceId=id_, SecondaryPrivateIpAddressCount=7
    )
    assert words == "The specified subnet does not have enough free addresses to satisfy the request."
    assert len(secondary(ec2, id_)) == 20
    assign(NetworkInterfaceId=id_, SecondaryPrivateIpAddressCount=6)
    assert free(ec2, subnet) == 0
    assert sorted(secondary(ec2, id_), key=IPv4Address) == [f"10.0.9.{n}" for n in range(5, 31)]


def test_the_limit_counts_all_that_an_interface_has(ec2: Any, subnet: str) -> None:
    id_ = make(ec2, subnet, SecondaryPrivateIpAddressCount=47)
    assign = ec2.assign_private_ip_addresses
    assign(NetworkInterfaceId=id_, Ipv4PrefixCount=2)
    words = refused("PrivateIpAddressLimitExceeded", assign, NetworkInterfaceId=id_, SecondaryPrivateIpAddressCount=1)
    assert words == "Number of private addresses will exceed limit."
    assign(NetworkInterfaceId=id_, PrivateIpAddresses=[secondary(ec2, id_)[0]])  # it has that


def test_what_is_not_there_cannot_be_given_back(ec2: Any, subnet: str) -> None:
    id_ = make(ec2, subnet, SecondaryPrivateIpAddressCount=1, PrivateIpAddress="10.0.1.9")
    unassign = ec2.unassign_private_ip_addresses

    def wrong(**asked: Any) -> str:
        return refused("InvalidParameterValue", unassign, NetworkInterfaceId=id_, **asked)

    words = wrong(PrivateIpAddresses=["10.0.1.4", "10.0.1.5"])
    assert words == f"Some of the specified addresses are not assigned to interface {id_}"
    assert "10.0.1.9" in wrong(PrivateIpAddresses=["10.0.1.9"])
    wrong(Ipv4Prefixes=["10.0.1.16/28"])
    wrong(PrivateIpAddresses=["ten"])
    assert secondary(ec2, id_) == ["10.0.1.4"]
    refused("MissingParameter", unassign, NetworkInterfaceId=id_)
    refused("MissingParameter", ec2.assign_private_ip_addresses, NetworkInterfaceId=id_)
    refused("InvalidNetworkInterfaceID.NotFound", unassign, NetworkInterfaceId="eni-0", PrivateIpAddresses=["10.0.1.4"])
    both = {"PrivateIpAddresses": ["10.0.1.5"], "SecondaryPrivateIpAddressCount": 1}
    refused("InvalidParameterCombination", ec2.assign_private_ip_addresses, NetworkInterfaceId=id_, **both)


def test_an_address_moves_if_that_is_allowed(ec2: Any, vpc: str, subnet: str, told: Any) -> None:
    one, two = (make(ec2, subnet, PrivateIpAddress=f"10.0.1.{n}") for n in (10, 11))
    ec2.assign_private_ip_addresses(NetworkInterfaceId=one, PrivateIpAddresses=["10.0.1.20", "10.0.1.21"])
    ec2.assign_private_ip_addresses(NetworkInterfaceId=two, PrivateIpAddresses=["10.0.1.20"], AllowReassignment=True)
    assert (told(one).further, told(two).further) == (("10.0.1.21",), ("10.0.1.20",))
    other = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.7.0/24")["Subnet"]["SubnetId"]
    beside = make(ec2, other)
    refused(
        "InvalidParameterValue",
        ec2.assign_private_ip_addresses,
        NetworkInterfaceId=beside,
        PrivateIpAddresses=["10.0.1.21"],
        AllowReassignment=True,
    )
    assert told(one).further == ("10.0.1.21",)


def test_what_belongs_to_a_load_balancer_is_its_service_s_alone_to_change(
    ec2: Any, outside: str, platform: Platform, region: str
) -> None:
    scope = Scope("aws", ACCOUNT, region)
    own = platform.door(scope, "elbv2")
    id_ = own("ec2", "create_network_interface", SubnetId=outside)["NetworkInterface"]["NetworkInterfaceId"]
    it = {"NetworkInterfaceId": id_}
    allocation = ec2.allocate_address()["AllocationId"]
    association = own("ec2", "associate_address", AllocationId=allocation, **it)["AssociationId"]
    free = make(ec2, outside)
    for operation, asked in (
        ("assign_private_ip_addresses", {"SecondaryPrivateIpAddressCount": 1, **it}),
        ("assign_ipv6_addresses", {"Ipv6AddressCount": 1, **it}),
        ("modify_network_interface_attribute", {"Description": {"Value": "mine"}, **it}),
        ("modify_network_interface_attribute", {"AssociatePublicIpAddress": False, **it}),
        ("disassociate_address", {"AssociationId": association}),
        ("associate_address", {"AllocationId": allocation, "NetworkInterfaceId": free}),
        ("associate_address", {"AllocationId": ec2.allocate_address()["AllocationId"], **it}),
        ("delete_network_interface", it),
    ):
        words = refused("AuthFailure", getattr(ec2, operation), **asked)
        assert words == "You do not have permission to access the specified resource.", operation
    held = ec2.describe_addresses(AllocationIds=[allocation])["Addresses"][0]
    assert (held["AssociationId"], held["NetworkInterfaceId"]) == (association, id_)
    with platform.store.tx() as tx:
        key = fleet.balancers.key(scope, "lb")
        tx.put(fleet.balancers, fleet.Balancer(key=key, node="n1", network="vpc-1", interfaces=(id_,)))
    # How Terraform looks whether those of a deleted load balancer have gone.
    (found,) = ec2.describe_network_interfaces(Filters=by("attachment.instance-owner-id", "amazon-elb"))[
        "NetworkInterfaces"
    ]
    assert found["Attachment"]["InstanceOwnerId"] == "amazon-elb"
    with platform.store.tx() as tx:
        tx.forget(fleet.balancers, key)
    own("ec2", "delete_network_interface", **it)


# --- elastic addresses


@pytest.fixture
def outside(ec2: Any, vpc: str, subnet: str) -> str:
    """The subnet, with a route to an internet gateway."""
    gateway: str = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    (table,) = ec2.describe_route_tables(Filters=by("vpc-id", vpc))["RouteTables"]
    ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    return subnet


def test_elastic_addresses_stand_for_secondary_ones(ec2: Any, outside: str, told: Any) -> None:
    id_ = make(ec2, outside, PrivateIpAddress="10.0.1.9", SecondaryPrivateIpAddressCount=2)  # .4 and .5
    own, first = ec2.allocate_address(), ec2.allocate_address()
    associate = ec2.associate_address
    association = associate(
        AllocationId=first["AllocationId"],
        NetworkInterfaceId=id_,
        PrivateIpAddress="10.0.1.4",
        AllowReassociation=False,
    )["AssociationId"]
    associate(AllocationId=own["AllocationId"], NetworkInterfaceId=id_)
    assert told(id_).public == own["PublicIp"]
    assert told(id_).publics == (("10.0.1.4", first["PublicIp"]),)
    seen = shown(ec2, id_)
    assert [each.get("Association", {}).get("PublicIp") for each in seen["PrivateIpAddresses"]] == [
        own["PublicIp"],
        first["PublicIp"],
        None,
    ]
    assert seen["Association"]["PublicIp"] == own["PublicIp"]
    assert seen["PrivateIpAddresses"][1]["Association"]["AssociationId"] == association
    (address,) = ec2.describe_addresses(AllocationIds=[first["AllocationId"]])["Addresses"]
    assert (address["PrivateIpAddress"], address["AssociationId"]) == ("10.0.1.4", association)
    assert address["NetworkInterfaceId"] == id_
    refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=first["AllocationId"])
    refused(
        "InvalidParameterValue",
        associate,
        AllocationId=first["AllocationId"],
        NetworkInterfaceId=id_,
        PrivateIpAddress="10.0.1.6",
    )
    other = {"AllocationId": first["AllocationId"], "NetworkInterfaceId": id_, "PrivateIpAddress": "10.0.1.5"}
    refused("Resource.AlreadyAssociated", associate, **other, AllowReassociation=False)
    assert associate(**{**other, "PrivateIpAddress": "10.0.1.4"})["AssociationId"] == association, "it is so already"
    assert associate(**other)["AssociationId"] != association
    assert told(id_).publics == (("10.0.1.5", first["PublicIp"]),)
    ec2.disassociate_address(PublicIp=first["PublicIp"])
    assert (told(id_).publics, told(id_).public) == ((), own["PublicIp"])
    again = associate(**other)["AssociationId"]
    ec2.disassociate_address(AssociationId=again)
    assert told(id_).publics == ()
    ec2.release_address(AllocationId=first["AllocationId"])


def test_an_elastic_address_replaces_that_of_the_same_address_only(ec2: Any, outside: str, told: Any) -> None:
    id_ = make(ec2, outside, PrivateIpAddress="10.0.1.9", SecondaryPrivateIpAddressCount=1)
    given = [ec2.allocate_address() for _ in range(3)]
    for each, private in zip(given, ("10.0.1.9", "10.0.1.4", "10.0.1.4"), strict=True):
        ec2.associate_address(AllocationId=each["AllocationId"], NetworkInterfaceId=id_, PrivateIpAddress=private)
    assert told(id_).public == given[0]["PublicIp"]
    assert told(id_).publics == (("10.0.1.4", given[2]["PublicIp"]),)
    # From a secondary address to the own one of the same interface.
    ec2.associate_address(AllocationId=given[2]["AllocationId"], NetworkInterfaceId=id_)
    assert (told(id_).public, told(id_).publics) == (given[2]["PublicIp"], ())


def test_an_elastic_address_moves_with_its_address_and_ends_with_it(ec2: Any, outside: str, told: Any) -> None:
    one, two = (make(ec2, outside, PrivateIpAddress=f"10.0.1.{n}") for n in (10, 11))
    ec2.assign_private_ip_addresses(NetworkInterfaceId=one, PrivateIpAddresses=["10.0.1.20"])
    elastic = ec2.allocate_address()
    named = {"AllocationId": elastic["AllocationId"], "PrivateIpAddress": "10.0.1.20"}
    association = ec2.associate_address(NetworkInterfaceId=one, **named)["AssociationId"]
    ec2.assign_private_ip_addresses(NetworkInterfaceId=two, PrivateIpAddresses=["10.0.1.20"], AllowReassignment=True)
    assert (told(one).publics, told(two).publics) == ((), (("10.0.1.20", elastic["PublicIp"]),))
    (address,) = ec2.describe_addresses()["Addresses"]
    assert (address["NetworkInterfaceId"], address["AssociationId"]) == (two, association)
    ec2.unassign_private_ip_addresses(NetworkInterfaceId=two, PrivateIpAddresses=["10.0.1.20"])
    assert told(two).publics == ()
    (address,) = ec2.describe_addresses()["Addresses"]
    assert "AssociationId" not in address
    ec2.release_address(AllocationId=elastic["AllocationId"])


def test_public_addresses_of_secondary_ones_follow_the_routes(ec2: Any, vpc: str, outside: str, told: Any) -> None:
    id_ = make(ec2, outside, PrivateIpAddress="10.0.1.9", SecondaryPrivateIpAddressCount=1)
    elastic = ec2.allocate_address()
    ec2.associate_address(AllocationId=elastic["AllocationId"], NetworkInterfaceId=id_, PrivateIpAddress="10.0.1.4")
    assert (told(id_).public, told(id_).egress) == (None, False), "its own address has none"
    (table,) = ec2.describe_route_tables(Filters=by("vpc-id", vpc))["RouteTables"]
    gateway = next(route["GatewayId"] for route in table["Routes"] if route["GatewayId"].startswith("igw"))
    refused("DependencyViolation", ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")
    assert told(id_).publics == ()
    ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    assert told(id_).publics == (("10.0.1.4", elastic["PublicIp"]),)


# --- lists


def test_interfaces_are_found_by_any_of_their_addresses(ec2: Any, outside: str) -> None:
    id_ = make(ec2, outside, PrivateIpAddress="10.0.1.9", SecondaryPrivateIpAddressCount=1)
    plain = make(ec2, outside)
    elastic = ec2.allocate_address()
    ec2.associate_address(AllocationId=elastic["AllocationId"], NetworkInterfaceId=id_, PrivateIpAddress="10.0.1.4")

    def found(name: str, value: str) -> set[str]:
        rows = ec2.describe_network_interfaces(Filters=by(name, value))["NetworkInterfaces"]
        return {row["NetworkInterfaceId"] for row in rows}

    for name in ("private-ip-address", "addresses.private-ip-address"):
        assert found(name, "10.0.1.4") == found(name, "10.0.1.9") == {id_}
    assert found("addresses.primary", "false") == {id_}
    assert found("addresses.primary", "true") == {id_, plain}
    assert found("addresses.association.public-ip", elastic["PublicIp"]) == {id_}
    assert found("association.public-ip", elastic["PublicIp"]) == set(), "that is of the interface's own address"


# --- whatever comes and goes


@pytest.mark.parametrize("seed", range(3))
def test_giving_and_taking_lead_to_the_same_as_a_fresh_interface(ec2: Any, outside: str, told: Any, seed: int) -> None:
    """No address twice, none lost, and the nodes are told what they would be told of an interface made so."""
    chance = random.Random(seed)
    ids = [make(ec2, outside, PrivateIpAddress=f"10.0.1.{n}") for n in (10, 11)]
    for _ in range(25):
        id_ = chance.choice(ids)
        held = told(id_)
        match chance.randint(0, 4):
            case 0:
                ec2.assign_private_ip_addresses(
                    NetworkInterfaceId=id_, SecondaryPrivateIpAddressCount=chance.randint(1, 3)
                )
            case 1:
                ec2.assign_private_ip_addresses(NetworkInterfaceId=id_, Ipv4PrefixCount=1)
            case 2 if held.further:
                gone = chance.sample(held.further, chance.randint(1, len(held.further)))
                ec2.unassign_private_ip_addresses(NetworkInterfaceId=id_, PrivateIpAddresses=gone)
            case 3 if held.blocks:
                ec2.unassign_private_ip_addresses(NetworkInterfaceId=id_, Ipv4Prefixes=[chance.choice(held.blocks)])
            case 4 if held.further:
                to, moved = chance.choice(ids), [chance.choice(held.further)]
                ec2.assign_private_ip_addresses(NetworkInterfaceId=to, PrivateIpAddresses=moved, AllowReassignment=True)
        every = [address for each in ids for network in told(each).held for address in IPv4Network(network)]
        assert len(set(every)) == len(every)
        assert free(ec2, outside) == 251 - len(every)
    wanted = told(ids[0])
    ec2.delete_network_interface(NetworkInterfaceId=ids[0])
    fresh = make(ec2, outside, PrivateIpAddress=wanted.address)
    if wanted.further or wanted.blocks:
        ec2.assign_private_ip_addresses(
            NetworkInterfaceId=fresh, PrivateIpAddresses=list(wanted.further), Ipv4Prefixes=list(wanted.blocks)
        )
    same = replace(told(fresh), key=wanted.key, version=wanted.version)
    assert same == wanted
