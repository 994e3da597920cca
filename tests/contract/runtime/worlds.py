"""The two worlds that the runtime's contract is tried in: containerd with a registry beside it, and the simulation.

The simulation is taught what the handful of shell commands in the suite would do.
"""

from __future__ import annotations

import os
import re
import signal
import uuid
from pathlib import Path
from typing import Any, Protocol

from hatoba.core.clock import LoopClock, SystemClock
from hatoba.core.ids import RandomIds
from hatoba.runtime import merge
from hatoba.runtime.base import ContainerSpec, ExecSpec, ImageConfig, ImageSource, Runtime
from hatoba.runtime.containerd import ContainerdRuntime, Settings
from hatoba.runtime.machine import this_platform
from hatoba.runtime.simulated import Behaviour, ExecBehaviour, SimulatedHost, SimulatedRuntime
from tests.contract.runtime.tiny_registry import TinyRegistry, busybox_layer
from tools.waiting import until

CONFIG = ImageConfig(cmd=("sh",), env=("LAYER=busybox",))


class World(Protocol):
    runtime: Runtime

    def publish(self, tag: str) -> ImageSource: ...

    async def restart(self) -> Runtime:
        """The agent dies and another takes over."""
        ...

    async def close(self) -> None: ...


async def spec(world: World, id: str, *args: str, **more: Any) -> ContainerSpec:
    image = await world.runtime.pull(world.publish("base"), this_platform())
    defaults = {"image": image.digest, "env": merge.env(image.config, {})}
    return ContainerSpec(id=id, args=args, **(defaults | more))


async def catches(world: World, pid: int, signal_: signal.Signals) -> None:
    """Until the process has said what is to be done at the signal: a shell needs a moment for its trap."""

    def caught() -> bool:
        status = Path(f"/proc/{pid}/status").read_text()
        return bool(int(status.partition("SigCgt:")[2].split()[0], 16) >> (signal_ - 1) & 1)

    if isinstance(world, ContainerdWorld):
        await until(caught)


# --- containerd --------------------------------------------------------------------------------------------------


class ContainerdWorld:
    runtime: ContainerdRuntime

    def __init__(self, folder: Path) -> None:
        self.name = f"t{uuid.uuid4().hex[:8]}"
        self.settings = Settings(
            data=folder / "containerd", run=Path("/run/hatoba") / self.name, cgroup_parent=f"/hatoba-{self.name}"
        )
        self.registry = TinyRegistry()
        self._layer = busybox_layer()

    async def open(self) -> None:
        self.runtime = await ContainerdRuntime.open(self.settings, SystemClock(), RandomIds())

    def source(self, repository: str, reference: str, **more: Any) -> ImageSource:
        return ImageSource(
            name=f"{repository}:{reference}",
            host=self.registry.host,
            scheme="http",
            repository=repository,
            reference=reference,
            **more,
        )

    def publish(self, tag: str) -> ImageSource:
        config = {"Cmd": list(CONFIG.cmd), "Env": list(CONFIG.env), "Labels": {} if tag == "base" else {"tag": tag}}
        self.registry.image("busybox", tag, [self._layer], config)
        return self.source("busybox", tag)

    async def restart(self) -> ContainerdRuntime:
        await self.runtime.close()
        await self.open()
        return self.runtime

    async def close(self) -> None:
        await self.runtime.shut_down()
        self.registry.close()

    def cgroups(self, name: str) -> list[str]:
        """Where the machine has a cgroup of this instance by that name."""
        return [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/hatoba-{self.name}/{name}")]

    def shims(self, id: str) -> list[int]:
        return processes(f"-id\0{id}\0-address\0{self.settings.socket}")

    def leftovers(self) -> list[str]:
        """What the machine still has of this instance."""
        mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if self.name in line]
        cgroups = [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/hatoba-{self.name}")]
        runs = [str(path) for path in (self.settings.run, self.settings.shim_socket("a")) if path.exists()]
        return mounts + cgroups + runs + [str(pid) for pid in processes(str(self.settings.run))]


def processes(text: str) -> list[int]:
    """Processes whose command line has the text."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if text in (entry / "cmdline").read_bytes().decode(errors="replace"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- the simulation ----------------------------------------------------------------------------------------------


class SimulatedWorld:
    runtime: SimulatedRuntime

    def __init__(self) -> None:
        self.host = SimulatedHost(LoopClock(), behave=_behave, behave_exec=_behave_exec, generous=False)

    async def open(self) -> None:
        self.runtime = SimulatedRuntime(self.host)

    def publish(self, tag: str) -> ImageSource:
        self.host.publish("busybox", tag, CONFIG)
        return ImageSource(name=f"busybox:{tag}", host="localhost", repository="busybox", reference=tag)

    async def restart(self) -> SimulatedRuntime:
        await self.runtime.close()
        await self.open()
        return self.runtime

    async def close(self) -> None:
        await self.runtime.close()


def _behave(spec: ContainerSpec) -> Behaviour:
    script = spec.args[-1]
    if ended := re.search(r"exit (\d+)$", script):
        slept = re.search(r"sleep ([\d.]+);", script)
        return Behaviour(runs=float(slept[1]) if slept else 0.0, code=int(ended[1]))
    if "trap '' TERM" in script:
        return Behaviour(ignores=frozenset({signal.SIGTERM}))
    if "exit 42' TERM" in script:
        return Behaviour(stop_code=42)
    if "dd" in script:
        return Behaviour(runs=0.1, oom=True)
    return Behaviour()


def _behave_exec(_: ContainerSpec, spec: ExecSpec) -> ExecBehaviour:
    if spec.args == ("cat",):
        return ExecBehaviour(echoes=True)
    if spec.args == ("sleep", "60"):
        return ExecBehaviour(runs=60)
    if ended := re.search(r"echo (\w+); echo (\w+) >&2; exit (\d+)$", spec.args[-1]):
        return ExecBehaviour(stdout=f"{ended[1]}\n".encode(), stderr=f"{ended[2]}\n".encode(), code=int(ended[3]))
    return ExecBehaviour()
