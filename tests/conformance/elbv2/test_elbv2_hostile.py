"""Whatever values a request has: every operation answers, or refuses in ELB's words, and a refusal changes nothing.

What comes of the answers must be something that the proxy carries out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatoba.aws import models
from hatoba.proxy.snapshot import left_out, snapshot
from hatoba.services.elbv2 import elbv2
from hatoba.services.elbv2.carried import wanted_of
from hatoba.services.elbv2.model.balancer import load_balancers
from hatoba.services.elbv2.model.group import target_groups
from hatoba.services.elbv2.model.listener import listeners, rules
from tests.conformance.aws.aws_oracle import Values
from tests.conformance.elbv2.world import SCOPE, World
from tests.conformance.hostile.asked import Asked, declared, likely

# What operations want although the model does not say so.
ENOUGH = {
    "CreateLoadBalancer": ("Subnets",),
    "CreateTargetGroup": ("Protocol", "Port", "VpcId", "TargetType"),
    "CreateListener": ("Protocol", "Port"),
    "DescribeListeners": ("LoadBalancerArn",),
    "DescribeRules": ("ListenerArn",),
    "SetSubnets": ("Subnets",),
}


def some(kind: str) -> st.SearchStrategy[str]:
    """Stands for one that is there when the request is made: what is drawn must not depend on what is there."""
    return st.integers(0, 4).map(lambda number: f"<{kind} {number}>")


# Values that may pass.
OF = {kind: some(kind) for kind in ("LoadBalancerArn", "TargetGroupArn", "ListenerArn", "RuleArn")}
OF_SUBNET = some("Subnet")
ACTIONS = st.lists(
    st.one_of(
        st.builds(lambda arn: {"Type": "forward", "TargetGroupArn": arn}, OF["TargetGroupArn"]),
        st.builds(
            lambda arn, weight: {
                "Type": "forward",
                "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": arn, "Weight": weight}]},
            },
            OF["TargetGroupArn"],
            st.integers(-1, 1000),
        ),
        st.builds(
            lambda port, path: {
                "Type": "redirect",
                "RedirectConfig": {"StatusCode": "HTTP_301", "Port": port, "Path": path},
            },
            st.sampled_from(["443", "#{port}", "x", ""]),
            st.sampled_from(["/\\1", "/#{path}", "x", "/é"]),
        ),
        st.just({"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "é"}}),
    ),
    min_size=1,
    max_size=1,
)
TEXT = st.text(max_size=5)
EXPRESSIONS = st.text(alphabet="ab1^$.*?()[]\\|{}", max_size=6)
REWRITE = st.fixed_dictionaries({"Regex": EXPRESSIONS, "Replace": st.sampled_from(["/$1", "$0", "x", "\\", " "])})
TRANSFORMS = st.lists(
    st.builds(
        lambda kind, rewrites: {"Type": kind, "UrlRewriteConfig": {"Rewrites": rewrites}},
        st.sampled_from(["url-rewrite", "host-header-rewrite"]),
        st.lists(REWRITE, max_size=2),
    ),
    max_size=2,
)
CONDITIONS = st.lists(
    st.one_of(
        st.builds(lambda v: {"Field": "path-pattern", "Values": [v]}, TEXT),
        st.builds(lambda v: {"Field": "host-header", "HostHeaderConfig": {"Values": v}}, st.lists(TEXT)),
        st.builds(
            lambda n, v: {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": n, "Values": [v]}},
            TEXT,
            TEXT,
        ),
        st.builds(
            lambda v: {"Field": "source-ip", "SourceIpConfig": {"Values": [v]}},
            st.sampled_from(["10.0.0.0/8", "::/0", "1.2.3.4/33", "x"]),
        ),
        st.builds(lambda v: {"Field": "path-pattern", "RegexValues": [v]}, EXPRESSIONS),
        st.builds(lambda v: {"Field": "host-header", "HostHeaderConfig": {"RegexValues": v}}, st.lists(EXPRESSIONS)),
        st.builds(
            lambda k, v: {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": k, "Value": v}]}},
            TEXT,
            TEXT,
        ),
    ),
    min_size=1,
    max_size=2,
)
TARGETS = st.lists(
    st.fixed_dictionaries(
        {"Id": st.sampled_from(["172.31.0.9", "172.31.20.9", "10.0.0.1", "1.2.3.4", "x"])},
        optional={"Port": st.integers(1, 65535), "AvailabilityZone": st.sampled_from(["all", "us-east-1a"])},
    ),
    min_size=1,
    max_size=3,
)
LIKELY: dict[str, st.SearchStrategy[Any]] = {
    **OF,
    "LoadBalancerArns": st.lists(OF["LoadBalancerArn"], max_size=2),
    "TargetGroupArns": st.lists(OF["TargetGroupArn"], max_size=2),
    "ListenerArns": st.lists(OF["ListenerArn"], max_size=2),
    "RuleArns": st.lists(OF["RuleArn"], max_size=2),
    "ResourceArns": st.lists(st.one_of(*OF.values()), min_size=1, max_size=2),
    "Names": st.lists(st.sampled_from(["web", "app", "x"]), max_size=2),
    "Name": st.sampled_from(["web", "app", "third", "-"]),
    "Subnets": st.lists(OF_SUBNET, max_size=3),
    "SecurityGroups": st.just([]),
    "VpcId": st.just("<VpcId 0>"),
    "Type": st.sampled_from(["application", "network", "gateway"]),
    "TargetType": st.sampled_from(["ip", "ip", "alb", "instance"]),
    "Protocol": st.just("HTTP"),
    "HealthCheckProtocol": st.just("HTTP"),
    "ProtocolVersion": st.sampled_from(["HTTP1", "GRPC"]),
    "IpAddressType": st.just("ipv4"),
    "Port": st.integers(1, 99),
    "Targets": TARGETS,
    "DefaultActions": ACTIONS,
    "Actions": ACTIONS,
    "Conditions": CONDITIONS,
    "Transforms": TRANSFORMS,
    "Marker": st.just("x"),
    "RulePriorities": st.lists(
        st.fixed_dictionaries({"RuleArn": OF["RuleArn"], "Priority": st.integers(1, 9)}), max_size=2
    ),
    "Attributes": st.lists(
        st.fixed_dictionaries(
            {
                "Key": st.sampled_from(
                    [
                        "idle_timeout.timeout_seconds",
                        "deregistration_delay.timeout_seconds",
                        "stickiness.enabled",
                    ]
                ),
                "Value": st.sampled_from(["1", "60", "true", ""]),
            }
        ),
        max_size=2,
    ),
}


_STANDS_FOR = re.compile(r"<(\w+) (\d)>")


class Room(Asked):
    """An account with one of each, whatever happened before."""

    def __init__(self, folder: Path) -> None:
        super().__init__(elbv2, SCOPE)
        self.tried: set[str] = set()  # operations
        self.world = World(folder)
        self.run(self._open())

    async def _open(self) -> None:
        await self.world.open()
        self.world.add_node()
        self.plane = self.world.plane
        self.subnets, self.vpc = await self.world.subnets(), await self.world.vpc()

    async def ready(self) -> None:
        w = self.world
        kept = [each for each in w.store.all(load_balancers) if each.kind == "application" and not each.deleting]
        if not kept:
            await w.balancer(f"web-{w.store.seq}", Subnets=self.subnets[:2])
            kept = [each for each in w.store.all(load_balancers) if each.kind == "application" and not each.deleting]
        if not w.store.all(target_groups):
            await w.group("app", VpcId=self.vpc)
        gone = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
        usable = [each for each in w.store.all(listeners) if each.protocol in ("HTTP", "HTTPS")]
        if not usable:
            await w.elb.create_listener(LoadBalancerArn=kept[0].arn, Protocol="HTTP", Port=80, DefaultActions=gone)
            usable = [each for each in w.store.all(listeners) if each.protocol == "HTTP"]
        if not w.store.all(rules):
            by_path = [{"Field": "path-pattern", "Values": ["/x"]}]
            await w.elb.create_rule(ListenerArn=usable[0].arn, Priority=1, Conditions=by_path, Actions=gone)
        await w.settle()

    def resolved(self, value: Any) -> Any:
        """With what there is in the place of what stands for it."""
        match value:
            case dict():
                return {name: self.resolved(item) for name, item in value.items()}
            case list():
                return [self.resolved(item) for item in value]
            case str() if (found := _STANDS_FOR.fullmatch(value)) is not None:
                known = self._known(found[1])
                return known[int(found[2]) % len(known)]
        return value

    def _known(self, kind: str) -> list[str]:
        store = self.world.store
        match kind:
            case "LoadBalancerArn":
                return [record.arn for record in store.all(load_balancers)]
            case "TargetGroupArn":
                return [record.arn for record in store.all(target_groups)]
            case "ListenerArn":
                return [record.arn for record in store.all(listeners)]
            case "RuleArn":
                return [*(record.arn for record in store.all(rules)), store.all(listeners)[0].default_rule_arn]
            case "Subnet":
                return self.subnets
        return [self.vpc]

    async def ask(self, operation: str, params: dict[str, Any]) -> None:
        w = self.world
        await w.settle()
        await self.perform(operation, params)
        await w.settle()
        for record in w.store.all(load_balancers):
            wanted, _ = wanted_of(w.store, record)
            assert left_out(wanted) is None
            snapshot(wanted, {})

    def close(self) -> None:
        self.run(self.world.close())
        self.loop.close()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    room = Room(tmp_path_factory.mktemp("room"))
    yield room
    room.close()


@pytest.mark.slow
@pytest.mark.parametrize("operation", declared(elbv2))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_operation_answers_or_refuses(room: Room, operation: str, data: st.DataObject) -> None:
    room.tried.add(operation)
    room.run(room.ready())
    found = models.load("elbv2").operation(operation)
    assert found is not None
    assert found.input is not None
    params = data.draw(Values("elbv2", output=False).of(found))
    required = found.model.shape(found.input).required
    # Mostly few members, and those with values that may pass: or everything would be refused for the first wrong one.
    for name in sorted(params.keys() - set(required)):
        if data.draw(st.integers(0, 1 if name in LIKELY else 7)):
            del params[name]
    likely(data, LIKELY, params, required)
    if data.draw(st.booleans()):
        params = {**{name: data.draw(LIKELY[name]) for name in ENOUGH.get(operation, ())}, **params}
    room.run(room.ask(operation, room.resolved(params)))


@pytest.mark.slow
def test_both_happened(room: Room) -> None:
    """Or the test before would be about nothing."""
    if room.tried >= set(declared(elbv2)):  # it may be run alone, and the others in several processes
        assert len(room.answered) > 25, sorted(set(declared(elbv2)) - room.answered.keys())
        assert len(room.refused) > 20


def test_all_that_is_declared_is_in_the_model() -> None:
    assert len(declared(elbv2)) == len(elbv2.handlers)
