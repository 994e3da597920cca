"""The whole way from a container's pipes to what the control plane has received, with real processes and real kills."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hatoba.core.errors import PortError
from hatoba.node.logs import protocol
from hatoba.node.logs.batch import LogBatch, Rejected
from hatoba.node.logs.node_logs import NodeLogs, Pipes
from hatoba.node.logs.options import SPOOL_BYTES, Options


class ControlPlane:
    """Receives as the real one does: skips what it has by producer and offset. Keeps every event in order."""

    def __init__(self) -> None:
        self.received: dict[str, list[tuple[int, str]]] = {}
        self.high: dict[str, int] = {}
        self.batches: list[LogBatch] = []
        self.changed = asyncio.Condition()
        self.open = asyncio.Event()
        self.open.set()
        self.lose_answers = 0.0
        self.random = random.Random(1)

    async def send(self, batch: LogBatch) -> None:
        await self.open.wait()
        if batch.group == "missing":
            raise Rejected("The specified log group does not exist.")
        self.batches.append(batch)
        for part in batch.parts:
            for when, message, end in zip(part.times, part.messages, part.ends, strict=True):
                if end > self.high.get(part.producer, 0):
                    self.high[part.producer] = end
                    self.received.setdefault(part.producer, []).append((when, message))
        async with self.changed:
            self.changed.notify_all()
        await asyncio.sleep(0)
        if self.random.random() < self.lose_answers:
            raise PortError("Disconnected", "the answer was lost")

    async def until(self, true: Callable[[], bool]) -> None:
        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(true), 30)

    def lines(self, producer: str) -> list[str]:
        return [message for _, message in self.received.get(producer, [])]


@pytest.fixture
def plane() -> ControlPlane:
    return ControlPlane()


@pytest.fixture
async def logs(tmp_path: Path, plane: ControlPlane) -> AsyncIterator[NodeLogs]:
    made = NodeLogs(tmp_path / "logs", plane.send)
    await made.start()
    yield made
    await made.stop()


class Shim:
    """Holds both ends of the pipes open, as containerd's does, so that bytes survive a dead reader."""

    def __init__(self, pipes: Pipes) -> None:
        self.out, self.err = (os.open(path, os.O_RDWR) for path in pipes)

    def close(self) -> None:
        os.close(self.out)
        os.close(self.err)


OPTIONS = Options(group="g", stream="web/c/t", limit=SPOOL_BYTES)

_PRINTER = """
import os, random, sys
rng, lines = random.Random(int(sys.argv[1])), int(sys.argv[2])
for fd in (1, 2):
    for n in range(lines):
        os.write(fd, b"%d %d %s\\n" % (fd, n, b"x" * rng.randrange(int(sys.argv[3]))))
os.write(1, b"no newline")
"""


def printer(pipes: Pipes, lines: int, width: int) -> subprocess.Popen[bytes]:
    with open(pipes.stdout, "wb") as out, open(pipes.stderr, "wb") as err:
        arguments = [sys.executable, "-S", "-c", _PRINTER, "7", str(lines), str(width)]
        return subprocess.Popen(arguments, stdout=out, stderr=err)


def printed(lines: int, width: int) -> tuple[list[str], list[str]]:
    rng = random.Random(7)
    out, err = ([f"{fd} {n} " + "x" * rng.randrange(width) for n in range(lines)] for fd in (1, 2))
    return [*out, "no newline"], err


async def test_a_writer_that_left_is_not_the_end(logs: NodeLogs, plane: ControlPlane) -> None:
    """A container whose making was given up, and that is made again."""
    pipes = await logs.open("c1", OPTIONS)
    for words in (b"", b"first\n", b"second\n"):
        for path in pipes:
            writer = os.open(path, os.O_WRONLY)
            os.write(writer, words)
            os.close(writer)
        await plane.until(lambda words=words: words.decode().strip() in ["", *plane.lines("c1/stdout")[-1:]])
    await logs.drain("c1")
    assert plane.lines("c1/stdout") == plane.lines("c1/stderr") == ["first", "second"]


async def test_lines_arrive_with_their_times_while_the_container_runs(logs: NodeLogs, plane: ControlPlane) -> None:
    shim = Shim(await logs.open("c1", OPTIONS))
    before = time.time_ns() // 1_000_000
    os.write(shim.out, b"one\ntwo\n\nthr")
    await plane.until(lambda: len(plane.lines("c1/stdout")) == 2)
    os.write(shim.out, b"ee\n")
    os.write(shim.err, b"oops\n")
    await plane.until(lambda: len(plane.lines("c1/stdout")) == 3 and plane.lines("c1/stderr") == ["oops"])
    assert plane.lines("c1/stdout") == ["one", "two", "three"]
    times = [when for when, _ in plane.received["c1/stdout"]]
    assert before <= times[0] == times[1] <= times[2] <= time.time_ns() // 1_000_000
    assert {(batch.group, batch.stream) for batch in plane.batches} == {("g", "web/c/t")}
    shim.close()
    await logs.drain("c1")
    assert logs.containers == []


async def test_draining_ships_the_line_without_a_newline_and_clears_away(
    logs: NodeLogs, plane: ControlPlane, tmp_path: Path
) -> None:
    shim = Shim(await logs.open("c1", OPTIONS))
    os.write(shim.err, b"panic: no newline")
    shim.close()
    await logs.drain("c1")
    assert plane.lines("c1/stderr") == ["panic: no newline"]
    assert not (tmp_path / "logs" / "c1").exists()
    await logs.drain("c1")  # again does nothing


async def test_several_lines_are_one_event(logs: NodeLogs, plane: ControlPlane) -> None:
    shim = Shim(await logs.open("c1", Options(group="g", stream="s", new_event=r"^\S")))
    os.write(shim.out, b"Traceback\n  at a\n  at b\nnext\n")
    await plane.until(lambda: plane.lines("c1/stdout") == ["Traceback\n  at a\n  at b", "next"])  # the last by time
    shim.close()
    await logs.drain("c1")


async def test_a_group_that_is_missing_is_said_at_once_and_holds_nobody_up(logs: NodeLogs, plane: ControlPlane) -> None:
    shim = Shim(await logs.open("c1", Options(group="missing", stream="s")))
    with pytest.raises(Rejected, match="does not exist"):
        await logs.announce("c1")
    os.write(shim.out, b"lost\n")
    shim.close()
    await logs.drain("c1")
    assert plane.received == {}


async def test_a_blocked_control_plane_blocks_the_container_and_loses_nothing(
    logs: NodeLogs, plane: ControlPlane
) -> None:
    plane.open.clear()
    limit = 1 << 20
    pipes = await logs.open("c1", Options(group="g", stream="s", limit=limit))
    shim = Shim(pipes)
    process = printer(pipes, 40_000, 200)
    spool = os.path.join(os.path.dirname(pipes.stdout), "out")
    await _until(lambda: _bytes_in(spool) >= limit)
    with pytest.raises(subprocess.TimeoutExpired):
        await asyncio.to_thread(process.wait, 0.3)
    assert _bytes_in(spool) == limit
    plane.open.set()
    assert await asyncio.to_thread(process.wait, 30) == 0
    shim.close()
    await logs.drain("c1")
    assert (plane.lines("c1/stdout"), plane.lines("c1/stderr")) == printed(40_000, 200)


async def test_in_non_blocking_mode_the_container_goes_on_and_what_is_lost_is_counted(
    logs: NodeLogs, plane: ControlPlane
) -> None:
    plane.open.clear()
    pipes = await logs.open("c1", Options(group="g", stream="s", limit=1 << 20, mode=protocol.DROP))
    shim = Shim(pipes)
    process = printer(pipes, 40_000, 200)
    assert await asyncio.to_thread(process.wait, 30) == 0
    plane.open.set()
    probes = 0
    while "after the flood" not in plane.lines("c1/stdout"):  # until the spool has room again, this is lost too
        probes += 1
        assert probes < 3000
        os.write(shim.out, b"after the flood\n")
        await asyncio.sleep(0.01)
    shim.close()
    lanes = logs._open["c1"].shipper.lanes
    await logs.drain("c1")
    everything = [*printed(40_000, 200)[0], *["after the flood"] * probes]
    got = plane.lines("c1/stdout")
    assert got[-1] == "after the flood"
    kept = sum(len(line) + 1 for line in everything) - lanes["c1/out"].dropped
    assert lanes["c1/out"].dropped > 1 << 20
    assert abs(sum(len(line) + 1 for line in got) - kept) <= 4
    # Whole lines, but for those that the gap cut.
    assert len(set(got) - set(everything)) <= 3


async def test_a_spool_is_freed_as_it_is_shipped(logs: NodeLogs, plane: ControlPlane) -> None:
    pipes = await logs.open("c1", OPTIONS)
    shim = Shim(pipes)
    process = printer(pipes, 50_000, 1000)  # 50 MB
    spool, most = os.path.join(os.path.dirname(pipes.stdout), "out"), 0
    while process.poll() is None:
        most = max(most, _bytes_in(spool))
        await asyncio.sleep(0.01)
    assert most <= SPOOL_BYTES + (4 << 20)
    shim.close()
    await logs.drain("c1")
    assert (plane.lines("c1/stdout"), plane.lines("c1/stderr")) == printed(50_000, 1000)


@pytest.mark.slow
@pytest.mark.parametrize("new_event", [None, r"^\d \d*[05] "], ids=["lines", "groups"])
async def test_kills_of_spooler_and_agent_at_any_moment_lose_and_repeat_nothing(
    tmp_path: Path, plane: ControlPlane, new_event: str | None
) -> None:
    rng = random.Random(42)
    plane.lose_answers = 0.1
    root, options = tmp_path / "logs", Options(group="g", stream="s", limit=1 << 20, new_event=new_event)
    logs = NodeLogs(root, plane.send)
    await logs.start()
    pipes = await logs.open("c1", options)
    shim = Shim(pipes)
    process = printer(pipes, 60_000, 300)
    kills = 0
    while process.poll() is None:
        await asyncio.sleep(rng.random() * 0.1)
        if rng.random() < 0.5 and (pid := _spooler(root)) is not None:
            os.kill(pid, signal.SIGKILL)
        else:
            # An agent that is killed has told nobody; this one forgets all it knows, in the middle of whatever it did.
            await logs.close()
            logs = NodeLogs(root, plane.send)
            await logs.start()
        kills += 1
    shim.close()
    await logs.drain("c1")
    await logs.stop()
    out, err = printed(60_000, 300)
    assert kills > 10, kills
    for producer, lines in (("c1/stdout", out), ("c1/stderr", err)):
        got = "\n".join(plane.lines(producer)).split("\n")
        wrong = next((n for n, (mine, theirs) in enumerate(zip(got, lines, strict=False)) if mine != theirs), -1)
        assert (wrong, got[wrong], len(got)) == (-1, lines[wrong], len(lines))


async def test_the_spooler_goes_on_without_an_agent_and_ends_when_it_has_nothing(
    tmp_path: Path, plane: ControlPlane
) -> None:
    root = tmp_path / "logs"
    logs = NodeLogs(root, plane.send)
    await logs.start()
    pipes = await logs.open("c1", OPTIONS)
    shim = Shim(pipes)
    pid = _spooler(root)
    assert pid is not None
    await logs.close()
    os.write(shim.out, b"nobody listens\n")
    await _until(lambda: _bytes_in(os.path.join(os.path.dirname(pipes.stdout), "out")) > 0)
    logs = NodeLogs(root, plane.send)
    await logs.start()
    assert _spooler(root) == pid
    assert logs.containers == ["c1"]
    await plane.until(lambda: plane.lines("c1/stdout") == ["nobody listens"])
    shim.close()
    await logs.drain("c1")
    await logs.close()
    await asyncio.to_thread(os.waitpid, pid, 0)  # it ends by itself


def test_the_spooler_imports_next_to_nothing() -> None:
    package = Path(protocol.__file__).parents[3]
    code = "import sys, hatoba.node.logs.spooler; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-S", "-c", code], env={"PYTHONPATH": str(package)}, capture_output=True, text=True, check=True
    )
    assert not {"asyncio", "typing", "pathlib", "re", "msgspec", "json"} & set(found.stdout.split())


async def _until(true: Callable[[], bool]) -> None:
    """For what other processes do to files, of which nothing tells."""
    for _ in range(3000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


def _spooler(root: Path) -> int | None:
    """The process that holds the root's lock."""
    inode = os.stat(root / protocol.LOCK).st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[1] == "FLOCK" and fields[5].endswith(f":{inode}"):
            return int(fields[4])
    return None


def _bytes_in(folder: str) -> int:
    total = 0
    try:
        for entry in os.scandir(folder):
            if entry.name.endswith(".log"):
                total += entry.stat().st_size
    except FileNotFoundError:
        pass
    return total
