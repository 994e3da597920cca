"""In which availability zones a service's tasks are, and in which they may be.

A Fargate task is where its subnet is, which EC2 is asked once; any other is where its instance is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.gateway.call import Platform
from hatoba.services.ecs.controller.wishes import wish
from hatoba.services.ecs.model.service import Service
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import Network, Task
from hatoba.services.ecs.model.task_definition import definitions
from hatoba.services.ecs.placing import there_for, zones_of_nodes
from hatoba.services.ecs.plan.rollout.rebalance import Zones
from hatoba.store.store import View

MOST_SUBNETS = 10_000  # remembered


class ZoneMap:
    def __init__(self, platform: Platform, settings: Settings) -> None:
        self._platform = platform
        self._settings = settings
        self._subnets: dict[tuple[Scope, str], str] = {}  # a subnet never moves

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
        nodes = zones_of_nodes(view, service.scope, service.cluster, {task.node for task in known})
        return Zones(
            _present(known, lambda task: nodes.get(task.node)), self._instances(view, service) if asked else ()
        )

    def _instances(self, view: View, service: Service) -> tuple[str, ...]:
        """The zones of the instances that may have its tasks."""
        definition = view.find(definitions, service.scope, service.primary.revision.definition)
        assert definition is not None, "a definition with services is not forgotten"
        there = there_for(view, wish(service, definition), self._settings)
        return _distinct(zones_of_nodes(view, service.scope, service.cluster, there))


def _present(known: Sequence[Task], zone: Callable[[Task], str | None]) -> dict[str, str]:
    return {task.id: found for task in known if (found := zone(task))}


def _distinct(zones: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(set(zones.values())))
