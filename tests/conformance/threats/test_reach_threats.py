"""Who names a registry or a log collector has the node go there, with the node's rights: not to the node itself.

Each attack is tried, and then without the check that stops it, when it succeeds.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hatoba.core.errors import PortError
from hatoba.node.logs.batch import LogBatch
from hatoba.node.logs.drivers.splunk import SplunkSink, settings
from hatoba.node.logs.drivers.writer import Writer
from hatoba.node.logs.options import BadOption
from hatoba.runtime.distribution import http
from tests.conformance.threats.disarm import without

FARGATE = Writer(id="t-web", name="web", guest=True)
ASKS = LogBatch(container_id="t-web", group="", stream="", region=None, create_group=False, parts=())


@contextmanager
def secret_service() -> Iterator[tuple[int, list[bytes]]]:
    """Of this machine, for nobody else: its port, and what it was asked."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    heard.append(connection.recv(4096))
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


async def where_a_registry_leads(port: int) -> None:
    """By a redirect, the place where tokens are to be had, or a name that means this machine."""
    async with http.get(f"http://localhost:{port}/latest/meta-data") as response:
        await response.whole()


async def where_a_fargate_tasks_log_goes(port: int) -> None:
    options = {"splunk-url": f"http://127.0.0.1:{port}", "splunk-token": "x"}
    await SplunkSink(settings(options, FARGATE)).send(ASKS)


THREATS: list[Callable[[int], Awaitable[None]]] = [where_a_registry_leads, where_a_fargate_tasks_log_goes]


async def gets_there(attack: Callable[[int], Awaitable[None]]) -> bool:
    with secret_service() as (port, heard):
        with suppress(PortError):
            async with asyncio.timeout(10):
                await attack(port)
        return bool(heard)


@pytest.mark.parametrize("attack", THREATS, ids=lambda attack: attack.__name__)
async def test_refused_by_a_check_that_is_needed(attack: Callable[[int], Awaitable[None]]) -> None:
    assert not await gets_there(attack)
    with without("hatoba.core.reach:may_be_asked", "return loopback", "return True"):
        assert await gets_there(attack), "it is not this check that refuses it"


async def test_who_names_this_machine_means_it() -> None:
    for host in ("localhost:5000", "127.0.0.1", "[::1]:5000"):
        assert http.on_this_machine(host), host
    for host in ("registry.example", "127.0.0.1.example:5000", "169.254.169.254", "[fe80::1]"):
        assert not http.on_this_machine(host), host
    with secret_service() as (port, heard):
        async with http.get(f"http://127.0.0.1:{port}/v2/", loopback=True) as response:
            assert response.status == 200
    assert heard


async def test_files_that_never_end_are_no_certificates(tmp_path: Path) -> None:
    """`splunk-capath` is a path of the instance: of a device or a pipe there would be no end."""
    os.mkfifo(tmp_path / "pipe")
    large = tmp_path / "large"
    large.touch()
    os.truncate(large, 2 << 20)
    for path in ("/dev/zero", str(tmp_path / "pipe"), str(tmp_path), str(large), "/none"):
        options = {"splunk-url": "https://127.0.0.1:1", "splunk-token": "x", "splunk-capath": path}
        with pytest.raises(PortError, match=path):
            async with asyncio.timeout(10):
                await SplunkSink(settings(options, Writer(id="t-web", name="web"))).send(ASKS)
        with pytest.raises(BadOption, match="Fargate"):
            settings(options, FARGATE)
