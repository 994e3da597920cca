"""Connections that clients of VPC endpoints have opened on a node, which brings them here.

Each is a connection of the node's own that begins with `messages.Entered`: whom the node's router has seen, and what it
asked for. From there on it carries the client's bytes. A node speaks for the interfaces that it holds and for no
others: so where a request comes from is as true as the node, and no node can speak for what is on another one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from hatoba.fleet import model as m
from hatoba.fleet.messages import Entered
from hatoba.fleet.needed import holders, peered
from hatoba.store.store import View

MOST = 1024  # of one node at a time

Enter = Callable[[Entered, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]  # serves it to its end


class Entering:
    def __init__(self, view: View, enter: Enter) -> None:
        self._view = view
        self._enter = enter
        self._open: Counter[str] = Counter()  # by node

    async def serve(
        self, node: str, first: Entered, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._open[node] >= MOST or not speaks_for(self._view, node, first):
            return
        self._open[node] += 1
        try:
            await self._enter(first, reader, writer)
        finally:
            self._open[node] -= 1
            if not self._open[node]:
                del self._open[node]


def speaks_for(view: View, node: str, entered: Entered) -> bool:
    """The client is in the network, or in a peered one, and the node holds its interface."""
    for id_ in (entered.network, *peered(view, entered.network)):
        for network in view.index(m.networks, "id", id_):
            key = network.key
            for held in m.around(entered.client):
                where = (key.partition, key.account, key.region, id_, held)
                for interface in view.index(m.interfaces, "address", where):
                    if any(holder == node for holder, _ in holders(view, interface.id)):
                        return True
    return False
