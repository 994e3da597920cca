"""Who asks by the direct way from a VPC that has gateway endpoints: through the real way in, as routers hand on what
comes, with the address of an interface of the real room."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import boto3
from botocore.config import Config
from msgspec.structs import replace

from hatoba.core.clock import SystemClock
from hatoba.gateway.direct import by_entrance, by_ipv6
from hatoba.gateway.entrance import entrance
from hatoba.gateway.front import front
from hatoba.gateway.http import Handler, Request, Response, Server
from hatoba.gateway.own import Own
from hatoba.services.ec2.entrances import endpoint_at
from hatoba.services.ec2.gates import gate_of, guest_at
from tests.conformance.ec2.networks import Platform
from tests.conformance.serving import ACCOUNT, SECRET

PLACE = "100.64.0.1"  # the platform's own, that tasks ask at


async def registry(request: Request) -> Response:
    return Response(body=f"the registry, {request.peer}, {request.way}".encode())


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": "*", "Action": list(actions), "Resource": "*", **more}


def deny_unless(bucket: str, **values: str) -> str:
    """All that is asked of a bucket, where condition keys have other values than these: `aws:` and their names."""
    unless = {"StringNotEquals": {f"aws:{key}": value for key, value in values.items()}}
    there = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    actions = ["s3:GetObject", "s3:PutObject", "s3:ListBucket"]
    return document({"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": there, "Condition": unless})


class Task:
    """A client at an address of a VPC. `vpc`: whose router says so."""

    def __init__(self, platform: Platform, vpc: str, address: str, region: str, *, account: str = ACCOUNT) -> None:
        self.platform, self.vpc, self.address, self.region, self.account = platform, vpc, address, region, account
        self.carrier = ""
        self.server: Server
        self.port = platform.wait(self._serve())

    async def _serve(self) -> int:
        view, path = self.platform.store, self.platform.plane.path
        whole = front(aws=path, registry=registry, own_paths=Own(version="test", components=dict))
        if ":" in self.address:
            way_in = by_ipv6(partial(gate_of, view), whole)
        else:
            direct = by_entrance(self.vpc, partial(guest_at, view), whole)
            find = partial(endpoint_at, view)
            way_in = entrance(
                self.vpc, find, aws=path, registry=registry, authority=registry, direct=direct, places=(PLACE,)
            )
        self.server = Server(self._from(way_in), clock=SystemClock())
        return await self.server.listen("localhost", 0)

    def _from(self, way_in: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            return await way_in(replace(request, peer=self.address, meant=PLACE, carrier=self.carrier))

        return answer

    def client(self, service: str, *, region: str = "", **config: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"http://localhost:{self.port}",
            region_name=region or self.region,
            aws_access_key_id=f"AKIA{self.account}",
            aws_secret_access_key=SECRET,
            config=Config(retries={"total_max_attempts": 1}, **config),
        )

    def get(self, url: str, **headers: str) -> tuple[int, str]:
        """A page, or what a URL leads to, from this task."""
        where = url if "://" in url else f"http://localhost:{self.port}{url}"
        try:
            with urllib.request.urlopen(urllib.request.Request(where, headers=headers), timeout=5) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.server.close(grace=0.0), self.platform.loop).result(20)


@contextmanager
def tasks(platform: Platform, region: str, *places: tuple[str, str], account: str = ACCOUNT) -> Iterator[list[Task]]:
    """One for each VPC and address."""
    made = [Task(platform, vpc, address, region, account=account) for vpc, address in places]
    try:
        yield made
    finally:
        for task in made:
            task.close()


class Network:
    """A VPC with a gateway endpoint for S3 in one of two subnets, and an interface in each."""

    def __init__(self, platform: Platform, region: str, account: str = ACCOUNT, service: str = "s3") -> None:
        self.account = account
        self.ec2 = ec2 = platform.client("ec2", region=region, account=account)
        self.s3 = platform.client("s3", region=region, account=account)
        self.vpc: str = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.table: str = ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.inside = self.subnet("10.0.1.0/24")
        self.beside = self.subnet("10.0.2.0/24")
        tied = ec2.associate_route_table(RouteTableId=self.table, SubnetId=self.inside)
        self.association: str = tied["AssociationId"]
        name = f"com.amazonaws.{region}.{service}"
        made = ec2.create_vpc_endpoint(VpcId=self.vpc, ServiceName=name, RouteTableIds=[self.table])
        self.endpoint: str = made["VpcEndpoint"]["VpcEndpointId"]
        self.places = [(self.vpc, self.interface(each)) for each in (self.inside, self.beside)]

    def subnet(self, block: str) -> str:
        id_: str = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=block)["Subnet"]["SubnetId"]
        return id_

    def interface(self, subnet: str, **more: Any) -> str:
        """Its address."""
        made = self.ec2.create_network_interface(SubnetId=subnet, **more)["NetworkInterface"]
        self.made: str = made["NetworkInterfaceId"]
        address: str = made["PrivateIpAddress"]
        return address

    def policy(self, *statements: dict[str, Any]) -> None:
        self.ec2.modify_vpc_endpoint(VpcEndpointId=self.endpoint, PolicyDocument=document(*statements))
