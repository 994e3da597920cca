"""StartTask: on the very instances that are named, whatever the scheduler would prefer; one task on each."""

from __future__ import annotations

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.ecs.api import capacity as capacities
from hatoba.services.ecs.api import run_task as runs
from hatoba.services.ecs.api.networking import checked_network
from hatoba.services.ecs.api.room import ecs
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.account import log_mode, principal
from hatoba.services.ecs.model.cluster import find_cluster, use_cluster
from hatoba.services.ecs.model.instance import find_instance, gone
from hatoba.services.ecs.model.task import Placement
from hatoba.services.ecs.model.task_definition import usable_definition
from hatoba.services.ecs.plan import launch
from hatoba.services.ecs.views.pieces import failure
from hatoba.store import Tx

MOST = 10


@ecs.operation
async def start_task(req: t.StartTaskRequest, call: Call) -> t.StartTaskResponse:
    if not 1 <= len(req["containerInstances"]) <= MOST:
        raise t.InvalidParameterException(f"From 1 to {MOST} container instances can be given.")
    cluster = find_cluster(call.store, call.scope, req.get("cluster"))
    definition = usable_definition(call.store, call.scope, req["taskDefinition"])
    chosen = capacities.capacity(cluster, definition, "EC2", None, None)
    if req.get("volumeConfigurations"):
        raise t.UnsupportedFeatureException("volumeConfigurations is not available.")
    wish = launch.Wish(
        cluster=cluster.id,
        definition=definition,
        launch_type=chosen.launch_type,
        group=runs.checked_group(req.get("group"), definition),
        started_by=runs.checked_started_by(req.get("startedBy")),
        overrides=runs.checked_overrides(req.get("overrides"), definition, chosen.launch_type),
        network=await checked_network(call, definition, chosen.launch_type, req.get("networkConfiguration")),
        execute=bool(req.get("enableExecuteCommand")),
        log_mode=log_mode(call.store, call.scope, principal(call.principal)),
    )
    answer: t.StartTaskResponse = {"tasks": [], "failures": []}
    with call.tx() as tx:
        use_cluster(tx, call.scope, req.get("cluster"))
        usable_definition(tx, call.scope, req["taskDefinition"])
        tags = runs.checked_task_tags(tx, call, req, wish)
        for reference in req["containerInstances"]:
            started = _on(tx, call, wish, reference, tags)
            answer["tasks"] += started["tasks"]
            answer["failures"] += started["failures"]
        return answer


def _on(tx: Tx, call: Call, wish: launch.Wish, reference: str, tags: dict[str, str]) -> t.RunTaskResponse:
    id_ = arns.within(reference, "container-instance", wish.cluster, call.scope)
    known = find_instance(tx, call.scope, wish.cluster, reference)
    if known is None or gone(*known):
        why = "MISSING" if known is None else "INACTIVE"
        return {"tasks": [], "failures": [failure(arns.instance_arn(call.scope, wish.cluster, id_), why)]}
    return runs.start(tx, call, replace(wish, placement=Placement(instance=id_)), 1, tags, ())
