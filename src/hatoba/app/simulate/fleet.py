"""Machines that are records only. What is wanted of them comes true some time later, and they report it.

They stand where sessions and agents stand otherwise: workloads are read from the fleet's table, reports go in by the
same function that takes real ones. A machine that died says nothing any more; when it comes back it has nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from hatoba.app.simulate.scenario import Image, Machines
from hatoba.core.clock import Clock
from hatoba.core.ids import Ids
from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.fleet import model as m
from hatoba.fleet.messages import WorkloadReport
from hatoba.fleet.reports import apply_reports, node_lost
from hatoba.store import Change, Store

MIB = 1 << 20
UNKNOWN = Image()
JITTER = 1_000  # every delay is longer by some thousandths of a quarter of itself

Deed = Callable[[m.Workload], None]


class SimulatedFleet:
    def __init__(self, store: Store, clock: Clock, ids: Ids, images: Mapping[str, Image]) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._images = images
        self._timers: dict[Key, asyncio.TimerHandle] = {}  # by workload: what happens to it next
        self._pulled: set[tuple[str, str]] = set()  # (machine, image)
        self._dead: list[str] = []
        self._reports = 0
        self.started = 0
        self.ended = 0
        store.feed.subscribe(m.workloads, self._changed)

    # --- machines

    def join(self, machines: Machines) -> None:
        number = len(self._store.all(m.nodes))
        now = self._clock.now()
        with self._store.tx() as tx:
            for each in range(number, number + machines.count):
                name = f"node-{each:05d}"
                node = m.Node(
                    key=m.nodes.key(m.FLEET, name),
                    name=name,
                    number=each,
                    address="",
                    cpu=machines.cpu,
                    memory=machines.memory * MIB,
                    architecture=machines.architecture,
                    attributes=machines.attributes,
                    joined_at=now,
                    seen_at=now,
                )
                tx.put(m.nodes, node)

    def lose(self, count: int) -> None:
        """So many of those that live die, whichever."""
        alive = sorted(node.id for node in self._store.all(m.nodes) if node.state == "ready")
        for _ in range(min(count, len(alive))):
            node = alive.pop(self._ids.choice_index(len(alive)))
            self._dead.append(node)
            self._pulled = {(machine, image) for machine, image in self._pulled if machine != node}
            for workload in self._store.index(m.workloads, "node", node):
                self._forget(workload.key)
            node_lost(self._store, node)

    def back(self, count: int) -> None:
        with self._store.tx() as tx:
            for name in self._dead[:count]:
                node = tx.get(m.nodes, m.nodes.key(m.FLEET, name))
                assert node is not None
                tx.put(m.nodes, replace(node, state="ready", seen_at=self._clock.now()))
        del self._dead[:count]

    # --- workloads

    @property
    def busy(self) -> bool:
        """Something is yet to happen: what is wanted comes true, or a container ends by itself."""
        return bool(self._timers)

    def _changed(self, change: Change[m.Workload]) -> None:
        workload = change.after
        if workload is None or workload.node in self._dead:
            self._forget(change.key)
        elif change.before is None:
            self._in(workload.key, self._coming_up(workload), self._up)
        elif workload.want == "stopped" and change.before.want == "running":
            self._in(workload.key, max(self._image(c).stops for c in workload.containers), self._down)

    def _coming_up(self, workload: m.Workload) -> float:
        """Images are pulled side by side, containers started one after the other."""
        pulls = [0.0]
        for container in workload.containers:
            where = (workload.node, container.image.name)
            if where not in self._pulled:
                self._pulled.add(where)
                pulls.append(self._image(container).pull)
        return max(pulls) + sum(self._image(container).starts for container in workload.containers)

    def _image(self, container: m.ContainerWanted) -> Image:
        return self._images.get(container.image.name, UNKNOWN)

    def _in(self, key: Key, seconds: float, then: Deed) -> None:
        self._forget(key)
        late = seconds * (1 + self._ids.choice_index(JITTER) / (4 * JITTER))
        self._timers[key] = asyncio.get_running_loop().call_later(late, self._then, key, then)

    def _then(self, key: Key, then: Deed) -> None:
        self._timers.pop(key)
        workload = self._store.get(m.workloads, key)
        if workload is not None:
            then(workload)

    def _forget(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _up(self, workload: m.Workload) -> None:
        now = self._clock.now()
        self.started += 1
        containers = tuple(
            m.ContainerStatus(
                name=c.name,
                state="running",
                runtime_id=f"{workload.id}-{c.name}",
                pull_started=now,
                pull_stopped=now,
                created=now,
                started=now,
                health="healthy" if c.health else "unknown",
            )
            for c in workload.containers
        )
        self._say(
            workload,
            m.WorkloadStatus(
                key=self._status_key(workload),
                node=workload.node,
                state="running",
                containers=containers,
                connected=now,
            ),
        )
        lives = [image.ends for image in map(self._image, workload.containers) if image.ends is not None]
        if lives:
            self._in(workload.key, min(lives), self._ends)

    def _ends(self, workload: m.Workload) -> None:
        """An essential container has ended by itself: the rest is stopped."""
        ended = {c.name: self._image(c).code for c in workload.containers if self._image(c).ends is not None}
        self._over(workload, ended)

    def _down(self, workload: m.Workload) -> None:
        self._over(workload, {})

    def _over(self, workload: m.Workload, codes: Mapping[str, int]) -> None:
        now = self._clock.now()
        self.ended += 1
        before = self._store.get(m.workload_statuses, self._status_key(workload))
        known = {c.name: c for c in before.containers} if before else {}
        containers = tuple(
            replace(
                known.get(c.name, m.ContainerStatus(name=c.name)),
                state="stopped",
                finished=now,
                exit_code=codes.get(c.name, 143) if c.name in known else None,
            )
            for c in workload.containers
        )
        self._say(
            workload,
            m.WorkloadStatus(
                key=self._status_key(workload), node=workload.node, state="stopped", containers=containers, stopped=now
            ),
        )

    @staticmethod
    def _status_key(workload: m.Workload) -> Key:
        return m.workload_statuses.key(workload.scope, workload.id)

    def _say(self, workload: m.Workload, status: m.WorkloadStatus) -> None:
        self._reports += 1
        apply_reports(self._store, workload.node, [WorkloadReport(id=workload.id, report=self._reports, status=status)])
