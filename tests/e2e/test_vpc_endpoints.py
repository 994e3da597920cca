"""A task behind an interface endpoint: who comes from where is known, its policy decides, it leads to its service, and
SDKs that know nothing of Hatoba find it, by TLS. And one whose subnet has a gateway endpoint, by the direct way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from tools.images import busybox_files
from tools.inside import Inside as There
from tools.instance import Instance, eventually

pytestmark = [pytest.mark.real, pytest.mark.slow]

REGION = "us-east-1"


def signed(hatoba: Instance, service: str, version: str, action: str) -> str:
    """A request that a program without an SDK can send: all of it in the URL."""
    given = hatoba.environment
    url = f"http://{service}.{REGION}.amazonaws.com/?Action={action}&Version={version}"
    request = botocore.awsrequest.AWSRequest("GET", url)
    keys = botocore.credentials.Credentials(given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"])
    botocore.auth.SigV4QueryAuth(keys, service, REGION, expires=600).add_auth(request)
    return str(request.url)


def policy(*actions: str) -> str:
    allow = {"Effect": "Allow", "Principal": "*", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [allow]})


def wants(bucket: str, endpoint: str, address: str) -> str:
    """Objects are read through this endpoint, from this address."""
    return json.dumps(
        {
            "Statement": [
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:GetObject",
                    "Resource": f"arn:aws:s3:::{bucket}/*",
                    "Condition": unless,
                }
                for unless in (
                    {"StringNotEquals": {"aws:SourceVpce": endpoint}},
                    {"NotIpAddress": {"aws:VpcSourceIp": address}},
                )
            ]
        }
    )


class Inside:
    """A task that asks."""

    def __init__(self, hatoba: Instance) -> None:
        self.hatoba = hatoba
        image = hatoba.push("asks", busybox_files({"bin/wget": "-> busybox"}))
        ecs = hatoba.client("ecs")
        sleeps = {"name": "asks", "image": image, "command": ["sh", "-c", "trap exit TERM; while :; do sleep 1; done"]}
        ecs.register_task_definition(
            family="asks",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            executionRoleArn=hatoba.task_role("housekeeping"),
            containerDefinitions=[sleeps],
        )
        self.network = hatoba.network()
        started = ecs.run_task(
            taskDefinition="asks", launchType="FARGATE", networkConfiguration=self.network, enableExecuteCommand=True
        )
        self.arn: str = started["tasks"][0]["taskArn"]
        hatoba.wait_task(self.arn, "RUNNING")
        (shown,) = ecs.describe_tasks(tasks=[self.arn])["tasks"]
        self.there = There(hatoba, shown)
        self.address, self.subnet = self.there.address, self.there.subnet
        self.vpc = hatoba.client("ec2").describe_subnets(SubnetIds=[self.subnet])["Subnets"][0]["VpcId"]

    def asks(self, url: str, host: str = "") -> str:
        """What it is answered, or the status."""
        named = ["--header", f"Host: {host}"] if host else []
        return self.hatoba.hatoba("exec", self.arn, "--", "wget", "-q", "-O", "-", *named, url, check=False)

    @contextmanager
    def endpoint(self, service: str, document: str | None = None) -> Iterator[str]:
        """An address, open to everybody at both ports."""
        ec2 = self.hatoba.client("ec2")
        group = ec2.create_security_group(GroupName=f"for-{service}", Description="open", VpcId=self.vpc)["GroupId"]
        for port in (80, 443):
            ec2.authorize_security_group_ingress(
                GroupId=group, IpProtocol="tcp", FromPort=port, ToPort=port, CidrIp="0.0.0.0/0"
            )
        made = ec2.create_vpc_endpoint(
            VpcId=self.vpc,
            ServiceName=f"com.amazonaws.{REGION}.{service}",
            VpcEndpointType="Interface",
            SubnetIds=[self.subnet],
            SecurityGroupIds=[group],
            **({"PolicyDocument": document} if document else {}),
        )["VpcEndpoint"]
        found = ec2.describe_network_interfaces(NetworkInterfaceIds=made["NetworkInterfaceIds"])
        yield found["NetworkInterfaces"][0]["PrivateIpAddress"]
        ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])
        ec2.delete_security_group(GroupId=group)


@pytest.fixture(scope="module")
def inside(hatoba: Instance) -> Inside:
    return Inside(hatoba)


def test_its_policy_decides_and_it_leads_to_its_service_alone(hatoba: Instance, inside: Inside) -> None:
    ec2, trail = hatoba.client("ec2"), hatoba.client("cloudtrail")
    (subnet,) = ec2.describe_subnets(SubnetIds=[inside.subnet])["Subnets"]
    group = ec2.create_security_group(GroupName="endpoint", Description="open", VpcId=subnet["VpcId"])["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0")
    made = ec2.create_vpc_endpoint(
        VpcId=subnet["VpcId"],
        ServiceName=f"com.amazonaws.{REGION}.ec2",
        VpcEndpointType="Interface",
        SubnetIds=[inside.subnet],
        SecurityGroupIds=[group],
        PolicyDocument=policy("ec2:DescribeVpcs"),
    )["VpcEndpoint"]
    id_ = made["VpcEndpointId"]
    (eni,) = ec2.describe_network_interfaces(NetworkInterfaceIds=made["NetworkInterfaceIds"])["NetworkInterfaces"]

    def event(name: str, **more: Any) -> dict[str, Any]:
        found = trail.lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}])["Events"]
        told: dict[str, Any] = next(
            event for each in found if (event := json.loads(each["CloudTrailEvent"])).get("vpcEndpointId") == id_
        )
        return told

    vpcs, regions = (signed(hatoba, "ec2", "2016-11-15", action) for action in ("DescribeVpcs", "DescribeRegions"))
    assert eventually(lambda: subnet["VpcId"] in inside.asks(vpcs), pause=0.5)
    allowed = event("DescribeVpcs")
    assert (allowed["sourceIPAddress"], allowed["vpcEndpointAccountId"]) == (inside.address, "123456789012")
    assert inside.asks(regions) == ""
    assert event("DescribeRegions")["errorMessage"].endswith(
        "because no VPC endpoint policy allows the ec2:DescribeRegions action"
    )
    ec2.modify_vpc_endpoint(VpcEndpointId=id_, PolicyDocument=policy("ec2:Describe*"))
    assert REGION in inside.asks(regions), "the next request"
    # STS has endpoints of its own; this one takes nothing for it.
    sts = signed(hatoba, "sts", "2011-06-15", "GetCallerIdentity")
    address = eni["PrivateIpAddress"]
    elsewhere = sts.replace(f"sts.{REGION}.amazonaws.com", address)
    assert inside.asks(elsewhere, f"sts.{REGION}.amazonaws.com") == ""
    assert inside.asks(f"http://{address}/_hatoba/metrics") == ""
    # Whoever serves it may be killed.
    for process in ("node", "control"):
        hatoba.kill(process)
        assert eventually(lambda: REGION in inside.asks(regions), pause=0.5)


ASKS = """
import boto3, botocore.exceptions
ecs = boto3.client("ecs")
print(ecs.meta.endpoint_url, len(ecs.list_task_definitions()["taskDefinitionArns"]) > 0)
try:
    boto3.client("logs", endpoint_url="http://logs.us-east-1.amazonaws.com").describe_log_groups()
except botocore.exceptions.ClientError as refused:
    print(refused.response["Error"]["Code"])
print(len(boto3.client("logs").describe_log_groups()["logGroups"]) >= 0)
registry = boto3.client("ecr").get_authorization_token()["authorizationData"][0]
print(bool(registry["authorizationToken"]))
"""


def test_sdks_find_it_by_its_services_own_names_by_tls(inside: Inside, tmp_path: Path) -> None:
    """With nothing but whom to trust. A policy may ask for it."""
    by_tls = json.loads(policy("*"))
    by_tls["Statement"][0]["Condition"] = {"Bool": {"aws:SecureTransport": "true"}}
    with inside.endpoint("ecs"), inside.endpoint("logs", json.dumps(by_tls)), inside.endpoint("ecr.api"):
        where = f"http://ecs.{REGION}.amazonaws.com/_hatoba/authority.pem"
        assert eventually(lambda: "CERTIFICATE" in inside.asks(where), pause=0.5)
        authority = tmp_path / "authority.pem"
        authority.write_text(inside.asks(where))
        told = inside.there.python(ASKS, AWS_CA_BUNDLE=str(authority)).splitlines()
        assert told == [f"https://ecs.{REGION}.amazonaws.com True", "AccessDeniedException", "True", "True"]


READS = """
import boto3, botocore.exceptions
s3 = boto3.client("s3", endpoint_url="{url}")
for _ in range({times}):
    try:
        print(s3.get_object(Bucket="{bucket}", Key="k")["Body"].read().decode())
    except botocore.exceptions.ClientError as error:
        print(error.response["Error"]["Code"])
    if {times} > 1:
        input()
print(boto3.client("sts", endpoint_url="{url}").get_caller_identity()["Account"])
"""
OWN = "123456789012"


def test_a_gateway_endpoint_decides_about_s3_and_nothing_else(hatoba: Instance, inside: Inside) -> None:
    ec2, s3 = hatoba.client("ec2"), hatoba.client("s3")
    url = hatoba.hatoba("exec", inside.arn, "--", "sh", "-c", "echo $AWS_ENDPOINT_URL").strip()
    s3.create_bucket(Bucket="for-gateways")
    s3.put_object(Bucket="for-gateways", Key="k", Body=b"abc")

    def reads() -> str:
        """Other services are asked by the same way, whatever the policy says."""
        found, account = inside.there.python(READS.format(url=url, bucket="for-gateways", times=1)).split()
        assert account == OWN
        return found

    with inside.there.talking(READS.format(url=url, bucket="for-gateways", times=2)) as standing:
        assert standing.says() == "abc", "by a connection that stands before there is an endpoint"
        main = [{"Name": "vpc-id", "Values": [inside.vpc]}, {"Name": "association.main", "Values": ["true"]}]
        (table,) = ec2.describe_route_tables(Filters=main)["RouteTables"]
        made = ec2.create_vpc_endpoint(
            VpcId=inside.vpc,
            ServiceName=f"com.amazonaws.{REGION}.s3",
            RouteTableIds=[table["RouteTableId"]],
            PolicyDocument=policy("s3:PutObject"),
        )["VpcEndpoint"]["VpcEndpointId"]
        assert eventually(lambda: reads() == "AccessDenied", pause=0.1)
        standing.hears()
        assert standing.says() == "AccessDenied", "it does not go on past the endpoint"
    ec2.modify_vpc_endpoint(VpcEndpointId=made, PolicyDocument=policy("s3:GetObject"))
    assert reads() == "abc", "the next request"
    s3.put_bucket_policy(Bucket="for-gateways", Policy=wants("for-gateways", made, inside.address))
    with pytest.raises(s3.exceptions.ClientError):
        s3.get_object(Bucket="for-gateways", Key="k")
    assert reads() == "abc"
    for process in ("node", "control"):
        hatoba.kill(process)
        assert eventually(lambda: _or_nothing(reads) == "abc", pause=0.5)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[made])
    assert reads() == "AccessDenied"
    s3.delete_bucket_policy(Bucket="for-gateways")
    s3.delete_object(Bucket="for-gateways", Key="k")
    s3.delete_bucket(Bucket="for-gateways")


def _or_nothing(asked: Callable[[], str]) -> str:
    try:
        return asked()
    except AssertionError:
        return ""
