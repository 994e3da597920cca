"""What ECS's requests name, as ARNs.

Names, short ARNs and ARNs come to the ARN of what the operation will work on: always one of the call's own scope.
An operation refuses what an ARN says is elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from hatoba.core import arn
from hatoba.gateway.call import Call
from hatoba.gateway.needs import Params, Resources, member, named
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.cluster import DEFAULT
from hatoba.services.ecs.model.task_definition import Definition, named_definition

ANY = "*"  # of a kind: those of a cluster when none is named, the revision that is to be


def plain(reference: str, kind: str) -> str:
    """What comes after the kind in an ARN; a name as it is."""
    return reference.rpartition(f":{kind}/")[2]


def cluster_arn(req: Params, call: Call) -> str:
    return arns.cluster_arn(call.scope, _cluster(req))


def service_arn(req: Params, call: Call, path: str = "service") -> str:
    name = plain(req.get(path) or ANY, "service").rpartition("/")[2]
    return arns.service_arn(call.scope, _cluster(req), name)


def provider_arn(call: Call, reference: str) -> str:
    return arns.capacity_provider_arn(call.scope, plain(reference, "capacity-provider"))


def definition(call: Call, reference: str) -> tuple[str, Definition | None]:
    """A bare family means its newest active revision; of one that has none, any."""
    name = plain(reference, "task-definition")
    found = named_definition(call.store, call.scope, name)
    if found is not None:
        return found.arn, found
    return call.arn(f"task-definition/{name if ':' in name else f'{name}:{ANY}'}"), None


def _cluster(req: Params) -> str:
    return plain(req.get("cluster") or DEFAULT, "cluster")


# --- resources of a request ----------------------------------------------------------------------------------------


def cluster(req: Params, call: Call) -> Iterator[str]:
    yield cluster_arn(req, call)


def clusters(path: str) -> Resources:
    def resources(req: Params, call: Call) -> Iterator[str]:
        for reference in list(member(req, path)) or [DEFAULT]:
            yield arns.cluster_arn(call.scope, plain(reference, "cluster"))

    return resources


def service(req: Params, call: Call) -> Iterator[str]:
    yield service_arn(req, call)


def new_service(req: Params, call: Call) -> Iterator[str]:
    yield service_arn(req, call, "serviceName")


def in_cluster(kind: str, path: str) -> Resources:
    """Those that are named at `path`; where none is, all of the cluster."""

    def resources(req: Params, call: Call) -> Iterator[str]:
        for reference in list(member(req, path)) or [ANY]:
            name = plain(reference, kind).rpartition("/")[2]
            yield arn.make(call.scope, arns.SERVICE, f"{kind}/{_cluster(req)}/{name}")

    return resources


def new_tasks(req: Params, call: Call) -> Iterator[str]:
    yield arns.task_arn(call.scope, _cluster(req), ANY)


def task_sets(path: str) -> Resources:
    def resources(req: Params, call: Call) -> Iterator[str]:
        of = plain(service_arn(req, call), "service")
        for reference in list(member(req, path)) or [ANY]:
            number = reference.rpartition("ecs-svc/")[2]
            yield arns.task_set_arn(call.scope, of, number if number == ANY else f"ecs-svc/{number}")

    return resources


def new_task_set(req: Params, call: Call) -> Iterator[str]:
    yield arns.task_set_arn(call.scope, plain(service_arn(req, call), "service"), ANY)


def providers(path: str) -> Resources:
    def resources(req: Params, call: Call) -> Iterator[str]:
        for reference in list(member(req, path)) or [ANY]:
            yield provider_arn(call, reference)

    return resources


def definitions(path: str) -> Resources:
    def resources(req: Params, call: Call) -> Iterator[str]:
        for reference in member(req, path):
            yield definition(call, reference)[0]

    return resources


def new_definition(req: Params, call: Call) -> Iterator[str]:
    yield call.arn(f"task-definition/{req.get('family')}:{ANY}")


def history(kind: str, path: str) -> Resources:
    """`cluster/service/…` of a kind, and the service that each is of."""

    def resources(req: Params, call: Call) -> Iterator[str]:
        for reference in member(req, path):
            id_ = plain(reference, kind)
            yield call.arn(f"service/{id_.rpartition('/')[0]}")
            yield call.arn(f"{kind}/{id_}")

    return resources


TAGGED = named("resourceArn", lambda call, name: name)  # the operations take nothing but whole ARNs of their scope
TASK = in_cluster("task", "task")
TASKS = in_cluster("task", "tasks")
INSTANCE = in_cluster("container-instance", "containerInstance")
INSTANCES = in_cluster("container-instance", "containerInstances")
TARGETS = in_cluster("container-instance", "attributes.targetId")
SERVICES = in_cluster("service", "services")
DEFINITION = definitions("taskDefinition")
TASK_SET = task_sets("taskSet")
PROVIDER = providers("name")
DEPLOYMENT = history("service-deployment", "serviceDeploymentArn")
DEPLOYMENTS = history("service-deployment", "serviceDeploymentArns")
REVISIONS = history("service-revision", "serviceRevisionArns")
