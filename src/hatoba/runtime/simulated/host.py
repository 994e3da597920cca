"""A simulated machine: its images and containers outlive the agents that drive it, and fail when they are told to.

One `Host` may be handed to one runtime after the other, as a real machine is to agents that are killed and started
again. Its processes live in the event loop's time, so a simulator decides how long they take.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Literal

import msgspec

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError
from hatoba.runtime.base import (
    Container,
    ContainerSpec,
    Event,
    ExecSpec,
    Exit,
    Exited,
    Image,
    ImageConfig,
    ImageSource,
    OutOfMemory,
    Platform,
    Resources,
    State,
    Usage,
    Volume,
)
from hatoba.runtime.failures import Failure, failure

Operation = Literal[
    "pull",
    "remove_image",
    "create",
    "start",
    "signal",
    "delete",
    "exec",
    "stats",
    "set_group",
    "make_volume",
    "share",
    "refresh",
]

_KILL = 9


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """How a container's main process goes on. By default it runs until a signal ends it."""

    runs: float | None = None  # seconds, then it ends with `code`
    code: int = 0
    oom: bool = False  # memory runs out when `runs` is over: it ends with 137
    ignores: frozenset[int] = frozenset()  # signals
    stopping: float = 0.0  # seconds from a signal to its end
    stop_code: int | None = None  # None: 128 + the signal's number
    cpus: float = 0.01  # in use on average
    memory: int = 8 << 20


class ExecBehaviour(msgspec.Struct, frozen=True, kw_only=True):
    runs: float = 0.0
    code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    echoes: bool = False  # what is written to it comes back, until its input is closed


class Delays(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that each thing takes."""

    pull: float = 0.0
    create: float = 0.0
    start: float = 0.0
    delete: float = 0.0


def _until_signalled(_: ContainerSpec) -> Behaviour:
    return Behaviour()


def _succeeds(_: ContainerSpec, __: ExecSpec) -> ExecBehaviour:
    return ExecBehaviour()


class Simulated:
    """One container."""

    def __init__(self, spec: ContainerSpec) -> None:
        self.spec = spec
        self.behaviour = Behaviour()
        self.state: State = "created"
        self.pid = 0
        self.started_at = 0.0
        self.exit: Exit | None = None
        self.ended = asyncio.Event()
        self.timer: asyncio.TimerHandle | None = None

    def view(self) -> Container:
        spec = self.spec
        return Container(
            id=spec.id, image=spec.image, labels=spec.labels, state=self.state, pid=self.pid, exit=self.exit
        )


class SimulatedHost:
    """`published` is what registries have; with `generous` they have everything, under a digest made from the name."""

    def __init__(
        self,
        clock: Clock,
        *,
        behave: Callable[[ContainerSpec], Behaviour] = _until_signalled,
        behave_exec: Callable[[ContainerSpec, ExecSpec], ExecBehaviour] = _succeeds,
        delays: Delays | None = None,
        generous: bool = True,
    ) -> None:
        self.clock = clock
        self.behave = behave
        self.behave_exec = behave_exec
        self.delays = delays or Delays()
        self.generous = generous
        self.published: dict[tuple[str, str], Image] = {}
        self.images: dict[str, Image] = {}
        self.containers: dict[str, Simulated] = {}
        self.groups: dict[str, Resources] = {}
        self.shared: dict[str, int] = {}  # group → the pid that holds its namespaces
        self.storage: dict[str, Usage] = {}
        self.volumes: dict[tuple[str, str], Volume] = {}  # by (group, name)
        self.pulls = 0  # that really fetched something
        self._listeners: list[Callable[[Event], None]] = []
        self._faults: dict[tuple[Operation, str], list[PortError]] = {}
        self._next_pid = 1000

    # --- what is told to happen ---

    def publish(self, repository: str, reference: str, config: ImageConfig | None = None, size: int = 1 << 20) -> Image:
        """Put an image at every registry."""
        digest = "sha256:" + hashlib.sha256(f"{repository}:{reference}:{config}:{size}".encode()).hexdigest()
        image = Image(
            digest=digest, names=(), config=config or ImageConfig(), platform=Platform(), size=size, pulled_at=0.0
        )
        self.published[repository, reference] = self.published[repository, digest] = image
        return image

    def fail(self, operation: Operation, code: Failure, message: str = "", *, at: str = "", times: int = 1) -> None:
        """The next `times` calls fail; `at` names the container, image name or group, "" is any."""
        faults = self._faults.setdefault((operation, at), [])
        faults += [failure(code, message or f"{operation} was told to fail")] * times

    def end(self, id: str, code: int, *, oom: bool = False) -> None:
        """A container's main process ends, now."""
        self._end(self.containers[id], code, oom=oom)

    # --- what the port asks for ---

    def check(self, operation: Operation, at: str) -> None:
        for key in ((operation, at), (operation, "")):
            if self._faults.get(key):
                raise self._faults[key].pop(0)

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def resolve(self, source: ImageSource) -> Image:
        found = self.published.get((source.repository, source.reference))
        if found is None and self.generous:
            found = self.publish(source.repository, source.reference)
        if found is None:
            raise failure(Failure.IMAGE_NOT_FOUND, f"{source.name}: MANIFEST_UNKNOWN: manifest unknown")
        return found

    def share(self, group: str) -> int:
        if group not in self.shared:
            self._next_pid += 1
            self.shared[group] = self._next_pid
        return self.shared[group]

    def start(self, container: Simulated) -> int:
        self._next_pid += 1
        container.behaviour = self.behave(container.spec)
        container.state, container.pid, container.exit = "running", self._next_pid, None
        container.started_at = self.clock.now()
        container.ended.clear()
        behaviour = container.behaviour
        if behaviour.runs is not None:
            code = 137 if behaviour.oom else behaviour.code
            self._later(container, behaviour.runs, code, oom=behaviour.oom)
        return container.pid

    def signal(self, container: Simulated, number: int) -> None:
        behaviour = container.behaviour
        if container.state != "running" or (number in behaviour.ignores and number != _KILL):
            return
        if number == _KILL:
            self._later(container, 0.0, 128 + _KILL)
        else:
            code = 128 + number if behaviour.stop_code is None else behaviour.stop_code
            self._later(container, behaviour.stopping, code)

    def _later(self, container: Simulated, seconds: float, code: int, *, oom: bool = False) -> None:
        if container.timer is not None:
            container.timer.cancel()
        loop = asyncio.get_running_loop()
        container.timer = loop.call_later(seconds, lambda: self._end(container, code, oom=oom))

    def _end(self, container: Simulated, code: int, *, oom: bool) -> None:
        if container.state != "running":
            return
        if container.timer is not None:
            container.timer.cancel()
            container.timer = None
        at = self.clock.now()
        container.state, container.pid = "stopped", 0
        container.exit = Exit(code=code, at=at, oom=oom)
        container.ended.set()
        if oom:
            self._tell(OutOfMemory(id=container.spec.id, at=at))
        self._tell(Exited(id=container.spec.id, exit=container.exit))

    def _tell(self, event: Event) -> None:
        for listener in list(self._listeners):
            listener(event)
