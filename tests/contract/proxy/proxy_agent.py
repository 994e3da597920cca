"""An agent in a process of its own, to be killed: applies one wish after the other, and says the pid of its Envoy.

python -m tests.contract.proxy.proxy_agent DIRECTORY NAMESPACE PORT PORT PORT [-1]

With -1 it also has its Envoy hand over to a new one, again and again.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import sys
from pathlib import Path

from hatoba.core.clock import SystemClock
from hatoba.core.errors import PortError
from hatoba.proxy.engine import EnvoyProxy
from hatoba.proxy.handover import PARTING
from hatoba.proxy.server import ConfigServer
from tests.contract.proxy.proxy_rigs import Backend, Facts, forward, group, socket_in, wanted


async def main(directory: Path, namespace: str, ports: list[int]) -> None:
    server = ConfigServer(directory / "xds.sock")
    await server.start()

    async def opener(family: socket.AddressFamily) -> socket.socket:
        return socket_in(namespace, family)

    facts = Facts()
    proxy = EnvoyProxy(
        name="vpc-1",
        directory=directory / "e",
        server=server,
        clock=SystemClock(),
        on_health=facts,
        netns=namespace,
        opener=opener,
        parting=1.0 if -1 in ports else PARTING,
    )
    adopted = await proxy.start()
    renews, ports = -1 in ports, [port for port in ports if port >= 0]
    renewing = asyncio.create_task(renew(proxy)) if renews else None
    backends = [Backend(name=str(port), port=port) for port in ports]
    # All to begin with: whom the one before has left in service stays there. Nor does the last healthy one ever go.
    for gone in itertools.chain([None], itertools.cycle(backends)):
        there = [each for each in backends if each is not gone]
        await proxy.apply(wanted(forward("web"), group("web", *there)))
        sys.stdout.write(f"{'adopted' if adopted else 'started'} {proxy.process.pid}\n")
        sys.stdout.flush()
        await facts.until(proxy, "web", {each.name: "healthy" for each in there})
        await asyncio.sleep(0.02)
        assert renewing is None or not renewing.done()


async def renew(proxy: EnvoyProxy) -> None:
    while True:
        await asyncio.sleep(0.05)
        with contextlib.suppress(PortError):
            await proxy.renew()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], [int(each) for each in sys.argv[3:]]))
