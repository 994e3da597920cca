"""A process that dies at any step leaves nothing that the next one cannot complete or remove.

Once step by step, at every border between two acts on the kernel or the records, and once with SIGKILL at moments that
nobody chose.
"""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any

import msgspec
import pytest

from hatoba.network import names, records, syscalls
from hatoba.network.base import Fabric, Publish, SeatSpec, VpcSpec
from hatoba.network.beyond import Entry, Front, Gate, Gateway, Guest, Instance, Route, Routing, Subnet
from hatoba.network.namespace import Namespace
from hatoba.network.netlink import Netlink
from tests.contract.network.labs import NODES, RealLab, launch, run
from tests.contract.network.specs import DEFAULT, OPEN, balancer, peer, task, task6, vpc
from tests.contract.network.test_fronts import transparent
from tools.waiting import PATIENCE

pytestmark = pytest.mark.real


ROUTING = Routing(
    subnets=(
        Subnet(blocks=("10.0.0.0/24",), routes=(Route(to="0.0.0.0/0", kind="outside"),)),
        Subnet(
            blocks=("10.0.1.0/24",),
            routes=(
                Route(to="0.0.0.0/0", kind="nat", target="nat-1"),
                Route(to="10.2.0.0/16", kind="peering", target="vpc-2"),
            ),
        ),
    ),
    gateways=(Gateway(id="nat-1", address="10.0.0.9", public="100.80.9.9"),),
    peerings=("vpc-2",),
    gate=Gate(address="100.80.0.1", port=4566),
)


SIX = "fd68:6174:6f00:100::10"


class Killed(BaseException):
    """Passes every handler, as a signal would."""


@contextmanager
def killed_before(step: int) -> Iterator[None]:
    """Ends whatever acts for the `step`-th time, before it acts."""
    acts = 0
    places: list[tuple[Any, str]] = [
        (Netlink, "_batch"),
        (Namespace, "rules"),
        (syscalls, "pin"),
        (syscalls, "unpin"),
        (records, "_write"),
    ]

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def act(*args: Any) -> Any:
            nonlocal acts
            acts += 1
            if acts >= step:
                raise Killed
            return original(*args)

        return act

    originals = [getattr(owner, name) for owner, name in places]
    for (owner, name), original in zip(places, originals, strict=True):
        setattr(owner, name, counted(original))
    try:
        yield
    finally:
        for (owner, name), original in zip(places, originals, strict=True):
            setattr(owner, name, original)


async def make(fabric: Fabric) -> None:
    await fabric.ensure_vpc(vpc(block6="fd68:6174:6f00:100::/56"))
    await fabric.set_policies("vpc-1", (DEFAULT, OPEN))
    await fabric.ensure_interface(task("a", "10.0.0.10", "sg-open", public="100.80.8.1", address6="fd00::10"))
    await fabric.ensure_interface(task6("six", SIX, "sg-open", egress6="both", further=("fd68:6174:6f00:100:5::/80",)))
    await fabric.ensure_interface(task("b", "10.0.0.11", "sg-open", "sg-default"))
    await fabric.ensure_address(balancer("lb", "10.0.0.20", "sg-open", public="100.80.8.2"))
    speaking = msgspec.structs.replace(peer("10.0.0.13", NODES[1]), fronting=True)
    await fabric.set_peers("vpc-1", (peer("10.0.0.12", NODES[1]), speaking))
    here = "100.80.0.1"
    ports = tuple(Instance(address=address, port=8080, hears=True) for address in (here, NODES[1]))
    await fabric.set_instances("vpc-1", ports)
    spoken = (("10.0.0.11", 80), (here, 8080), (NODES[1], 8080))
    await fabric.set_fronts("vpc-1", tuple(Front(address=a, port=p, balancer="10.0.0.20") for a, p in spoken))
    await fabric.set_entries("vpc-1", (Entry(port=8080, balancer="10.0.0.13"),))
    await fabric.ensure_vpc(VpcSpec(id="vpc-2", cidrs=("10.2.0.0/16",), vni=2))
    await fabric.set_routing("vpc-1", ROUTING)
    await fabric.set_routing("vpc-2", Routing(peerings=("vpc-1",)))
    await fabric.set_guests("vpc-2", (Guest(address="10.0.0.10", groups=("sg-open",)),))
    await fabric.ensure_bridge(())
    await fabric.ensure_seat(SeatSpec(id="seat", ports=(Publish(port=80, host=8080), Publish(port=80))))


async def unmake(fabric: Fabric) -> None:
    await fabric.ensure_interface(task("a", "10.0.0.10", "sg-default", public="100.80.8.3"))
    await fabric.set_entries("vpc-1", ())
    await fabric.set_instances("vpc-1", ())
    await fabric.set_fronts("vpc-1", ())
    await fabric.set_peers("vpc-1", ())
    await fabric.set_routing("vpc-1", Routing())
    await fabric.remove_vpc("vpc-2")
    await fabric.remove_seat("seat")
    await fabric.remove_address("vpc-1", "lb")
    await fabric.ensure_interface(task6("six", "fd68:6174:6f00:100::11", "sg-open"))
    await fabric.remove_interface("vpc-1", "six")
    await fabric.remove_interface("vpc-1", "a")
    await fabric.remove_vpc("vpc-1")


async def crashes(lab: RealLab, step: int, *, first: bool, scenario: Callable[[Fabric], Any]) -> bool:
    """Lets the scenario die at the step, then starts anew. Whether it died at all."""
    fabric = lab.restarted(0) if first else lab.fabrics[0]
    died = False
    try:
        with killed_before(step):
            if first:
                await fabric.start()
            await scenario(fabric)
    except Killed:
        died = True
    await fabric.close()
    lab.fabrics[0] = lab.restarted(0)
    await lab.fabrics[0].start()
    return died


@pytest.mark.slow
async def test_dying_at_any_step_of_making(real: RealLab) -> None:
    await real.fabrics[0].teardown()
    for step in range(1, 200):
        died = await crashes(real, step, first=True, scenario=make)
        await make(real.fabrics[0])
        await assert_whole(real)
        await real.fabrics[0].teardown()
        assert real.state(0) == real.before[0], f"after dying at step {step}"
        if not died:
            break
    assert 30 < step < 199, "the scenario has that many steps"


@pytest.mark.slow
async def test_dying_at_any_step_of_removing(real: RealLab) -> None:
    for step in range(1, 200):
        await make(real.fabrics[0])
        died = await crashes(real, step, first=False, scenario=unmake)
        await make(real.fabrics[0])
        await assert_whole(real)
        if not died:
            break
    assert 10 < step < 199, "the scenario has that many steps"


async def regive(fabric: Fabric) -> None:
    """What an interface holds besides its own address: given, exchanged, given again."""
    six, block6 = "fd00::31", "fd00::5:0:0:0/80"
    await fabric.ensure_interface(task("a", "10.0.0.10", further=("10.0.0.30", "10.0.0.64/28", six, block6)))
    await fabric.ensure_interface(task("a", "10.0.0.10", address6="fd00::30", further=("10.0.0.31",)))
    await fabric.ensure_interface(task("a", "10.0.0.10", further=("10.0.0.30", "10.0.0.80/28")))
    await fabric.ensure_interface(task("a", "10.0.0.10", address6=six, further=(block6,)))


@pytest.mark.slow
async def test_dying_at_any_step_of_giving_further_addresses(real: RealLab) -> None:
    """The next process brings the kernel to what was asked for last, before it is asked for anything."""
    for step in range(1, 60):
        fabric = real.fabrics[0]
        await fabric.ensure_vpc(vpc())
        await fabric.ensure_interface(task("a", "10.0.0.10"))
        died = await crashes(real, step, first=False, scenario=regive)
        (kept,) = (await real.fabrics[0].inventory()).interfaces
        wanted = {ip_network(each) for each in ("10.0.0.10", *kept.networks)}
        ways = _routes(real, "vpc-1", "route")
        assert {ip_network(way.split()[0]) for way in ways if f" dev {names.PORT_PREFIX}" in way} == wanted, (
            f"after dying at step {step}"
        )
        own = _routes(real, "a", "route show table local")
        local = (line.split()[1] for line in own if line.startswith("local"))
        held = {ip_network(each) for each in local if not each.startswith(("127.", "::1"))}
        assert held == wanted, f"after dying at step {step}"
        if not died:
            break
    assert 10 < step < 59, "the scenario has that many steps"


def _routes(lab: RealLab, holder: str, what: str) -> list[str]:
    return [line for family in (4, 6) for line in run(lab.namespace(0, holder), f"ip -{family} {what}").splitlines()]


async def assert_whole(lab: RealLab) -> None:
    listening = await lab.listen(0, "b", "10.0.0.11", 80)
    public = await lab.listen(0, "a", "0.0.0.0", 80)
    assert await lab.reaches(0, "a", "10.0.0.11")
    assert await lab.reaches(0, None, "100.80.8.1")
    six = await lab.listen(0, "six", "::", 80)
    assert await lab.reaches(0, None, SIX)
    published = await lab.listen(0, "seat", "0.0.0.0", 80)
    assert await lab.reaches(0, None, NODES[0], 8080)
    for target in (("10.0.0.11", 80), ("100.80.0.1", 8080)):
        with await transparent(lab.fabrics[0], "198.51.100.77", socket.SOCK_STREAM) as for_a_client:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(for_a_client, target), PATIENCE)
    for each in (listening, public, published, six):
        each.close()


CHURN = """
import asyncio, sys, msgspec
from pathlib import Path
from hatoba.network.base import InterfaceSpec, PolicySet, Rule, Settings, VpcSpec
from hatoba.network.fabric import KernelFabric

async def main():
    fabric = KernelFabric(msgspec.json.decode({settings!r}, type=Settings, dec_hook=lambda t, v: t(v)))
    await fabric.start()
    everyone = Rule(cidrs=("0.0.0.0/0",))
    print("ready", flush=True)
    for turn in range(100000):
        name = f"vpc-{{turn % 3}}"
        await fabric.ensure_vpc(VpcSpec(id=name, cidrs=("10.0.0.0/16",), vni=1 + turn % 3))
        await fabric.set_policies(name, (PolicySet(id="sg", ingress=(everyone,), egress=(everyone,)),))
        for number in range(4):
            await fabric.ensure_interface(InterfaceSpec(
                id=f"i-{{turn % 3}}-{{number}}", vpc=name, address=f"10.0.0.{{10 + number}}", mac="02:00:00:00:00:01",
                gateway="10.0.0.1", groups=("sg",), public=f"100.80.8.{{10 * (turn % 3) + number}}"))
        await fabric.remove_interface(name, f"i-{{turn % 3}}-1")
        if turn % 2:
            await fabric.remove_vpc(name)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_sigkill_at_random_moments(real: RealLab) -> None:
    await real.fabrics[0].close()
    chance = random.Random(7)
    program = CHURN.format(settings=msgspec.json.encode(real.settings[0], enc_hook=str))
    for _ in range(12):
        process = launch(real.hosts[0], f"import sys; sys.path[:0] = {sys.path!r}\n{program}")
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", "what the last one left was taken over"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0.01, 0.4))
            process.send_signal(signal.SIGKILL)
            process.wait()
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
    fabric = real.restarted(0)
    real.fabrics[0] = fabric
    kept = await fabric.start()
    for spec in kept.interfaces:
        await fabric.remove_interface(spec.vpc, spec.id)
    for spec in kept.vpcs:
        await fabric.remove_vpc(spec.id)
    await make(fabric)
    await assert_whole(real)
    await fabric.teardown()
    assert real.state(0) == real.before[0]
