"""The ways between the routers of peered VPCs on one node: a pair of devices each, made when both VPCs ask for it.

VPCs are looked after side by side, and a link has an end in two of them: one is made or taken at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from hatoba.network.host import Host
from hatoba.network.router import Router


class Links:
    def __init__(self, host: Host, routers: Mapping[str, Router], path: Callable[[str], Path]) -> None:
        """`routers`: those that stand, by VPC; `path`: where a router's namespace is."""
        self._host = host
        self._routers = routers
        self._path = path
        self._alone = asyncio.Lock()

    async def follow(self, router: Router, before: Iterable[str]) -> None:
        """Takes the links that the router's routing does not ask for any more, and makes those that it does."""
        wanted = router.routing.peerings
        async with self._alone:
            for vpc in set(before) - set(wanted):
                await router.namespace.run(router.unlink, vpc)
            for vpc in wanted:
                other = self._routers.get(vpc)
                if other is not None and router.spec.id in other.routing.peerings:
                    await self._make(router, other)

    async def _make(self, one: Router, other: Router) -> None:
        """From whatever is there."""
        ends = ((one, other.spec.id), (other, one.spec.id))
        if not all([await router.namespace.run(router.is_linked, far) for router, far in ends]):
            for router, far in ends:  # what there is leads to a namespace that is lost
                await router.namespace.run(router.unlink, far)
            near, far_end = ((router.spec.id, self._path(router.spec.id)) for router, _ in ends)
            await self._host.namespace.run(self._host.make_link, near, far_end)
        for router, far in ends:
            await router.namespace.run(router.open_link, far)
        for router, far in ends:
            await router.namespace.run(router.use_link, far)

    async def leave(self, router: Router) -> None:
        """Before a router goes: nobody is left with a way to it."""
        async with self._alone:
            for other in self._beside(router):
                await other.namespace.run(other.unlink, router.spec.id)

    async def forget(self, router: Router) -> None:
        """Ends the connections of addresses that nobody has any more, also where they lead into peered VPCs."""
        gone, router.gone = router.gone, []
        if gone:
            for each in (router, *self._beside(router)):
                await each.namespace.run(each.forget, gone)

    def _beside(self, router: Router) -> list[Router]:
        others = (self._routers.get(vpc) for vpc in router.routing.peerings)
        return [other for other in others if other is not None]
