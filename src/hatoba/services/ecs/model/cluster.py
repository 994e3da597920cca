"""Clusters: a boundary of isolation, and nothing that runs."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.services.ecs.model import arns
from hatoba.store import Table, Tx
from hatoba.store.store import View

DEFAULT = "default"


class Cluster(Record, frozen=True, kw_only=True):
    """The id is the name. An INACTIVE cluster can still be described, and its name be used again."""

    status: Literal["ACTIVE", "INACTIVE"] = "ACTIVE"
    settings: dict[str, str] = msgspec.field(default_factory=dict)
    configuration: dict[str, Any] = msgspec.field(default_factory=dict)  # the model's ClusterConfiguration
    capacity_providers: tuple[str, ...] = ()
    strategy: tuple[dict[str, Any], ...] = ()  # the model's CapacityProviderStrategyItems
    service_connect: str = ""  # namespace


clusters = Table("ecs.clusters", Cluster)


def name_of(reference: str | None, scope: Scope) -> str:
    name = arns.plain(reference, "cluster", scope) if reference else DEFAULT
    if "/" in name:
        raise t.InvalidParameterException(arns.SEPARATORS)
    return name


def find_cluster(view: View, scope: Scope, reference: str | None) -> Cluster:
    """An active cluster. `default` need not have been created: whoever reads it finds it empty."""
    name = name_of(reference, scope)
    record = view.find(clusters, scope, name)
    if record is None and name == DEFAULT:
        return Cluster(key=clusters.key(scope, DEFAULT))
    if record is None:
        raise t.ClusterNotFoundException("Cluster not found.")
    if record.status != "ACTIVE":
        raise t.ClusterNotFoundException("The referenced cluster was inactive.")
    return record


def use_cluster(tx: Tx, scope: Scope, reference: str | None) -> Cluster:
    """An active cluster; `default` comes to be when something is first put into it."""
    record = find_cluster(tx, scope, reference)
    return tx.put(clusters, record) if record.version == 0 else record
