"""Tasks: one group of containers, from the wish to run it to its remembered end.

Wanted and observed fields have different writers, named beside them. What a task's `status` is follows from the other
fields (`plan/lifecycle.settle`): whoever changes one of them settles the task in the same transaction.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.fleet.model import PortBinding
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.usage import Usage
from hatoba.store import Index, Table
from hatoba.store.store import View

Status = Literal[
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
]
RANK: dict[str, int] = {status: rank for rank, status in enumerate(get_args(Status))}
ID_LENGTHS = (32, 36)  # hexadecimal digits, and the UUIDs of old
SPOT = "FARGATE_SPOT"  # the capacity provider whose tasks give way
Balancing = Literal["none", "wanted", "joining", "joined", "draining", "left"]


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value inside a record."""


class Network(Part, frozen=True, kw_only=True):
    """The model's AwsVpcConfiguration."""

    subnets: tuple[str, ...]
    groups: tuple[str, ...] = ()
    public: bool = False


class Reserve(Part, frozen=True, kw_only=True):
    """What the task takes from its node, in the words of placement."""

    cpu: int = 0
    memory: int = 0  # bytes
    ports: tuple[tuple[int, str], ...] = ()


class Placement(Part, frozen=True, kw_only=True):
    """Where it would rather run, and where it must: the model's strategies and constraints, checked (`plan/placement`).
    `instance`: the very node that StartTask named.
    """

    strategy: tuple[dict[str, str], ...] = ()
    constraints: tuple[dict[str, str], ...] = ()
    instance: str = ""


class Shifting(Part, frozen=True, kw_only=True):
    """The model's AdvancedConfiguration: between which target groups traffic is shifted, and by which rules."""

    groups: tuple[str, str]  # ARNs: the service's own, and the alternate one
    production: str  # listener rule's ARN
    test: str = ""
    role: str = ""

    def other(self, group: str) -> str:
        return self.groups[0] if group == self.groups[1] else self.groups[1]


class Target(Part, frozen=True, kw_only=True):
    """Where the task joins a load balancer."""

    group: str  # target group ARN
    container: str
    port: int
    six: bool = False  # the group's targets are addresses of IPv6
    shifting: Shifting | None = None  # of a service's revision only


class Eni(Part, frozen=True, kw_only=True):
    """Its network interface."""

    id: str
    subnet: str
    vpc: str
    address: str  # "": it has IPv6 only
    mac: str
    dns: str = ""
    zone: str = ""
    zone_id: str = ""
    address6: str = ""


class Container(Part, frozen=True, kw_only=True):
    name: str
    essential: bool = True
    checked: bool = False  # it has a health check
    status: Literal["PENDING", "RUNNING", "STOPPED"] = "PENDING"
    runtime_id: str = ""
    digest: str = ""
    exit_code: int | None = None
    reason: str = ""
    health: Literal["UNKNOWN", "HEALTHY", "UNHEALTHY"] = "UNKNOWN"
    restarts: int = 0
    bindings: tuple[PortBinding, ...] = ()  # where its ports are on the node


class Task(Record, frozen=True, kw_only=True):
    """The id is 32 hex digits, unique in the account and region."""

    cluster: str
    definition: str  # id of the revision
    launch_type: Literal["FARGATE", "EC2", "EXTERNAL"]
    group: str
    created_at: float
    started_by: str = ""
    service: str | None = None  # id of the service, `cluster/name`
    deployment: str | None = None  # `ecs-svc/…`
    capacity_provider: str = ""
    platform_version: str = ""
    overrides: dict[str, Any] = msgspec.field(default_factory=dict)  # the model's TaskOverride
    network: Network | None = None
    subnet: str = ""  # the one of `network` that its interface is made in
    cpu: str = ""
    memory: str = ""
    execute: bool = False  # enableExecuteCommand
    reserve: Reserve = Reserve()
    targets: tuple[Target, ...] = ()
    placement: Placement = Placement()
    log_mode: str = ""  # of log drivers that are not told one: `blocking` or `non-blocking`
    pins: dict[str, str] = msgspec.field(default_factory=dict)  # by container: the digest to run, whatever the tag says

    # Wanted. Writers: the API and the service controller; the task controller when the task ends by itself.
    desired: Literal["RUNNING", "STOPPED"] = "RUNNING"
    leaving: bool = False  # its instance is being drained: its service is to replace it
    stop_code: str = ""
    stopped_reason: str = ""
    stopped_by: str = ""  # ARN of the principal who asked for it; "" when it was the service or the task itself

    # Where it runs: whoever starts the task; the task controller when that node is gone before the task was there.
    node: str = ""

    # The task controller only.
    file_tags: dict[str, str] = msgspec.field(default_factory=dict)  # those that ask for secret files, at its start
    reads: tuple[str, ...] = ()  # ARNs of what its secret files are made of
    zone: str = ""  # of its node; of its interface, where it has one
    status: Status = "PROVISIONING"
    eni: Eni | None = None
    launched: bool = False  # the node was told
    lost: bool = False  # its node is gone, and what ran there with it
    released: bool = False  # nothing is left of it: no interface, no workload, no credentials
    renew_at: float | None = None  # when its role's credentials have to be renewed
    containers: tuple[Container, ...] = ()
    connected_at: float | None = None
    pull_started_at: float | None = None
    pull_stopped_at: float | None = None
    started_at: float | None = None
    stopping_at: float | None = None
    execution_stopped_at: float | None = None
    stopped_at: float | None = None

    # Its place behind load balancers. The service controller only (and `settle`, as the task goes on).
    balancing: Balancing = "none"
    drained_at: float | None = None  # at the latest
    protected_until: float | None = None  # from scaling in and from deployments. The API only.
    counted: bool = False  # its service has taken note of its end
    story: bytes = b""  # what happened to it (`model/story`): whoever changes it, `settle` above all

    @property
    def arn(self) -> str:
        return arns.task_arn(self.key.scope, self.cluster, self.key.id)

    def protected(self, now: float) -> bool:
        return self.protected_until is not None and now < self.protected_until

    @property
    def attachment(self) -> str:
        """The id of its network interface's attachment, known before there is one."""
        return arns.derived_uuid(self.key.id, "eni")


def _listed(task: Task, *what: str) -> tuple[object, ...]:
    return (task.key[:3], task.cluster, task.desired, *what)


tasks = Table(
    "ecs.tasks",
    Task,
    indexes=(
        # For ListTasks and the counts of clusters.
        Index("cluster", lambda task: _listed(task)),
        Index("family", lambda task: _listed(task, task.definition.partition(":")[0])),
        Index("started_by", lambda task: _listed(task, task.started_by) if task.started_by else None),
        Index("served", lambda task: _listed(task, task.service) if task.service else None),
        Index("counted", lambda task: _counted(task)),
        # For the controllers: what is not over yet.
        Index("service", lambda task: (task.key[:3], task.service) if task.service and not _noted(task) else None),
        Index("node", lambda task: task.node if task.node and _live(task) else None),
        Index("live", lambda task: True if _live(task) else None),
        Index("spot", lambda task: True if task.capacity_provider == SPOT and _runs_on(task) else None),
        Index("stopped", lambda task: minute(task.stopped_at) if task.stopped_at is not None else None),
        Index("reads", lambda task: task.reads if task.reads and _live(task) else None, many=True),
        Index("reading", lambda task: True if task.reads and _live(task) else None),
        # For deleting revisions: everything that is remembered.
        Index("definition", lambda task: (task.key[:3], task.definition)),
    ),
    tallies=(Usage,),
)


def minute(at: float) -> int:
    """Stopped tasks are found by the minute in which they stopped."""
    return int(at // 60)


def _live(task: Task) -> bool:
    return task.status != "STOPPED"


def _runs_on(task: Task) -> bool:
    return _live(task) and task.desired == "RUNNING"


def _noted(task: Task) -> bool:
    return task.counted and task.status == "STOPPED"


def _counted(task: Task) -> tuple[object, ...] | None:
    if task.status == "RUNNING":
        return (task.key[:3], task.cluster, "running")
    if RANK[task.status] < RANK["RUNNING"]:
        return (task.key[:3], task.cluster, "pending")
    return None


def tasks_of(view: View, scope: Scope, service: str) -> list[Task]:
    """A service's tasks that are not over yet, or whose end the service has not taken note of."""
    return view.index(tasks, "service", (scope, service))


def find_task(view: View, scope: Scope, cluster: str, reference: str) -> Task | None:
    """By id or ARN. Raises for what is no id, as AWS does: `None`, say, of a script whose list of tasks was empty."""
    id_ = arns.within(reference, "task", cluster, scope)
    if len(id_) not in ID_LENGTHS:
        raise t.InvalidParameterException(f"taskId length should be one of [{','.join(map(str, ID_LENGTHS))}]")
    record = view.find(tasks, scope, id_)
    return record if record is not None and record.cluster == cluster else None


def need_task(view: View, scope: Scope, cluster: str, reference: str) -> Task:
    record = find_task(view, scope, cluster, reference)
    if record is None:
        raise t.InvalidParameterException("The referenced task was not found.")
    return record


def network_of(configuration: t.NetworkConfiguration | None) -> Network | None:
    if not configuration or not configuration.get("awsvpcConfiguration"):
        return None
    vpc = configuration["awsvpcConfiguration"]
    return Network(
        subnets=tuple(vpc["subnets"]),
        groups=tuple(vpc.get("securityGroups") or ()),
        public=vpc.get("assignPublicIp") == "ENABLED",
    )
