"""The real proxy of one network namespace: an Envoy, what it should have, and the checks of its targets.

`apply` translates, offers and waits for Envoy's word. Health flows on its own: a changed target resends its group's
endpoints and nothing else. Changes within one turn of the event loop travel together. A change of health is told only
once Envoy acts by it: whoever hears "healthy" may rely on the target serving.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from msgspec.structs import replace

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError
from hatoba.core.tasks import TaskGroup
from hatoba.proxy import admin, delivery, ending, memory, stats, trace
from hatoba.proxy.ask import OpenSocket, ask, open_socket
from hatoba.proxy.base import Balancer, BalancerTraffic, Health, HealthFact, OnHealth, TargetKey, Wanted
from hatoba.proxy.checker import Checker, SourceFor
from hatoba.proxy.checklog import CheckLog
from hatoba.proxy.ending import Place
from hatoba.proxy.handover import PARTING, pauses
from hatoba.proxy.process import EnvoyProcess
from hatoba.proxy.resource import Snapshot, remembered
from hatoba.proxy.server import ConfigServer
from hatoba.proxy.signin.process import SignInProcess
from hatoba.proxy.signin.telling import told
from hatoba.proxy.snapshot import checked, endpoints_of, left_out, replaced, snapshot

log = logging.getLogger(__name__)

_TELL_ANYWAY = 1.0  # seconds that news of health wait for an Envoy that does not answer
_LOGS = ("access_log", "connection_log", "health_log")  # of a balancer


class EnvoyProxy:
    """Implements `base.Proxy`. `name` tells it from the others of the same `server`."""

    def __init__(
        self,
        *,
        name: str,
        directory: Path,
        server: ConfigServer,
        clock: Clock,
        on_health: OnHealth,
        netns: str | None = None,
        opener: OpenSocket = open_socket,
        concurrency: int = 1,
        timeout: float = 10.0,
        logs: Path | None = None,
        log_period: float = delivery.PERIOD,
        on_files: Callable[[], None] = lambda: None,
        parting: float = PARTING,
        resolver: str = "",
        tracer: str = "",
    ) -> None:
        """`logs`: the folder for access logs; without one there are none. Every `log_period` seconds files are made of
        them, of which `on_files` hears. `resolver`: the address that says what names mean, "" for the machine's own
        way. `tracer`: the module that writes the trace header, "" where there is none.
        """
        self.process = EnvoyProcess(
            node=name,
            directory=directory,
            config_socket=server.path,
            netns=netns,
            concurrency=concurrency,
            parting=parting,
        )
        self.process.on_change = self._lead
        self.sign_in = SignInProcess(directory=directory, netns=netns, resolver=resolver)
        self._name = name
        self._netns = netns
        self._server = server
        self._on_health = on_health
        self._timeout = timeout
        self._logs = logs
        self._log_period = log_period
        self._on_files = on_files
        self._log_addresses: dict[str, str] = {}  # of balancers that have logs, by stem
        self._let_go: frozenset[str] = frozenset()  # what was put aside before Envoy reopened its files
        self._checks = CheckLog()
        self._clock = clock
        self._tracer = tracer
        self._traced = tracer  # "" too where the Envoy that serves does not take it
        self._health_file = directory / "health.json"
        asking = functools.partial(ask, opener=opener)
        self.checker = Checker(ask=asking, clock=clock, on_health=self._learned, on_check=self._checks.note)
        self._memory = memory.Memory(self._health_file, self.checker.health)
        self._unnoted: dict[TargetKey, Health] = {}
        self._wanted = Wanted()
        self._snapshot: Snapshot | None = None
        self._restored: dict[TargetKey, Health] | None = None
        self._stale: set[str] = set()  # groups whose endpoints are to be built again
        self._told: dict[TargetKey, Health] = {}
        self._offers = 0
        self._untold: deque[tuple[int, HealthFact]] = deque()  # with the offer by which Envoy gets to know
        self._news = asyncio.Event()
        self._renewing = False
        self._tasks = TaskGroup(f"proxy:{name}")
        self._refresh: asyncio.Handle | None = None

    async def start(self) -> bool:
        """Adopts the running Envoy or starts one; True when adopted. Nothing in it changes before `apply`."""
        if self._logs is not None:
            await asyncio.to_thread(delivery.prepare, self._logs)
            self._tasks.start(self._deliver_always(self._logs), "logs")
        adopted = await self.process.start()
        self._lead()
        self._restored = memory.load(self._health_file)
        self._tasks.start(self._tell(), "tell")
        return adopted

    async def apply(self, wanted: Wanted) -> None:
        wanted = self._noting(wanted)
        self._checks.follow(wanted)
        dropped = ending.dropped(self._wanted, wanted)
        self._wanted = wanted
        restored, self._restored = self._restored, None
        asked = {id_: (group, _sources(each.addresses)) for id_, (group, each) in checked(wanted).items()}
        for gone in self.checker.set_groups(asked, restored):
            self._told.pop(gone, None)
        unserved = await self._follow(wanted)
        self._tell_until(await self._in_force())
        self._end(dropped)
        await self.sign_in.rest()
        if self.process.outdated and not self._renewing:
            self._renewing = True
            self._tasks.start(self._renew(), "renew")
        if unserved is not None:
            raise unserved
        if (why := left_out(wanted)) is not None:
            raise PortError("Unsupported", why)

    async def _follow(self, wanted: Wanted) -> PortError | None:
        """The service that users sign in with. Where it cannot be had all others are served, and those rules answer
        500."""
        try:
            await self.sign_in.follow(told(wanted))
        except PortError as error:
            return error
        return None

    async def _in_force(self) -> int:
        """Offers everything and waits for Envoy's word; the offer. Raises as `apply` does."""
        self._snapshot = snapshot(
            self._wanted, self.checker.by_group, sign_in=str(self.sign_in.socket), tracer=self._traced
        )
        self._stale.clear()
        offer = self._offer(self._snapshot, again=True)
        try:
            await self._server.settled(self._name, self._timeout)
        except PortError as error:
            if error.code == "Timeout":
                raise PortError("Timeout", f"{error.message} It said last: {self.process.last_words()}") from None
            blamed = next((each for each in self._server.refusals(self._name) if trace.blamed(each.message)), None)
            if blamed is None or not self._traced:
                raise
            log.warning("%s; a script writes the trace headers of %s", str(blamed).strip(), self._name)
            self._traced = ""
            return await self._in_force()
        return offer

    def _lead(self) -> None:
        self._server.lead(self._name, self.process.number)
        if self._traced != self._tracer:
            self._traced = self._tracer  # another Envoy may take it
            if self._snapshot is not None:
                self._tasks.start(self._again(), "again")

    async def _again(self) -> None:
        try:
            self._tell_until(await self._in_force())
        except PortError as error:
            log.warning("%s", error)  # what is not in force is told with the next change

    async def renew(self) -> None:
        """Hands over to a new Envoy, which has everything before it begins to serve. Raises `PortError` where it comes
        to nothing."""
        await self.process.renew()

    async def _renew(self) -> None:
        again = pauses()
        while self.process.outdated:
            try:
                await self.renew()
            except PortError as error:
                if error.code == "Incompatible":
                    log.warning("%s: it stays until it ends", error.message)
                    return
                pause = next(again)
                log.warning("%s: it is tried again in %.1f s", error.message, pause)
                await asyncio.sleep(pause)
        self._renewing = False

    def health(self) -> Mapping[TargetKey, Health]:
        return {key: self._told.get(key, health) for key, health in self.checker.health().items()}

    async def traffic(self) -> Mapping[str, BalancerTraffic]:
        found = stats.traffic(await admin.ask(self.process.admin_socket, "GET", stats.QUERY), self._wanted)
        for id_, sign_ins in (await self.sign_in.counted()).items():
            if id_ in found:
                found[id_] = replace(found[id_], sign_ins=sign_ins)
        return found

    def _noting(self, wanted: Wanted) -> Wanted:
        """With files in the place of names for logs. What has no logs stays the very same."""
        return replace(wanted, balancers=tuple(self._noted(each) for each in wanted.balancers))

    def _noted(self, balancer: Balancer) -> Balancer:
        stems = {each: getattr(balancer, each) for each in _LOGS}
        if not any(stems.values()):
            return balancer
        self._log_addresses |= {stem: balancer.addresses[0] for stem in stems.values() if stem and balancer.addresses}
        return replace(balancer, **{each: self._file(stem) for each, stem in stems.items()})

    def _file(self, stem: str) -> str:
        file = delivery.place(self._logs, stem) if self._logs is not None and stem else None
        return "" if file is None else str(file)

    async def _deliver_always(self, logs: Path) -> None:
        while True:
            await asyncio.sleep(self._log_period)
            try:
                await self.deliver(logs)
            except (OSError, PortError) as error:
                log.warning("access logs of %s: %s", self._name, error)  # the next time finds them

    async def deliver(self, logs: Path) -> None:
        """One round: what was put aside in the last one is kept, what was written since then is put aside."""
        now = self._clock.now()
        made = await asyncio.to_thread(delivery.finish, logs, self._let_go)
        self._let_go = frozenset()
        if aside := await asyncio.to_thread(delivery.put_aside, logs, now, self._log_addresses):
            self._checks.reopen()
            await self.process.reopen_logs()
            self._let_go = aside
        if made:
            self._on_files()

    async def release(self) -> None:
        await self._close()
        await self.sign_in.release()
        await self.process.release()

    async def stop(self) -> None:
        await self._close()
        await self.sign_in.stop()
        await self.process.stop()
        self._server.forget(self._name)
        if self._logs is not None:  # nobody writes any more
            await asyncio.to_thread(delivery.settle, self._logs, self._clock.now(), self._log_addresses)
            self._on_files()

    async def _close(self) -> None:
        if self._refresh is not None:
            self._refresh.cancel()
        await self._tasks.close()
        await self.checker.close()
        self._checks.reopen()

    def _learned(self, fact: HealthFact) -> None:
        self._stale.add(fact.group)
        self._unnoted[TargetKey(fact.group, fact.target)] = fact.health
        self._untold.append((self._offers + 1, fact))
        if self._refresh is None:
            self._refresh = asyncio.get_running_loop().call_soon(self._refresh_now)

    def _refresh_now(self) -> None:
        self._refresh = None
        if self._snapshot is None:
            return
        self._snapshot = replaced(self._snapshot, endpoints_of(self._wanted, self._stale, self.checker.by_group))
        self._stale.clear()
        self._offer(self._snapshot)
        self._news.set()

    def _offer(self, snapshot: Snapshot, *, again: bool = False) -> int:
        self._memory.note(self._unnoted)
        self._unnoted.clear()
        self._offers += 1
        self._server.offer(self._name, snapshot, again=again)
        return self._offers

    async def _tell(self) -> None:
        """Passes on what is known when Envoy has it."""
        while True:
            await self._news.wait()
            self._news.clear()
            offer = self._offers
            with contextlib.suppress(PortError):
                await self._server.settled(self._name, _TELL_ANYWAY)
            self._tell_until(offer)

    def _tell_until(self, offer: int) -> None:
        while self._untold and self._untold[0][0] <= offer:
            _, fact = self._untold.popleft()
            key = TargetKey(fact.group, fact.target)
            if key in self.checker:
                self._told[key] = fact.health
                self._on_health(fact)
                if fact.health.state == "unhealthy":
                    self._end(ending.unhealthy(self._wanted, key))

    def _end(self, places: Collection[Place]) -> None:
        """Ends the connections to these places; nobody waits for it."""
        if places:
            self._tasks.start(ending.end(places, self._netns), "end")


@remembered
def _sources(addresses: tuple[str, ...]) -> SourceFor:
    return functools.partial(_source, addresses)


def _source(addresses: tuple[str, ...], target: str) -> str | None:
    """The balancer's first address of the target's family. Nothing is parsed."""
    six = ":" in target
    return next((each for each in addresses if (":" in each) == six), None)
