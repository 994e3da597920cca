"""One workload as its node knows it: what is wanted, what is known, what is under way. The state of the step machine.

The verbs here give back what is held with one thing changed; `learn` and `advance` say when.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hatoba.core.records import replace
from hatoba.fleet.model import ContainerStatus, Part, Workload, WorkloadStatus, workload_statuses
from hatoba.node.events import Exited, Instruction, Verb

Network = Literal["absent", "attached", "released"]


class Held(Part, frozen=True, kw_only=True):
    workload: Workload
    status: WorkloadStatus
    wanted: bool = True  # False: the control plane has forgotten it
    network: Network = "absent"
    deleted: frozenset[str] = frozenset()  # containers that are gone from the runtime
    busy: frozenset[Instruction] = frozenset()
    files: dict[str, int] = msgspec.field(default_factory=dict)  # by container: the version of the files it has
    restarting: dict[str, Exited] = msgspec.field(default_factory=dict)  # ended, and to be started again
    stopping: bool = False  # never goes back
    wake_at: float | None = None  # a deadline of its own

    @property
    def done(self) -> bool:
        """Nothing of it is left on this node."""
        return self.status.state == "stopped" and not self.busy

    def container(self, name: str) -> ContainerStatus:
        return next(c for c in self.status.containers if c.name == name)


def begin(workload: Workload) -> Held:
    """A workload that the node hears of for the first time."""
    key = workload.key._replace(type=workload_statuses.name)
    containers = tuple(ContainerStatus(name=c.name) for c in workload.containers)
    status = WorkloadStatus(key=key, node=workload.node, containers=containers)
    return Held(workload=workload, status=status, network="absent" if is_wired(workload) else "attached")


def is_wired(workload: Workload) -> bool:
    """Something of the node's networks is made for it."""
    return workload.interface is not None or workload.network_mode == "bridge"


def changed(held: Held, name: str, **changes: object) -> Held:
    """Something else is known of a container."""
    containers = tuple(replace(c, **changes) if c.name == name else c for c in held.status.containers)
    return replace(held, status=replace(held.status, containers=containers))


def freed(held: Held, container: str, *verbs: Verb) -> Held:
    """These are no longer under way. `container` is "" for the workload's own."""
    return replace(held, busy=held.busy - {Instruction(verb, container) for verb in verbs})


def settled(held: Held, name: str) -> Held:
    """It is no longer being restarted."""
    if name not in held.restarting:
        return held
    return replace(held, restarting={other: end for other, end in held.restarting.items() if other != name})


def ended(held: Held, name: str) -> Held:
    """It is not restarted after all: its last end is what there is to say."""
    last = held.restarting.get(name)
    if last is None:
        return held
    held = settled(held, name)
    return changed(held, name, state="stopped", exit_code=last.code, finished=last.at, oom=last.oom)
