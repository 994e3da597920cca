"""Flows through network balancers while one Envoy hands over to the next: no connection is refused or cut, and clients'
addresses stay what they are."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from tests.contract.proxy.proxy_rigs import RealRig, until
from tests.contract.proxy.test_proxy_handover import alone, envoys
from tests.contract.proxy.test_proxy_handover import quick as quick
from tests.contract.proxy.test_proxy_streams import (
    CLIENT,
    NEAR,
    PORT,
    connect,
    group,
    healthy,
    serving,
    targets,
    wanted,
)
from tools.waiting import PATIENCE

pytestmark = pytest.mark.real


class Load:
    """Clients that connect, ask, read the answer and close, again and again."""

    def __init__(self, rig: RealRig) -> None:
        self._rig = rig
        self.going = True
        self.done = 0
        self.failures: list[str] = []

    async def client(self) -> None:
        while self.going:
            try:
                async with asyncio.timeout(PATIENCE):
                    reader, writer = await connect(self._rig)
                    name = await reader.readline()
                    writer.write(b"ping")
                    assert name
                    assert await reader.readexactly(4) == b"ping"
                    writer.close()
                self.done += 1
            except (OSError, asyncio.IncompleteReadError, AssertionError) as error:
                self.failures.append(repr(error))
            await asyncio.sleep(0.002)

    async def more(self, count: int) -> None:
        goal = self.done + count
        await until(lambda: self.done >= goal or bool(self.failures))


@contextlib.asynccontextmanager
async def load(rig: RealRig, clients: int = 8) -> AsyncIterator[Load]:
    made = Load(rig)
    tasks = [asyncio.create_task(made.client()) for _ in range(clients)]
    try:
        yield made
    finally:
        made.going = False
        await asyncio.gather(*tasks)


@pytest.mark.parametrize("preserved", [False, True])
async def test_a_hand_over_costs_no_connection(quick: RealRig, preserved: bool) -> None:
    async with (
        serving(quick, "a", "b") as (a, b),
        load_of(quick, group("g", targets(a, b), preserve_source=preserved)) as going,
    ):
        for _ in range(3):
            before = quick.proxy.process.pid
            await quick.proxy.renew()
            assert quick.proxy.process.pid != before
            await going.more(100)
            await quick.proxy.apply(wanted(group("g", targets(b), preserve_source=preserved)))
            await going.more(50)
            await quick.proxy.apply(wanted(group("g", targets(a, b), preserve_source=preserved)))
            await alone(quick)
            await going.more(50)
        assert going.failures == []
        assert (CLIENT in a.peers) == preserved


@contextlib.asynccontextmanager
async def load_of(rig: RealRig, behind: object) -> AsyncIterator[Load]:
    await healthy(rig, wanted(behind))  # type: ignore[arg-type]
    async with load(rig) as going:
        await going.more(50)
        yield going


async def test_what_stands_goes_on_until_the_former_ends(real: RealRig) -> None:
    async with serving(real, "a") as (a,):
        await healthy(real, wanted(group("g", targets(a), preserve_source=True)))
        reader, writer = await connect(real)
        await reader.readline()
        await real.proxy.renew()
        assert len(envoys(real)) == 2
        for word in (b"still", b"going"):
            writer.write(word)
            assert await reader.readexactly(5) == word
        writer.close()


async def test_datagrams_are_answered_before_and_after(quick: RealRig) -> None:
    """Each is answered; a flow may begin anew, since what one Envoy knows of it the next does not."""
    loop = asyncio.get_running_loop()
    async with serving(quick, "a") as (a,):
        server = quick.namespace.socket(kind=socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", a.port))
        seen: list[str] = []

        async def echo() -> None:
            while True:
                said, address = await loop.sock_recvfrom(server, 100)
                seen.append(address[0])
                await loop.sock_sendto(server, said, address)

        answering = asyncio.create_task(echo())
        await healthy(quick, wanted(group("g", targets(a), protocol="UDP"), protocol="UDP"))
        client = quick.namespace.socket(kind=socket.SOCK_DGRAM)
        client.bind((CLIENT, 0))
        await loop.sock_connect(client, (NEAR, PORT))

        async def ask(count: int) -> None:
            for number in range(count):
                await loop.sock_sendall(client, str(number).encode())
                assert await asyncio.wait_for(loop.sock_recv(client, 100), PATIENCE) == str(number).encode()

        await ask(50)
        renewing = asyncio.create_task(quick.proxy.renew())
        while not renewing.done():
            await ask(5)
            await asyncio.sleep(0.005)
        await renewing
        await ask(50)
        await alone(quick)
        await ask(50)
        assert set(seen) == {CLIENT}
        answering.cancel()
        client.close()
        server.close()
