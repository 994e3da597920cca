"""Starts control plane and node of an instance, keeps both going, and ends them.

`hatoba up` in the foreground is this supervisor; with `--detach` it runs in the background. A process that dies is
started again at once: what it managed lives on and is found again. `down` ends everything that belongs to the
instance, whether or not anything of it is running.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from hatoba.app import masterkey, pidfile
from hatoba.app.places import Places, find
from hatoba.app.settings import Settings
from hatoba.core.errors import Refused

Say = Callable[[str], None]

READY_SECONDS = 60.0
STOP_SECONDS = 20.0
_ROOT = 0


def command(*words: str) -> list[str]:
    """A process of our own, with this very interpreter."""
    return [sys.executable, "-m", "hatoba.cli.main", *words]


# --- processes -----------------------------------------------------------------------------------------------------


def running(places: Places, process: str) -> int | None:
    """The pid of a process of this instance, if it runs."""
    return pidfile.holder(places.pid_file(process))


def end(pid: int, seconds: float = STOP_SECONDS) -> None:
    """SIGTERM, and SIGKILL when that does not help."""
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not _alive(pid):
                return
            time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


# --- health --------------------------------------------------------------------------------------------------------


def health(settings: Settings, timeout: float = 2.0) -> dict[str, object] | None:
    """What the endpoint says of itself; None when it does not answer."""
    try:
        with urllib.request.urlopen(
            f"http://{settings.host}:{settings.port}/_hatoba/health", timeout=timeout
        ) as answer:
            found: dict[str, object] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        try:
            return dict(json.load(error))
        except ValueError:  # somebody else's endpoint
            return None
    except (OSError, ValueError):
        return None


# --- up ------------------------------------------------------------------------------------------------------------


class Supervisor:
    """The two processes, started again whenever they die."""

    def __init__(self, settings: Settings, places: Places, say: Say) -> None:
        self._settings = settings
        self._places = places
        self._say = say
        self._stop = asyncio.Event()
        self._failed: str | None = None

    async def run(self, ready: Callable[[], None]) -> int:
        """Until SIGTERM or SIGINT. 0, or 1 when a process refused to start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        keepers = [
            asyncio.create_task(self._keep("control", self._say_control)),
            asyncio.create_task(self._keep("node", self._say_node)),
        ]
        waiting = asyncio.create_task(self._wait_ready())
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait([waiting, stopped], return_when=asyncio.FIRST_COMPLETED)
        if waiting.done() and waiting.result():
            if self._settings.tls_port:
                self._say(f"tls    https://{self._settings.tls_host}:{self._settings.tls_port}")
            self._say(f"ready  http://{self._settings.host}:{self._settings.port}")
            ready()
            await stopped
        self._stop.set()
        waiting.cancel()
        await asyncio.gather(*keepers)
        if self._failed:
            self._say(self._failed)
            return 1
        return 0

    async def _wait_ready(self) -> bool:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and not self._stop.is_set():
            found = await asyncio.to_thread(health, self._settings, 1.0)
            if found and found["status"] == "ready" and _components(found).get("nodes") == "ok":
                return True
            await asyncio.sleep(0.02)
        if not self._stop.is_set():
            self._failed = f"Not ready after {READY_SECONDS:.0f} s; see {self._places.data}/*.log."
        return False

    async def _keep(self, name: str, say: Callable[[], None]) -> None:
        """Runs one process for as long as the supervisor does."""
        words = [name, "--data", str(self._places.data)]
        first = True
        while not self._stop.is_set():
            with self._places.log_file(name).open("ab") as log:
                began = time.monotonic()
                process = await asyncio.create_subprocess_exec(
                    *command(*words, *self._given(name)),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=masterkey.without(os.environ) if name == "node" else None,
                )
            if first:
                say()
            ended = asyncio.create_task(process.wait())
            stop = asyncio.create_task(self._stop.wait())
            await asyncio.wait([ended, stop], return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                process.terminate()
                await ended
                return
            stop.cancel()
            if process.returncode == 1 and first:  # refused: it said why as its last line
                self._failed = _last_line(self._places.log_file(name))
                self._stop.set()
                return
            first = False
            if time.monotonic() - began < 1.0:
                await asyncio.sleep(0.5)

    def _given(self, name: str) -> list[str]:
        """The local node joins, once, with a token that the control plane leaves for it."""
        joined = (self._places.node / "identity" / "node.pem").exists()
        return ["--join-file", str(self._places.local_token)] if name == "node" and not joined else []

    def _say_control(self) -> None:
        self._say(f"control plane   {self._places.log_file('control')}")

    def _say_node(self) -> None:
        self._say(f"node            {self._places.log_file('node')}")


def _components(found: dict[str, object]) -> dict[str, str]:
    components = found.get("components")
    return components if isinstance(components, dict) else {}


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"It ended without a word; see {path}."


def detach(places: Places, say: Say, words: list[str]) -> int:
    """Starts the supervisor in the background; returns once the platform is ready, or has refused."""
    log = places.log_file("up")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command("up", *words), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    said = 0
    while True:
        lines = log.read_text(errors="replace").splitlines(keepends=True)
        for line in lines[said:]:
            if line.endswith("\n"):
                say(line.rstrip("\n"))
                said += 1
                if line.startswith("ready"):
                    return 0
        if process.poll() is not None and said == len(log.read_text(errors="replace").splitlines()):
            return process.returncode or 1
        time.sleep(0.02)


# --- down ----------------------------------------------------------------------------------------------------------


def stop_processes(places: Places, names: Sequence[str] = ("up", "control", "node")) -> None:
    """Supervisor first, so that nothing is started again."""
    for name in names:
        if (pid := running(places, name)) is not None:
            end(pid)
        places.pid_file(name).unlink(missing_ok=True)


def purge(data: Path) -> None:
    shutil.rmtree(data, ignore_errors=True)


def the_instance(data: Path) -> Places:
    """Raises `Refused` when nothing was ever started there."""
    places = find(data)
    if places is None:
        raise Refused(f"There is no instance in {data}. Start one with `hatoba up --data {data}`.")
    return places


def need_root() -> None:
    if os.geteuid() != _ROOT:
        raise Refused("Hatoba makes network namespaces and containers, which only root may: run it with sudo.")
