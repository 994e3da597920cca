"""Workloads for the node's tests."""

from __future__ import annotations

from typing import Any

from hatoba.core.keys import Scope
from hatoba.fleet import model as m

HERE = Scope("aws", "123456789012", "us-east-1")


def image(name: str = "web:1") -> m.ImageWanted:
    return m.ImageWanted(name=name, repository=name.partition(":")[0], reference=name.partition(":")[2] or "latest")


def container(name: str = "web", **fields: Any) -> m.ContainerWanted:
    return m.ContainerWanted(**{"name": name, "image": image(), "command": ("serve",), **fields})


def workload(id_: str = "t1", *containers: m.ContainerWanted, **fields: Any) -> m.Workload:
    return m.Workload(
        **{
            "key": m.workloads.key(HERE, id_),
            "node": "n1",
            "network": "v1",
            "interface": f"e-{id_}",
            "containers": containers or (container(),),
            "region": "us-east-1",
            **fields,
        }
    )
