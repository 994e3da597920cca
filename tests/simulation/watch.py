"""What must hold after every commit, whatever happens. The watch outlives the control plane and remembers for it.

forward      tasks and workloads never go back, also not over a restart: what was told to anybody is kept
percents     the service controller never starts beyond maximumPercent, nor stops below minimumHealthyPercent; while
             traffic is shifted that holds for each revision that has any, and always for each task set
addresses    no address of a network is given twice, in the records or on the nodes
once         no container is started twice, on whichever node
told         a task's story names each state once, in their order, to the one it is in, and at most one stop
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from hatoba.core.keys import Key
from hatoba.fleet import model as fleet
from hatoba.network.bridge import published
from hatoba.services.ecs.model.service import Service, services
from hatoba.services.ecs.model.service_deployment import ServiceDeployment, current_deployment
from hatoba.services.ecs.model.task import RANK, Task, tasks, tasks_of
from hatoba.services.ecs.model.task_set import sets_of
from hatoba.services.ecs.plan import lifecycle
from hatoba.services.ecs.plan.rollout.shifting import governs
from hatoba.services.ecs.plan.task_sets import computed
from hatoba.services.ecs.views import story as told
from hatoba.services.elbv2.model.listener import listeners
from hatoba.store import Change, Store
from tests.simulation.node import SimulatedNode

_WORKLOAD = {name: n for n, name in enumerate(("pending", "starting", "running", "stopping", "stopped"))}


class Broken(AssertionError):
    """A promise was not kept."""


def _was_stopped_by_us(old: Task, new: Task) -> bool:
    turned = old.desired == "RUNNING" and new.desired == "STOPPED"
    return turned and old.status == "RUNNING" and new.stop_code == "ServiceSchedulerInitiated"


class Watch:
    def __init__(self, nodes: Iterable[SimulatedNode]) -> None:
        self._nodes = tuple(nodes)
        self._ranks: dict[Key, int] = {}
        self._workloads: dict[Key, int] = {}
        self._store: Store
        self.broken: list[str] = []
        self.commits = 0

    def attach(self, store: Store) -> None:
        """A control plane has opened; what it remembers is compared with what was told before."""
        self._store = store
        kept = {task.key: task for task in store.all(tasks)}
        for key, rank in self._ranks.items():
            if key not in kept or RANK[kept[key].status] < rank:
                self._fail(f"task {key.id} was told to be further than what is kept")
        store.feed.subscribe(tasks, self._task)
        store.feed.subscribe(fleet.workload_statuses, self._workload)
        store.feed.subscribe(fleet.interfaces, self._interface)
        commit = store.commit

        def watched(touched: Any) -> Any:
            before = {key: old for (name, key), (_, old) in touched.items() if name == tasks.name}
            seq = commit(touched)
            if before:
                self._percents(before)
            self.commits += 1
            return seq

        store.commit = watched  # type: ignore[method-assign]

    def _fail(self, text: str) -> None:
        self.broken.append(text)

    # --- forward

    def _task(self, change: Change[Task]) -> None:
        if change.after is None:
            self._ranks.pop(change.key, None)
            return
        rank = RANK[change.after.status]
        if rank < self._ranks.get(change.key, 0):
            self._fail(f"task {change.key.id} went back to {change.after.status}")
        self._ranks[change.key] = rank
        self._told(change.after)

    def _told(self, task: Task) -> None:
        moments = told.story(task)["moments"]
        states = [moment["text"] for moment in moments if moment["what"] == "status"]
        rising = sorted(set(states), key=RANK.__getitem__)
        if states != rising or states[-1] != task.status or sum(moment["what"] == "stop" for moment in moments) > 1:
            self._fail(f"task {task.id} is {task.status}, and its story tells of {states}")

    def _workload(self, change: Change[fleet.WorkloadStatus]) -> None:
        after = change.after
        if after is None or after.state == "lost":
            return
        rank = _WORKLOAD[after.state]
        if rank < self._workloads.get(change.key, 0):
            self._fail(f"workload {change.key.id} went back to {after.state}")
        self._workloads[change.key] = rank

    # --- percents, in the very transaction

    def _percents(self, before: dict[Key, Any]) -> None:
        begun: defaultdict[str, list[Task]] = defaultdict(list)
        ended: defaultdict[str, list[Task]] = defaultdict(list)
        for key, old in before.items():
            new = self._store.get(tasks, key)
            if new is None or new.service is None:
                continue
            if old is None:
                begun[new.service].append(new)
            elif _was_stopped_by_us(old, new) and self._healthy(old):
                ended[new.service].append(new)
        for id_ in {*begun, *ended}:
            service = next(s for s in self._store.all(services) if s.id == id_)
            if service.status == "ACTIVE":
                self._service(service, begun[id_], ended[id_])

    def _service(self, service: Service, begun: list[Task], ended: list[Task]) -> None:
        story = current_deployment(self._store, service)
        if story is not None and governs(story) is not None:
            self._shifting(service, story, begun, ended)
            return
        if service.controller != "ECS":
            self._parts(service, begun, ended)
            return
        known = tasks_of(self._store, service.scope, service.id)
        if begun:
            there = [t for t in known if not t.lost and t.status not in ("DEPROVISIONING", "STOPPED")]
            most = service.desired * service.percents.maximum // 100
            if len(there) > most:
                self._fail(f"{service.name}: {len(there)} tasks, and at most {most} are allowed")
        if ended:
            left = [t for t in known if t.desired == "RUNNING" and t.status == "RUNNING" and self._healthy(t)]
            least = -(-service.desired * service.percents.minimum // 100)
            if len(left) < least:
                self._fail(f"{service.name}: {len(left)} healthy tasks left, and {least} are promised")

    def _parts(self, service: Service, begun: list[Task], ended: list[Task]) -> None:
        """Each task set is a fleet of its own, as large as its scale makes it. One that goes promises nothing."""
        known = tasks_of(self._store, service.scope, service.id)
        for one in sets_of(self._store, service):
            own, wanted = [t for t in known if t.deployment == one.name], computed(service.desired, one.scale)
            if any(task.deployment == one.name for task in begun):
                there = sum(not t.lost and t.status not in ("DEPROVISIONING", "STOPPED") for t in own)
                if there > wanted * service.percents.maximum // 100:
                    self._fail(f"{one.name}: {there} tasks, and {wanted} are wanted")
            if one.status != "DRAINING" and any(task.deployment == one.name for task in ended):
                left = sum(t.desired == t.status == "RUNNING" and self._healthy(t) for t in own)
                if left < -(-wanted * service.percents.minimum // 100):
                    self._fail(f"{one.name}: {left} healthy tasks left, and {wanted} are wanted")

    def _shifting(self, service: Service, story: ServiceDeployment, begun: list[Task], ended: list[Task]) -> None:
        """While traffic is shifted each revision is a fleet of its own: what has traffic is kept as it was promised."""
        known = tasks_of(self._store, service.scope, service.id)
        most = service.desired * service.percents.maximum // 100
        least = -(-service.desired * service.percents.minimum // 100)
        for id_ in {task.deployment for task in begun}:
            there = [t for t in known if t.deployment == id_ and not t.lost]
            count = sum(t.status not in ("DEPROVISIONING", "STOPPED") for t in there)
            if count > most:
                self._fail(f"{id_}: {count} tasks, and at most {most} are allowed")
        shares = [share for one in self._store.all(listeners) for share in one.default["ForwardConfig"]["TargetGroups"]]
        fed = {share["TargetGroupArn"] for share in shares if share["Weight"]}
        for id_ in {task.deployment for task in ended if any(x.group in fed for x in task.targets)}:
            left = [t for t in known if t.deployment == id_ and t.desired == "RUNNING" and t.status == "RUNNING"]
            if sum(self._healthy(t) for t in left) < least:
                self._fail(f"{id_} has traffic, and {least} healthy tasks are promised to it: {story.shift}")

    def _healthy(self, task: Task) -> bool:
        """Running and, as far as the nodes have said by now, healthy."""
        if task.lost or lifecycle.health(task) == "UNHEALTHY" or task.eni is None:
            return False
        return all(self._target(target.group, f"{task.eni.address}:{target.port}:") for target in task.targets)

    def _target(self, group: str, place: str) -> bool:
        said = self._store.index(fleet.target_statuses, "group", group)
        return any(one.state == "healthy" for one in said if one.target.startswith(place))

    # --- addresses

    def _interface(self, change: Change[fleet.Interface]) -> None:
        after = change.after
        if after is None:
            return
        where = (*after.key[:3], after.network, after.address)
        if self._store.count(fleet.interfaces, "address", where) > 1:
            self._fail(f"the address {after.address} was given twice")

    def look(self) -> None:
        """At the nodes: addresses in use, and starts."""
        used: Counter[tuple[str, str]] = Counter()
        for node in self._nodes:
            record = self._store.find(fleet.nodes, fleet.FLEET, node.id)
            if record is not None and record.state == "ready" and node.id in self.trusted:
                used.update((holder.vpc, holder.address) for holder in node.holders())
        for node in self._nodes:
            ports = Counter((protocol, host) for s in node.seats() for protocol, host, _ in published(s.ports))
            for (protocol, port), count in ports.items():
                if count > 1:
                    self._fail(f"the port {port}/{protocol} of {node.id} leads to {count} seats")
        for (_, address), count in used.items():
            if count > 1:
                self._fail(f"the address {address} is in use twice")
        starts: Counter[str] = Counter()
        for node in self._nodes:
            starts.update(node.starts)
        for id_, count in starts.items():
            if count > 1:
                self._fail(f"container {id_} was started {count} times")

    trusted: frozenset[str] = frozenset()  # nodes that were never lost: a lost one may hold what was given away

    def check(self) -> None:
        self.look()
        if self.broken:
            raise Broken("; ".join(dict.fromkeys(self.broken)))
