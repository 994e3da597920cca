"""In which availability zones a service's tasks are, and in which they may be.

A Fargate task is where its subnet is, which EC2 is asked once; any other is where its instance is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.fleet.model import nodes
from hatoba.gateway.call import Platform
from hatoba.services.ecs.controller.wishes import wish
from hatoba.services.ecs.model.instance import instances
from hatoba.services.ecs.model.service import Service
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import Network, Task
from hatoba.services.ecs.model.task_definition import definitions
from hatoba.services.ecs.placing import open_zones, zones_of_nodes
from hatoba.services.ecs.plan.launch import Wish
from hatoba.services.ecs.plan.rollout.rebalance import Zones
from hatoba.store.store import View

MOST_SUBNETS = 10_000  # remembered
MOST_PLACES = 1_000


class ZoneMap:
    def __init__(self, platform: Platform, settings: Settings) -> None:
        self._platform = platform
        self._settings = settings
        self._subnets: dict[tuple[Scope, str], str] = {}  # a subnet never moves
        self._known: dict[tuple[Scope, str, str], tuple[tuple[int, int], Mapping[str, str]]] = {}

    async def learn(self, service: Service) -> None:
        """Asks for what is not known yet of the subnets that its tasks start in."""
        network = service.primary.revision.network
        unknown = [s for s in network.subnets if (service.scope, s) not in self._subnets] if network else []
        if not unknown:
            return
        if len(self._subnets) > MOST_SUBNETS:
            self._subnets.clear()
        found = dict.fromkeys(unknown, "")
        try:
            answer = await self._platform.door(service.scope, "ecs").ec2.describe_subnets(SubnetIds=unknown)
        except AwsError as error:
            if error.status >= 500:
                raise
        else:
            found |= {subnet["SubnetId"]: subnet.get("AvailabilityZone") or "" for subnet in answer["Subnets"]}
        self._subnets |= {(service.scope, subnet): zone for subnet, zone in found.items()}

    def subnets(self, scope: Scope, network: Network | None) -> dict[str, str]:
        """By subnet, where it is known: its zone."""
        named = network.subnets if network is not None else ()
        return {subnet: zone for subnet in named if (zone := self._subnets.get((scope, subnet), ""))}

    def of(self, view: View, service: Service, known: Sequence[Task]) -> Zones | None:
        """None for what is not spread over zones. Where tasks may be is found out for a steady service only."""
        if service.daemon:
            return None
        revision = service.primary.revision
        asked = service.rebalances and (service.steady or service.rebalance.since is not None)
        if revision.launch_type == "FARGATE":
            subnets = self.subnets(service.scope, revision.network)
            return Zones(_present(known, lambda task: subnets.get(task.subnet)), _distinct(subnets) if asked else ())
        definition = view.find(definitions, service.scope, revision.definition)
        assert definition is not None, "a definition with services is not forgotten"
        wanted = wish(service, definition)
        there = self.nodes(view, wanted)
        of = _present(known, lambda task: there.get(task.node))
        if not asked:
            return Zones(of)
        providers = [str(item["capacityProvider"]) for item in revision.capacity] or [""]
        one_of = (replace(wanted, capacity_provider=name) for name in providers)
        return Zones(of, tuple(sorted({z for one in one_of for z in open_zones(view, one, self._settings)})))

    def nodes(self, view: View, wanted: Wish) -> Mapping[str, str]:
        """By node: its zone. Made anew only when a node or an instance changed."""
        place = (wanted.scope, wanted.cluster, wanted.launch_type)
        made_from = (view.changes(nodes), view.changes(instances))
        known = self._known.get(place)
        if known is None or known[0] != made_from:
            if len(self._known) > MOST_PLACES:
                self._known.clear()
            known = self._known[place] = made_from, zones_of_nodes(view, wanted)
        return known[1]


def _present(known: Sequence[Task], zone: Callable[[Task], str | None]) -> dict[str, str]:
    return {task.id: found for task in known if (found := zone(task))}


def _distinct(zones: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(set(zones.values())))
