"""Gateway endpoints that decide: what is asked of S3 from their subnets goes by them, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.services.ec2.gates import renew_gates
from tests.conformance.ec2.gated import PLACE, Network, Task, allow, deny_unless, document, tasks
from tests.conformance.ec2.networks import Platform
from tests.conformance.serving import fresh_account, refused

ELSEWHERE = "us-east-2"


@pytest.fixture
def region() -> str:
    """A real one, as buckets want it: each test has an account of its own instead."""
    return "eu-west-1"


@pytest.fixture
def net(platform: Platform, region: str) -> Network:
    return Network(platform, region, fresh_account())


@pytest.fixture
def both(platform: Platform, region: str, net: Network) -> Iterator[tuple[Task, Task]]:
    """In the endpoint's subnet, and in the one beside it."""
    with tasks(platform, region, *net.places, account=net.account) as (inside, beside):
        yield inside, beside


@pytest.fixture
def inside(both: tuple[Task, Task]) -> Task:
    return both[0]


@pytest.fixture
def bucket(net: Network, region: str) -> str:
    name = f"bucket-{uuid4().hex[:12]}"
    net.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    net.s3.put_object(Bucket=name, Key="k", Body=b"abc")
    return name


def reads(s3: Any, bucket: str) -> bool:
    try:
        return bool(s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"abc")
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return False


def test_its_policy_decides_whoever_asks_and_every_change_counts_at_once(
    net: Network, both: tuple[Task, Task], bucket: str
) -> None:
    s3, beside = (task.client("s3") for task in both)
    assert reads(s3, bucket), "without a policy everything is allowed"
    net.policy(allow("s3:GetObject"))
    assert reads(s3, bucket)
    words = refused("AccessDenied", s3.put_object, Bucket=bucket, Key="k", Body=b"")
    assert words.endswith("because no VPC endpoint policy allows the s3:PutObject action")
    net.policy(allow("s3:*"), {**allow("s3:GetObject"), "Effect": "Deny"})
    assert "explicit deny in a VPC endpoint policy" in refused("AccessDenied", s3.get_object, Bucket=bucket, Key="k")
    assert reads(beside, bucket), "the other subnet's routes do not lead there"
    assert reads(net.s3, bucket), "who is in no VPC does not go by it"
    net.policy(allow("s3:*", Resource=f"arn:aws:s3:::{bucket}/*"))
    assert reads(s3, bucket)
    refused("AccessDenied", s3.list_buckets)
    net.policy(allow("s3:PutObject"))
    tied: dict[str, Any] = {"AssociationId": net.association}
    other = net.ec2.create_route_table(VpcId=net.vpc)["RouteTable"]["RouteTableId"]
    (main,) = net.ec2.describe_route_tables(
        Filters=[{"Name": "vpc-id", "Values": [net.vpc]}, {"Name": "association.main", "Values": ["true"]}]
    )["RouteTables"]
    modify, ec2 = net.ec2.modify_vpc_endpoint, net.ec2
    id_ = {"VpcEndpointId": net.endpoint}
    assert (reads(s3, bucket), reads(beside, bucket)) == (False, True)
    modify(**id_, RemoveRouteTableIds=[net.table])
    assert reads(s3, bucket), "its table leads nowhere"
    modify(**id_, AddRouteTableIds=[net.table])
    assert not reads(s3, bucket)
    tied["AssociationId"] = ec2.replace_route_table_association(**tied, RouteTableId=other)["NewAssociationId"]
    assert reads(s3, bucket)
    tied["AssociationId"] = ec2.replace_route_table_association(**tied, RouteTableId=net.table)["NewAssociationId"]
    assert not reads(s3, bucket)
    modify(**id_, AddRouteTableIds=[main["RouteTableId"]])
    assert not reads(beside, bucket), "the main table is that of all others"
    ec2.disassociate_route_table(**tied)
    assert not reads(s3, bucket)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[net.endpoint])
    assert reads(s3, bucket)
    assert reads(beside, bucket)


@pytest.mark.parametrize("key", ["SourceVpce", "SourceVpc", "VpcSourceIp"])
def test_a_bucket_may_want_the_endpoint_its_vpc_or_an_address_there(
    net: Network, both: tuple[Task, Task], bucket: str, key: str
) -> None:
    inside, beside = (task.client("s3") for task in both)
    wanted = {"SourceVpce": net.endpoint, "SourceVpc": net.vpc, "VpcSourceIp": both[0].address}[key]
    policy = deny_unless(bucket, **{key: wanted})
    if key == "VpcSourceIp":
        policy = policy.replace("StringNotEquals", "NotIpAddress")
    net.s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert (reads(inside, bucket), reads(beside, bucket), reads(net.s3, bucket)) == (True, False, False)
    net.ec2.delete_vpc_endpoints(VpcEndpointIds=[net.endpoint])
    assert not reads(inside, bucket)


def test_what_presigned_urls_hosts_and_nobody_ask_goes_by_it_too(net: Network, inside: Task, bucket: str) -> None:
    s3 = inside.client("s3")
    asked = {"ClientMethod": "get_object", "Params": {"Bucket": bucket, "Key": "k"}}
    url, old = (inside.client("s3", signature_version=v).generate_presigned_url(**asked) for v in ("s3v4", "s3"))
    regional = f"s3.{inside.region}.amazonaws.com"  # the old signature says no region
    hosted = inside.client("s3", s3={"addressing_style": "virtual"}, signature_version="s3v4")
    named = urlsplit(hosted.generate_presigned_url(**asked))
    assert named.netloc.startswith(bucket)
    net.s3.delete_public_access_block(Bucket=bucket)
    public = {**allow("s3:GetObject"), "Resource": f"arn:aws:s3:::{bucket}/*"}
    net.s3.put_bucket_policy(Bucket=bucket, Policy=document(public))

    def found() -> list[bool]:
        nobodys = inside.get("/k", Host=f"{bucket}.{regional}")
        by_host = inside.get(f"{named.path}?{named.query}", Host=named.netloc)
        by_version2 = inside.get(old.partition(str(inside.port))[2], Host=regional)
        answers = [inside.get(url), by_version2, nobodys, by_host]
        return [status == 200 for status, _ in answers] + [reads(s3, bucket)]

    assert found() == [True] * 5
    net.policy(allow("s3:PutObject"))
    assert found() == [False] * 5
    net.policy(allow("s3:GetObject"))
    assert found() == [True] * 5


def test_nothing_else_is_touched_by_it(platform: Platform, net: Network, inside: Task, bucket: str) -> None:
    net.policy({**allow("*"), "Effect": "Deny"})
    assert not reads(inside.client("s3"), bucket)
    assert inside.client("ec2").describe_vpcs()["Vpcs"]
    assert inside.client("sts").get_caller_identity()["Account"] == net.account
    assert inside.get("/_hatoba/health")[0] == 503, "the page answers; nothing was told that it is ready"
    assert inside.get("/v2/") == (200, f"the registry, {PLACE}, None")
    name = f"bucket-{uuid4().hex[:12]}"
    far = inside.client("s3", region=ELSEWHERE)
    far.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": ELSEWHERE})
    far.put_object(Bucket=name, Key="k", Body=b"abc")
    assert reads(far, name), "another region's S3 is not behind it"
    assert not reads(far, bucket), "whoever is sent on to a bucket's own region asks that"


def test_by_no_endpoint_it_is_who_it_was_without_one(platform: Platform, net: Network, inside: Task) -> None:
    """What policies and the trail are told: the public address, else that of the host; and of a node, the node's."""

    def seen(client: Any = None) -> tuple[str, bool]:
        name = uuid4().hex[:12]
        (client or inside.client("ec2")).create_key_pair(KeyName=name)
        found = platform.client("cloudtrail", region=inside.region, account=net.account).lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateKeyPair"}]
        )["Events"]
        told = next(t for each in found if name in (t := each["CloudTrailEvent"]))
        event = json.loads(told)
        return event["sourceIPAddress"], "vpcEndpointId" in event

    assert seen() == (PLACE, False)
    gateway = net.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    net.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=net.vpc)
    net.ec2.create_route(RouteTableId=net.table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    address = net.interface(net.inside, SecondaryPrivateIpAddressCount=1)
    (shown,) = net.ec2.describe_network_interfaces(NetworkInterfaceIds=[net.made])["NetworkInterfaces"]
    addresses = [each["PrivateIpAddress"] for each in shown["PrivateIpAddresses"]]
    assert addresses[0] == address
    given = []
    for private in addresses:
        elastic = net.ec2.allocate_address()
        net.ec2.associate_address(
            AllocationId=elastic["AllocationId"], NetworkInterfaceId=net.made, PrivateIpAddress=private
        )
        given.append(elastic["PublicIp"])
    with tasks(platform, inside.region, *((net.vpc, private) for private in addresses), account=net.account) as asking:
        assert [seen(task.client("ec2")) for task in asking] == [(public, False) for public in given]
    inside.carrier = "192.0.2.7"
    assert seen() == ("192.0.2.7", False)


def test_all_addresses_of_an_interface_come_by_it_and_no_others(
    platform: Platform, net: Network, inside: Task, bucket: str
) -> None:
    net.interface(net.inside, SecondaryPrivateIpAddressCount=1)
    (shown,) = net.ec2.describe_network_interfaces(NetworkInterfaceIds=[net.made])["NetworkInterfaces"]
    further = shown["PrivateIpAddresses"][1]["PrivateIpAddress"]
    assigned = net.ec2.assign_private_ip_addresses(NetworkInterfaceId=net.made, Ipv4PrefixCount=1)
    prefix = assigned["AssignedIpv4Prefixes"][0]["Ipv4Prefix"].partition("/")[0]
    last = f"{prefix.rpartition('.')[0]}.{int(prefix.rpartition('.')[2]) + 15}"
    net.s3.put_bucket_policy(Bucket=bucket, Policy=deny_unless(bucket, SourceVpce=net.endpoint))
    wanted = {further: True, prefix: True, last: True, "10.0.1.250": False, "10.0.2.250": False, "10.2.0.9": False}
    with tasks(platform, inside.region, *((net.vpc, each) for each in wanted), account=net.account) as asking:
        assert {task.address: reads(task.client("s3"), bucket) for task in asking} == wanted
    other = net.ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
    peered = net.ec2.create_subnet(VpcId=other, CidrBlock="10.2.0.0/24")["Subnet"]["SubnetId"]
    pcx = net.ec2.create_vpc_peering_connection(VpcId=net.vpc, PeerVpcId=other)["VpcPeeringConnection"]
    net.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=pcx["VpcPeeringConnectionId"])
    far = net.interface(peered)
    with tasks(platform, inside.region, (net.vpc, far), (other, far), account=net.account) as asking:
        assert [reads(task.client("s3"), bucket) for task in asking] == [False, False], "peers are not served"


def test_by_ipv6_there_is_no_way_around_it(platform: Platform, region: str, net: Network, bucket: str) -> None:
    six = net.ec2
    vpc = six.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    subnet = six.create_subnet(VpcId=vpc["VpcId"], CidrBlock="10.0.1.0/24", Ipv6CidrBlock=block.replace("/56", "/64"))
    made = six.create_network_interface(SubnetId=subnet["Subnet"]["SubnetId"], Ipv6AddressCount=1)["NetworkInterface"]
    address = made["Ipv6Addresses"][0]["Ipv6Address"]
    given = six.assign_ipv6_addresses(NetworkInterfaceId=made["NetworkInterfaceId"], Ipv6PrefixCount=1)
    within = f"{given['AssignedIpv6Prefixes'][0].partition('/')[0]}7"
    (table,) = six.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["RouteTables"]
    endpoint = six.create_vpc_endpoint(
        VpcId=vpc["VpcId"],
        ServiceName=f"com.amazonaws.{region}.s3",
        RouteTableIds=[table["RouteTableId"]],
        PolicyDocument=document(allow("s3:PutObject")),
    )["VpcEndpoint"]["VpcEndpointId"]
    stranger = f"{address.rpartition(':')[0]}:9"
    with tasks(platform, region, *(("", each) for each in (address, within, stranger)), account=net.account) as asking:
        assert [reads(task.client("s3"), bucket) for task in asking] == [False, False, True]
        six.modify_vpc_endpoint(VpcEndpointId=endpoint, ResetPolicy=True)
        policy = deny_unless(bucket, SourceVpce=endpoint)
        asking[0].client("s3").put_bucket_policy(Bucket=bucket, Policy=policy)
        assert [reads(task.client("s3"), bucket) for task in asking] == [True, True, False]


def test_nodes_lead_there_the_vpcs_that_have_one_for_a_service_with_a_room(
    platform: Platform, region: str, net: Network
) -> None:
    def gated(vpc: str) -> bool:
        return platform.run(lambda: platform.store.index(fleet.networks, "id", vpc)[0].gated)

    assert gated(net.vpc)
    net.ec2.modify_vpc_endpoint(VpcEndpointId=net.endpoint, RemoveRouteTableIds=[net.table])
    assert gated(net.vpc), "a table that it is given counts at once"
    net.ec2.delete_vpc_endpoints(VpcEndpointIds=[net.endpoint])
    assert not gated(net.vpc)
    assert not gated(Network(platform, region, fresh_account(), "dynamodb").vpc), "a route, and nothing on the wire"


def test_those_of_an_earlier_version_count_once_it_is_upgraded(platform: Platform, net: Network) -> None:
    """It has told no node of them."""

    def known() -> fleet.Network:
        return platform.store.index(fleet.networks, "id", net.vpc)[0]

    def forget() -> None:
        with platform.store.tx() as tx:
            tx.put(fleet.networks, replace(known(), gated=False))

    platform.run(forget)
    platform.run(lambda: renew_gates(platform.store))
    assert platform.run(known).gated


def test_connections_through_an_entrance_that_is_none_any_more_end(net: Network, inside: Task, bucket: str) -> None:
    """So that the next one takes the direct way itself."""

    def goes_on() -> bool:
        answer = inside.client("s3").list_buckets()["ResponseMetadata"]["HTTPHeaders"]
        return bool(answer.get("connection") != "close")

    assert goes_on()
    net.ec2.delete_vpc_endpoints(VpcEndpointIds=[net.endpoint])
    assert not goes_on()
