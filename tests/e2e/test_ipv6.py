"""Tasks and load balancers by IPv6: in a subnet of both families and in one with IPv6 only, from the host and among
themselves."""

from __future__ import annotations

from ipaddress import IPv6Network
from typing import Any

import msgspec
import pytest

from tests.e2e.test_task import run
from tests.e2e.test_vpc import asks, attached, serve, stop, within
from tools.images import busybox_files
from tools.instance import Instance, eventually
from tools.web import page

pytestmark = pytest.mark.real


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A VPC with a public subnet of both families in each of two zones, and one of IPv6 only that is let out."""

    vpc: str
    public: tuple[str, ...]
    only6: str
    group: str

    @property
    def dual(self) -> dict[str, Any]:
        return within(self.public[0], self.group)

    @property
    def native(self) -> dict[str, Any]:
        return within(self.only6, self.group)


@pytest.fixture(scope="module")
def network(hatoba: Instance) -> Network:
    ec2 = hatoba.client("ec2")
    made = ec2.create_vpc(CidrBlock="10.70.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    vpc = made["VpcId"]
    block = IPv6Network(made["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"])
    parts = [str(part) for part in block.subnets(new_prefix=64)]
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    eigw = ec2.create_egress_only_internet_gateway(VpcId=vpc)["EgressOnlyInternetGateway"]
    (main,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    public = {"RouteTableId": main["RouteTableId"], "GatewayId": igw}
    ec2.create_route(DestinationCidrBlock="0.0.0.0/0", **public)
    ec2.create_route(DestinationIpv6CidrBlock="::/0", **public)
    private = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    out = {"EgressOnlyInternetGatewayId": eigw["EgressOnlyInternetGatewayId"]}
    ec2.create_route(RouteTableId=private, DestinationIpv6CidrBlock="::/0", **out)
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.70.{n}.0/24", Ipv6CidrBlock=parts[n], AvailabilityZone=zones[n])
        for n in range(2)
    ]
    only6 = ec2.create_subnet(VpcId=vpc, Ipv6CidrBlock=parts[2], Ipv6Native=True, AvailabilityZone=zones[0])
    ec2.associate_route_table(RouteTableId=private, SubnetId=only6["Subnet"]["SubnetId"])
    group = ec2.create_security_group(GroupName="all", Description="all", VpcId=vpc)["GroupId"]
    everybody = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "-1", **everybody}])
    return Network(
        vpc=vpc,
        public=tuple(subnet["Subnet"]["SubnetId"] for subnet in subnets),
        only6=only6["Subnet"]["SubnetId"],
        group=group,
    )


def test_tasks_meet_by_ipv6_and_the_host_meets_those_in_public_subnets(hatoba: Instance, network: Network) -> None:
    one, two = serve(hatoba, "one", network.dual), serve(hatoba, "two", network.native)
    dual, native = attached(one), attached(two)
    assert dual["privateIPv4Address"].startswith("10.70.0.")
    assert "privateIPv4Address" not in native
    six, only6 = dual["ipv6Address"], native["ipv6Address"]
    (shown,) = hatoba.task(two["taskArn"])["containers"][0]["networkInterfaces"]
    assert (shown.get("privateIpv4Address"), shown["ipv6Address"]) == (None, only6)
    assert asks(hatoba, network.native, six) == 10
    assert asks(hatoba, network.dual, only6) == 12
    assert eventually(lambda: page(six, port=8080)) == "one"
    assert not page(only6, port=8080, patience=1), "its gateway lets out only"
    stop(hatoba, one, two)


def test_a_task_with_ipv6_only_is_told_about_itself(hatoba: Instance, network: Network) -> None:
    """By the metadata endpoint, at its address of IPv4 as ever."""
    where = "p=${ECS_CONTAINER_METADATA_URI_V4#http://169.254.170.2}; "
    get = r"""printf "GET $p/task HTTP/1.0\r\n\r\n" | timeout 20 nc 169.254.170.2 80"""
    told = f'{where}case "$({get})" in *IPv6Addresses*) exit 20;; *) exit 21;; esac'
    task = hatoba.wait_task(run(hatoba, "told", command=["sh", "-c", told], network=network.native), "STOPPED")
    assert task["containers"][0]["exitCode"] == 20


def test_a_dual_stack_load_balancer_carries_from_both_to_ipv6(hatoba: Instance, network: Network) -> None:
    elb, ecs = hatoba.client("elbv2"), hatoba.client("ecs")
    made = elb.create_load_balancer(
        Name="both", Subnets=list(network.public), SecurityGroups=[network.group], IpAddressType="dualstack"
    )["LoadBalancers"][0]
    balancer = made["LoadBalancerArn"]
    group = elb.create_target_group(
        Name="six",
        Protocol="HTTP",
        Port=8080,
        VpcId=network.vpc,
        TargetType="ip",
        IpAddressType="ipv6",
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=4,
        HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=8080, DefaultActions=forward)
    ecs.register_task_definition(
        family="six",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[
            {
                "name": "main",
                "image": hatoba.push("six", busybox_files({"www/index.html": "six\n"})),
                "command": ["httpd", "-f", "-p", "8080", "-h", "/www"],
                "portMappings": [{"containerPort": 8080}],
            }
        ],
    )
    ecs.create_service(
        serviceName="six",
        taskDefinition="six",
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration=network.native,
        loadBalancers=[{"targetGroupArn": group, "containerName": "main", "containerPort": 8080}],
    )

    def addresses() -> list[str]:
        found = hatoba.interfaces(balancer)
        return [each["Association"]["PublicIp"] for each in found] + [each["Ipv6Address"] for each in found]

    assert eventually(lambda: len(addresses()) == 4)
    four, *_, six = addresses()
    for address in addresses():
        assert eventually(lambda address=address: page(address, port=8080)) == "six", address  # type: ignore[misc]
    elb.set_ip_address_type(LoadBalancerArn=balancer, IpAddressType="dualstack-without-public-ipv4")
    assert eventually(lambda: not page(four, port=8080, patience=1))
    assert page(six, port=8080) == "six"
    ecs.delete_service(service="six", force=True)
    elb.delete_load_balancer(LoadBalancerArn=balancer)
