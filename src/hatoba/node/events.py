"""What goes into the step machine and what comes out of it: events and instructions. See `advance`."""

from __future__ import annotations

from typing import Literal, NamedTuple

from hatoba.fleet.model import PortBinding, Workload

# --- instructions --------------------------------------------------------------------------------------------------

Verb = Literal["attach", "detach", "pull", "launch", "restart", "refresh", "stop", "delete"]


class Instruction(NamedTuple):
    """What the worker shall do; each is answered by an event. `container` is "" for the workload's own."""

    verb: Verb
    container: str = ""


# --- events --------------------------------------------------------------------------------------------------------


class Wanted(NamedTuple):
    """The control plane says what it wants; None: it no longer wants the workload at all."""

    workload: Workload | None


class Seated(NamedTuple):
    """What a container was given on the node's bridge."""

    container: str
    address: str
    bindings: tuple[PortBinding, ...]


class Attached(NamedTuple):
    """The interface is there, or the seats. (A workload on the host's network is attached from the start.)"""

    at: float
    seats: tuple[Seated, ...] = ()


class AttachFailed(NamedTuple):
    error: str
    detail: str


class Detached(NamedTuple):
    pass


class Pulled(NamedTuple):
    container: str
    digest: str
    started: float
    stopped: float


class Launched(NamedTuple):
    container: str
    runtime_id: str
    created: float
    started: float
    files: int = 0  # the version of its files; 0: unknown


class Refreshed(NamedTuple):
    """Its files are those of this version; or it is gone, and needs none."""

    container: str
    files: int


class Failed(NamedTuple):
    """A container's image or process could not be had: `error` is the runtime's code."""

    container: str
    error: str
    detail: str
    pull_started: float | None = None


class Exited(NamedTuple):
    container: str
    code: int
    at: float
    oom: bool = False


class Vanished(NamedTuple):
    """It should be there, and the runtime knows nothing of it."""

    container: str


class HealthChanged(NamedTuple):
    container: str
    health: Literal["healthy", "unhealthy"]
    at: float


class Deleted(NamedTuple):
    container: str


class Postponed(NamedTuple):
    """An instruction could not be carried out now: it is to be given again."""

    instruction: Instruction


class Tick(NamedTuple):
    """Time has passed, or the agent has restarted."""


class Together(NamedTuple):
    """What was found out at one look: nothing is concluded before all of it is known."""

    events: tuple[Launched | Exited | Vanished, ...]


Event = (
    Wanted
    | Attached
    | AttachFailed
    | Detached
    | Pulled
    | Launched
    | Refreshed
    | Failed
    | Exited
    | Vanished
    | HealthChanged
    | Deleted
    | Postponed
    | Tick
    | Together
)
