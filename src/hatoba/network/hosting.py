"""Ports of nodes and clients' addresses, for a VPC's balancers: what the host, its rules and the router do about them.

See `hosted` for what is wanted, and why. A way is on the host before the router leads there.
"""

from __future__ import annotations

from collections.abc import Mapping

from hatoba.core.errors import PortError
from hatoba.core.records import replace
from hatoba.network.base import Settings
from hatoba.network.beyond import Entry, Front, Instance
from hatoba.network.host import Host, next_transit
from hatoba.network.hosted import Ends, Hosted
from hatoba.network.records import Records
from hatoba.network.router import Router


class Hosting:
    def __init__(self, settings: Settings, host: Host, routers: Mapping[str, Router], records: Records) -> None:
        self._settings = settings
        self._host = host
        self._routers = routers
        self._records = records

    async def renew(
        self,
        vpc: str,
        *,
        instances: tuple[Instance, ...] | None = None,
        fronts: tuple[Front, ...] | None = None,
        entries: tuple[Entry, ...] | None = None,
    ) -> None:
        """What is not given stays as it is."""
        router, host = self._routers.get(vpc), self._host
        if router is None:
            raise PortError("unknown_vpc", f"The VPC {vpc} is not on this node: ensure_vpc comes first.")
        given = {"instances": instances, "fronts": fronts, "entries": entries}
        wanted: Hosted = replace(router.hosted, **{name: value for name, value in given.items() if value is not None})
        if wanted == router.hosted:
            return
        if wanted.ends is None and wanted.needs_ends:
            wanted = replace(wanted, ends=await host.namespace.run(self._give_ends, vpc))
        await host.namespace.run(host.admit, vpc, router.nodes | wanted.nodes)
        await router.namespace.run(router.set_hosted, wanted)
        await host.namespace.run(host.let_in, vpc, wanted.of_host)
        await host.namespace.run(host.admit, vpc, router.nodes)

    def _give_ends(self, vpc: str) -> Ends:
        """They stay for as long as the VPC is here."""
        known = {record.spec.id: record for record in self._records.routers()}
        taken = {address for record in known.values() for address in record.addresses}
        own = next_transit(self._settings, taken)
        ends = Ends(own=own, bridge=next_transit(self._settings, taken | {own}))
        self._records.put_router(replace(known[vpc], ends=ends))
        self._host.ends.give(vpc, known[vpc].transit, ends)
        return ends

    async def hear(self) -> None:
        """Routers know the published ports of datagrams."""
        heard = self._host.heard
        for router in [router for router in self._routers.values() if router.heard != heard]:
            await router.namespace.run(router.set_heard, heard)
