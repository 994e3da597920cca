"""VPC endpoints of the gateway type, the routes that they are; and the services there are endpoints for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hatoba.core.keys import Scope
from hatoba.fleet import model as fleet
from tests.conformance.ec2.networks import Platform, by
from tests.conformance.serving import ACCOUNT, refused

POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}]}
)


@pytest.fixture
def service(region: str) -> str:
    return f"com.amazonaws.{region}.s3"


@pytest.fixture
def table(ec2: Any, vpc: str) -> str:
    id_: str = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    return id_


@pytest.fixture
def endpoint(ec2: Any, vpc: str, service: str, table: str) -> str:
    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service, RouteTableIds=[table])
    id_: str = made["VpcEndpoint"]["VpcEndpointId"]
    return id_


def shown(ec2: Any, id_: str) -> dict[str, Any]:
    found: dict[str, Any] = ec2.describe_vpc_endpoints(VpcEndpointIds=[id_])["VpcEndpoints"][0]
    return found


def list_of(ec2: Any, service: str) -> str:
    """The id of AWS's list with the addresses of a service."""
    (found,) = ec2.describe_prefix_lists(Filters=by("prefix-list-name", service))["PrefixLists"]
    id_: str = found["PrefixListId"]
    return id_


def listed(ec2: Any, table: str) -> list[dict[str, str]]:
    """The routes to prefix lists."""
    found = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    return [route for route in found if "DestinationPrefixListId" in route]


def test_as_it_was_made(ec2: Any, vpc: str, service: str, table: str, region: str) -> None:
    made = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=service,
        RouteTableIds=[table],
        PolicyDocument=POLICY,
        TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "team", "Value": "red"}]}],
    )["VpcEndpoint"]
    assert made["VpcEndpointId"].startswith("vpce-")
    assert (made["VpcEndpointType"], made["State"], made["OwnerId"]) == ("Gateway", "available", ACCOUNT)
    assert (made["VpcId"], made["ServiceName"], made["ServiceRegion"]) == (vpc, service, region)
    assert (made["RouteTableIds"], made["SubnetIds"], made["NetworkInterfaceIds"]) == ([table], [], [])
    assert json.loads(made["PolicyDocument"]) == json.loads(POLICY)
    assert made["Tags"] == [{"Key": "team", "Value": "red"}]
    for wanted in (
        by("service-name", "*.s3"),
        by("vpc-id", vpc),
        by("vpc-endpoint-type", "Gateway"),
        by("vpc-endpoint-state", "available"),
        by("vpc-endpoint-id", made["VpcEndpointId"]),
        by("tag:team", "red"),
    ):
        assert ec2.describe_vpc_endpoints(Filters=wanted)["VpcEndpoints"] == [made]
    assert ec2.describe_vpc_endpoints(Filters=by("vpc-endpoint-type", "Interface"))["VpcEndpoints"] == []


def test_without_a_policy_everything_is_allowed_to_everybody(ec2: Any, endpoint: str) -> None:
    def statement() -> dict[str, Any]:
        (found,) = json.loads(shown(ec2, endpoint)["PolicyDocument"])["Statement"]
        return dict(found)

    full = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    assert statement() == full
    assert ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PolicyDocument=POLICY)["Return"] is True
    assert statement()["Action"] == "s3:*"
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, ResetPolicy=True)
    assert statement() == full


def test_it_is_a_route_that_nothing_else_changes(ec2: Any, endpoint: str, service: str, table: str) -> None:
    prefixes = list_of(ec2, service)
    (route,) = listed(ec2, table)
    assert (route["DestinationPrefixListId"], route["GatewayId"], route["State"]) == (prefixes, endpoint, "active")
    (found,) = ec2.describe_route_tables(Filters=by("route.gateway-id", endpoint))["RouteTables"]
    assert found["RouteTableId"] == table
    to = {"RouteTableId": table, "DestinationPrefixListId": prefixes}
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=found["VpcId"])
    assert refused("InvalidParameterValue", ec2.delete_route, **to) == (
        f"cannot remove VPC endpoint route {prefixes} in route table {table}"
    )
    refused("InvalidParameterValue", ec2.replace_route, GatewayId=gateway, **to)
    refused("RouteAlreadyExists", ec2.create_route, GatewayId=gateway, **to)
    assert listed(ec2, table) == [route]


def test_route_tables_come_and_go(ec2: Any, vpc: str, endpoint: str, service: str, table: str) -> None:
    other = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=[other], RemoveRouteTableIds=[table])
    assert shown(ec2, endpoint)["RouteTableIds"] == [other]
    assert (listed(ec2, table), len(listed(ec2, other))) == ([], 1)
    refused("InvalidParameter", ec2.modify_vpc_endpoint, VpcEndpointId=endpoint, RemoveRouteTableIds=[table])
    second = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service, RouteTableIds=[table])["VpcEndpoint"]
    ec2.delete_route_table(RouteTableId=other)
    assert shown(ec2, endpoint)["RouteTableIds"] == []
    assert shown(ec2, second["VpcEndpointId"])["RouteTableIds"] == [table]


def test_a_table_has_one_route_to_a_service(ec2: Any, vpc: str, endpoint: str, service: str, table: str) -> None:
    free = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    said = refused(
        "RouteAlreadyExists", ec2.create_vpc_endpoint, VpcId=vpc, ServiceName=service, RouteTableIds=[free, table]
    )
    assert said == (f"route table {table} already has a route with destination-prefix-list-id {list_of(ec2, service)}")
    assert listed(ec2, free) == [], "a refused request changes nothing"
    assert len(ec2.describe_vpc_endpoints(Filters=by("vpc-id", vpc))["VpcEndpoints"]) == 1
    refused("RouteAlreadyExists", ec2.modify_vpc_endpoint, VpcEndpointId=endpoint, AddRouteTableIds=[table])
    dynamodb = service.replace(".s3", ".dynamodb")
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=dynamodb, RouteTableIds=[table])
    assert len(listed(ec2, table)) == 2


def test_what_no_endpoint_may_be(ec2: Any, vpc: str, service: str, table: str, region: str) -> None:
    def wrong(code: str, **params: Any) -> str:
        return refused(code, ec2.create_vpc_endpoint, **{"VpcId": vpc, "ServiceName": service, **params})

    nobody = f"com.amazonaws.{region}.nobody"
    assert wrong("InvalidServiceName", ServiceName=nobody) == f"The Vpc Endpoint Service '{nobody}' does not exist"
    wrong("InvalidServiceName", ServiceName="com.amazonaws.mars-1.s3")
    wrong("InvalidVpcID.NotFound", VpcId="vpc-0")
    wrong("InvalidRouteTableID.NotFound", RouteTableIds=["rtb-0"])
    assert wrong("InvalidParameter", VpcEndpointType="Interface") == (
        "Endpoint type (Interface) does not match available service types ([Gateway])."
    )
    wrong("InvalidParameter", SubnetIds=["subnet-0"])
    wrong("InvalidParameter", PrivateDnsEnabled=True)
    wrong("UnsupportedOperation", IpAddressType="ipv6")
    wrong("UnsupportedOperation", ServiceRegion="mars-1")
    for text in ("{}", "what", json.dumps({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})):
        wrong("InvalidPolicyDocument", PolicyDocument=text)
    far = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    wrong("InvalidParameter", VpcId=far, RouteTableIds=[table])
    refused("MissingParameter", ec2.create_vpc_endpoint, VpcId=vpc)
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"] == []
    refused("InvalidVpcEndpointId.NotFound", ec2.modify_vpc_endpoint, VpcEndpointId="vpce-0")
    refused("InvalidVpcEndpointId.NotFound", ec2.describe_vpc_endpoints, VpcEndpointIds=["vpce-0"])
    refused("InvalidVpcEndpointId.Malformed", ec2.describe_vpc_endpoints, VpcEndpointIds=["what"])


def test_the_same_token_makes_one(ec2: Any, vpc: str, service: str, table: str) -> None:
    params = {"VpcId": vpc, "ServiceName": service, "ClientToken": "one", "RouteTableIds": [table]}
    first, again = (ec2.create_vpc_endpoint(**params)["VpcEndpoint"]["VpcEndpointId"] for _ in range(2))
    assert first == again
    refused("IdempotentParameterMismatch", ec2.create_vpc_endpoint, **{**params, "PolicyDocument": POLICY})


def test_what_is_deleted_takes_its_routes_along(ec2: Any, vpc: str, endpoint: str, table: str) -> None:
    ec2.create_tags(Resources=[endpoint], Tags=[{"Key": "team", "Value": "red"}])
    ec2.delete_route_table(RouteTableId=ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"])
    answer = ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint, "vpce-0"])
    (left,) = answer["Unsuccessful"]
    assert (left["ResourceId"], left["Error"]["Code"]) == ("vpce-0", "InvalidVpcEndpointId.NotFound")
    assert listed(ec2, table) == []
    assert ec2.describe_tags(Filters=by("resource-id", endpoint))["Tags"] == []
    refused("InvalidVpcEndpointId.NotFound", ec2.describe_vpc_endpoints, VpcEndpointIds=[endpoint])


def test_a_vpc_with_endpoints_stays(ec2: Any, vpc: str, endpoint: str, table: str) -> None:
    ec2.delete_route_table(RouteTableId=table)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    ec2.delete_vpc(VpcId=vpc)


def test_ways_of_subnets_stay_as_they_are(
    platform: Platform, ec2: Any, region: str, vpc: str, subnet: str, table: str, service: str
) -> None:
    """The platform is reached from every subnet, with a gateway endpoint and without."""

    def network() -> fleet.Network | None:
        return platform.run(lambda: platform.store.find(fleet.networks, Scope("aws", ACCOUNT, region), vpc))

    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    before = network()
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service, RouteTableIds=[table])
    assert before is not None
    assert before.subnets[0].platform
    assert network().subnets == before.subnets


def test_services(ec2: Any, region: str) -> None:
    answer = ec2.describe_vpc_endpoint_services(Filters=by("service-type", "Gateway"))
    names = [f"com.amazonaws.{region}.{name}" for name in ("dynamodb", "s3")]
    assert answer["ServiceNames"] == names
    everything = ec2.describe_vpc_endpoint_services()["ServiceNames"]
    assert everything == sorted(everything)
    assert set(names) < set(everything)
    (ecr,) = ec2.describe_vpc_endpoint_services(ServiceNames=[f"com.amazonaws.{region}.ecr.dkr"])["ServiceDetails"]
    assert ecr["ServiceType"] == [{"ServiceType": "Interface"}]
    assert ecr["PrivateDnsName"] == f"*.dkr.ecr.{region}.amazonaws.com"
    assert ecr["BaseEndpointDnsNames"] == [f"dkr.ecr.{region}.vpce.amazonaws.com"]
    (s3,) = ec2.describe_vpc_endpoint_services(ServiceNames=names[1:])["ServiceDetails"]
    assert (s3["ServiceName"], s3["ServiceType"], s3["Owner"]) == (names[1], [{"ServiceType": "Gateway"}], "amazon")
    assert s3["AvailabilityZones"] == [f"{region}{zone}" for zone in "abc"]
    assert s3["BaseEndpointDnsNames"] == [f"s3.{region}.amazonaws.com"]
    refused("InvalidServiceName", ec2.describe_vpc_endpoint_services, ServiceNames=["what"])
    first = ec2.describe_vpc_endpoint_services(MaxResults=5)
    second = ec2.describe_vpc_endpoint_services(NextToken=first["NextToken"])
    assert first["ServiceNames"] + second["ServiceNames"] == everything
