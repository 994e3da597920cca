"""What a real Envoy counts, where it says something that is told as a metric."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from hatoba.proxy.base import (
    Balancer,
    BalancerTraffic,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    PathIs,
    Redirect,
    Rule,
    Share,
    Target,
    TargetGroup,
    Tls,
    Wanted,
)
from tests.contract.proxy.proxy_rigs import ADDRESS, PORT, Backend, RealRig
from tests.contract.proxy.serving import request
from tests.contract.proxy.test_proxy_streams import NEAR, Server, connect, serving, targets
from tests.contract.proxy.test_proxy_streams import group as flows_group
from tests.contract.proxy.test_proxy_streams import wanted as flows_wanted
from tests.contract.proxy.test_proxy_tls import certificate
from tools.waiting import PATIENCE

pytestmark = pytest.mark.real

SECURE = 443
UNASKED = HealthCheck(enabled=False)


async def counted(rig: RealRig, id_: str, so: Callable[[BalancerTraffic], bool]) -> BalancerTraffic:
    """The counters, once they are so: Envoy's threads add them up now and then."""
    async with asyncio.timeout(PATIENCE):
        while not so(found := (await rig.proxy.traffic())[id_]):
            pass
    return found


def rule(id_: str, priority: int, action: FixedResponse | Redirect | Forward) -> Rule:
    return Rule(id=id_, priority=priority, conditions=(PathIs(values=(f"/{id_}",)),), action=action)


def to(group: str) -> Forward:
    return Forward(shares=(Share(group=group),))


def balancing(backend: Backend, mistaken: Server) -> Wanted:
    plain = TargetGroup(
        id="plain", health_check=UNASKED, targets=(Target(id="a", address="127.0.0.1", port=backend.port),)
    )
    secure = replace(plain, id="secure", protocol="HTTPS", targets=targets(mistaken))
    rules = (
        rule("fixed", 1, FixedResponse(status=404)),
        rule("redirect", 2, Redirect(status=301, path="/x")),
        rule("secure", 3, to("secure")),
    )
    tls = Tls(certificates=("one",))
    listeners = (
        Listener(id="http", port=PORT, default=to("plain"), rules=rules),
        Listener(id="https", port=SECURE, protocol="HTTPS", default=to("plain"), tls=tls),
    )
    return Wanted(
        balancers=(Balancer(id="web", addresses=(ADDRESS,), listeners=listeners),),
        groups=(plain, secure),
        certificates=(certificate("one", "web.example"),),
    )


async def test_what_an_application_balancer_counts(real: RealRig) -> None:
    async with serving(real, "says something else than TLS") as (mistaken,):
        await real.proxy.apply(balancing(await real.backend("a"), mistaken))
        asked = [request(path) for path in ("/", "/fixed", "/redirect", "/secure")]
        answers = [await real.raw(each) for each in asked]
    reader, writer = await real.connect(SECURE)
    writer.write(b"hello, is this TLS?\r\n\r\n")
    assert b"HTTP" not in await reader.read()
    writer.close()
    told = await counted(real, "web", lambda t: t.tls_failures == 1 and t.groups["secure"].tls_failures > 0)
    assert (told.requests, told.rule_answers, told.tls_failures, told.rejected_connections) == (4, 2, 1, 0)
    assert told.received >= sum(map(len, asked))
    assert told.sent >= sum(map(len, answers))
    plain, secure = told.groups["plain"], told.groups["secure"]
    assert (plain.connections, plain.tls_failures, plain.codes) == (1, 0, {"2xx": 1})
    assert secure.tls_failures > 0
    assert secure.codes == {"5xx": 1}  # Envoy counts what it answers itself among the group's


async def test_what_a_network_balancer_counts_of_its_targets(real: RealRig) -> None:
    async with serving(real, "says something else than TLS") as (mistaken,):
        unchecked = replace(flows_group("g", targets(mistaken), protocol="TLS"), health_check=UNASKED)
        await real.proxy.apply(flows_wanted(unchecked))
        reader, writer = await connect(real, NEAR)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    told = await counted(real, "net/x/1", lambda t: t.target_tls_failures > 0)
    assert told.target_tls_failures > 0
    assert (told.port_failures, told.rejected_connections) == (0, 0)
    writer.close()
