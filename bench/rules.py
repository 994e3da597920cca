"""Security groups at scale: what a change costs beside 2,000 interfaces, what a packet pays, how soon a rule follows.

    .venv/bin/python -m bench.rules [interfaces]

Root needed; works in network namespaces of its own. Each interface is in 3 of 30 groups of 20 rules; 200 of them are
here, the others on another node, which is the same to the rules. Packets go one by one from a task to another through
the router, in turns through all of these rules and through none (connections tracked in both): the kernel carries a
packet to its end before the sender may send the next, so the sender's rate is the way's.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.rows import report
from hatoba.network.base import InterfaceSpec, Peer, PolicySet, Rule, VpcSpec
from tests.contract.network.labs import NODES, RealLab, inside, rules
from tests.contract.network.land import Land

GROUPS, RULES, HERE = 30, 20, 200
EVERYONE = Rule(cidrs=("0.0.0.0/0",))
BARE = """
flush ruleset
table inet bare {
    chain forward { type filter hook forward priority 0; policy accept; ct state established,related accept; }
}
"""


def groups(number: int) -> tuple[str, ...]:
    return tuple(f"sg-{(number + step) % GROUPS}" for step in range(3))


def policies(changed: int = 0) -> tuple[PolicySet, ...]:
    """The last rule of each is the one that lets the packets of the test pass."""
    return tuple(
        PolicySet(
            id=f"sg-{group}",
            egress=(EVERYONE,),
            ingress=(
                *(
                    Rule(protocol="tcp", from_port=port, to_port=port, cidrs=(f"10.{group}.{port % 200}.0/24",))
                    for port in range(1, RULES // 2)
                ),
                *(Rule(protocol="tcp", from_port=9, to_port=9, groups=(f"sg-{n}",)) for n in range(RULES // 2 - 1)),
                Rule(protocol="tcp", from_port=10_000 + (changed if group == 7 else 0), cidrs=("10.0.0.0/8",)),
                Rule(protocol="udp", from_port=99, to_port=99, groups=(f"sg-{group}",)),
            ),
        )
        for group in range(GROUPS)
    )


def address(number: int) -> str:
    high, low = divmod(number, 200)
    return f"10.0.{high + 1}.{low + 5}"


def interface(vpc: str, number: int) -> InterfaceSpec:
    high, low = divmod(number, 200)
    return InterfaceSpec(
        id=f"{vpc}.{number}",
        vpc=vpc,
        address=address(number),
        mac=f"02:00:00:00:{high:02x}:{low:02x}",
        gateway="10.0.0.1",
        groups=groups(number),
    )


async def changes(lab: RealLab, count: int) -> None:
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(VpcSpec(id="vpc-full", cidrs=("10.0.0.0/16",), vni=1))
    await fabric.set_policies("vpc-full", policies())
    peers = tuple(Peer(address=address(n), node=NODES[1], groups=groups(n)) for n in range(HERE, count))
    await fabric.set_peers("vpc-full", peers)
    for number in range(HERE):
        await fabric.ensure_interface(interface("vpc-full", number))

    async def here(turn: int) -> None:
        await fabric.ensure_interface(interface("vpc-full", count + turn))

    async def there(turn: int) -> None:
        grown = (*peers, *(Peer(address=address(count + 50 + n), node=NODES[1], groups=groups(n)) for n in range(turn)))
        await fabric.set_peers("vpc-full", grown)

    beside = f"beside {count} interfaces, 3 groups of {RULES} rules each"
    report(f"an interface {beside}", await took(here), "ms", at_most=20)
    report("one on another node", await took(there), "ms", at_most=20)
    report(
        "a changed rule", await took(lambda turn: fabric.set_policies("vpc-full", policies(turn + 1))), "ms", at_most=20
    )


async def took(change: Callable[[int], Awaitable[None]], turns: int = 20) -> float:
    """The median, in milliseconds."""
    times = []
    for turn in range(turns):
        began = time.perf_counter()
        await change(turn)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


async def packets(lab: RealLab) -> None:
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(VpcSpec(id="vpc-bare", cidrs=("10.0.0.0/16",), vni=2))
    for number in range(2):
        await fabric.ensure_interface(interface("vpc-bare", number))
    rules(lab.namespace(0, "vpc-bare"), BARE)
    for size in (64, 1400):
        rates: dict[str, list[float]] = {"vpc-full": [], "vpc-bare": []}
        for _ in range(40):
            for vpc, seen in rates.items():
                seen.append(await asyncio.to_thread(rate, lab, vpc, size))
        full, bare = (statistics.median(seen) for seen in rates.values())
        print(f"{size} bytes: {full:,.0f} a second of CPU through the rules, {bare:,.0f} through none")
        report(f"packets of {size} bytes through the rules, of those through none", full / bare * 100, "%", at_least=90)


def rate(lab: RealLab, vpc: str, size: int, count: int = 3_000) -> float:
    """Datagrams from one task to another, a second of the sender's CPU time: others' work does not count."""

    def opened() -> socket.socket:
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    taker, giver = (inside(lab.namespace(0, f"{vpc}.{number}"), opened) for number in (1, 0))
    with taker, giver:
        taker.bind((address(1), 99))
        taker.settimeout(1)
        giver.connect((address(1), 99))
        payload = b"x" * (size - 28)
        for _ in range(3):  # asked and answered, else each packet would be a new connection's to the kernel
            giver.send(payload)
            _, sender = taker.recvfrom(2048)
            taker.sendto(b"x", sender)
        send, began = giver.send, time.thread_time()
        for _ in range(count):
            send(payload)
        return count / (time.thread_time() - began)


async def following(lab: RealLab) -> None:
    """From the answer to a changed membership to the first packet that passes, on the way through both nodes."""
    land = Land(lab)
    try:
        await land.build()
        made, taker, giver = land.made, land.places["iso"], land.places["in"]
        pair = {"IpProtocol": "udp", "FromPort": 99, "ToPort": 99, "UserIdGroupPairs": [{"GroupId": made["deaf"]}]}
        await land.ec2.authorize_security_group_ingress(GroupId=made["app"], IpPermissions=[pair])
        await land.told()
        here = await lab.listen(taker.node, taker.holder, "0.0.0.0", 99, "udp")
        there = inside(
            lab.namespace(giver.node, giver.holder), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        )
        times = []
        with there:
            for _ in range(10):
                await land.joins("in", "app", "deaf")
                began = time.perf_counter()
                await land.told()
                while True:
                    there.sendto(b"x", (taker.address, 99))
                    try:
                        here.recv(16)
                        break
                    except BlockingIOError:
                        await asyncio.sleep(0.0005)
                times.append((time.perf_counter() - began) * 1e3)
                await land.joins("in", "app")
                await land.told()
                await asyncio.sleep(0.2)
        report("a rule follows its members, from the answer to the packet", max(times), "ms", at_most=100)
    finally:
        await land.close()


async def bench(folder: Path, count: int) -> None:
    for part in (lambda lab: _scale(lab, count), following):
        lab = RealLab(folder)
        try:
            await lab.start()
            await part(lab)
        finally:
            await lab.close()


async def _scale(lab: RealLab, count: int) -> None:
    await changes(lab, count)
    await packets(lab)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(bench(Path(folder), int(sys.argv[1]) if len(sys.argv) > 1 else 2_000))


if __name__ == "__main__":
    main()
