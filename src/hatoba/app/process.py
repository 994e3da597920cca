"""What both processes share: logging, an event loop, ending on a signal, a pid file."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from hatoba.app import pidfile
from hatoba.core.errors import Refused

log = logging.getLogger(__name__)


def run(main: Callable[[asyncio.Event], Awaitable[None]], *, log_level: str, pid_file: Path) -> int:
    """Runs a process until SIGTERM or SIGINT set the event. The exit code: 1 when it was refused."""
    logging.basicConfig(
        level=log_level, stream=sys.stderr, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", force=True
    )
    try:
        held = pidfile.hold(pid_file)
    except pidfile.Taken as taken:
        print(f"It runs already, as pid {taken.pid}.", file=sys.stderr)  # noqa: T201
        return 1
    _raise_file_limit()
    # The working set lives long: it need not be walked again and again.
    gc.set_threshold(50_000, 20, 50)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_signalled(main))
    except Refused as refused:
        log.error("%s", refused)
        print(refused, file=sys.stderr)  # noqa: T201  what the operator is to read, also without the log
        return 1
    finally:
        pidfile.let_go(pid_file, held)
    return 0


def _raise_file_limit() -> None:
    """As many files and connections as the machine lets us have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _until_signalled(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await main(stop)
