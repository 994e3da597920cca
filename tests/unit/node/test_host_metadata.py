"""The metadata endpoint of tasks on the host's network: whose a connection is, and who is told nothing."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatoba.core.secret import Secret
from hatoba.fleet.items import CredentialItem
from hatoba.network.base import HostRedirect
from hatoba.node.metadata import owner
from hatoba.node.metadata.hostside import HostEndpoint
from hatoba.node.translate import endpoint_id
from hatoba.runtime.simulated import SimulatedRuntime
from tests.unit.node.machine import Machine, item
from tests.unit.node.pieces import container, workload

HOST = {"interface": None, "network": None, "network_mode": "host"}


@contextmanager
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        with client, accepted:
            yield client, accepted


def test_a_connection_is_known_by_its_two_ends() -> None:
    with connection() as (client, accepted):
        near, far = client.getsockname(), client.getpeername()
        assert owner.inode(near, far) == os.fstat(client.fileno()).st_ino
        assert owner.inode(far, near) == os.fstat(accepted.fileno()).st_ino
        assert owner.inode(near, ("169.254.170.2", 80)) is None


def test_a_socket_is_held_by_who_has_it_open() -> None:
    with connection() as (client, _):
        number = os.fstat(client.fileno()).st_ino
        assert owner.holds([os.getpid()], number)
        assert not owner.holds([os.getppid()], number)
        assert not owner.holds([2**22 + 1], number), "no such process"
    assert not owner.holds([os.getpid()], number)


def credential(of: str) -> CredentialItem:
    return CredentialItem(
        workload=of, role="arn:r", access_key="AK", secret_key=Secret("S"), token=Secret("T"), expires=4e9
    )


async def get(port: int, path: str) -> tuple[int, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    text = await reader.read()
    writer.close()
    head, _, body = text.partition(b"\r\n\r\n")
    return int(head.split()[1]), msgspec.json.decode(body)


class Mine(SimulatedRuntime):
    """The processes of two of its workloads are this very one."""

    async def processes(self, group: str) -> frozenset[int]:
        return frozenset({os.getpid()} if group in ("t1", "seated") else ())


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/credentials/c1", 200),
        ("/v1/credentials?id=c1", 200),
        (f"/v4/{endpoint_id('t1', 'web')}", 200),
        (f"/v3/{endpoint_id('t1', 'web')}/task", 200),
        ("/v2/credentials/c2", 404),
        ("/v2/credentials/c3", 404),
        ("/v2/credentials/none", 404),
        ("/v2/credentials/", 404),
        (f"/v4/{endpoint_id('t2', 'web')}", 404),
        (f"/v4/{endpoint_id('seated', 'web')}", 404),
        ("/v4/t1", 404),
        ("/v2/metadata", 404),
        ("/", 404),
    ],
)
async def test_a_task_is_told_of_itself_only(tmp_path: Path, path: str, status: int) -> None:
    machine = Machine.make(tmp_path)
    await machine.start()
    machine.want(
        workload("t1", container(), **HOST),
        workload("t2", container(), **HOST),
        workload("seated", container(), **{**HOST, "network_mode": "bridge"}),
    )
    given = (("c1", "t1"), ("c2", "t2"), ("c3", "seated"))
    machine.tell(put=[item("credential", name, credential(of)) for name, of in given])
    endpoint = HostEndpoint(machine.fabric, machine.agent, Mine(machine.host), machine.clock)
    await endpoint.start("hatoba-x", "unified")
    try:
        wanted = HostRedirect(
            address="169.254.170.2", port=80, to_port=endpoint.port, cgroup="hatoba-x", tree="unified"
        )
        assert machine.fabric.redirected == wanted
        assert (await get(endpoint.port, path))[0] == 404, "who comes here directly was led here by no rule"
        endpoint.meant = ("127.0.0.1", endpoint.port)
        found, body = await get(endpoint.port, path)
        assert found == status
        if path.endswith("c1"):
            assert body["AccessKeyId"] == "AK"
        if status == 404:
            assert body == "unable to find the task that this connection belongs to"
    finally:
        await endpoint.close()
        await machine.kill()
