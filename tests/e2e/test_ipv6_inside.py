"""A task without IPv4 finds what others do: itself, its credentials, the platform, names; and the host reaches it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.test_vpc_endpoints import policy, wants
from tools.images import busybox_files
from tools.inside import Inside
from tools.instance import Instance, eventually
from tools.web import page

pytestmark = pytest.mark.real

GROUP = "/ecs/found"
SAY = r"""
get() { printf "GET $3 HTTP/1.0\r\n\r\n" | timeout 20 nc $1 $2; }
v4=${ECS_CONTAINER_METADATA_URI_V4#http://169.254.170.2}
until get 169.254.170.2 80 $v4/task | grep -q '"KnownStatus":"RUNNING","Pull'; do sleep 0.05; done
echo "METADATA $(get 169.254.170.2 80 $v4 | tail -n 1)"
echo "CREDENTIALS $(get 169.254.170.2 80 $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI | grep -c AccessKeyId)"
place=${AWS_ENDPOINT_URL#http://[}
echo "PLATFORM $(get ${place%]*} ${place##*:} /_hatoba/health | grep -c '200 OK')"
echo "ADDRESSES $(ip -o address show dev eth0 | awk '{print $4}' | tr '\n' ' ')"
echo "RESOLVER $(grep nameserver /etc/resolv.conf)"
echo "NAME $(nslookup -type=aaaa "$BALANCER" | tail -n +3 | tr '\n' ' ')"
echo "ENDPOINT $AWS_ENDPOINT_URL"
echo "THE END"
exec httpd -f -p 80 -h /www
"""


@pytest.fixture(scope="module")
def places(hatoba: Instance) -> dict[str, Any]:
    """A VPC with both, two public subnets with both, and one with IPv6 only."""
    ec2 = hatoba.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.60.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    (block,) = vpc["Ipv6CidrBlockAssociationSet"]
    net = block["Ipv6CidrBlock"].removesuffix("00::/56")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc["VpcId"])
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["RouteTables"]
    for to in ({"DestinationCidrBlock": "0.0.0.0/0"}, {"DestinationIpv6CidrBlock": "::/0"}):
        ec2.create_route(RouteTableId=table["RouteTableId"], GatewayId=gateway, **to)

    def subnet(number: int, zone: str, **more: Any) -> str:
        given = {"VpcId": vpc["VpcId"], "AvailabilityZone": zone, "Ipv6CidrBlock": f"{net}0{number}::/64", **more}
        made: str = ec2.create_subnet(**given)["Subnet"]["SubnetId"]
        return made

    group = ec2.create_security_group(GroupName="found", Description="found", VpcId=vpc["VpcId"])["GroupId"]
    anybody = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, **anybody}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    return {
        "vpc": vpc["VpcId"],
        "group": group,
        "both": [subnet(1, "us-east-1a", CidrBlock="10.60.1.0/24"), subnet(2, "us-east-1b", CidrBlock="10.60.2.0/24")],
        "six": subnet(3, "us-east-1a", Ipv6Native=True),
        "block": f"{net}03:",
    }


@pytest.fixture(scope="module")
def task(hatoba: Instance, places: dict[str, Any]) -> dict[str, Any]:
    """It runs; beside it there is a load balancer with both, whose name it asks for."""
    ecs, logs, elb = hatoba.client("ecs"), hatoba.client("logs"), hatoba.client("elbv2")
    (balancer,) = elb.create_load_balancer(
        Name="found", Subnets=places["both"], SecurityGroups=[places["group"]], IpAddressType="dualstack"
    )["LoadBalancers"]
    elb.get_waiter("load_balancer_available").wait(Names=["found"], WaiterConfig={"Delay": 1})
    logs.create_log_group(logGroupName=GROUP)
    role = hatoba.task_role("found")
    options = {"awslogs-group": GROUP, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t"}
    container = {
        "name": "web",
        "image": hatoba.push("found", busybox_files({"www/index.html": "found\n"})),
        "command": ["sh", "-c", SAY],
        "environment": [{"name": "BALANCER", "value": balancer["DNSName"]}],
        "stopTimeout": 2,
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }
    ecs.register_task_definition(
        family="found",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        taskRoleArn=role,
        executionRoleArn=role,
        containerDefinitions=[container],
    )
    network = {"awsvpcConfiguration": {"subnets": [places["six"]], "securityGroups": [places["group"]]}}
    (task,) = ecs.run_task(taskDefinition="found", launchType="FARGATE", networkConfiguration=network)["tasks"]
    return hatoba.wait_task(task["taskArn"], "RUNNING")


def own_address(task: dict[str, Any]) -> str:
    (interface,) = task["containers"][0]["networkInterfaces"]
    assert "privateIpv4Address" not in interface
    address: str = interface["ipv6Address"]
    return address


@pytest.fixture(scope="module")
def said(hatoba: Instance, task: dict[str, Any]) -> dict[str, str]:
    """All that it found."""
    logs, stream = hatoba.client("logs"), f"t/web/{task['taskArn'].rpartition('/')[2]}"

    def all_said() -> dict[str, str] | None:
        events = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)["events"]
        found = dict(event["message"].partition(" ")[::2] for event in events)
        return found if "THE" in found else None

    found = eventually(all_said)
    assert found is not None
    return found


def test_a_task_without_ipv4_finds_all_that_others_do(
    places: dict[str, Any], task: dict[str, Any], said: dict[str, str]
) -> None:
    own = own_address(task)
    assert own.startswith(places["block"])
    (network,) = json.loads(said["METADATA"])["Networks"]
    assert network["IPv6Addresses"] == [own]
    assert network["IPv6SubnetCIDRBlock"] == f"{places['block']}:/64"
    assert "IPv4Addresses" not in network
    assert (said["CREDENTIALS"], said["PLATFORM"]) == ("1", "1")
    local, *six = said["ADDRESSES"].split()
    assert local.startswith("169.254.17")
    assert six == [f"{own}/128"]
    assert said["RESOLVER"] == "nameserver fd00:ec2::253"
    assert ":" in said["NAME"].partition("Address")[2], said["NAME"]


def test_a_public_one_is_reached_by_its_address(task: dict[str, Any]) -> None:
    assert eventually(lambda: page(own_address(task))) == "found"


READS = """
import boto3, botocore.exceptions
try:
    print(boto3.client("s3", endpoint_url="{url}").get_object(Bucket="sixes", Key="k")["Body"].read().decode())
except botocore.exceptions.ClientError as error:
    print(error.response["Error"]["Code"])
"""


def test_by_ipv6_a_gateway_endpoint_decides_in_the_very_next_request(
    hatoba: Instance, places: dict[str, Any], task: dict[str, Any], said: dict[str, str]
) -> None:
    ec2, s3, inside = hatoba.client("ec2"), hatoba.client("s3"), Inside(hatoba, task)
    program = READS.format(url=said["ENDPOINT"])
    s3.create_bucket(Bucket="sixes")
    s3.put_object(Bucket="sixes", Key="k", Body=b"abc")
    assert inside.python(program) == "abc"
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [places["vpc"]]}])["RouteTables"]
    made = ec2.create_vpc_endpoint(
        VpcId=places["vpc"],
        ServiceName="com.amazonaws.us-east-1.s3",
        RouteTableIds=[tables[0]["RouteTableId"]],
        PolicyDocument=policy("s3:PutObject"),
    )["VpcEndpoint"]["VpcEndpointId"]
    assert inside.python(program) == "AccessDenied"
    ec2.modify_vpc_endpoint(VpcEndpointId=made, PolicyDocument=policy("s3:GetObject"))
    s3.put_bucket_policy(Bucket="sixes", Policy=wants("sixes", made, own_address(task)))
    assert inside.python(program) == "abc"
    ec2.delete_vpc_endpoints(VpcEndpointIds=[made])
    assert inside.python(program) == "AccessDenied"
    s3.delete_bucket_policy(Bucket="sixes")
    s3.delete_object(Bucket="sixes", Key="k")
    s3.delete_bucket(Bucket="sixes")
