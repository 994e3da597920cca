"""One more "machine" for an instance: a network namespace joined to this one by a cable, with a node agent in it.

with Cables() as cables, Instance(options=["--node-host", FIRST]) as hatoba, Machine(hatoba, cables, 2) as second:
    ...

The cable can be pulled and the whole machine can lose its power; what a power cut leaves on its disk is kept.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

from tools.instance import HATOBA, Instance, eventually
from tools.traces import Traces

FIRST = "10.98.76.1"  # this machine's end of every cable
LOGGED = 40  # lines that are shown of an agent


def _sh(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=60)


class Cables:
    """The switch that all machines' cables end in."""

    def __init__(self) -> None:
        self.name = f"hc{os.getpid()}"

    def __enter__(self) -> Cables:
        _sh("ip", "link", "add", self.name, "type", "bridge")
        try:
            _sh("ip", "addr", "add", f"{FIRST}/24", "dev", self.name)
            _sh("ip", "link", "set", self.name, "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        _sh("ip", "link", "del", self.name)


class Machine:
    """`number` from 2 on: its address is 10.98.76.`number`."""

    def __init__(
        self, hatoba: Instance, cables: Cables, number: int, *, activation: tuple[str, str] | None = None
    ) -> None:
        """`activation`: the id and the code that it joins with, instead of a token."""
        self._activation = activation
        self.address = f"10.98.76.{number}"
        self.name = f"machine-{number}"
        self.folder = Path(tempfile.mkdtemp(prefix="hatoba-"))
        self._hatoba, self._cables = hatoba, cables
        self._host = f"h{os.getpid()}x{number}"
        self._agent: subprocess.Popen[bytes] | None = None

    # --- life

    def __enter__(self) -> Machine:
        _sh("ip", "netns", "add", self._host)
        try:
            _sh("ip", "link", "add", f"{self._host}a", "type", "veth", "peer", "name", "eth0", "netns", self._host)
            _sh("ip", "link", "set", f"{self._host}a", "master", self._cables.name, "up")
            self._inside("ip", "addr", "add", f"{self.address}/24", "dev", "eth0")
            self._inside("ip", "link", "set", "eth0", "up")
            self._inside("ip", "link", "set", "lo", "up")
            before = len(self._instances())
            self.start(*self._joining())
            eventually(lambda: len(self._instances()) == before + 1)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(FileNotFoundError):
            lines = (self.folder / "agent.log").read_text(errors="replace").splitlines()
            if error is not None:
                sys.stderr.write(f"--- {self.name}\n" + "\n".join(lines[-LOGGED:]) + "\n")
        self.end()
        self._inside(HATOBA, "down", "--data", str(self.folder), "--purge")
        shutil.rmtree(self.folder, ignore_errors=True)
        subprocess.run(["ip", "link", "del", f"{self._host}a"], check=False, capture_output=True)
        _sh("ip", "netns", "del", self._host)

    def _inside(self, *words: str) -> None:
        subprocess.run([*self._entering, *words], check=True, capture_output=True, timeout=90)

    @property
    def _entering(self) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self._host}"]

    def _instances(self) -> list[str]:
        found: list[str] = self._hatoba.client("ecs").list_container_instances()["containerInstanceArns"]
        return found

    # --- its agent

    def _joining(self) -> list[str]:
        if self._activation is None:
            return ["--join", self._hatoba.hatoba("node", "token").strip()]
        id_, code = self._activation
        return ["--activation-id", id_, "--activation-code", code]

    def start(self, *join: str) -> None:
        named = ["--address", self.address, "--name", self.name, "--data", str(self.folder)]
        with open(self.folder / "agent.log", "ab") as log:
            self._agent = subprocess.Popen([*self._entering, HATOBA, "node", *join, *named], stdout=log, stderr=log)

    def end(self) -> None:
        """As an operator stops it: what runs, runs on."""
        if self._agent is not None:
            self._agent.terminate()
            self._agent.wait(60)
            self._agent = None

    def kill(self) -> None:
        """`kill -9` of the agent."""
        assert self._agent is not None
        self._agent.kill()
        self._agent.wait(60)
        self._agent = None

    # --- worse

    def cut(self) -> None:
        _sh("ip", "link", "set", f"{self._host}a", "down")

    def join(self) -> None:
        _sh("ip", "link", "set", f"{self._host}a", "up")

    def lose_power(self) -> None:
        """Everything that runs on it ends at once: the agent, its runtime, every container."""
        traces = Traces(self.folder)
        self.kill()
        for _ in range(10):
            running = traces.processes()
            for pid in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not running:
                return
