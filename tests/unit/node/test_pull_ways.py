"""A Fargate task's images come the way that its packets would: through the routes of its subnet, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.core.records import replace
from hatoba.fleet import items as i
from hatoba.fleet import model as m
from hatoba.node.beyond import reaches
from hatoba.node.registries import addresses, split
from hatoba.runtime.base import ImageSource
from hatoba.runtime.failures import Failure
from tests.unit.node.machine import Machine, item, on_a_machine, things
from tests.unit.node.pieces import container, workload

AWAY = "203.0.113.9"
OUT = m.Route(to="0.0.0.0/0", kind="outside")
NAT = m.Route(to="0.0.0.0/0", kind="nat", target="nat-1")


def network(*routes: m.Route, gateway: bool = True, onward: tuple[m.Route, ...] = (OUT,)) -> i.NetworkItem:
    """The task's subnet with these routes, and the NAT gateway's."""
    gateways = (i.GatewayPart(id="nat-1", address="10.0.9.9", public="100.64.8.8", node=""),) if gateway else ()
    return i.NetworkItem(
        cidrs=("10.0.0.0/16",),
        vni=7,
        resolver="10.0.0.2",
        subnets=(m.Subnet(blocks=("10.0.0.0/24",), routes=routes), m.Subnet(blocks=("10.0.9.0/24",), routes=onward)),
        gateways=gateways,
    )


def interface(public: str | None = None) -> i.InterfaceItem:
    return i.InterfaceItem(
        network="v1",
        address="10.0.0.10",
        mac="02:00:00:00:00:0a",
        gateway="10.0.0.1",
        prefix="10.0.0.0/24",
        groups=(),
        public=public,
        egress=public is not None,
        balancer=False,
    )


@pytest.mark.parametrize(
    ("given", "public", "expected"),
    [
        (network(), None, False),
        (network(), "100.64.8.1", False),
        (network(OUT), None, False),
        (network(OUT), "100.64.8.1", True),
        (network(NAT), None, True),
        (network(NAT, onward=()), None, False),
        (network(NAT, gateway=False), None, False),
        (network(NAT, m.Route(to=f"{AWAY}/32", kind="closed")), None, False),
        (network(m.Route(to="0.0.0.0/0", kind="peering", target="v2")), None, False),
        (replace(network(), subnets=()), None, True),  # nothing is known of routes
    ],
)
def test_a_registry_outside_is_reached_as_routes_say(given: i.NetworkItem, public: str | None, expected: bool) -> None:
    assert reaches(given, interface(public), AWAY) is expected
    assert reaches(given, interface(public), "127.0.0.1"), "the machine's own is no matter of routes"
    assert reaches(given, interface(public), "10.0.3.4"), "nor is one within the VPC"


@pytest.mark.parametrize(
    ("route", "egress6", "expected"),
    [(None, "none", False), ("outside", "none", False), ("outside", "out", True), ("outside", "both", True)],
)
def test_by_ipv6_a_registry_is_reached_without_a_public_address(route: Any, egress6: m.Egress6, expected: bool) -> None:
    routes = () if route is None else (m.Route(to="::/0", kind=route),)
    block = "fd68:6174:6f00:100::/64"
    given = replace(network(OUT), cidrs=(block,), subnets=(m.Subnet(blocks=(block,), routes=routes),))
    only6 = replace(interface(), address="", gateway="", prefix="", address6=f"{block[:-3]}10", egress6=egress6)
    assert reaches(given, only6, "2001:db8::1") is expected
    assert not reaches(given, only6, AWAY), "it has no address that IPv4 could answer"


async def test_where_a_registry_is() -> None:
    def at(host: str, scheme: Any = "https") -> tuple[str, int]:
        return split(ImageSource(name="x", host=host, repository="x", reference="1", scheme=scheme))

    assert at("registry.example") == ("registry.example", 443)
    assert at("registry.example:5000") == ("registry.example", 5000)
    assert at("localhost", "http") == ("localhost", 80)
    assert at("[::1]:5000") == ("::1", 5000)
    assert await addresses(AWAY) == [AWAY]
    assert await addresses("no such name.invalid") == []


def foreign(host: str) -> m.ContainerWanted:
    web = container("web")
    return replace(web, image=replace(web.image, host=host))


def pulled(tmp_path: Path, wanted: m.Workload, given: i.NetworkItem) -> Any:
    """The container's status once the task runs, or has stopped."""
    found: list[Any] = []

    async def script(machine: Machine) -> None:
        told = [body for body in things(wanted) if body.kind != "network"]
        machine.tell(put=[item("network", "v1", given), *told])
        await machine.until(
            lambda: machine.status("t1") is not None and machine.status("t1").state in ("running", "stopped")
        )
        found.append(machine.status("t1").containers[0])

    on_a_machine(tmp_path, script)
    return found[0]


def test_an_isolated_task_pulls_from_the_platform_only(tmp_path: Path) -> None:
    fargate = {"LaunchType": "FARGATE"}
    status = pulled(tmp_path / "a", workload("t1", foreign(AWAY), metadata=fargate), network())
    assert (status.error, status.detail) == (Failure.IMAGE_NETWORK, f"{AWAY}:443: i/o timeout")
    assert pulled(tmp_path / "b", workload("t1", metadata=fargate), network()).error == ""
    assert pulled(tmp_path / "c", workload("t1", foreign(AWAY), metadata=fargate), network(NAT)).error == ""
    # On an instance the agent fetches images, by the instance's own network.
    assert pulled(tmp_path / "d", workload("t1", foreign(AWAY), metadata={"LaunchType": "EC2"}), network()).error == ""
