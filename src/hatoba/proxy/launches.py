"""The Envoys that were started in a directory: found again by the notes that they left, told from strangers, ended.

A process notes its number and start time itself before it becomes Envoy, so there is no moment in which an agent that
dies leaves an Envoy that nobody knows of. Each launch has a note of its own: while one Envoy hands over to the next
both are known, whoever is killed meanwhile. A number that has been given to another process is not believed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import msgspec

from hatoba.core.errors import PortError
from hatoba.proxy import handover

_STOP_TIMEOUT = 5.0
_LEAVE_TIMEOUT = 2.0
_NOTES = "envoy*.pid"

# Envoy has itself ended when its parent ends, if it can hand over: so it is nobody's child, and waits until it is,
# before it becomes Envoy. ($PPID would not do: it is 1 for ever where the parent was quicker.) $1 is where its words
# go, $2 the script below, the rest what that one is given.
DETACHED = """\
errors=$1; shift
PARENT=$$ sh -c "$@" </dev/null >"$errors" 2>&1 &
echo $!
"""
# $0 is the note, $1 what else it says, the rest what to become.
NOTE_AND_BECOME = """\
parent() { echo "$4"; }
started() { shift 21; echo "$1"; }
while read -r stat </proc/$$/stat && [ "$(parent $stat)" = "$PARENT" ]; do :; done
unset PARENT
printf '{"pid":%d,"started":%d%s}' $$ "$(started $stat)" "$1" >"$0.new" && mv "$0.new" "$0" && shift && exec "$@"
"""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A note's content. `started` is in clock ticks since boot, as the kernel has it."""

    pid: int
    started: int
    number: int = 0  # of the launch, rising
    base: int | None = None  # under which it hands over; None: it was started without being able to
    epoch: int = 0  # how often has been handed over since the first of that base
    form: str = ""  # of program and bootstrap: who has another one is outdated


def note(directory: Path, number: int) -> Path:
    return directory / f"envoy-{number}.pid"


def found(directory: Path) -> list[Running]:
    """Those alive, oldest first. What the dead have left is taken away."""
    known: dict[Path, Running] = {}
    for file in directory.glob(_NOTES):
        with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
            known[file] = msgspec.json.decode(file.read_bytes(), type=Running)
    living = [running for running in known.values() if alive(running)]
    for file, running in known.items():
        if running not in living:
            file.unlink(missing_ok=True)
            if running.base not in {each.base for each in living}:
                handover.forget(running.base)
    return sorted(living, key=lambda each: each.number)


def started_at(pid: int) -> int | None:
    """The process's start time in ticks, or None when there is none (a zombie counts as none)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def alive(running: Running) -> bool:
    return started_at(running.pid) == running.started


async def ended(pid: int) -> None:
    """Returns when the process is no more."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.add_reader(descriptor, event.set)
    try:
        await event.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def leave(running: Running) -> None:
    """Ends it as it likes to end: what it has noted is in its files then. One that takes too long is killed. Only where
    all end: one that is taking over would have its predecessor end too."""
    with contextlib.suppress(ProcessLookupError, TimeoutError):
        if alive(running):
            os.kill(running.pid, signal.SIGTERM)
            async with asyncio.timeout(_LEAVE_TIMEOUT):
                await ended(running.pid)
    await end(running)


async def end(running: Running) -> None:
    """Connections included. At SIGTERM one that is taking over would have its predecessor end too."""
    if not alive(running):
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGKILL)
    try:
        async with asyncio.timeout(_STOP_TIMEOUT):
            await ended(running.pid)
    except TimeoutError:
        raise PortError("Stop", f"Envoy (pid {running.pid}) does not end.") from None
