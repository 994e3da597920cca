"""Who comes through a VPC endpoint and wants more than it lets pass: other actions, other services, other paths.

Through the real way in behind an endpoint of the real room, as the VPC's router hands on what comes: by the address
that was asked for. Each attack is tried again without the check that stops it, and succeeds.
"""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from hatoba.gateway.entrance import entrance
from hatoba.gateway.http import Request, Response, Server
from hatoba.gateway.own import shown
from hatoba.gateway.way import Way
from hatoba.services.ec2.entrances import endpoint_at, names_at
from tests.conformance.ec2.networks import Platform, served
from tests.conformance.serving import SECRET, fresh_account, refused
from tests.conformance.threats.disarm import without

REGION = "us-east-1"
SERVERS: list[Server] = []  # of all ways in, to be closed


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with served(tmp_path_factory.mktemp("endpoints")) as platform:
        yield platform
        for server in SERVERS:
            asyncio.run_coroutine_threadsafe(server.close(grace=0.0), platform.loop).result(20)


async def registry(request: Request) -> Response:
    return Response(body=b"the registry")


class Behind:
    """A VPC of an account of its own, with an interface endpoint, and clients that have no other way."""

    def __init__(self, platform: Platform, *statements: dict[str, Any], service: str = "ec2") -> None:
        self.platform, self.account = platform, fresh_account()
        self.ec2 = platform.client("ec2", account=self.account)
        subnet = self.ec2.describe_subnets()["Subnets"][0]
        made = self.ec2.create_vpc_endpoint(
            VpcId=subnet["VpcId"],
            ServiceName=f"com.amazonaws.{REGION}.{service}",
            VpcEndpointType="Interface",
            SubnetIds=[subnet["SubnetId"]],
            **({"PolicyDocument": document(*statements)} if statements else {}),
        )["VpcEndpoint"]
        self.id, self.vpc = made["VpcEndpointId"], subnet["VpcId"]
        (eni,) = self.ec2.describe_network_interfaces(NetworkInterfaceIds=made["NetworkInterfaceIds"])[
            "NetworkInterfaces"
        ]
        self.address = eni["PrivateIpAddress"]
        self.port = asyncio.run_coroutine_threadsafe(self._serve(), platform.loop).result(20)

    async def _serve(self) -> int:
        def find(network: str, meant: str) -> Way | None:
            return endpoint_at(self.platform.store, network, self.address)

        server = Server(
            entrance(self.vpc, find, aws=self.platform.plane.path, registry=registry, authority=shown("whom"))
        )
        SERVERS.append(server)
        return await server.listen("localhost", 0)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"http://localhost:{self.port}",
            region_name=REGION,
            aws_access_key_id=f"AKIA{self.account}",
            aws_secret_access_key=SECRET,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def get(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://localhost:{self.port}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": "*", "Action": list(actions), "Resource": "*", **more}


def deny(*actions: str) -> dict[str, Any]:
    return {**allow(*actions), "Effect": "Deny"}


def works(operation: Callable[..., Any], **params: Any) -> bool:
    try:
        operation(**params)
    except ClientError:
        return False
    return True


def what_its_policy_does_not_allow(platform: Platform) -> bool:
    behind = Behind(platform, allow("ec2:Describe*"))
    assert behind.client("ec2").describe_vpcs()["Vpcs"]
    return works(behind.client("ec2").create_vpc, CidrBlock="10.0.0.0/16")


def what_its_policy_denies(platform: Platform) -> bool:
    return works(Behind(platform, allow("*"), deny("ec2:CreateVpc")).client("ec2").create_vpc, CidrBlock="10.0.0.0/16")


def another_service(platform: Platform) -> bool:
    return works(Behind(platform).client("iam").list_users)


Attack = Callable[[Platform], bool]
THREATS: list[tuple[Attack, tuple[str, str, str]]] = [
    (
        what_its_policy_does_not_allow,
        ("hatoba.policy.decision:_limits", "policies.endpoint is not None and", "False and"),
    ),
    (what_its_policy_denies, ("hatoba.policy.decision:_all", "if policies.endpoint is not None:", "if False:")),
    (another_service, ("hatoba.gateway.path:_check_way", "if way is not None and", "if False and")),
]


@pytest.mark.parametrize(("attack", "check"), THREATS, ids=[attack.__name__ for attack, _ in THREATS])
def test_refused_by_a_check_that_is_needed(platform: Platform, attack: Attack, check: tuple[str, str, str]) -> None:
    assert not attack(platform)
    with without(*check):
        assert attack(platform), "it is not this check that refuses it"


def test_the_words_and_that_a_change_counts_at_once(platform: Platform) -> None:
    behind = Behind(platform, allow("ec2:DescribeRegions"))
    ec2 = behind.client("ec2")
    words = refused("UnauthorizedOperation", ec2.describe_vpcs)
    assert words.endswith("because no VPC endpoint policy allows the ec2:DescribeVpcs action")
    change: list[tuple[dict[str, Any], str]] = [
        ({"PolicyDocument": document(allow("*"), deny("ec2:DescribeVpcs"))}, "explicit deny in a VPC endpoint policy"),
        ({"PolicyDocument": document(allow("ec2:*", Principal={"AWS": behind.account}))}, ""),
        ({"PolicyDocument": document(allow("ec2:*", Principal={"AWS": fresh_account()}))}, "no VPC endpoint policy"),
        ({"ResetPolicy": True}, ""),
    ]
    for change_to, expected in change:
        behind.ec2.modify_vpc_endpoint(VpcEndpointId=behind.id, **change_to)
        if expected:
            assert expected in refused("UnauthorizedOperation", ec2.describe_vpcs)
        else:
            assert ec2.describe_vpcs()["Vpcs"]
    assert behind.ec2.describe_vpcs()["Vpcs"], "the direct way is nobody's endpoint"
    behind.ec2.delete_vpc_endpoints(VpcEndpointIds=[behind.id])
    assert behind.get("/?Action=DescribeVpcs&Version=2016-11-15") == 403


def test_it_leads_to_its_service_and_to_nothing_else_of_the_platform(platform: Platform) -> None:
    plain = Behind(platform)
    assert refused("SignatureDoesNotMatch", plain.client("sts").get_caller_identity) == (
        "Credential should be scoped to correct service: 'ec2'. "
    )
    for path in ("/_hatoba/health", "/_hatoba/metrics", "/_hatoba/authority.pem/", "/v2/"):
        assert plain.get(path) >= 400
    assert plain.get("/_hatoba/authority.pem") == 200, "whom to trust by TLS is everybody's to know"
    images = Behind(platform, service="ecr.dkr")
    assert [images.get(path) for path in ("/v2", "/v2/", "/v2/app/manifests/v1")] == [200, 200, 200]
    for path in ("/v20", "/", "/_hatoba/metrics"):
        assert images.get(path) >= 400
    assert not works(images.client("ec2").describe_vpcs)


def test_by_tls_it_is_called_as_its_own_service_and_only_in_its_own_vpc(platform: Platform) -> None:
    plain, images = Behind(platform), Behind(platform, service="ecr.dkr")
    (made,) = plain.ec2.describe_vpc_endpoints(VpcEndpointIds=[plain.id])["VpcEndpoints"]
    own = "ec2.us-east-1.amazonaws.com"
    called = (own, "*.ec2.us-east-1.vpce.amazonaws.com")
    for name in (own, *(entry["DnsName"] for entry in made["DnsEntries"] if "vpce" in entry["DnsName"])):
        assert names_at(platform.store, plain.vpc, name) == called
        assert names_at(platform.store, images.vpc, name) == ()
    registry = ("*.dkr.ecr.us-east-1.amazonaws.com", "*.dkr.ecr.us-east-1.vpce.amazonaws.com")
    assert names_at(platform.store, images.vpc, f"{images.account}.dkr.ecr.us-east-1.amazonaws.com") == registry
    for name in ("", "sts.us-east-1.amazonaws.com", f"x.{own}", "a.b.ec2.us-east-1.vpce.amazonaws.com", f".{own}"):
        assert names_at(platform.store, plain.vpc, name) == ()
    plain.ec2.delete_vpc_endpoints(VpcEndpointIds=[plain.id])
    assert names_at(platform.store, plain.vpc, own) == ()
