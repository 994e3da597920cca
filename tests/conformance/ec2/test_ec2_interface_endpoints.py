"""VPC endpoints of the interface type: interfaces of theirs, names, what the nodes are told, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from hatoba.core.keys import Scope
from hatoba.fleet import model as fleet
from tests.conformance.ec2.networks import Platform, by
from tests.conformance.serving import ACCOUNT, refused


@pytest.fixture
def vpc(ec2: Any) -> str:
    """Where addresses have names."""
    id_: str = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=id_, EnableDnsHostnames={"Value": True})
    return id_


@pytest.fixture
def subnets(ec2: Any, vpc: str, region: str) -> list[str]:
    """In three zones."""
    return [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{region}{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("abc")
    ]


@pytest.fixture
def group(ec2: Any, vpc: str) -> str:
    id_: str = ec2.create_security_group(GroupName="endpoints", Description="x", VpcId=vpc)["GroupId"]
    return id_


@pytest.fixture
def base(vpc: str, region: str) -> dict[str, Any]:
    return {"VpcId": vpc, "ServiceName": f"com.amazonaws.{region}.ecs", "VpcEndpointType": "Interface"}


def shown(ec2: Any, id_: str) -> dict[str, Any]:
    found: dict[str, Any] = ec2.describe_vpc_endpoints(VpcEndpointIds=[id_])["VpcEndpoints"][0]
    return found


def interfaces(ec2: Any, endpoint: dict[str, Any]) -> list[dict[str, Any]]:
    ids = endpoint["NetworkInterfaceIds"]
    found = ec2.describe_network_interfaces(NetworkInterfaceIds=ids)["NetworkInterfaces"] if ids else []
    return sorted(found, key=lambda eni: ids.index(eni["NetworkInterfaceId"]))


@pytest.fixture
def told(platform: Platform, region: str, vpc: str) -> Any:
    """What the nodes are told of the VPC's endpoints."""

    def ask() -> tuple[fleet.Endpoint, ...]:
        found = platform.run(lambda: platform.store.find(fleet.networks, Scope("aws", ACCOUNT, region), vpc))
        assert found is not None
        return found.endpoints

    return ask


def test_as_it_was_made(ec2: Any, base: dict[str, Any], subnets: list[str], group: str, region: str) -> None:
    made = ec2.create_vpc_endpoint(**base, SubnetIds=subnets[:2], SecurityGroupIds=[group])["VpcEndpoint"]
    assert (made["VpcEndpointType"], made["State"], made["PrivateDnsEnabled"]) == ("Interface", "available", True)
    assert (made["SubnetIds"], made["RouteTableIds"]) == (subnets[:2], [])
    assert made["Groups"] == [{"GroupId": group, "GroupName": "endpoints"}]
    whole, first, second, own = [entry["DnsName"] for entry in made["DnsEntries"]]
    label = whole.split(".")[0]
    assert label.startswith(f"{made['VpcEndpointId']}-")
    assert whole == f"{label}.ecs.{region}.vpce.amazonaws.com"
    assert [first, second] == [f"{label}-{region}{zone}.ecs.{region}.vpce.amazonaws.com" for zone in "ab"]
    assert own == f"ecs.{region}.amazonaws.com"
    assert shown(ec2, made["VpcEndpointId"]) == made
    for eni, subnet in zip(interfaces(ec2, made), subnets, strict=False):
        assert (eni["SubnetId"], eni["Status"], eni["RequesterManaged"]) == (subnet, "in-use", True)
        assert eni["Description"] == f"VPC Endpoint Interface {made['VpcEndpointId']}"
        assert (eni["InterfaceType"], [each["GroupId"] for each in eni["Groups"]]) == ("vpc_endpoint", [group])


def test_the_nodes_are_told_addresses_groups_and_names(
    ec2: Any, base: dict[str, Any], subnets: list[str], group: str, region: str, told: Any
) -> None:
    made = ec2.create_vpc_endpoint(**base, SubnetIds=subnets[:2], SecurityGroupIds=[group])["VpcEndpoint"]
    addresses = tuple(eni["PrivateIpAddress"] for eni in interfaces(ec2, made))
    (found,) = told()
    assert (found.addresses, found.groups) == (addresses, (group,))
    names = [entry["DnsName"] for entry in made["DnsEntries"]]
    each = (addresses, addresses[:1], addresses[1:])
    assert [(name.name, name.addresses) for name in found.names] == list(zip(names, each, strict=False))
    assert found.private == (fleet.Name(name=f"ecs.{region}.amazonaws.com", addresses=addresses),)
    ec2.modify_vpc_endpoint(VpcEndpointId=made["VpcEndpointId"], PrivateDnsEnabled=False)
    assert told()[0].private == ()
    ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])
    assert told() == ()


def test_a_registry_has_the_accounts_own_name(
    ec2: Any, base: dict[str, Any], subnets: list[str], region: str, told: Any
) -> None:
    ecr = {**base, "ServiceName": f"com.amazonaws.{region}.ecr.dkr"}
    made = ec2.create_vpc_endpoint(**ecr, SubnetIds=subnets[:1])["VpcEndpoint"]
    assert made["DnsEntries"][-1]["DnsName"] == f"*.dkr.ecr.{region}.amazonaws.com"
    assert told()[0].private[0].name == f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com"


def test_subnets_come_and_go(ec2: Any, base: dict[str, Any], subnets: list[str], region: str, told: Any) -> None:
    made = ec2.create_vpc_endpoint(**base, SubnetIds=subnets[:2])["VpcEndpoint"]
    id_ = made["VpcEndpointId"]
    first, second = interfaces(ec2, made)
    beside = ec2.create_subnet(VpcId=base["VpcId"], CidrBlock="10.0.9.0/24", AvailabilityZone=f"{region}b")
    b2 = beside["Subnet"]["SubnetId"]
    said = refused("DuplicateSubnetsInSameZone", ec2.modify_vpc_endpoint, VpcEndpointId=id_, AddSubnetIds=[b2])
    assert said == f"Found another VPC endpoint subnet in the availability zone of {b2}"
    ec2.modify_vpc_endpoint(VpcEndpointId=id_, AddSubnetIds=[b2, subnets[2], subnets[0]], RemoveSubnetIds=[subnets[1]])
    after = shown(ec2, id_)
    assert after["SubnetIds"] == [subnets[0], b2, subnets[2]]
    assert after["NetworkInterfaceIds"][0] == first["NetworkInterfaceId"], "what was there stays"
    gone = [second["NetworkInterfaceId"]]
    refused("InvalidNetworkInterfaceID.NotFound", ec2.describe_network_interfaces, NetworkInterfaceIds=gone)
    assert told()[0].addresses == tuple(eni["PrivateIpAddress"] for eni in interfaces(ec2, after))
    refused("InvalidParameter", ec2.modify_vpc_endpoint, VpcEndpointId=id_, RemoveSubnetIds=[subnets[1]])
    ec2.modify_vpc_endpoint(VpcEndpointId=id_, RemoveSubnetIds=after["SubnetIds"])
    assert (shown(ec2, id_)["NetworkInterfaceIds"], told()) == ([], ())


def test_groups_change_on_all_its_interfaces(
    ec2: Any, base: dict[str, Any], subnets: list[str], group: str, told: Any
) -> None:
    made = ec2.create_vpc_endpoint(**base, SubnetIds=subnets[:2])["VpcEndpoint"]
    id_, (default,) = made["VpcEndpointId"], made["Groups"]
    assert default["GroupName"] == "default"
    old = [default["GroupId"]]
    ec2.modify_vpc_endpoint(VpcEndpointId=id_, AddSecurityGroupIds=[group], RemoveSecurityGroupIds=old)
    assert [each["GroupId"] for each in shown(ec2, id_)["Groups"]] == [group]
    for eni in interfaces(ec2, made):
        assert [each["GroupId"] for each in eni["Groups"]] == [group]
    assert told()[0].groups == (group,)
    refused("InvalidParameter", ec2.modify_vpc_endpoint, VpcEndpointId=id_, RemoveSecurityGroupIds=[group])
    refused("DependencyViolation", ec2.delete_security_group, GroupId=group)


def test_its_interfaces_are_the_endpoints_alone(ec2: Any, base: dict[str, Any], subnets: list[str]) -> None:
    made = ec2.create_vpc_endpoint(**base, SubnetIds=subnets[:1])["VpcEndpoint"]
    (eni,) = interfaces(ec2, made)
    id_ = eni["NetworkInterfaceId"]
    refused("InvalidNetworkInterface.InUse", ec2.delete_network_interface, NetworkInterfaceId=id_)
    change = {"NetworkInterfaceId": id_, "Description": {"Value": "mine"}}
    refused("AuthFailure", ec2.modify_network_interface_attribute, **change)
    attachment = eni["Attachment"]["AttachmentId"]
    refused("OperationNotPermitted", ec2.detach_network_interface, AttachmentId=attachment)
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnets[0])
    ec2.create_tags(Resources=[id_], Tags=[{"Key": "a", "Value": "b"}])
    ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    assert ec2.describe_tags(Filters=by("resource-id", id_))["Tags"] == []
    ec2.delete_subnet(SubnetId=subnets[0])


def test_a_name_is_one_endpoints(ec2: Any, base: dict[str, Any], subnets: list[str], region: str) -> None:
    first = ec2.create_vpc_endpoint(**base, SubnetIds=subnets[:1])["VpcEndpoint"]["VpcEndpointId"]
    said = refused("InvalidParameter", ec2.create_vpc_endpoint, **base, SubnetIds=subnets[1:])
    assert said == (
        "private-dns-enabled cannot be set because there is already a conflicting DNS domain for "
        f"ecs.{region}.amazonaws.com in the VPC {base['VpcId']}"
    )
    made = ec2.create_vpc_endpoint(**base, SubnetIds=subnets[1:], PrivateDnsEnabled=False)["VpcEndpoint"]
    second = made["VpcEndpointId"]
    assert all(entry["DnsName"].startswith("vpce-") for entry in made["DnsEntries"])
    refused("InvalidParameter", ec2.modify_vpc_endpoint, VpcEndpointId=second, PrivateDnsEnabled=True)
    ec2.modify_vpc_endpoint(VpcEndpointId=first, PrivateDnsEnabled=True)  # it has the name
    ec2.modify_vpc_endpoint(VpcEndpointId=first, PrivateDnsEnabled=False)
    ec2.modify_vpc_endpoint(VpcEndpointId=second, PrivateDnsEnabled=True)
    assert shown(ec2, second)["PrivateDnsEnabled"] is True


def test_names_need_a_vpc_that_has_them(ec2: Any, base: dict[str, Any], subnets: list[str]) -> None:
    ec2.modify_vpc_attribute(VpcId=base["VpcId"], EnableDnsHostnames={"Value": False})
    said = refused("InvalidParameter", ec2.create_vpc_endpoint, **base, SubnetIds=subnets)
    assert said == (
        "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for "
        f"{base['VpcId']}"
    )
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    ec2.create_vpc_endpoint(**base, SubnetIds=subnets, PrivateDnsEnabled=False)


def test_an_address_may_be_chosen(ec2: Any, base: dict[str, Any], subnets: list[str]) -> None:
    chosen = [{"SubnetId": subnets[1], "Ipv4": "10.0.1.77"}]
    made = ec2.create_vpc_endpoint(**base, SubnetIds=subnets[:2], SubnetConfigurations=chosen)["VpcEndpoint"]
    assert interfaces(ec2, made)[1]["PrivateIpAddress"] == "10.0.1.77"
    other = {**base, "PrivateDnsEnabled": False}
    refused("InvalidIPAddress.InUse", ec2.create_vpc_endpoint, **other, SubnetConfigurations=chosen)
    wrong = [{"SubnetId": subnets[1], "Ipv4": "what"}]
    refused("InvalidParameterValue", ec2.create_vpc_endpoint, **other, SubnetConfigurations=wrong)


def test_what_no_interface_endpoint_may_be(ec2: Any, base: dict[str, Any], subnets: list[str], region: str) -> None:
    def wrong(code: str, **params: Any) -> str:
        return refused(code, ec2.create_vpc_endpoint, **{**base, "SubnetIds": subnets, **params})

    assert wrong("InvalidParameter", VpcEndpointType="Gateway") == (
        "Endpoint type (Gateway) does not match available service types ([Interface])."
    )
    assert wrong("InvalidParameter", RouteTableIds=["rtb-0"]) == (
        "Route table IDs are only supported for Gateway type VPC Endpoint."
    )
    wrong("InvalidSubnetID.NotFound", SubnetIds=[subnets[0], "subnet-0"])
    wrong("InvalidGroup.NotFound", SecurityGroupIds=["sg-0"])
    far = ec2.describe_subnets(Filters=by("default-for-az", "true"))["Subnets"][0]["SubnetId"]
    wrong("InvalidParameter", SubnetIds=[far])
    default = ec2.describe_security_groups(Filters=by("group-name", "default"))["SecurityGroups"]
    (other,) = (each["GroupId"] for each in default if each["VpcId"] != base["VpcId"])
    wrong("InvalidParameter", SecurityGroupIds=[other])
    wrong("InvalidParameter", DnsOptions={"PrivateDnsOnlyForInboundResolverEndpoint": True})
    wrong("UnsupportedOperation", DnsOptions={"DnsRecordIpType": "dualstack"})
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"] == []
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def test_what_terraform_asks(ec2: Any, base: dict[str, Any], subnets: list[str], group: str, region: str) -> None:
    """`aws_vpc_endpoint` of both types, with the resources for their tables, subnets, groups and policies."""
    vpc = base["VpcId"]

    def made(short: str, kind: str, **params: Any) -> str:
        name = f"com.amazonaws.{region}.{short}"
        wanted = [*by("service-name", name), *by("service-type", kind)]
        (service,) = ec2.describe_vpc_endpoint_services(Filters=wanted)["ServiceDetails"]
        answer = ec2.create_vpc_endpoint(
            VpcId=vpc,
            ServiceName=service["ServiceName"],
            VpcEndpointType=kind,
            TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "Name", "Value": short}]}],
            ClientToken=short,
            **params,
        )
        id_: str = answer["VpcEndpoint"]["VpcEndpointId"]
        found = shown(ec2, id_)
        assert (found["State"], found["Tags"]) == ("available", [{"Key": "Name", "Value": short}])
        lists = ec2.describe_prefix_lists(Filters=by("prefix-list-name", name))["PrefixLists"]
        assert len(lists) == (kind == "Gateway")
        return id_

    gateway = made("s3", "Gateway", PrivateDnsEnabled=False)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.modify_vpc_endpoint(VpcEndpointId=gateway, AddRouteTableIds=[table])
    assert shown(ec2, gateway)["RouteTableIds"] == [table]
    interface = made("ssm", "Interface", PrivateDnsEnabled=True, DnsOptions={"DnsRecordIpType": "ipv4"})
    ec2.modify_vpc_endpoint(VpcEndpointId=interface, AddSubnetIds=subnets[:1])
    ec2.modify_vpc_endpoint(VpcEndpointId=interface, AddSecurityGroupIds=[group])
    document = '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ssm:*", "Resource": "*"}]}'
    ec2.modify_vpc_endpoint(VpcEndpointId=interface, PolicyDocument=document)
    found = shown(ec2, interface)
    assert (found["SubnetIds"], found["PolicyDocument"], len(found["Groups"])) == (subnets[:1], document, 2)

    ec2.modify_vpc_endpoint(VpcEndpointId=interface, RemoveSecurityGroupIds=[group])
    ec2.modify_vpc_endpoint(VpcEndpointId=interface, RemoveSubnetIds=subnets[:1])
    ec2.modify_vpc_endpoint(VpcEndpointId=gateway, RemoveRouteTableIds=[table])
    for id_ in (gateway, interface):
        assert ec2.delete_vpc_endpoints(VpcEndpointIds=[id_])["Unsuccessful"] == []
        refused("InvalidVpcEndpointId.NotFound", ec2.describe_vpc_endpoints, VpcEndpointIds=[id_])
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_route_table(RouteTableId=table)
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=vpc)
