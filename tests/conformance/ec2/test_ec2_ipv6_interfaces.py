"""IPv6 addresses and prefixes of network interfaces, IPv6-only subnets, and what the nodes are told of them."""

from __future__ import annotations

import random
from ipaddress import IPv6Network
from typing import Any

import pytest

from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from tests.conformance.ec2.networks import Platform, by
from tests.conformance.serving import ACCOUNT, refused

EVERYTHING = {"DestinationIpv6CidrBlock": "::/0"}


@pytest.fixture
def told(platform: Platform, region: str) -> Any:
    """What the nodes are told of an interface."""

    def read(id_: str) -> fleet.Interface:
        found = platform.store.find(fleet.interfaces, Scope("aws", ACCOUNT, region), id_)
        assert found is not None
        return found

    return read


@pytest.fixture
def dual(ec2: Any) -> str:
    id_: str = ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
    return id_


def blocks(ec2: Any, vpc: str) -> list[str]:
    """The VPC's /64s."""
    (found,) = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    (association,) = found["Ipv6CidrBlockAssociationSet"]
    return [str(block) for block in IPv6Network(association["Ipv6CidrBlock"]).subnets(new_prefix=64)]


@pytest.fixture
def block(ec2: Any, dual: str) -> str:
    return blocks(ec2, dual)[0]


@pytest.fixture
def both(ec2: Any, dual: str, block: str) -> str:
    """A subnet of both families."""
    made: str = ec2.create_subnet(VpcId=dual, CidrBlock="10.0.1.0/24", Ipv6CidrBlock=block)["Subnet"]["SubnetId"]
    return made


@pytest.fixture
def only6(ec2: Any, dual: str) -> str:
    made: str = ec2.create_subnet(VpcId=dual, Ipv6CidrBlock=blocks(ec2, dual)[1], Ipv6Native=True)["Subnet"]["SubnetId"]
    return made


def make(ec2: Any, subnet: str, **params: Any) -> str:
    made: str = ec2.create_network_interface(SubnetId=subnet, **params)["NetworkInterface"]["NetworkInterfaceId"]
    return made


def shown(ec2: Any, id_: str) -> dict[str, Any]:
    (found,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[id_])["NetworkInterfaces"]
    answer: dict[str, Any] = found
    return answer


def sixes(ec2: Any, id_: str) -> list[str]:
    return [each["Ipv6Address"] for each in shown(ec2, id_)["Ipv6Addresses"]]


def at(block: str, number: int) -> str:
    return str(IPv6Network(block)[number])


def eighty(block: str, number: int) -> str:
    """The /80 of this number."""
    return str(IPv6Network((int(IPv6Network(block).network_address) + (number << 48), 80)))


# --- at creation


def test_an_interface_has_what_it_is_asked_to_have(ec2: Any, both: str, block: str, told: Any) -> None:
    plain = make(ec2, both)
    assert (sixes(ec2, plain), told(plain).address6, told(plain).prefix6) == ([], None, block)
    counted = make(ec2, both, Ipv6AddressCount=2)
    assert sixes(ec2, counted) == [at(block, 4), at(block, 5)]
    seen = shown(ec2, counted)
    assert (seen["Ipv6Address"], seen.get("Ipv6Native"), "Ipv6Prefixes" in seen) == (at(block, 4), None, False)
    assert (told(counted).address6, told(counted).further) == (at(block, 4), (at(block, 5),))
    named = make(ec2, both, Ipv6Addresses=[{"Ipv6Address": at(block, 0xBEEF).upper()}])
    assert sixes(ec2, named) == [at(block, 0xBEEF)]
    prefixes = make(ec2, both, Ipv6PrefixCount=2)
    delegated = [each["Ipv6Prefix"] for each in shown(ec2, prefixes)["Ipv6Prefixes"]]
    assert delegated == [eighty(block, 0xFFFE), eighty(block, 0xFFFD)]
    assert told(prefixes).blocks == tuple(delegated)
    one = make(ec2, both, Ipv6Prefixes=[{"Ipv6Prefix": eighty(block, 7)}])
    assert told(one).held == (told(one).address, eighty(block, 7))
    (subnet,) = ec2.describe_subnets(SubnetIds=[both])["Subnets"]
    assert subnet["AvailableIpAddressCount"] == 251 - 5, "of IPv4"


def test_a_subnet_may_give_an_address_by_itself(ec2: Any, both: str, block: str) -> None:
    ec2.modify_subnet_attribute(SubnetId=both, AssignIpv6AddressOnCreation={"Value": True})
    (subnet,) = ec2.describe_subnets(SubnetIds=[both])["Subnets"]
    assert subnet["AssignIpv6AddressOnCreation"] is True
    assert sixes(ec2, make(ec2, both)) == [at(block, 4)]
    assert sixes(ec2, make(ec2, both, Ipv6AddressCount=0)) == []
    assert sixes(ec2, make(ec2, both, Ipv6Addresses=[{"Ipv6Address": at(block, 9)}])) == [at(block, 9)]
    assert sixes(ec2, make(ec2, both, Ipv6PrefixCount=1)) == []
    ec2.modify_subnet_attribute(SubnetId=both, AssignIpv6AddressOnCreation={"Value": False})
    assert sixes(ec2, make(ec2, both)) == []


def test_a_subnet_without_a_block_gives_none(ec2: Any, dual: str) -> None:
    subnet = ec2.create_subnet(VpcId=dual, CidrBlock="10.0.5.0/24")["Subnet"]["SubnetId"]
    words = refused(
        "InvalidParameterValue",
        ec2.modify_subnet_attribute,
        SubnetId=subnet,
        AssignIpv6AddressOnCreation={"Value": True},
    )
    assert words == (
        "Invalid value 'true' for assign-ipv6-address-on-creation. Cannot set assign-ipv6-address-on-creation to true "
        f"unless the subnet ({subnet}) has an IPv6 CIDR block associated with it."
    )
    refused("InvalidParameterValue", ec2.create_network_interface, SubnetId=subnet, Ipv6AddressCount=1)
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def test_what_no_interface_may_have(ec2: Any, both: str, block: str, told: Any) -> None:
    taken, prefix = make(ec2, both, Ipv6AddressCount=1), eighty(block, 7)
    make(ec2, both, Ipv6Prefixes=[{"Ipv6Prefix": prefix}])

    def wrong(code: str, **asked: Any) -> str:
        return refused(code, ec2.create_network_interface, SubnetId=both, **asked)

    for number in (0, 3):
        wrong("InvalidParameterValue", Ipv6Addresses=[{"Ipv6Address": at(block, number)}])
    for text in ("fd00::9", "10.0.1.9", "six", "", f"{at(block, 9)}%eth0"):
        wrong("InvalidParameterValue", Ipv6Addresses=[{"Ipv6Address": text}])
    words = wrong("InvalidIPAddress.InUse", Ipv6Addresses=[{"Ipv6Address": at(block, 4)}])
    assert words == f"Address {at(block, 4)} is in use."
    wrong("InvalidIPAddress.InUse", Ipv6Addresses=[{"Ipv6Address": at(eighty(block, 7), 9)}])
    wrong("InvalidIPAddress.InUse", Ipv6Prefixes=[{"Ipv6Prefix": prefix}])
    for text in (
        eighty(block, 7).replace("/80", "/64"),
        eighty(block, 7).replace("/80", "9/80"),
        eighty(block, 0),
        "fd00::/80",
        "x",
        prefix.replace("/80", "%eth0/80"),
    ):
        wrong("InvalidParameterValue", Ipv6Prefixes=[{"Ipv6Prefix": text}])
    make(ec2, both, Ipv6Addresses=[{"Ipv6Address": at(eighty(block, 8), 9)}])
    wrong("InvalidIPAddress.InUse", Ipv6Prefixes=[{"Ipv6Prefix": eighty(block, 8)}])
    wrong("InvalidParameterCombination", Ipv6AddressCount=1, Ipv6PrefixCount=1)
    wrong("InvalidParameterValue", Ipv6AddressCount=-1)
    wrong("PrivateIpAddressLimitExceeded", Ipv6AddressCount=51)
    wrong("InvalidParameterValue", EnablePrimaryIpv6=True)
    assert len(ec2.describe_network_interfaces(Filters=by("subnet-id", both))["NetworkInterfaces"]) == 3
    assert told(taken).address6 == at(block, 4)


# --- of what stands


def test_addresses_are_assigned_and_given_back(ec2: Any, both: str, block: str, told: Any) -> None:
    id_ = make(ec2, both, PrivateIpAddress="10.0.1.9")
    assign, unassign = ec2.assign_ipv6_addresses, ec2.unassign_ipv6_addresses
    answer = assign(NetworkInterfaceId=id_, Ipv6AddressCount=2)
    assert answer["AssignedIpv6Addresses"] == [at(block, 4), at(block, 5)]
    again = assign(NetworkInterfaceId=id_, Ipv6Addresses=[at(block, 5), at(block, 77)])
    assert again["AssignedIpv6Addresses"] == [at(block, 77)], "not what it had"
    assert told(id_).address6 == at(block, 4)
    gone = unassign(NetworkInterfaceId=id_, Ipv6Addresses=[at(block, 4)])
    assert (gone["NetworkInterfaceId"], gone["UnassignedIpv6Addresses"]) == (id_, [at(block, 4)])
    assert (told(id_).address6, told(id_).further) == (at(block, 5), (at(block, 77),))
    prefixed = assign(NetworkInterfaceId=id_, Ipv6PrefixCount=1)["AssignedIpv6Prefixes"]
    assert unassign(NetworkInterfaceId=id_, Ipv6Prefixes=prefixed)["UnassignedIpv6Prefixes"] == prefixed
    unassign(NetworkInterfaceId=id_, Ipv6Addresses=sixes(ec2, id_))
    held = told(id_)
    assert (held.address6, held.further, held.blocks, held.address) == (None, (), (), "10.0.1.9")
    assert assign(NetworkInterfaceId=id_, Ipv6AddressCount=1)["AssignedIpv6Addresses"] == [at(block, 6)], "they rest"


def test_both_families_live_side_by_side(ec2: Any, both: str, block: str, told: Any) -> None:
    """What is done to one does nothing to the other."""
    id_ = make(ec2, both, PrivateIpAddress="10.0.1.9", SecondaryPrivateIpAddressCount=1, Ipv6AddressCount=2)
    ec2.assign_private_ip_addresses(NetworkInterfaceId=id_, SecondaryPrivateIpAddressCount=1)
    ec2.assign_private_ip_addresses(NetworkInterfaceId=id_, Ipv4PrefixCount=1)
    ec2.assign_ipv6_addresses(NetworkInterfaceId=id_, Ipv6PrefixCount=1)
    seen = shown(ec2, id_)
    assert [each["PrivateIpAddress"] for each in seen["PrivateIpAddresses"]] == ["10.0.1.9", "10.0.1.4", "10.0.1.5"]
    assert (len(seen["Ipv4Prefixes"]), len(seen["Ipv6Prefixes"]), len(seen["Ipv6Addresses"])) == (1, 1, 2)
    ec2.unassign_private_ip_addresses(NetworkInterfaceId=id_, PrivateIpAddresses=["10.0.1.4"])
    refused(
        "InvalidParameterValue", ec2.unassign_private_ip_addresses, NetworkInterfaceId=id_, PrivateIpAddresses=["::"]
    )
    assert sixes(ec2, id_) == [at(block, 4), at(block, 5)]
    for name, value in (("ipv6-addresses.ipv6-address", at(block, 5)), ("private-ip-address", "10.0.1.5")):
        rows = ec2.describe_network_interfaces(Filters=by(name, value))["NetworkInterfaces"]
        assert [row["NetworkInterfaceId"] for row in rows] == [id_], name
    assert ec2.describe_network_interfaces(Filters=by("private-ip-address", at(block, 5)))["NetworkInterfaces"] == []


def test_what_is_refused_changes_nothing(ec2: Any, both: str, block: str, told: Any) -> None:
    id_ = make(ec2, both, Ipv6AddressCount=1)
    before = told(id_)
    assign, unassign = ec2.assign_ipv6_addresses, ec2.unassign_ipv6_addresses
    refused("MissingParameter", assign, NetworkInterfaceId=id_)
    refused("MissingParameter", unassign, NetworkInterfaceId=id_)
    refused("InvalidNetworkInterfaceID.NotFound", assign, NetworkInterfaceId="eni-0", Ipv6AddressCount=1)
    twice = {"Ipv6Addresses": [at(block, 9)], "Ipv6AddressCount": 1}
    refused("InvalidParameterCombination", assign, NetworkInterfaceId=id_, **twice)
    refused("InvalidParameterCombination", assign, NetworkInterfaceId=id_, Ipv6Prefixes=["x"], Ipv6PrefixCount=1)
    refused("InvalidIPAddress.InUse", assign, NetworkInterfaceId=make(ec2, both), Ipv6Addresses=[at(block, 4)])
    half = [at(block, 8), at(block, 1)]
    refused("InvalidParameterValue", assign, NetworkInterfaceId=id_, Ipv6Addresses=half)
    words = refused(
        "InvalidParameterValue", unassign, NetworkInterfaceId=id_, Ipv6Addresses=[at(block, 4), at(block, 5)]
    )
    assert words == f"Some of the specified addresses are not assigned to interface {id_}"
    refused("InvalidParameterValue", unassign, NetworkInterfaceId=id_, Ipv6Prefixes=[eighty(block, 7)])
    refused("PrivateIpAddressLimitExceeded", assign, NetworkInterfaceId=id_, Ipv6AddressCount=50)
    assert told(id_) == before


def test_a_primary_address_stays(ec2: Any, both: str, block: str) -> None:
    id_ = make(ec2, both, Ipv6AddressCount=2, EnablePrimaryIpv6=True)
    assert [each["IsPrimaryIpv6"] for each in shown(ec2, id_)["Ipv6Addresses"]] == [True, False]
    words = refused(
        "InvalidParameterValue", ec2.unassign_ipv6_addresses, NetworkInterfaceId=id_, Ipv6Addresses=[at(block, 4)]
    )
    assert words == f"The primary IPv6 address {at(block, 4)} of {id_} cannot be unassigned."
    ec2.unassign_ipv6_addresses(NetworkInterfaceId=id_, Ipv6Addresses=[at(block, 5)])
    change = ec2.modify_network_interface_attribute
    refused("InvalidParameterValue", change, NetworkInterfaceId=id_, EnablePrimaryIpv6=False)
    later = make(ec2, both)
    refused("InvalidParameterValue", change, NetworkInterfaceId=later, EnablePrimaryIpv6=True)
    ec2.assign_ipv6_addresses(NetworkInterfaceId=later, Ipv6AddressCount=1)
    change(NetworkInterfaceId=later, EnablePrimaryIpv6=False)
    change(NetworkInterfaceId=later, EnablePrimaryIpv6=True)
    assert shown(ec2, later)["Ipv6Addresses"] == [{"Ipv6Address": at(block, 6), "IsPrimaryIpv6": True}]


def test_a_block_in_use_stays(ec2: Any, dual: str, both: str, told: Any) -> None:
    id_ = make(ec2, both, Ipv6PrefixCount=1)
    plain = make(ec2, both)
    (subnet,) = ec2.describe_subnets(SubnetIds=[both])["Subnets"]
    association = subnet["Ipv6CidrBlockAssociationSet"][0]["AssociationId"]
    words = refused("InvalidCidrBlock.InUse", ec2.disassociate_subnet_cidr_block, AssociationId=association)
    assert words == f"The subnet CIDR block with association ID {association} is in use."
    ec2.modify_subnet_attribute(SubnetId=both, AssignIpv6AddressOnCreation={"Value": True})
    ec2.delete_network_interface(NetworkInterfaceId=id_)
    ec2.disassociate_subnet_cidr_block(AssociationId=association)
    (subnet,) = ec2.describe_subnets(SubnetIds=[both])["Subnets"]
    assert (subnet["Ipv6CidrBlockAssociationSet"], subnet["AssignIpv6AddressOnCreation"]) == ([], False)
    assert told(plain).prefix6 is None
    other = blocks(ec2, dual)[9]
    ec2.associate_subnet_cidr_block(SubnetId=both, Ipv6CidrBlock=other)
    assert told(plain).prefix6 == other
    ec2.assign_ipv6_addresses(NetworkInterfaceId=plain, Ipv6AddressCount=1)
    assert told(plain).address6 == at(other, 4)


# --- the ways of IPv6


def test_how_far_an_interface_leads_follows_the_routes(ec2: Any, dual: str, both: str, told: Any) -> None:
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=dual)
    eigw = ec2.create_egress_only_internet_gateway(VpcId=dual)["EgressOnlyInternetGateway"]
    out = {"EgressOnlyInternetGatewayId": eigw["EgressOnlyInternetGatewayId"]}
    (table,) = ec2.describe_route_tables(Filters=by("vpc-id", dual))["RouteTables"]
    to = {"RouteTableId": table["RouteTableId"], **EVERYTHING}
    ids = [make(ec2, both, Ipv6AddressCount=1), make(ec2, both)]

    def leads() -> set[str]:
        return {told(id_).egress6 for id_ in ids}

    assert leads() == {"none"}
    ec2.create_route(GatewayId=igw, **to)
    assert leads() == {"both"}
    ids.append(make(ec2, both, Ipv6AddressCount=1))
    assert leads() == {"both"}, "also of one that was made later"
    ec2.replace_route(**to, **out)
    assert leads() == {"out"}
    ec2.create_route(RouteTableId=to["RouteTableId"], DestinationIpv6CidrBlock="2001:db8::/32", GatewayId=igw)
    assert leads() == {"both"}
    ec2.detach_internet_gateway(InternetGatewayId=igw, VpcId=dual)
    assert leads() == {"out"}
    own = ec2.create_route_table(VpcId=dual)["RouteTable"]["RouteTableId"]
    association = ec2.associate_route_table(RouteTableId=own, SubnetId=both)["AssociationId"]
    assert leads() == {"none"}
    ec2.disassociate_route_table(AssociationId=association)
    ec2.delete_egress_only_internet_gateway(**out)
    assert leads() == {"none"}
    assert not any(told(id_).egress for id_ in ids), "of IPv4"


# --- IPv6-only subnets


def test_a_subnet_of_ipv6_only(ec2: Any, dual: str, only6: str) -> None:
    (subnet,) = ec2.describe_subnets(Filters=by("ipv6-native", "true"))["Subnets"]
    assert subnet["SubnetId"] == only6
    assert "CidrBlock" not in subnet
    assert (subnet["Ipv6Native"], subnet["AssignIpv6AddressOnCreation"], subnet["AvailableIpAddressCount"]) == (
        True,
        True,
        0,
    )
    assert subnet["PrivateDnsNameOptionsOnLaunch"] == {
        "HostnameType": "resource-name",
        "EnableResourceNameDnsARecord": False,
        "EnableResourceNameDnsAAAARecord": True,
    }
    for attribute in (
        {"AssignIpv6AddressOnCreation": {"Value": False}},
        {"MapPublicIpOnLaunch": {"Value": True}},
        {"PrivateDnsHostnameTypeOnLaunch": "ip-name"},
    ):
        refused("InvalidParameterValue", ec2.modify_subnet_attribute, SubnetId=only6, **attribute)
    words = refused("UnsupportedOperation", ec2.modify_subnet_attribute, SubnetId=only6, EnableDns64={"Value": True})
    assert words == "EnableDns64 is not supported here yet."
    refused(
        "OperationNotPermitted",
        ec2.disassociate_subnet_cidr_block,
        AssociationId=subnet["Ipv6CidrBlockAssociationSet"][0]["AssociationId"],
    )
    create = ec2.create_subnet
    free = blocks(ec2, dual)[7]
    refused("MissingParameter", create, VpcId=dual, Ipv6Native=True)
    refused("MissingParameter", create, VpcId=dual, Ipv6CidrBlock=free)
    refused(
        "InvalidParameterCombination", create, VpcId=dual, Ipv6Native=True, Ipv6CidrBlock=free, CidrBlock="10.0.9.0/24"
    )
    create(VpcId=dual, CidrBlock="10.0.1.0/24")  # beside it, of IPv4


def test_an_interface_of_ipv6_only(ec2: Any, dual: str, only6: str, told: Any) -> None:
    block = blocks(ec2, dual)[1]
    id_ = make(ec2, only6)
    seen = shown(ec2, id_)
    assert seen["Ipv6Native"] is True
    assert (seen["Ipv6Address"], seen["PrivateIpAddresses"]) == (at(block, 4), [])
    assert not {"PrivateIpAddress", "PrivateDnsName", "Association"} & set(seen)
    held = told(id_)
    assert (held.address, held.gateway, held.prefix) == ("", "", "")
    assert (held.address6, held.prefix6, held.held) == (at(block, 4), block, (at(block, 4),))
    other = make(ec2, only6, Ipv6PrefixCount=1)
    assert told(other).address6 == at(block, 5), "it needs one"
    assert told(other).mac != held.mac

    def wrong(call: Any, **asked: Any) -> None:
        refused("InvalidParameterValue", call, **asked)

    wrong(ec2.create_network_interface, SubnetId=only6, PrivateIpAddress="10.0.1.9")
    wrong(ec2.create_network_interface, SubnetId=only6, SecondaryPrivateIpAddressCount=1)
    wrong(ec2.create_network_interface, SubnetId=only6, Ipv6AddressCount=0)
    wrong(ec2.assign_private_ip_addresses, NetworkInterfaceId=id_, SecondaryPrivateIpAddressCount=1)
    wrong(ec2.unassign_ipv6_addresses, NetworkInterfaceId=id_, Ipv6Addresses=[at(block, 4)])
    elastic = ec2.allocate_address()["AllocationId"]
    wrong(ec2.associate_address, NetworkInterfaceId=id_, AllocationId=elastic)
    wrong(ec2.modify_network_interface_attribute, NetworkInterfaceId=id_, AssociatePublicIpAddress=True)
    wrong(ec2.create_nat_gateway, SubnetId=only6, AllocationId=elastic)
    wrong(ec2.create_vpc_endpoint, **_endpoint(ec2, dual, only6))
    assert ec2.describe_network_interfaces(Filters=by("addresses.primary", "true"))["NetworkInterfaces"] == []
    assert ec2.describe_network_interfaces(Filters=by("private-dns-name", "*"))["NetworkInterfaces"] == []
    ec2.delete_network_interface(NetworkInterfaceId=id_)
    ec2.delete_network_interface(NetworkInterfaceId=other)
    ec2.delete_subnet(SubnetId=only6)


def _endpoint(ec2: Any, vpc: str, subnet: str) -> dict[str, Any]:
    region = ec2.meta.region_name
    name = f"com.amazonaws.{region}.ecs"
    return {"VpcId": vpc, "SubnetIds": [subnet], "VpcEndpointType": "Interface", "ServiceName": name} | {
        "PrivateDnsEnabled": False
    }


# --- whatever comes and goes


@pytest.mark.parametrize("seed", range(2))
def test_giving_and_taking_lead_to_the_same_as_a_fresh_interface(
    ec2: Any, both: str, block: str, told: Any, seed: int
) -> None:
    """No address twice, all of the subnet, and the nodes are told what they would be told of an interface made so."""
    chance = random.Random(seed)
    ids = [make(ec2, both, PrivateIpAddress=f"10.0.1.{n}") for n in (10, 11)]
    for _ in range(25):
        id_ = chance.choice(ids)
        six = sixes(ec2, id_)
        match chance.randint(0, 3):
            case 0:
                ec2.assign_ipv6_addresses(NetworkInterfaceId=id_, Ipv6AddressCount=chance.randint(1, 3))
            case 1:
                ec2.assign_ipv6_addresses(NetworkInterfaceId=id_, Ipv6PrefixCount=1)
            case 2 if six:
                gone = chance.sample(six, chance.randint(1, len(six)))
                ec2.unassign_ipv6_addresses(NetworkInterfaceId=id_, Ipv6Addresses=gone)
            case 3 if told(id_).blocks:
                ec2.unassign_ipv6_addresses(NetworkInterfaceId=id_, Ipv6Prefixes=[chance.choice(told(id_).blocks)])
        every = [IPv6Network(held) for each in ids for held in told(each).held if ":" in held]
        assert all(network.subnet_of(IPv6Network(block)) for network in every)
        assert not any(one.overlaps(other) for n, one in enumerate(every) for other in every[:n])
    wanted = told(ids[0])
    ec2.delete_network_interface(NetworkInterfaceId=ids[0])
    fresh = make(ec2, both, PrivateIpAddress=wanted.address)
    if six := [held for held in (wanted.address6, *wanted.further) if held]:
        ec2.assign_ipv6_addresses(NetworkInterfaceId=fresh, Ipv6Addresses=six)
    if wanted.blocks:
        ec2.assign_ipv6_addresses(NetworkInterfaceId=fresh, Ipv6Prefixes=list(wanted.blocks))
    assert replace(told(fresh), key=wanted.key, version=wanted.version) == wanted
