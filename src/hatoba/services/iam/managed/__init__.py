"""AWS's managed policies, and those of the platform's own service-linked roles.

The permissions are the ones that AWS documents (its managed policy reference), written down anew in a form of our own
(`form`), a file a family; each exists in one version, v1, from the day this room was made. `linked` has what the rooms
of the platform may ask of each other. What AWS has and we do not is not there: attaching it is refused.
"""

from __future__ import annotations

from functools import cache

from hatoba.services.iam.managed import (
    containers,
    delivery,
    form,
    jobs,
    keeping,
    kubernetes,
    linked,
    mesh,
    network,
    reading,
    watching,
)
from hatoba.services.iam.managed.form import Managed

CREATED = 1_764_547_200.0  # 2025-12-01: of all of them
VERSION = "v1"

_FAMILIES = (jobs, reading, containers, mesh, kubernetes, watching, delivery, network, keeping, linked)
_BY_PATH: dict[str, Managed] = {
    managed.path + managed.name: managed for family in _FAMILIES for managed in family.POLICIES
}


def find(arn: str) -> Managed | None:
    """By its ARN, in any partition."""
    owner, colon, path = arn.partition(":iam::aws:policy")
    return _BY_PATH.get(path) if colon and owner.startswith("arn:aws") else None


def document(arn: str) -> str | None:
    """The policy's document as JSON; None for what is not there."""
    managed = find(arn)
    return None if managed is None else _document(managed.path + managed.name)


@cache
def _document(path: str) -> str:
    return form.document(_BY_PATH[path])


def everything() -> list[Managed]:
    """By name, in the order of the alphabet."""
    return sorted(_BY_PATH.values(), key=lambda managed: managed.name)


def of_linked_role(name: str, partition: str = "aws") -> tuple[str, ...]:
    """The ARNs of the policies that a service-linked role has; none for a role that is not one of ours."""
    return tuple(managed.arn(partition) for managed in linked.ROLES.get(name, ()))


__all__ = ["CREATED", "VERSION", "Managed", "document", "everything", "find", "of_linked_role"]
