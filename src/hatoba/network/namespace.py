"""One thread that lives in one network namespace, and does everything that is done there.

A thread's network namespace is its own, and sockets, netlink and libnftables act in the namespace of the thread that
opened them. So each namespace has one worker, which enters it once and then takes jobs in order; the event loop only
hands them over.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from nftables import Nftables

from hatoba.core.errors import PortError, Refused
from hatoba.network import syscalls
from hatoba.network.netlink import Netlink

P = ParamSpec("P")
T = TypeVar("T")

# libnftables keeps a table of devices for the whole process; its calls are a tenth of a millisecond.
_nft_lock = threading.Lock()


class Namespace:
    """Made anywhere; `run` from the event loop; everything else from jobs only."""

    def __init__(self, name: str, path: Path) -> None:
        self._path = path
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"netns-{name}")
        self._entered = False
        self.closed = False
        self._nft: Nftables | None = None

    async def run(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The job's result, after those handed over before it. A job that has begun is carried through."""
        if self.closed:
            raise PortError("closed", "The network fabric is closed.")
        return await asyncio.get_running_loop().run_in_executor(
            self._worker, self._inside, partial(job, *args, **kwargs)
        )

    def _inside(self, job: Callable[[], T]) -> T:
        if not self._entered:
            self.descriptor = syscalls.open_namespace(self._path)
            syscalls.enter(self.descriptor)
            self.netlink = Netlink()
            self._entered = True
        return job()

    def rules(self, commands: str) -> None:
        """One transaction of nftables commands; nothing happens when there are none."""
        if not commands:
            return
        with _nft_lock:
            if self._nft is None:
                self._nft = _context()
            code, _, error = self._nft.cmd(commands)
        if code != 0:
            raise PortError("rules", f"nftables: {error.strip()[:500]}")

    def spawn(self, path: Path, prepare: Callable[[], T]) -> T:
        """Makes another namespace, bound to `path`; `prepare` runs inside it, for what must be opened there."""
        syscalls.unshare()
        try:
            syscalls.pin(path)
            return prepare()
        finally:
            syscalls.enter(self.descriptor)

    def visit(self, path: Path, job: Callable[[], T]) -> T:
        """Runs the job in another namespace, and comes back."""
        other = syscalls.open_namespace(path)
        try:
            syscalls.enter(other)
            return job()
        finally:
            syscalls.enter(self.descriptor)
            os.close(other)

    def open_socket(self, family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
        opened = socket.socket(family, kind | socket.SOCK_CLOEXEC)
        opened.setblocking(False)
        return opened

    async def close(self) -> None:
        """Ends the thread after the jobs that were handed over. The namespace itself stays."""
        if not self.closed:
            self.closed = True
            await asyncio.get_running_loop().run_in_executor(self._worker, self._leave)
        self._worker.shutdown(wait=False)

    def _leave(self) -> None:
        if not self._entered:
            return
        self._nft = None
        self.netlink.close()
        os.close(self.descriptor)


def one_off_rules(commands: str, *, json: bool = False) -> str:
    """One transaction in the calling thread's present namespace, which it only visits; what nftables says to it."""
    with _nft_lock:
        nft = _context()
        nft.set_json_output(json)
        code, output, error = nft.cmd(commands)
    if code != 0:
        raise PortError("rules", f"nftables: {error.strip()[:500]}")
    return str(output)


def _context() -> Nftables:
    try:
        return Nftables()
    except OSError as error:
        raise Refused(f"libnftables cannot be loaded ({error}): install the package libnftables1.") from error


def has_ipv6() -> bool:
    """Whether the kernel has it at all: a machine may be started without."""
    return os.path.isdir("/proc/sys/net/ipv6")


def turn_on_ipv6() -> None:
    """In the calling thread's namespace, whatever the machine's own settings begin with. Mostly it is on: it is looked
    at first, as writing takes the lock that all of the kernel's network configuration waits for."""
    settings = [f"net/ipv6/conf/{which}/disable_ipv6" for which in ("default", "all")]
    if has_ipv6() and any(Path("/proc/sys", name).read_text().strip() != "0" for name in settings):
        for name in settings:
            sysctl(name, "0")  # of `all` last: that is what devices that stand (lo) have from then on, too


def sysctl(name: str, value: str) -> None:
    """Writes a setting of the calling thread's namespace: `net/ipv4/conf/all/forwarding`."""
    if name.startswith("net/ipv6/") and not has_ipv6():
        return
    try:
        Path("/proc/sys", name).write_text(value)
    except OSError as error:
        raise PortError("kernel", f"set {name} to {value}: {error.strerror}") from error
