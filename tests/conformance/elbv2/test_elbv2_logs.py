"""Logs of load balancers on their way into buckets: who may write, what is checked, what a node may bring."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hatoba.aws import conform
from hatoba.core.errors import AwsError, PortError
from hatoba.fleet.messages import LogFile
from hatoba.gateway.call import Call
from hatoba.gateway.needs import Access, Keys, Params, on
from hatoba.gateway.room import Service
from hatoba.proxy.logfiles import Kind, key, stem
from hatoba.services.elbv2 import deliveries
from hatoba.services.elbv2.model.log_way import KEPT, log_ways
from tests.conformance.elbv2.test_elbv2_api import refused
from tests.conformance.elbv2.test_elbv2_network import flows
from tests.conformance.elbv2.world import ACCOUNT, REGION, World, world

NOW = 1_700_000_000.0
ALB, NLB = "logdelivery.elasticloadbalancing.amazonaws.com", "delivery.logs.amazonaws.com"
OLDER = "127311923021"  # the load balancers' account in us-east-1


class Buckets:
    """S3, as far as it matters here: buckets with policies, which the real engine decides by."""

    def __init__(self) -> None:
        self.policies: dict[str, str | None] = {"logs": None}
        self.objects: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.broken: AwsError | None = None
        access = Access(
            "s3",
            {"PutObject": on(self._object, keys=self._keys)},
            policy_of=lambda _, arn: self.policies.get(_name(arn)),
        )
        self.service = Service("s3", access=access)
        self.service.operation(self.put_object)
        self.service.operation(self.put_bucket_policy)

    @staticmethod
    def _object(req: Params, call: Call) -> list[str]:
        return [f"arn:aws:s3:::{req['Bucket']}/{req['Key']}"]

    @staticmethod
    def _keys(req: Params, call: Call) -> Keys:
        return {"s3:x-amz-acl": req["ACL"]} if "ACL" in req else {}

    async def put_object(self, req: Any, call: Call) -> Any:
        if self.broken is not None:
            raise self.broken
        if req["Bucket"] not in self.policies:
            raise AwsError("The specified bucket does not exist", code="NoSuchBucket", status=404)
        self.asked.append((call.principal.arn, call.source))
        self.objects[f"{req['Bucket']}/{req['Key']}"] = req["Body"]
        return {}

    async def put_bucket_policy(self, req: Any, call: Call) -> Any:
        raise NotImplementedError

    def allow(self, principal: dict[str, str], where: str = f"logs/*AWSLogs/{ACCOUNT}/*", **more: Any) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": principal,
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{where}",
        }
        self.policies["logs"] = json.dumps({"Version": "2012-10-17", "Statement": [statement | more]})


def _name(arn: str) -> str:
    return arn.removeprefix("arn:aws:s3:::").partition("/")[0]


@asynccontextmanager
async def logging(path: Path) -> AsyncIterator[tuple[World, Buckets, str]]:
    buckets = Buckets()
    async with world(path, further=(buckets.service,)) as w:
        balancer, group = await w.balancer(), await w.group()
        await w.listener(balancer, group)
        await w.settle()
        yield w, buckets, balancer


def attributes(name: str, **given: str) -> list[dict[str, str]]:
    return [{"Key": f"{name}.s3.{key}", "Value": value} for key, value in given.items()]


async def switch_on(w: World, balancer: str, name: str = "access_logs", **more: str) -> None:
    wish = attributes(name, enabled="true", bucket="logs", **more)
    await w.elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=wish)
    await w.settle()


def file(balancer: str, kind: Kind = "access", number: int = 0) -> LogFile:
    id_ = balancer.partition("loadbalancer/")[2]
    made = key(stem(kind, ACCOUNT, REGION, id_), NOW, "172.31.0.5", number)
    return LogFile(number=1, name=made.rpartition("/")[2], body=b"lines")


FOLDER = f"AWSLogs/{ACCOUNT}/elasticloadbalancing/{REGION}/2023/11/14"


@pytest.mark.parametrize(
    ("name", "kind", "test"),
    [
        ("access_logs", "access", "ELBAccessLogTestFile"),
        ("connection_logs", "connection", "ELBConnectionLogTestFile"),
        ("health_check_logs", "health", "ELBHealthCheckLogTestFile"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "team/web", "team/web/"])
async def test_a_file_is_put_where_the_attributes_say(
    tmp_path: Path, name: str, kind: Kind, test: str, prefix: str
) -> None:
    async with logging(tmp_path) as (w, buckets, balancer):
        buckets.allow({"Service": ALB})
        await switch_on(w, balancer, name, prefix=prefix)
        before = f"logs/{prefix.rstrip('/')}/" if prefix else "logs/"
        assert buckets.objects == {f"{before}AWSLogs/{ACCOUNT}/{test}": b""}
        carried = w.wanted().balancers[0]
        stems = {"access": carried.access_log, "connection": carried.connection_log, "health": carried.health_log}
        assert stems.pop(kind) == stem(kind, ACCOUNT, REGION, carried.id)
        assert set(stems.values()) == {""}
        brought = file(balancer, kind)
        await deliveries.keep(w.plane, "node-1", brought)
        await deliveries.keep(w.plane, "node-1", brought)
        assert buckets.objects.pop(f"{before}{FOLDER}/{brought.name}") == b"lines"
        assert len(buckets.objects) == 1, "brought twice it is one object"
        assert set(buckets.asked) == {("arn:aws:iam::aws:service/logdelivery.elasticloadbalancing", balancer)}


async def test_the_buckets_policy_decides_and_nothing_is_changed_where_it_says_no(tmp_path: Path) -> None:
    async with logging(tmp_path) as (w, buckets, balancer):
        denied = "Access Denied for bucket: logs. Please check S3bucket permission"

        async def no() -> None:
            await refused("InvalidConfigurationRequest", denied, switch_on(w, balancer))

        before = await w.elb.describe_load_balancer_attributes(LoadBalancerArn=balancer)
        version = w.carried()[0].version
        await no()  # there is no policy: that bucket and load balancer have one owner is not enough
        for principal in ({"Service": NLB}, {"Service": "elasticloadbalancing.amazonaws.com"}, {"AWS": "797873946194"}):
            buckets.allow(principal)
            await no()
        buckets.allow({"Service": ALB}, where="logs/AWSLogs/999999999999/*")
        await no()
        buckets.allow({"Service": ALB}, Condition={"StringEquals": {"aws:SourceAccount": "999999999999"}})
        await no()
        buckets.allow({"Service": ALB}, Effect="Deny")
        await no()
        buckets.policies.clear()
        await no()
        assert await w.elb.describe_load_balancer_attributes(LoadBalancerArn=balancer) == before
        assert (w.carried()[0].version, w.store.all(log_ways)) == (version, [])
        buckets.allow(
            {"Service": ALB},
            Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": balancer}},
        )
        await switch_on(w, balancer)


async def test_an_older_policy_that_names_the_load_balancers_account_counts(tmp_path: Path) -> None:
    async with logging(tmp_path) as (w, buckets, balancer):
        buckets.allow({"AWS": f"arn:aws:iam::{OLDER}:root"})
        await switch_on(w, balancer)
        await deliveries.keep(w.plane, "node-1", file(balancer))
        assert set(buckets.asked) == {(f"arn:aws:iam::{OLDER}:root", "")}


async def test_a_bucket_in_another_region_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(conform._UNDECLARED, ("s3", "PutObject"), frozenset({"PermanentRedirect"}))
    async with logging(tmp_path) as (w, buckets, balancer):
        buckets.allow({"Service": ALB})
        buckets.broken = AwsError("elsewhere", code="PermanentRedirect", status=301)
        await refused("InvalidConfigurationRequest", "not located in the same region", switch_on(w, balancer))


async def test_only_what_is_asked_for_is_checked(tmp_path: Path) -> None:
    async with logging(tmp_path) as (w, buckets, balancer):
        buckets.allow({"Service": ALB})
        await switch_on(w, balancer)
        buckets.policies["logs"] = None
        other = [{"Key": "idle_timeout.timeout_seconds", "Value": "61"}]
        await w.elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=other)
        off = attributes("access_logs", enabled="false")
        await w.elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=off)


async def test_what_cannot_be_put_now_may_be_later(tmp_path: Path) -> None:
    async with logging(tmp_path) as (w, buckets, balancer):
        buckets.allow({"Service": ALB})
        await switch_on(w, balancer)
        policy = buckets.policies.pop("logs")
        with pytest.raises(PortError, match="logs: "):
            await deliveries.keep(w.plane, "node-1", file(balancer))
        buckets.policies["logs"] = policy
        await deliveries.keep(w.plane, "node-1", file(balancer))
        assert f"logs/{FOLDER}/{file(balancer).name}" in buckets.objects


async def test_network_load_balancers_write_as_the_log_delivery_of_cloudwatch(tmp_path: Path) -> None:
    async with logging(tmp_path) as (w, buckets, _):
        balancer, _, _ = await flows(w)
        owner = {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control", "aws:SourceAccount": ACCOUNT}}
        source = {"ArnLike": {"aws:SourceArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:*"}}
        buckets.allow({"Service": ALB})
        await refused("InvalidConfigurationRequest", "Access Denied", switch_on(w, balancer))
        buckets.allow({"Service": NLB}, Condition=owner | source)
        await switch_on(w, balancer)
        brought = file(balancer)
        await deliveries.keep(w.plane, "node-1", brought)
        assert f"logs/{FOLDER}/{brought.name}" in buckets.objects
        (carried,) = (each for record in w.carried() for each in w.wanted(record).balancers if each.kind == "network")
        assert carried.access_log == stem("access", ACCOUNT, REGION, carried.id)


async def test_a_node_brings_what_it_has_carried_and_nothing_else(tmp_path: Path) -> None:
    async with logging(tmp_path) as (w, buckets, balancer):
        buckets.allow({"Service": ALB})

        async def gone(node: str, brought: LogFile) -> None:
            with pytest.raises(AwsError) as no:
                await deliveries.keep(w.plane, node, brought)
            assert no.value.code == "gone"

        await gone("node-1", file(balancer))  # it has no logs
        await switch_on(w, balancer)
        before = dict(buckets.objects)
        await gone("node-2", file(balancer))
        await gone("node-1", file(balancer, "health"))
        await gone("node-1", LogFile(number=1, name="../../x.log.gz", body=b""))
        foreign = file(balancer).name.replace(ACCOUNT, "999999999999")
        await gone("node-1", LogFile(number=1, name=foreign, body=b""))
        assert buckets.objects == before
        w.add_node("node-2")
        w.change_node("node-1", state="lost")
        await w.settle()
        assert w.carried()[0].node == "node-2"
        await deliveries.keep(w.plane, "node-2", file(balancer, number=1))
        await deliveries.keep(w.plane, "node-1", file(balancer, number=2))  # it comes back, with what it had noted


async def test_what_was_noted_last_arrives_after_the_load_balancers_end_and_then_nothing(tmp_path: Path) -> None:
    async with logging(tmp_path) as (w, buckets, balancer):
        buckets.allow({"Service": ALB})
        await switch_on(w, balancer)
        await w.elb.modify_load_balancer_attributes(
            LoadBalancerArn=balancer, Attributes=attributes("access_logs", enabled="false")
        )
        await w.elb.delete_load_balancer(LoadBalancerArn=balancer)
        await w.settle()
        assert w.carried() == []
        await deliveries.keep(w.plane, "node-1", file(balancer))
        await w.pass_time(KEPT - 1)
        assert w.store.all(log_ways) != []
        await w.pass_time(2)
        assert w.store.all(log_ways) == []
        with pytest.raises(AwsError):
            await deliveries.keep(w.plane, "node-1", file(balancer))


async def test_where_there_is_no_s3_files_stay_where_they_are(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        balancer = await w.balancer()
        await w.settle()
        await switch_on(w, balancer)
        with pytest.raises(PortError, match="no S3"):
            await deliveries.keep(w.plane, "node-1", file(balancer))
