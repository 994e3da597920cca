"""What a service or a task set is to run: a definition, what it runs on, its network and its targets.

Neighbours are asked whether what is named exists, so all of this comes before the transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import ecs as t
from hatoba.gateway.call import Call
from hatoba.services.ecs.api.balancing import checked_targets
from hatoba.services.ecs.api.capacity import Capacity, capacity, check_balanced
from hatoba.services.ecs.api.networking import checked_network
from hatoba.services.ecs.model.cluster import Cluster
from hatoba.services.ecs.model.service import Revision
from hatoba.services.ecs.model.task_definition import Definition, definitions, usable_definition
from hatoba.services.ecs.views import pieces


def chosen_capacity(req: Mapping[str, Any], cluster: Cluster, definition: Definition) -> Capacity:
    return capacity(
        cluster, definition, req.get("launchType"), req.get("capacityProviderStrategy"), req.get("platformVersion")
    )


async def on(chosen: Capacity, req: Mapping[str, Any], call: Call, definition: Definition) -> Revision:
    check_balanced(chosen.launch_type, req.get("loadBalancers"))
    return Revision(
        definition=definition.id,
        launch_type=chosen.launch_type,
        platform_version=chosen.platform_version,
        capacity=chosen.strategy,
        network=await checked_network(call, definition, chosen.launch_type, req.get("networkConfiguration")),
        targets=await checked_targets(call, definition, req.get("loadBalancers")),
    )


async def wanted(req: Mapping[str, Any], call: Call, cluster: Cluster, definition: Definition) -> Revision:
    return await on(chosen_capacity(req, cluster, definition), req, call, definition)


async def changed(req: t.UpdateServiceRequest, call: Call, cluster: Cluster, now: Revision) -> Revision:
    """The present revision with what the request changes; checked only as far as it changes."""
    if "taskDefinition" in req:
        definition = usable_definition(call.store, call.scope, req["taskDefinition"])
    else:
        known = call.store.find(definitions, call.scope, now.definition)
        assert known is not None, "a definition with services is not forgotten"
        definition = known
    present: dict[str, Any] = {
        "launchType": None if now.capacity else now.launch_type,
        "capacityProviderStrategy": list(now.capacity),
        "platformVersion": now.platform_version,
        "networkConfiguration": pieces.network(now.network) if definition.network_mode == "awsvpc" else None,
        "loadBalancers": pieces.load_balancers(now.targets),
    }
    changes = {name: value for name, value in req.items() if name in present}
    if changes.get("capacityProviderStrategy"):
        changes["launchType"] = None
    if not changes and definition.id == now.definition:
        return now
    return await wanted({**present, **changes}, call, cluster, definition)
