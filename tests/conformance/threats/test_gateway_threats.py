"""Who is behind a gateway endpoint and wants past its policy, or is not and wants to be taken for it.

Through the real way in of a router that leads there, with addresses of the real room. Each attack is tried again
without the check that stops it, and succeeds. That nobody sends under another's address, and that no connection goes on
past a new gate, is the packet rules' business (`tests/contract/network/test_gate_contract.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from hatoba.services.ec2.model.routes import route_tables
from tests.conformance.ec2.gated import Network, Task, allow, deny_unless, tasks
from tests.conformance.ec2.networks import Platform, served
from tests.conformance.serving import fresh_account
from tests.conformance.threats.disarm import without

HOME, ELSEWHERE = "us-east-1", "us-east-2"
GATES, DIRECT = "hatoba.services.ec2.gates", "hatoba.gateway.direct"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with served(tmp_path_factory.mktemp("gateways")) as platform:
        yield platform


class Behind(Network):
    """With a bucket that wants its endpoint."""

    def __init__(self, platform: Platform, region: str = HOME) -> None:
        super().__init__(platform, region, fresh_account())
        self.platform, self.region = platform, region
        self.bucket = f"bucket-{uuid4().hex[:12]}"
        self.s3.create_bucket(Bucket=self.bucket, **located(region))
        self.s3.put_object(Bucket=self.bucket, Key="k", Body=b"abc")

    def wants_endpoint(self) -> None:
        policy = deny_unless(self.bucket, SourceVpce=self.endpoint)
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=policy)

    def gets(self, vpc: str, address: str, region: str = "") -> bool:
        """A task with the permissions of the account's root."""
        with tasks(self.platform, region or self.region, (vpc, address), account=self.account) as (task,):
            return reads(task, self.bucket)


def located(region: str) -> dict[str, dict[str, str]]:
    return {} if region == HOME else {"CreateBucketConfiguration": {"LocationConstraint": region}}


def reads(task: Task, bucket: str) -> bool:
    try:
        task.client("s3").get_object(Bucket=bucket, Key="k")
    except ClientError:
        return False
    return True


def what_its_policy_does_not_allow(platform: Platform) -> bool:
    net = Behind(platform)
    net.policy(allow("s3:PutObject"))
    return net.gets(*net.places[0])


def by_ipv6_what_its_policy_does_not_allow(platform: Platform) -> bool:
    net = Behind(platform)
    ec2 = net.ec2
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("/56", "/64")
    subnet = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="10.0.1.0/24", Ipv6CidrBlock=block)["Subnet"]["SubnetId"]
    made = ec2.create_network_interface(SubnetId=subnet, Ipv6AddressCount=1)["NetworkInterface"]
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["RouteTables"]
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc["VpcId"], ServiceName=f"com.amazonaws.{HOME}.s3", RouteTableIds=[table["RouteTableId"]]
    )["VpcEndpoint"]["VpcEndpointId"]
    net.endpoint = endpoint
    net.policy(allow("s3:PutObject"))
    return net.gets("", made["Ipv6Addresses"][0]["Ipv6Address"])


def from_a_subnet_that_has_it_not(platform: Platform) -> bool:
    """Of the same VPC, whose router leads all of it there."""
    net = Behind(platform)
    net.wants_endpoint()
    assert net.gets(*net.places[0])
    return net.gets(*net.places[1])


def from_a_subnet_that_has_another_route_to_the_list(platform: Platform) -> bool:
    """An endpoint of a service without a room is none for S3."""
    net = Behind(platform)
    dynamodb = net.ec2.create_vpc_endpoint(VpcId=net.vpc, ServiceName=f"com.amazonaws.{HOME}.dynamodb")["VpcEndpoint"]
    net.ec2.modify_vpc_endpoint(VpcEndpointId=net.endpoint, RemoveRouteTableIds=[net.table])
    net.ec2.modify_vpc_endpoint(VpcEndpointId=dynamodb["VpcEndpointId"], AddRouteTableIds=[net.table])
    policy = deny_unless(net.bucket, SourceVpc=net.vpc)
    net.s3.put_bucket_policy(Bucket=net.bucket, Policy=policy)
    return net.gets(*net.places[0])


def of_another_region(platform: Platform) -> bool:
    """A bucket there that wants a VPC here to come by an endpoint: the one here does not lead there."""
    net, home = Behind(platform, ELSEWHERE), Network(platform, HOME, fresh_account())
    policy = deny_unless(net.bucket, SourceVpc=home.vpc)
    net.s3.put_bucket_policy(Bucket=net.bucket, Policy=policy)
    return net.gets(*home.places[0], region=ELSEWHERE)


Attack = Callable[[Platform], bool]
THREATS: list[tuple[Attack, tuple[str, str, str]]] = [
    (what_its_policy_does_not_allow, ("hatoba.gateway.path:Path._find_way", "if gate is not None:", "if False:")),
    (by_ipv6_what_its_policy_does_not_allow, (f"{DIRECT}:by_ipv6", "gate=find(request.peer)", "gate=None")),
    (
        from_a_subnet_that_has_it_not,
        (f"{GATES}:_way", "table_of(view, subnet).routes", "[r for t in view.all(route_tables) for r in t.routes]"),
    ),
    (
        from_a_subnet_that_has_another_route_to_the_list,
        (f"{GATES}:_way", 'endpoint.service == f"com.amazonaws.{region}.{service}"', "True"),
    ),
    (of_another_region, (f"{GATES}:_way", 'endpoint.service == f"com.amazonaws.{region}.{service}"', "True")),
]


@pytest.mark.parametrize(("attack", "check"), THREATS, ids=[attack.__name__ for attack, _ in THREATS])
def test_refused_by_a_check_that_is_needed(platform: Platform, attack: Attack, check: tuple[str, str, str]) -> None:
    assert not attack(platform)
    with pytest.MonkeyPatch.context() as known:
        known.setattr(f"{GATES}.route_tables", route_tables, raising=False)  # for what is written in a check's place
        with without(*check):
            assert attack(platform), "it is not this check that refuses it"
