"""A new task, as a value: what RunTask and the service controller have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from hatoba.core.keys import Scope
from hatoba.placement import Needs
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import Container, Network, Part, Placement, Reserve, Target, Task, tasks
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.model.usage import group_of, where
from hatoba.services.ecs.plan import needs, placement

LATEST_PLATFORM = "1.4.0"


class Wish(Part, frozen=True, kw_only=True):
    """Tasks of one definition, before they have ids and nodes."""

    cluster: str
    definition: Definition
    launch_type: Literal["FARGATE", "EC2", "EXTERNAL"]
    group: str
    started_by: str = ""
    service: str | None = None
    deployment: str | None = None
    capacity_provider: str = ""
    platform_version: str = ""
    overrides: dict[str, Any] = msgspec.field(default_factory=dict)
    network: Network | None = None
    execute: bool = False
    targets: tuple[Target, ...] = ()
    placement: Placement = Placement()
    log_mode: str = ""  # of log drivers that are not told one

    @property
    def scope(self) -> Scope:
        return self.definition.scope

    def reserve(self, settings: Settings) -> Reserve:
        return needs.reserve(self.definition, self.overrides, self.launch_type, settings)

    def needs(self, settings: Settings) -> Needs:
        """In the words of placement. Fargate has no instances to prefer or to refuse: its tasks are spread."""
        taken = self.reserve(settings)
        place = where(self.scope, self.cluster, self.launch_type)
        own = self.definition.content.get("placementConstraints") or ()
        fargate = self.launch_type == "FARGATE"
        return Needs(
            cpu=taken.cpu,
            memory=taken.memory,
            ports=frozenset(taken.ports),
            architecture=needs.architecture(self.definition),
            features=needs.features(self.definition),
            gpus=needs.gpus(self.definition, self.overrides),
            group=group_of(place, self.group),
            alone=placement.alone(self.placement),
            conditions=() if fargate else placement.conditions(self.placement, own, place),
            order=() if fargate else placement.orders(self.placement),
        )


def spread(
    network: Network | None,
    taken: Iterable[str],
    count: int,
    zones: Mapping[str, str] | None = None,
    chosen: Sequence[str] = (),
) -> list[str]:
    """A subnet for each of `count` tasks, so that they and those in `taken` are spread evenly, over the zones (as far
    as those of the subnets are known) and in them. `chosen`: the zone that each has to be in."""
    if network is None or not network.subnets:
        return [""] * count
    zone_of = {subnet: (zones or {}).get(subnet, "") for subnet in network.subnets}
    tasks_in = Counter(taken)
    zone_has: Counter[str] = Counter()
    for subnet, there in tasks_in.items():
        zone_has[zone_of.get(subnet, "")] += there
    found = []
    for number in range(count):
        allowed = [s for s in network.subnets if number >= len(chosen) or zone_of[s] == chosen[number]]
        subnet = min(allowed or network.subnets, key=lambda subnet: (zone_has[zone_of[subnet]], tasks_in[subnet]))
        tasks_in[subnet] += 1
        zone_has[zone_of[subnet]] += 1
        found.append(subnet)
    return found


def task(wish: Wish, scope: Scope, id_: str, node: str, subnet: str, reserve: Reserve, now: float) -> Task:
    content = wish.definition.content
    awsvpc = wish.definition.network_mode == "awsvpc"
    return Task(
        key=tasks.key(scope, id_),
        cluster=wish.cluster,
        definition=wish.definition.id,
        launch_type=wish.launch_type,
        group=wish.group,
        created_at=now,
        started_by=wish.started_by,
        service=wish.service,
        deployment=wish.deployment,
        capacity_provider=wish.capacity_provider,
        platform_version=wish.platform_version,
        overrides=wish.overrides,
        network=wish.network if awsvpc else None,
        subnet=subnet if awsvpc else "",
        cpu=str(wish.overrides.get("cpu") or content.get("cpu") or _cpu(wish)),
        memory=str(wish.overrides.get("memory") or content.get("memory") or _memory(wish)),
        execute=wish.execute,
        reserve=reserve,
        targets=wish.targets,
        placement=wish.placement,
        log_mode=wish.log_mode,
        node=node,
        status="PROVISIONING" if awsvpc else "PENDING",
        containers=tuple(
            Container(name=c["name"], essential=c["essential"], checked=bool(c.get("healthCheck")))
            for c in wish.definition.containers
        ),
        balancing="wanted" if wish.targets else "none",
    )


def _cpu(wish: Wish) -> int:
    return sum(int(container["cpu"]) for container in wish.definition.containers)


def _memory(wish: Wish) -> int:
    return sum(int(c.get("memory") or c.get("memoryReservation") or 0) for c in wish.definition.containers)
