"""The load balancers of this node: one proxy per network that has any, kept at what the items say.

Each network has a task of its own, so a proxy that starts slowly holds up nobody else. What came into force, and every
change of a target's health, is reported.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError
from hatoba.core.records import replace
from hatoba.core.tasks import TaskGroup, end
from hatoba.fleet import messages as msg
from hatoba.fleet import model as m
from hatoba.fleet.items import BalancerItem
from hatoba.network.base import Fabric
from hatoba.node.openings import CLOSED, Openings, either, openings
from hatoba.proxy.base import Certificate, HealthFact, OnHealth, Proxy, Rejected, Target, Wanted
from hatoba.proxy.signin.words import Secrets

log = logging.getLogger(__name__)

RETRY = 1.0
SAMPLE_PERIOD = 10.0  # seconds
_encode = msgspec.msgpack.encode

MakeProxy = Callable[[str, Path, OnHealth], "StartableProxy"]
Report = Callable[[str, msg.Report], None]
Open = Callable[[str, Openings], Awaitable[None]]


class StartableProxy(Proxy, Protocol):
    async def start(self) -> bool:
        """True when a running proxy was adopted."""
        ...


class _Carried:
    """One network's proxy."""

    def __init__(self) -> None:
        self.dirty = asyncio.Event()
        self.proxy: StartableProxy | None = None
        self.task: asyncio.Task[None] | None = None
        self.opened: Openings | None = None  # what the network lets it do; None: not known
        self.parsed: dict[str, tuple[BalancerItem, Wanted]] = {}  # by balancer
        self.told: dict[str, tuple[int, str]] = {}  # by balancer: the version that is in force, or what is wrong


class Balancers:
    """Implements `services.NetworkServices`."""

    def __init__(
        self,
        wanted: Callable[[], Mapping[str, BalancerItem]],
        make: MakeProxy,
        report: Report,
        clock: Clock,
        open_: Open,
        here: str,
    ) -> None:
        """`open_` has a network let its balancers do what they need; `here` is where this node is reached from its
        networks."""
        self._open = open_
        self._here = here
        self._wanted = wanted
        self._make = make
        self._report = report
        self._clock = clock
        self._carried: dict[str, _Carried] = {}
        self._number = 0
        self._decode = msgspec.msgpack.Decoder(Wanted).decode
        self._tasks = TaskGroup("balancers")

    def start(self, tell: Callable[[tuple[msg.TrafficSample, ...]], None], period: float = SAMPLE_PERIOD) -> None:
        """From now on the counters of all proxies are told from time to time."""
        self._tasks.start(self._sample(tell, period), "traffic")

    async def _sample(self, tell: Callable[[tuple[msg.TrafficSample, ...]], None], period: float) -> None:
        while True:
            await asyncio.sleep(period)
            found: list[msg.TrafficSample] = []
            for network, proxy in self.proxies().items():
                try:
                    traffic = await proxy.traffic()
                except PortError as error:
                    log.info("traffic of %s: %s", network, error)
                    continue
                found += [msg.TrafficSample(balancer=id_, body=_encode(each)) for id_, each in traffic.items()]
            if found:
                tell(tuple(found))

    def proxies(self) -> Mapping[str, Proxy]:
        """By network."""
        return {network: carried.proxy for network, carried in self._carried.items() if carried.proxy is not None}

    async def open(self, network: str, netns: Path) -> None:
        if not self._of(network):
            await self._open(network, CLOSED)  # an earlier agent may have had some there
        await self.refresh(network, netns)

    async def refresh(self, network: str, netns: Path) -> None:
        carried = self._carried.get(network)
        if carried is None:
            if not self._of(network):
                return
            carried = self._carried[network] = _Carried()
            carried.task = self._tasks.start(self._keep(network, netns, carried), network)
        carried.dirty.set()

    async def close(self, network: str) -> None:
        carried = self._carried.pop(network, None)
        if carried is None:
            return
        if carried.task is not None:
            await end(carried.task)
        if carried.proxy is not None:
            await carried.proxy.stop()

    async def release(self) -> None:
        """The agent ends: proxies run on, and the next agent adopts them."""
        await self._tasks.close()
        for carried in self._carried.values():
            if carried.proxy is not None:
                await carried.proxy.release()

    def _of(self, network: str) -> dict[str, BalancerItem]:
        return {id_: item for id_, item in self._wanted().items() if item.network == network}

    async def _keep(self, network: str, netns: Path, carried: _Carried) -> None:
        while True:
            await carried.dirty.wait()
            carried.dirty.clear()
            try:
                await self._apply(network, netns, carried)
            except PortError as error:
                log.warning("the proxy of %s: %s", network, error)
                self._tell(carried, self._of(network), error=error.message)
                # What is refused waits for the next configuration, unless it is about a port that somebody has.
                if error.code not in ("Rejected", "Unsupported") or (isinstance(error, Rejected) and error.passes):
                    await asyncio.sleep(RETRY)
                    carried.dirty.set()

    async def _apply(self, network: str, netns: Path, carried: _Carried) -> None:
        items = self._of(network)
        if not items:
            carried.told.clear()
            if carried.proxy is not None:
                proxy, carried.proxy = carried.proxy, None
                await proxy.stop()
            await self._let(network, carried, CLOSED)
            return
        if carried.proxy is None:
            proxy = self._make(network, netns, self._learned)
            await proxy.start()
            carried.proxy = proxy
        before = carried.parsed
        carried.parsed = {id_: (item, self._parsed(id_, item, before.get(id_))) for id_, item in items.items()}
        parts = [part for _, part in carried.parsed.values()]
        wanted = Wanted(
            balancers=tuple(balancer for part in parts for balancer in part.balancers),
            groups=tuple({group.id: group for part in parts for group in part.groups}.values()),
            certificates=tuple({each.id: each for item in items.values() for each in _shown(item)}.values()),
            secrets=tuple(Secrets(balancer=id_, values=item.secrets) for id_, item in items.items() if item.secrets),
        )
        # A way is there before the first connection, and until the last one may have gone.
        needed = openings(wanted, {node for item in items.values() for node in item.hearing})
        await self._let(network, carried, either(needed, carried.opened or CLOSED))
        await carried.proxy.apply(wanted)
        await self._let(network, carried, needed)
        self._tell(carried, items)

    async def _let(self, network: str, carried: _Carried, wanted: Openings) -> None:
        """An agent that has just begun does not know what the one before it has opened."""
        if carried.opened != wanted:
            await self._open(network, wanted)
            carried.opened = wanted

    def _parsed(self, id_: str, item: BalancerItem, before: tuple[BalancerItem, Wanted] | None) -> Wanted:
        """Once for each item: what did not change stays the very same, which is cheap to see."""
        return before[1] if before is not None and before[0] is item else self._parse(id_, item)

    def _parse(self, id_: str, item: BalancerItem) -> Wanted:
        try:
            wanted = self._decode(item.spec)
        except msgspec.MsgspecError as error:
            raise PortError("Rejected", f"the description of {id_} cannot be read: {error}") from error
        if not any(target.node for group in wanted.groups for target in group.targets):
            return wanted
        return replace(
            wanted, groups=tuple(replace(g, targets=tuple(self._found(g.targets, item))) for g in wanted.groups)
        )

    def _found(self, targets: Iterable[Target], item: BalancerItem) -> Iterable[Target]:
        """Ports of nodes get their addresses; those of nodes that are gone are left out."""
        for target in targets:
            if not target.node:
                yield target
            elif (address := item.nodes.get(target.node)) is not None:
                yield replace(target, address=address or self._here)

    def _tell(self, carried: _Carried, items: Mapping[str, BalancerItem], error: str = "") -> None:
        """What is news: each word is a record to the control plane, and wakes who looks after the balancer."""
        before, carried.told = carried.told, {id_: (0 if error else item.version, error) for id_, item in items.items()}
        for id_, (applied, _) in carried.told.items():
            if before.get(id_) == carried.told[id_]:
                continue
            key = m.balancer_statuses.key(m.FLEET, id_)
            status = m.BalancerStatus(key=key, node="", applied=applied, error=error)
            self._report("balancer", msg.BalancerReport(id=id_, report=self._next(), status=status))

    def _next(self) -> int:
        """Numbers of reports only rise, whatever the clock does."""
        self._number = max(self._number + 1, int(self._clock.now() * 1e6))
        return self._number

    def _learned(self, fact: HealthFact) -> None:
        id_ = m.target_id(fact.group, fact.target)
        status = m.TargetStatus(
            key=m.target_statuses.key(m.FLEET, id_),
            group=fact.group,
            target=fact.target,
            state=fact.health.state,
            reason=fact.health.reason,
            text=fact.health.text,
            at=fact.at,
        )
        self._report("target", msg.TargetReport(id=id_, report=self._next(), status=status))


def opening(fabric: Fabric) -> Open:
    async def open_(network: str, wanted: Openings) -> None:
        await fabric.set_instances(network, wanted.ports)
        await fabric.set_fronts(network, wanted.fronts)

    return open_


def _shown(item: BalancerItem) -> Iterable[Certificate]:
    return (Certificate(id=each.id, chain=each.chain, private_key=each.private_key) for each in item.certificates)
