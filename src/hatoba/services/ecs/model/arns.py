"""ECS's ARNs and the short names that stand for them.

Long formats only (`task/<cluster>/<32 hex>`); the short ones of 2018 are still understood where a caller gives them.
"""

from __future__ import annotations

import hashlib
import uuid

from hatoba.aws.shapes import ecs as t
from hatoba.core import arn
from hatoba.core.keys import Scope

SERVICE = "ecs"
SEPARATORS = "Invalid identifier: Unexpected number of separators"


def cluster_arn(scope: Scope, cluster: str) -> str:
    return arn.make(scope, SERVICE, f"cluster/{cluster}")


def task_arn(scope: Scope, cluster: str, task: str) -> str:
    return arn.make(scope, SERVICE, f"task/{cluster}/{task}")


def container_arn(scope: Scope, cluster: str, task: str, container: str) -> str:
    return arn.make(scope, SERVICE, f"container/{cluster}/{task}/{derived_uuid(task, container)}")


def attachment_arn(scope: Scope, attachment: str) -> str:
    return arn.make(scope, SERVICE, f"attachment/{attachment}")


def service_arn(scope: Scope, cluster: str, service: str) -> str:
    return arn.make(scope, SERVICE, f"service/{cluster}/{service}")


def service_deployment_arn(scope: Scope, id_: str) -> str:
    """`id_`: cluster/service/letters."""
    return arn.make(scope, SERVICE, f"service-deployment/{id_}")


def service_revision_arn(scope: Scope, id_: str) -> str:
    """`id_`: cluster/service/number."""
    return arn.make(scope, SERVICE, f"service-revision/{id_}")


def task_set_arn(scope: Scope, service: str, name: str) -> str:
    """`service`: cluster/name; `name`: ecs-svc/number."""
    return arn.make(scope, SERVICE, f"task-set/{service}/{name}")


def definition_arn(scope: Scope, family: str, revision: int) -> str:
    return arn.make(scope, SERVICE, f"task-definition/{family}:{revision}")


def instance_arn(scope: Scope, cluster: str, instance: str) -> str:
    return arn.make(scope, SERVICE, f"container-instance/{cluster}/{instance}")


def capacity_provider_arn(scope: Scope, name: str) -> str:
    return arn.make(scope, SERVICE, f"capacity-provider/{name}")


def derived_uuid(*parts: str) -> str:
    """The same id for the same parts: names for what is made in several steps, so that a crash finds it again."""
    return str(uuid.UUID(bytes=hashlib.blake2b("\0".join(parts).encode(), digest_size=16).digest(), version=4))


def plain(reference: str, kind: str, scope: Scope) -> str:
    """`web` from `web` or `arn:…:cluster/web`. Raises when it is the ARN of something else, or of another place's."""
    if not reference.startswith("arn:"):
        return reference
    parsed = arn.parse(reference)
    if parsed is None or parsed.service != SERVICE or not parsed.resource.startswith(f"{kind}/"):
        raise t.InvalidParameterException(f"Invalid identifier: {reference} is not the ARN of a {kind}.")
    # What has that name here is something else: nobody who names prod of one region means prod of another.
    if (parsed.partition, parsed.region) != (scope.partition, scope.region):
        raise t.InvalidParameterException("Invalid Region in ARN")
    if parsed.account != scope.account:
        raise t.InvalidParameterException(
            f"Invalid identifier: Identifier is for account {parsed.account}. Your account is {scope.account}"
        )
    return parsed.resource.removeprefix(f"{kind}/")


def within(reference: str, kind: str, cluster: str, scope: Scope) -> str:
    """The last part of `<cluster>/<name>` (or of a short `<name>`). Raises when it belongs to another cluster."""
    of, _, name = plain(reference, kind, scope).rpartition("/")
    if "/" in of:
        raise t.InvalidParameterException(SEPARATORS)
    if of and of != cluster:
        raise t.InvalidParameterException(
            f"Invalid identifier: Identifier is for cluster {of}. Your cluster is {cluster}"
        )
    return name


def task_set_name(reference: str, service: str, scope: Scope) -> str | None:
    """`ecs-svc/<number>` from that or from an ARN; None when it is nothing of the kind, or another service's."""
    name = reference
    if reference.startswith("arn:"):
        of, found, number = plain(reference, "task-set", scope).rpartition("/ecs-svc/")
        if not found or of != service:
            return None
        name = f"ecs-svc/{number}"
    return name if name.startswith("ecs-svc/") else None
