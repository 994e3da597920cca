"""Who leads our pools here from outside: a machine next door, which sends to the host what is meant for its networks.

It finds public addresses, as far as groups let it, and nothing else of the host, its routers and its tasks. Each check
is taken out, and the attack succeeds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext

import pytest
import pytest_asyncio

from hatoba.network.base import Publish, RouterService, SeatSpec
from hatoba.network.beyond import Endpoint, Routing
from tests.conformance.threats.disarm import without
from tests.contract.network.labs import ENDPOINT, NODES, RealLab, run
from tests.contract.network.specs import CLOSED, METADATA, OPEN, task, vpc
from tests.contract.network.test_endpoint_contract import with_services

pytestmark = pytest.mark.real

PUBLIC, SHUT = "100.80.8.5", "100.80.8.6"
AT_ENDPOINT = "10.0.1.8"
INPUT, FORWARD = "hatoba.network.hostrules:_closed_to_outsiders", "hatoba.network.hostrules:_forward"


@pytest_asyncio.fixture
async def led(real: RealLab) -> AsyncIterator[RealLab]:
    """The world leads everything that a node has to the first one, whose services listen wherever they may be asked."""
    fabric = real.fabrics[0]
    await fabric.ensure_vpc(with_services(vpc(block6="fd68:6174:6f00:100::/56")))
    await fabric.set_policies("vpc-1", (OPEN, CLOSED))
    await fabric.set_routing("vpc-1", Routing(endpoints=(Endpoint(address=AT_ENDPOINT, groups=("sg-open",)),)))
    await fabric.ensure_interface(task("open", "10.0.0.10", "sg-open", public=PUBLIC, egress=True))
    await fabric.ensure_interface(task("shut", "10.0.0.11", "sg-closed", public=SHUT, egress=True))
    await fabric.ensure_bridge((RouterService(address=METADATA, port=80),))
    await fabric.ensure_seat(SeatSpec(id="seat", ports=(Publish(port=80, host=8080),)))
    for port in (80, ENDPOINT):
        for holder in (None, "vpc-1", "bridge", "open", "shut", "seat"):
            await real.listen(0, holder, "0.0.0.0", port)
    for network in ("100.80.0.0/16", "10.0.0.0/16", "172.17.0.0/16", "169.254.0.0/16"):
        run(real.world, f"ip route add {network} via {NODES[0]}")
    yield real


async def test_of_what_is_led_here_public_addresses_are_reached(led: RealLab) -> None:
    transit = [f"100.80.0.{last}" for last in (1, 2, 3)]  # the host's, and of both routers
    private = [AT_ENDPOINT, "10.0.0.10", "10.0.0.2", "172.17.0.1", "172.17.0.2", METADATA, "169.254.169.253"]
    asked = [(address, port) for address in (*transit, *private, PUBLIC, SHUT) for port in (80, ENDPOINT)]
    asked += [(address, 8080) for address in transit]
    answers = await asyncio.gather(*(led.reaches(0, "world", *each) for each in asked))
    reached = {each for each, answer in zip(asked, answers, strict=True) if answer}
    assert reached == {(PUBLIC, 80), (PUBLIC, ENDPOINT)}
    assert await led.reaches(0, "world", NODES[0], 8080), "which is where ports are published"
    assert await led.reaches(0, "open", led.settings[0].host_address, ENDPOINT), "as all tasks do"
    assert await led.reaches(0, None, led.settings[0].host_address, ENDPOINT), "and the host itself"


@pytest.mark.parametrize(
    ("version", "port", "check"),
    [
        (4, ENDPOINT, (INPUT, 'f"{abroad} ip daddr {settings.transit} drop"')),
        (6, ENDPOINT, (INPUT, 'f"{abroad} ip6 daddr {settings.host_address6} drop"')),
        (4, 8080, (FORWARD, 'f"iifname != {uplinks} ct original ip daddr {settings.host_address} drop"')),
    ],
)
async def test_what_the_host_serves_its_tasks_is_theirs_alone(
    led: RealLab, version: int, port: int, check: tuple[str, str]
) -> None:
    """At 8080 there is a port of a seat, which others find at the host's own addresses only."""
    settings = led.settings[0]
    at = settings.host_address6 if version == 6 else settings.host_address
    assert at is not None
    if version == 6:
        await led.listen(0, None, at, ENDPOINT)
    for armed in (True, False):
        await led.fabrics[0].close()
        led.fabrics[0] = led.restarted(0)
        with nullcontext() if armed else without(*check, '"meta mark 0"'):
            await led.fabrics[0].start()
        assert await led.reaches(0, "world", at, port) is not armed, "it is not this check that stops it"


@pytest.mark.parametrize("who", ["world", "open"])
async def test_routers_own_addresses_lead_nowhere(led: RealLab, who: str) -> None:
    """Not to what a seat has published, either, which both find at the host."""
    check = 'f"ct original ip daddr != {settings.host_address} ct original ip daddr {settings.transit} drop"'
    assert await led.reaches(0, who, NODES[0], 8080)
    assert not await led.reaches(0, who, "100.80.0.3", 8080)
    await led.fabrics[0].close()
    led.fabrics[0] = led.restarted(0)
    with without(FORWARD, check, '"meta mark 0"'):
        await led.fabrics[0].start()
    assert await led.reaches(0, who, "100.80.0.3", 8080), "it is not this check that stops it"
