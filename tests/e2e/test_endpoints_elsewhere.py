"""Tasks on another machine than the control plane's, in a subnet that leads nowhere: by an interface endpoint they ask
the platform, and so do those of a peered VPC; by a gateway endpoint they have S3 where others reach the platform by a
way outside. Who asks is told truly, also after kills."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.e2e.test_vpc_endpoints import wants
from tools.inside import Inside
from tools.instance import Instance, eventually
from tools.machine import FIRST, Cables, Machine

pytestmark = [pytest.mark.real, pytest.mark.slow]

REGION = "us-east-1"
LISTS = "import boto3; print(len(boto3.client('ecs', endpoint_url={url}).list_clusters()['clusterArns']))"
REFUSED = """
import boto3, botocore.exceptions
try:
    boto3.client("ecs").{asks}
except botocore.exceptions.ClientError as error:
    print(error)
"""


class Far(NamedTuple):
    hatoba: Instance
    machine: Machine


@pytest.fixture
def far() -> Iterator[Far]:
    with Cables() as cables, Instance(options=["--node-host", FIRST]) as hatoba, Machine(hatoba, cables, 2) as machine:
        yield Far(hatoba, machine)


def a_vpc(ec2: Any, block: str) -> tuple[str, str, str]:
    """Its id, and those of a subnet and of its only route table, which leads nowhere."""
    vpc = ec2.create_vpc(CidrBlock=f"{block}.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"{block}.1.0/24")["Subnet"]["SubnetId"]
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    return vpc, subnet, tables[0]["RouteTableId"]


def a_task(far: Far, subnet: str) -> Inside:
    ecs = far.hatoba.client("ecs")
    ecs.register_task_definition(
        family="there",
        networkMode="awsvpc",
        requiresCompatibilities=["EC2"],
        cpu="128",
        memory="64",
        containerDefinitions=[
            {"name": "main", "image": far.hatoba.push("busybox"), "command": ["sh", "-c", "trap exit TERM; sleep 600"]}
        ],
    )
    started = ecs.run_task(
        taskDefinition="there",
        launchType="EC2",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
        placementConstraints=[{"type": "memberOf", "expression": f"ec2InstanceId == {far.machine.name}"}],
    )
    task = far.hatoba.wait_task(started["tasks"][0]["taskArn"], "RUNNING")
    return Inside(far.hatoba, task, far.machine.folder)


def policy(address: str) -> str:
    """Lists clusters, for whoever has this address."""
    allow = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "ecs:ListClusters",
        "Resource": "*",
        "Condition": {"IpAddress": {"aws:VpcSourceIp": address}, "Bool": {"aws:SecureTransport": "true"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [allow]})


def test_a_private_subnet_elsewhere_has_its_way_to_the_platform(far: Far, tmp_path: Path) -> None:
    hatoba, ec2 = far.hatoba, far.hatoba.client("ec2")
    (vpc, subnet, routes), (other, beside, back) = a_vpc(ec2, "10.50"), a_vpc(ec2, "10.60")
    group = ec2.create_security_group(GroupName="endpoint", Description="open", VpcId=vpc)["GroupId"]
    for port in (80, 443):
        ec2.authorize_security_group_ingress(
            GroupId=group, IpProtocol="tcp", FromPort=port, ToPort=port, CidrIp="10.0.0.0/8"
        )
    made = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{REGION}.ecs",
        VpcEndpointType="Interface",
        SubnetIds=[subnet],
        SecurityGroupIds=[group],
    )["VpcEndpoint"]
    inside = a_task(far, subnet)
    ec2.modify_vpc_endpoint(VpcEndpointId=made["VpcEndpointId"], PolicyDocument=policy(inside.address))
    where = f"http://ecs.{REGION}.amazonaws.com/_hatoba/authority.pem"
    fetch = f"import urllib.request as u; print(u.urlopen('{where}').read().decode())"
    (tmp_path / "authority.pem").write_text(inside.python(fetch))
    trusts = {"AWS_CA_BUNDLE": str(tmp_path / "authority.pem")}

    def lists(asking: Inside = inside, url: str = "None") -> bool:
        return int(asking.python(LISTS.format(url=url), **trusts)) > 0

    assert lists()
    gateway(far, vpc, routes, inside)
    reached = f"import socket as s; s.setdefaulttimeout(1); print(s.socket().connect_ex(('{FIRST}', {hatoba.port})))"
    assert int(inside.python(reached)) != 0, "there is no other way"
    words = inside.python(REFUSED.format(asks="list_task_definitions()"), **trusts)
    assert words.endswith("because no VPC endpoint policy allows the ecs:ListTaskDefinitions action")
    told = [
        event
        for each in hatoba.client("cloudtrail").lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "ListClusters"}]
        )["Events"]
        if "vpcEndpointId" in (event := json.loads(each["CloudTrailEvent"]))
    ]
    assert (told[0]["vpcEndpointId"], told[0]["sourceIPAddress"]) == (made["VpcEndpointId"], inside.address)

    # Whoever carries it may be killed.
    far.machine.kill()
    far.machine.start()
    assert eventually(lambda: _or_not(lists), pause=0.5)
    hatoba.kill("control")
    assert eventually(lambda: _or_not(lists), pause=0.5)

    # From a peered VPC, by the endpoint's own name.
    peering = ec2.create_vpc_peering_connection(VpcId=other, PeerVpcId=vpc)["VpcPeeringConnection"]
    pcx = peering["VpcPeeringConnectionId"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=pcx)
    ec2.create_route(RouteTableId=back, DestinationCidrBlock="10.50.0.0/16", VpcPeeringConnectionId=pcx)
    asking = a_task(far, beside)
    name = f"'https://{made['DnsEntries'][0]['DnsName']}'"
    ec2.modify_vpc_endpoint(VpcEndpointId=made["VpcEndpointId"], PolicyDocument=policy(asking.address))
    ec2.create_route(RouteTableId=routes, DestinationCidrBlock="10.60.0.0/16", VpcPeeringConnectionId=pcx)
    assert eventually(lambda: _or_not(lambda: lists(asking, name)), pause=0.5)
    assert "no VPC endpoint policy allows" in inside.python(REFUSED.format(asks="list_clusters()"), **trusts)


READS = """
import boto3, botocore.config
once = botocore.config.Config(connect_timeout=1, retries=dict(total_max_attempts=1))
print(boto3.client("s3", endpoint_url="{url}", config=once).get_object(Bucket="far", Key="k")["Body"].read().decode())
"""


def gateway(far: Far, vpc: str, routes: str, inside: Inside) -> None:
    """To a bucket that wants it, at the platform's own address; while the agent that carries it is killed, too."""
    ec2, s3 = far.hatoba.client("ec2"), far.hatoba.client("s3")
    s3.create_bucket(Bucket="far")
    s3.put_object(Bucket="far", Key="k", Body=b"abc")
    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.s3", RouteTableIds=[routes])
    id_ = made["VpcEndpoint"]["VpcEndpointId"]
    s3.put_bucket_policy(Bucket="far", Policy=wants("far", id_, inside.address))
    with pytest.raises(s3.exceptions.ClientError):
        s3.get_object(Bucket="far", Key="k")
    reads = READS.format(url=f"http://{FIRST}:{far.hatoba.port}")

    def read() -> bool:
        return _or_not(lambda: inside.python(reads) == "abc")

    assert eventually(read, pause=0.2)
    far.machine.kill()
    far.machine.start()
    assert eventually(read, pause=0.5)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[id_])
    assert eventually(lambda: not read(), pause=0.2)


def _or_not(asked: Any) -> bool:
    try:
        return bool(asked())
    except AssertionError:
        return False
