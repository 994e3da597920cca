"""Clusters: create, describe, list, update, delete."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import small_next_token
from hatoba.gateway.tags import tags_of
from hatoba.services.ecs.api.capacity import default_strategy, known_providers
from hatoba.services.ecs.api.room import checked_tags, ecs, page, tag
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.account import effective, principal
from hatoba.services.ecs.model.cluster import DEFAULT, Cluster, clusters, find_cluster, name_of, use_cluster
from hatoba.services.ecs.model.instance import instances, registered
from hatoba.services.ecs.model.service import services
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.model.task_set import shown_revision
from hatoba.services.ecs.plan import execute
from hatoba.services.ecs.views import cluster as view
from hatoba.services.ecs.views.pieces import failure
from hatoba.store.store import View

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_INSIGHTS = ("enabled", "disabled", "enhanced")


@ecs.operation
async def create_cluster(req: t.CreateClusterRequest, call: Call) -> t.CreateClusterResponse:
    name = req.get("clusterName") or DEFAULT
    if not _NAME.fullmatch(name):
        raise t.InvalidParameterException("Cluster name contains invalid characters.")
    tags = checked_tags(req.get("tags"))
    providers = known_providers(call.store, call.scope, req.get("capacityProviders") or ())
    connect: Mapping[str, Any] = req.get("serviceConnectDefaults") or {}
    insights = effective(call.store, call.scope, principal(call.principal))["containerInsights"]
    wanted = Cluster(
        key=clusters.key(call.scope, name),
        settings={"containerInsights": insights, **_settings(req.get("settings"))},
        configuration=execute.checked(req.get("configuration")),
        capacity_providers=providers,
        strategy=default_strategy(req.get("defaultCapacityProviderStrategy"), providers),
        service_connect=connect.get("namespace") or "",
    )
    with call.tx() as tx:
        known = tx.find(clusters, call.scope, name)
        if known is not None and known.status == "ACTIVE":
            record = known  # creating it again finds it as it is
        else:
            record = tx.write(clusters, wanted)
            tag(tx, call.scope, arns.cluster_arn(call.scope, name), tags)
        return {"cluster": shape(tx, call, record, ("TAGS", "SETTINGS", "CONFIGURATIONS"))}


@ecs.operation
async def describe_clusters(req: t.DescribeClustersRequest, call: Call) -> t.DescribeClustersResponse:
    asked = req.get("clusters") or [DEFAULT]
    if len(asked) > 100:
        raise t.InvalidParameterException("Clusters cannot exceed 100 items.")
    found, failures = [], []
    for reference in dict.fromkeys(asked):
        name = name_of(reference, call.scope)
        record = call.store.find(clusters, call.scope, name)
        if record is None and name == DEFAULT:
            with call.tx() as tx:
                record = use_cluster(tx, call.scope, DEFAULT)
        if record is None:
            failures.append(failure(arns.cluster_arn(call.scope, name), "MISSING"))
        else:
            found.append(shape(call.store, call, record, req.get("include") or ()))
    return {"clusters": found, "failures": failures}


@ecs.operation
async def list_clusters(req: t.ListClustersRequest, call: Call) -> t.ListClustersResponse:
    active = (record for record in call.store.scan(clusters, call.scope) if record.status == "ACTIVE")
    found, more = page(call, active, req, lambda record: record.id)
    return {"clusterArns": [arns.cluster_arn(call.scope, record.id) for record in found], **small_next_token(more)}


@ecs.operation
async def update_cluster(req: t.UpdateClusterRequest, call: Call) -> t.UpdateClusterResponse:
    with call.tx() as tx:
        record = find_cluster(tx, call.scope, req["cluster"])
        changed = replace(record, settings={**record.settings, **_settings(req.get("settings"))})
        if "configuration" in req:
            changed = replace(changed, configuration=execute.checked(req["configuration"]))
        if "serviceConnectDefaults" in req:
            changed = replace(changed, service_connect=req["serviceConnectDefaults"]["namespace"])
        return {"cluster": shape(tx, call, tx.put(clusters, changed), ("TAGS", "SETTINGS", "CONFIGURATIONS"))}


@ecs.operation
async def update_cluster_settings(req: t.UpdateClusterSettingsRequest, call: Call) -> t.UpdateClusterSettingsResponse:
    with call.tx() as tx:
        record = find_cluster(tx, call.scope, req["cluster"])
        changed = replace(record, settings={**record.settings, **_settings(req["settings"])})
        return {"cluster": shape(tx, call, tx.put(clusters, changed), ("TAGS", "SETTINGS"))}


@ecs.operation
async def delete_cluster(req: t.DeleteClusterRequest, call: Call) -> t.DeleteClusterResponse:
    with call.tx() as tx:
        record = find_cluster(tx, call.scope, req["cluster"])
        where = (call.scope, record.id)
        if tx.count(services, "cluster", where):
            raise t.ClusterContainsServicesException("The Cluster cannot be deleted while Services are active.")
        if tx.count(tasks, "cluster", (*where, "RUNNING")):
            raise t.ClusterContainsTasksException("The Cluster cannot be deleted while Tasks are active.")
        for instance in tx.index(instances, "cluster", where):
            tx.forget(instances, instance.key)  # a new cluster of the same name knows nothing of it
        return {"cluster": shape(tx, call, tx.put(clusters, replace(record, status="INACTIVE")), ())}


# --- checks and views ----------------------------------------------------------------------------------------------


def _settings(settings: list[t.ClusterSetting] | None) -> dict[str, str]:
    found = {}
    for setting in settings or ():
        name, value = setting.get("name"), setting.get("value", "")
        if name is None:
            raise t.InvalidParameterException("Cluster setting name should not be null or empty.")
        if value not in _INSIGHTS:
            raise t.InvalidParameterException(f"Invalid value for {name}: must be one of [{', '.join(_INSIGHTS)}].")
        found[str(name)] = value
    return found


def shape(from_: View, call: Call, record: Cluster, include: Any) -> t.Cluster:
    where = (call.scope, record.id)
    counts = view.Counts(
        # Nodes serve every cluster that there is; one that was deleted has none.
        instances=len(registered(from_, call.scope, record.id)) if record.status == "ACTIVE" else 0,
        running=from_.count(tasks, "counted", (*where, "running")),
        pending=from_.count(tasks, "counted", (*where, "pending")),
        services=from_.count(services, "active", where),
        statistics=_statistics(from_, where) if "STATISTICS" in include else (),
    )
    tags = tags_of(from_, call.scope, arns.cluster_arn(call.scope, record.id)) if "TAGS" in include else None
    return view.cluster(record, counts, tags, include)


def _statistics(from_: View, where: tuple[Any, ...]) -> tuple[tuple[str, int], ...]:
    found: Counter[str] = Counter()
    words = {"EC2": "EC2", "FARGATE": "Fargate", "EXTERNAL": "External"}
    for state in ("running", "pending"):
        for task in from_.index(tasks, "counted", (*where, state)):
            found[f"{state}{words[task.launch_type]}TasksCount"] += 1
    for service in from_.index(services, "cluster", where):
        revision = shown_revision(from_, service)
        if revision is not None:
            found[f"{service.status.lower()}{words[revision.launch_type]}ServiceCount"] += 1
    names = [f"{state}{kind}TasksCount" for kind in ("EC2", "Fargate") for state in ("running", "pending")]
    names += [f"{state}{kind}ServiceCount" for kind in ("EC2", "Fargate") for state in ("active", "draining")]
    return tuple((name, found[name]) for name in dict.fromkeys([*names, *found]))
