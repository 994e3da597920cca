"""Network interfaces: their addresses, groups, ways out, and who holds them."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.services.ec2.model.address import cursors
from hatoba.services.ec2.model.interface import PublicPool
from tests.conformance.ec2.networks import Platform, by, served
from tests.conformance.serving import ACCOUNT, fresh_account, refused


def make(ec2: Any, subnet: str, **params: Any) -> dict[str, Any]:
    interface: dict[str, Any] = ec2.create_network_interface(SubnetId=subnet, **params)["NetworkInterface"]
    return interface


@pytest.fixture
def scope(region: str) -> Scope:
    return Scope("aws", ACCOUNT, region)


@pytest.fixture
def told(platform: Platform, scope: Scope) -> Any:
    """What the nodes are told of an interface."""

    def read(id_: str) -> fleet.Interface:
        found = platform.store.find(fleet.interfaces, scope, id_)
        assert found is not None
        return found

    return read


@pytest.fixture
def gives_public(platform: Platform, scope: Scope) -> Any:
    """What the platform's services do for tasks and load balancers."""
    ask = platform.door(scope, "elbv2")

    def give(id_: str, public: bool = True) -> str | None:
        modify = "modify_network_interface_attribute"
        ask("ec2", modify, NetworkInterfaceId=id_, AssociatePublicIpAddress=public)
        (shown,) = ask("ec2", "describe_network_interfaces", NetworkInterfaceIds=[id_])["NetworkInterfaces"]
        address: str | None = shown.get("Association", {}).get("PublicIp")
        return address

    return give


# --- private addresses


def test_an_interface_is_told_to_the_nodes(ec2: Any, vpc: str, subnet: str, told: Any, region: str) -> None:
    shown = make(ec2, subnet, Description="mine")
    assert shown["PrivateIpAddress"] == "10.0.1.4"  # the first four are the network's own
    assert shown["PrivateDnsName"] == f"ip-10-0-1-4.{region}.compute.internal"
    assert (shown["Status"], shown["RequesterManaged"], shown["Description"]) == ("available", False, "mine")
    assert [group["GroupName"] for group in shown["Groups"]] == ["default"]
    record = told(shown["NetworkInterfaceId"])
    assert (record.network, record.subnet, record.address) == (vpc, subnet, "10.0.1.4")
    assert (record.gateway, record.prefix, record.mac) == ("10.0.1.1", "10.0.1.0/24", shown["MacAddress"])
    assert (record.public, record.egress) == (None, False)
    assert record.groups == (shown["Groups"][0]["GroupId"],)
    ec2.delete_network_interface(NetworkInterfaceId=shown["NetworkInterfaceId"])
    words = refused("InvalidNetworkInterfaceID.NotFound", ec2.delete_network_interface, NetworkInterfaceId="eni-0")
    assert words == "The networkInterface ID 'eni-0' does not exist"


def test_addresses_go_round_and_are_never_given_twice(ec2: Any, vpc: str) -> None:
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.9.0/28")["Subnet"]["SubnetId"]  # 11 addresses
    made = [make(ec2, subnet) for _ in range(11)]
    addresses = [each["PrivateIpAddress"] for each in made]
    assert addresses == [f"10.0.9.{number}" for number in range(4, 15)]
    assert ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"] == 0
    words = refused("InsufficientFreeAddressesInSubnet", ec2.create_network_interface, SubnetId=subnet)
    assert words.startswith(f"There are not enough free addresses in subnet '{subnet}'")
    for each in (made[2], made[5]):
        ec2.delete_network_interface(NetworkInterfaceId=each["NetworkInterfaceId"])
    assert make(ec2, subnet)["PrivateIpAddress"] == "10.0.9.6"
    ec2.delete_network_interface(NetworkInterfaceId=made[0]["NetworkInterfaceId"])
    # 10.0.9.4 is free as well, but 10.0.9.9 has rested for longer.
    assert make(ec2, subnet)["PrivateIpAddress"] == "10.0.9.9"
    assert make(ec2, subnet)["PrivateIpAddress"] == "10.0.9.4"


def test_an_address_may_be_asked_for(ec2: Any, subnet: str) -> None:
    assert make(ec2, subnet, PrivateIpAddress="10.0.1.77")["PrivateIpAddress"] == "10.0.1.77"
    listed = [{"PrivateIpAddress": "10.0.1.5", "Primary": True}]
    assert make(ec2, subnet, PrivateIpAddresses=listed)["PrivateIpAddress"] == "10.0.1.5"
    assert [make(ec2, subnet)["PrivateIpAddress"] for _ in range(2)] == ["10.0.1.4", "10.0.1.6"]

    def wrong(code: str, address: str) -> str:
        return refused(code, ec2.create_network_interface, SubnetId=subnet, PrivateIpAddress=address)

    assert wrong("InvalidIPAddress.InUse", "10.0.1.77") == "Address 10.0.1.77 is in use."
    for outside in ("10.0.2.4", "10.0.1.3", "10.0.1.255"):
        words = wrong("InvalidParameterValue", outside)
        assert words == "Address does not fall within the subnet's address range"
    assert wrong("InvalidParameterValue", "ten") == (
        "Value (ten) for parameter privateIpAddress is invalid. Invalid IP address."
    )


@pytest.mark.parametrize(
    "asked",
    [
        {"ConnectionTrackingSpecification": {"UdpTimeout": 30}},
        {"InterfaceType": "efa"},
    ],
)
def test_what_is_not_there_yet_is_refused_by_name(ec2: Any, subnet: str, asked: dict[str, Any]) -> None:
    refused("UnsupportedOperation", ec2.create_network_interface, SubnetId=subnet, **asked)
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def test_the_same_token_makes_one_interface(ec2: Any, subnet: str) -> None:
    first = ec2.create_network_interface(SubnetId=subnet, ClientToken="once", Description="a")
    assert first["ClientToken"] == "once"
    again = ec2.create_network_interface(SubnetId=subnet, ClientToken="once", Description="a")
    assert again["NetworkInterface"] == first["NetworkInterface"]
    refused(
        "IdempotentParameterMismatch",
        ec2.create_network_interface,
        SubnetId=subnet,
        ClientToken="once",
        Description="b",
    )
    assert len(ec2.describe_network_interfaces()["NetworkInterfaces"]) == 1


# --- groups


def test_groups_are_of_the_same_vpc_and_at_most_five(ec2: Any, vpc: str, subnet: str, told: Any) -> None:
    names = [f"g{number}" for number in range(6)]
    made = [ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in names]
    id_ = make(ec2, subnet, Groups=[*made[:2], made[0]])["NetworkInterfaceId"]
    assert told(id_).groups == tuple(made[:2])
    modify = ec2.modify_network_interface_attribute
    refused("SecurityGroupsPerInterfaceLimitExceeded", modify, NetworkInterfaceId=id_, Groups=made)
    far = ec2.create_security_group(GroupName="far", Description="far")["GroupId"]
    assert refused("InvalidParameter", modify, NetworkInterfaceId=id_, Groups=[far]) == (
        f"Security group {far} and subnet {subnet} belong to different networks."
    )
    refused("InvalidGroup.NotFound", modify, NetworkInterfaceId=id_, Groups=["sg-0"])
    assert told(id_).groups == tuple(made[:2])
    modify(NetworkInterfaceId=id_, Groups=made[3:5])
    assert told(id_).groups == tuple(made[3:5])
    attribute = ec2.describe_network_interface_attribute(NetworkInterfaceId=id_, Attribute="groupSet")
    assert [group["GroupName"] for group in attribute["Groups"]] == ["g3", "g4"]


def test_attributes(ec2: Any, subnet: str) -> None:
    id_ = make(ec2, subnet)["NetworkInterfaceId"]
    ec2.modify_network_interface_attribute(NetworkInterfaceId=id_, Description={"Value": "new"})
    ec2.modify_network_interface_attribute(NetworkInterfaceId=id_, SourceDestCheck={"Value": False})

    def attribute(name: str) -> Any:
        answer = ec2.describe_network_interface_attribute(NetworkInterfaceId=id_, Attribute=name)
        return answer[name[0].upper() + name[1:]]

    assert attribute("description") == {"Value": "new"}
    assert attribute("sourceDestCheck") == {"Value": False}
    assert attribute("associatePublicIpAddress") is False


# --- in use


def test_an_interface_in_use_stays(platform: Platform, ec2: Any, subnet: str, scope: Scope) -> None:
    shown = make(ec2, subnet)
    id_ = shown["NetworkInterfaceId"]
    key = fleet.workloads.key(scope, f"task-{scope.region}")

    def run() -> None:
        with platform.store.tx() as tx:
            tx.put(fleet.workloads, fleet.Workload(key=key, node="n", network=shown["VpcId"], interface=id_))

    platform.run(run)
    (now,) = ec2.describe_network_interfaces(Filters=by("status", "in-use"))["NetworkInterfaces"]
    assert (now["NetworkInterfaceId"], now["Attachment"]["Status"]) == (id_, "attached")
    assert ec2.describe_network_interfaces(Filters=by("attachment.status", "attached"))["NetworkInterfaces"] == [now]
    assert refused("InvalidNetworkInterface.InUse", ec2.delete_network_interface, NetworkInterfaceId=id_) == (
        f"Network interface '{id_}' is currently in use."
    )

    def stop() -> None:
        with platform.store.tx() as tx:
            status = fleet.WorkloadStatus(
                key=key._replace(type=fleet.workload_statuses.name), node="n", state="stopped"
            )
            tx.put(fleet.workload_statuses, status)

    platform.run(stop)
    ec2.delete_network_interface(NetworkInterfaceId=id_)


def test_what_a_service_made_says_so(platform: Platform, ec2: Any, default_subnet: str, scope: Scope) -> None:
    platform.door(scope, "ecs")("ec2", "create_network_interface", SubnetId=default_subnet)
    make(ec2, default_subnet)
    (one,) = ec2.describe_network_interfaces(Filters=by("requester-managed", "true"))["NetworkInterfaces"]
    assert one["RequesterId"] == "AWSServiceRoleForECS:ecs"
    assert ec2.describe_network_interfaces(Filters=by("requester-id", "*:ecs"))["NetworkInterfaces"] == [one]


# --- ways out


def test_public_addresses_follow_the_routes(ec2: Any, vpc: str, subnet: str, told: Any, gives_public: Any) -> None:
    id_ = make(ec2, subnet)["NetworkInterfaceId"]
    public = gives_public(id_)
    assert public is not None
    assert gives_public(id_) == public, "asking again changes nothing"

    def leads() -> bool:
        record = told(id_)
        assert record.public in (None, public)
        assert record.egress == (record.public is not None)
        egress: bool = record.egress
        return egress

    assert not leads(), "no gateway, no route"
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert not leads(), "no route"
    (main,) = ec2.describe_route_tables(Filters=by("vpc-id", vpc))["RouteTables"]
    outside = {"DestinationCidrBlock": "0.0.0.0/0"}
    ec2.create_route(RouteTableId=main["RouteTableId"], GatewayId=gateway, **outside)
    assert leads()
    own = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    association = ec2.associate_route_table(RouteTableId=own, SubnetId=subnet)["AssociationId"]
    assert not leads(), "its own table has no such route"
    ec2.create_route(RouteTableId=own, GatewayId=gateway, **outside)
    assert leads()
    ec2.delete_route(RouteTableId=own, **outside)
    assert not leads()
    ec2.disassociate_route_table(AssociationId=association)
    assert leads(), "the main table's again"
    assert refused("DependencyViolation", ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc) == (
        f"Network {vpc} has some mapped public address(es). Please unmap those public address(es) before detaching the "
        "gateway."
    )
    assert gives_public(id_, False) is None
    assert not leads()
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert gives_public(id_) not in (None, public), "an address that was given back rests for a while"
    assert told(id_).public is None, "the route leads nowhere now"
    (main,) = ec2.describe_route_tables(Filters=[*by("vpc-id", vpc), *by("association.main", "true")])["RouteTables"]
    assert {route["State"] for route in main["Routes"] if route["GatewayId"] == gateway} == {"blackhole"}
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert told(id_).egress is True


def test_an_interface_made_on_a_public_subnet_has_no_way_out_by_itself(
    ec2: Any, default_subnet: str, told: Any, gives_public: Any
) -> None:
    shown = make(ec2, default_subnet)
    assert "Association" not in shown
    assert told(shown["NetworkInterfaceId"]).egress is False
    public = gives_public(shown["NetworkInterfaceId"])
    (now,) = ec2.describe_network_interfaces(Filters=by("association.public-ip", public))["NetworkInterfaces"]
    assert now["Association"]["IpOwnerId"] == "amazon"
    assert now["PrivateIpAddresses"][0]["Association"] == now["Association"]
    assert told(shown["NetworkInterfaceId"]).egress is True


# --- elastic addresses


def test_an_elastic_address_comes_and_goes(ec2: Any, default_subnet: str, told: Any) -> None:
    made = ec2.allocate_address(Domain="vpc")
    allocation, public = made["AllocationId"], made["PublicIp"]
    (shown,) = ec2.describe_addresses()["Addresses"]
    assert (shown["PublicIp"], shown["Domain"]) == (public, "vpc")
    assert "AssociationId" not in shown
    interface = make(ec2, default_subnet)
    id_ = interface["NetworkInterfaceId"]
    association = ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=id_)["AssociationId"]
    assert (told(id_).public, told(id_).egress) == (public, True)
    (shown,) = ec2.describe_addresses(Filters=by("network-interface-id", id_))["Addresses"]
    assert shown["AssociationId"] == association
    assert shown["PrivateIpAddress"] == interface["PrivateIpAddress"]
    (now,) = ec2.describe_network_interfaces(Filters=by("association.allocation-id", allocation))["NetworkInterfaces"]
    assert now["Association"]["IpOwnerId"] == ACCOUNT
    assert now["Association"]["PublicIp"] == public

    again = ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=id_)["AssociationId"]
    assert again == association
    assert refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=allocation) == (
        f"Address {public} is in use."
    )
    ec2.disassociate_address(AssociationId=association)
    assert (told(id_).public, told(id_).egress) == (None, False)
    refused("InvalidAssociationID.NotFound", ec2.disassociate_address, AssociationId=association)
    ec2.release_address(AllocationId=allocation)
    assert ec2.describe_addresses()["Addresses"] == []
    assert refused("InvalidAllocationID.NotFound", ec2.release_address, AllocationId=allocation) == (
        f"The allocation ID '{allocation}' does not exist"
    )


def test_an_elastic_address_moves(ec2: Any, default_subnet: str, told: Any) -> None:
    allocation = ec2.allocate_address()["AllocationId"]
    one, two = (make(ec2, default_subnet)["NetworkInterfaceId"] for _ in range(2))
    first = ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=one)["AssociationId"]
    params = {"AllocationId": allocation, "NetworkInterfaceId": two}
    assert refused("Resource.AlreadyAssociated", ec2.associate_address, AllowReassociation=False, **params) == (
        f"resource {allocation} is already associated with associate-id {first}"
    )
    assert told(two).public is None
    second = ec2.associate_address(**params)["AssociationId"]
    assert second != first
    assert (told(one).public, told(two).egress) == (None, True)
    other = ec2.allocate_address()
    ec2.associate_address(PublicIp=other["PublicIp"], NetworkInterfaceId=two)  # in the place of the first
    assert told(two).public == other["PublicIp"]
    (free,) = (each for each in ec2.describe_addresses()["Addresses"] if "AssociationId" not in each)
    assert free["AllocationId"] == allocation
    ec2.disassociate_address(PublicIp=other["PublicIp"])
    assert told(two).public is None


def test_an_elastic_address_outlives_its_interface(ec2: Any, default_subnet: str) -> None:
    allocation = ec2.allocate_address()["AllocationId"]
    id_ = make(ec2, default_subnet)["NetworkInterfaceId"]
    ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=id_)
    ec2.delete_network_interface(NetworkInterfaceId=id_)
    (shown,) = ec2.describe_addresses(AllocationIds=[allocation])["Addresses"]
    assert "AssociationId" not in shown
    ec2.release_address(AllocationId=allocation)


def test_a_released_address_can_be_had_back_until_somebody_else_has_it(
    ec2: Any, platform: Platform, scope: Scope
) -> None:
    public = ec2.allocate_address()["PublicIp"]
    refused("InvalidAddress.NotFound", ec2.allocate_address, Address=public)  # it is not free
    (held,) = ec2.describe_addresses(PublicIps=[public])["Addresses"]
    ec2.release_address(AllocationId=held["AllocationId"])
    stranger = platform.client("ec2", region=scope.region, account=fresh_account())
    refused("InvalidAddress.NotFound", stranger.allocate_address, Address=public)
    tags = [{"ResourceType": "elastic-ip", "Tags": [{"Key": "again", "Value": "yes"}]}]
    back = ec2.allocate_address(Address=public, TagSpecifications=tags)
    assert (back["PublicIp"], back["AllocationId"] == held["AllocationId"]) == (public, False)
    ec2.release_address(AllocationId=back["AllocationId"])
    with platform.store.tx() as tx:  # as if the pool had gone round: it is the next one
        (cursor,) = tx.all(cursors)
        tx.put(cursors, replace(cursor, last=str(IPv4Address(public) - 1)))
    assert stranger.allocate_address()["PublicIp"] == public
    refused("InvalidAddress.NotFound", ec2.allocate_address, Address=public)


def test_a_services_own_address_is_replaced_and_an_elastic_one_is_not_its_to_take(
    ec2: Any, default_subnet: str, told: Any, gives_public: Any
) -> None:
    id_ = make(ec2, default_subnet)["NetworkInterfaceId"]
    before = gives_public(id_)
    elastic = ec2.allocate_address()
    assert elastic["PublicIp"] != before
    ec2.associate_address(AllocationId=elastic["AllocationId"], NetworkInterfaceId=id_)
    assert told(id_).public == elastic["PublicIp"]
    assert gives_public(id_) == elastic["PublicIp"]
    assert gives_public(id_, False) == elastic["PublicIp"]


def test_what_cannot_be_associated(platform: Platform, ec2: Any, subnet: str) -> None:
    made = ec2.allocate_address()
    allocation = made["AllocationId"]
    interface = make(ec2, subnet)
    id_ = interface["NetworkInterfaceId"]
    associate = ec2.associate_address
    assert refused("Gateway.NotAttached", associate, AllocationId=allocation, NetworkInterfaceId=id_) == (
        f"Network {interface['VpcId']} is not attached to any internet gateway"
    )
    refused("InvalidInstanceID.NotFound", associate, AllocationId=allocation, InstanceId="i-0123456789abcdef0")
    refused("MissingParameter", associate, AllocationId=allocation)
    refused("MissingParameter", associate, NetworkInterfaceId=id_)
    refused("InvalidNetworkInterfaceID.NotFound", associate, AllocationId=allocation, NetworkInterfaceId="eni-0")
    refused("InvalidAllocationID.NotFound", associate, AllocationId="eipalloc-0", NetworkInterfaceId=id_)
    refused(
        "InvalidParameterValue",
        associate,
        AllocationId=allocation,
        NetworkInterfaceId=id_,
        PrivateIpAddress="10.0.1.99",
    )
    refused("MissingParameter", ec2.disassociate_address)
    refused("InvalidAssociationID.NotFound", ec2.disassociate_address, PublicIp=made["PublicIp"])
    stranger = platform.client("ec2", region="us-west-2")
    assert refused("InvalidAddress.NotFound", stranger.release_address, PublicIp=made["PublicIp"]) == (
        f"Address '{made['PublicIp']}' not found."
    )
    refused("InvalidAddress.NotFound", ec2.allocate_address, Address="100.64.9.9")


def test_addresses_are_found_and_tagged(ec2: Any) -> None:
    specification = [{"ResourceType": "elastic-ip", "Tags": [{"Key": "Name", "Value": "front"}]}]
    one = ec2.allocate_address(TagSpecifications=specification)
    two = ec2.allocate_address()
    found = ec2.describe_addresses(Filters=by("tag:Name", "fr*"))["Addresses"]
    assert [each["PublicIp"] for each in found] == [one["PublicIp"]]
    assert found[0]["Tags"] == [{"Key": "Name", "Value": "front"}]
    assert len(ec2.describe_addresses(PublicIps=[two["PublicIp"]])["Addresses"]) == 1
    refused("InvalidAddress.NotFound", ec2.describe_addresses, PublicIps=["1.2.3.4"])
    refused("InvalidAllocationID.NotFound", ec2.describe_addresses, AllocationIds=["eipalloc-0"])
    refused("InvalidParameterValue", ec2.describe_addresses, Filters=by("no-such", "x"))
    attributes = ec2.describe_addresses_attribute(AllocationIds=[one["AllocationId"]], Attribute="domain-name")
    assert attributes["Addresses"] == [{"PublicIp": one["PublicIp"], "AllocationId": one["AllocationId"]}]


def test_the_pool_is_shared_by_all_and_ends(tmp_path: Path) -> None:
    pool = PublicPool(network="100.64.0.0/29", transit="100.64.0.0/30")  # three addresses
    with served(tmp_path, pool) as small:
        here, there = small.client("ec2"), small.client("ec2", region="eu-west-1", account="210987654321")
        made = [here.allocate_address(), there.allocate_address(), here.allocate_address()]
        assert [each["PublicIp"] for each in made] == ["100.64.0.4", "100.64.0.5", "100.64.0.6"]
        words = refused("InsufficientAddressCapacity", there.allocate_address)
        assert words == "There are no free public addresses left in the pool 100.64.0.0/29."
        there.release_address(AllocationId=made[1]["AllocationId"])
        subnet = here.describe_subnets()["Subnets"][0]["SubnetId"]
        id_ = make(here, subnet)["NetworkInterfaceId"]
        modify = here.modify_network_interface_attribute
        modify(NetworkInterfaceId=id_, AssociatePublicIpAddress=True)
        refused("InsufficientAddressCapacity", there.allocate_address)
        here.delete_network_interface(NetworkInterfaceId=id_)
        assert there.allocate_address()["PublicIp"] == "100.64.0.5"


def test_addresses_survive_a_restart(tmp_path: Path) -> None:
    with served(tmp_path) as first:
        ec2 = first.client("ec2")
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        elastic = ec2.allocate_address()
        id_ = make(ec2, subnet)["NetworkInterfaceId"]
        ec2.associate_address(AllocationId=elastic["AllocationId"], NetworkInterfaceId=id_)
        before = ec2.describe_network_interfaces()["NetworkInterfaces"]
        private = before[0]["PrivateIpAddress"]
    with served(tmp_path) as second:
        ec2 = second.client("ec2")
        assert ec2.describe_network_interfaces()["NetworkInterfaces"] == before
        assert ec2.allocate_address()["PublicIp"] != elastic["PublicIp"]
        assert make(ec2, subnet)["PrivateIpAddress"] != private
