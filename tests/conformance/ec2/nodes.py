"""A node, and a pass of the NAT gateways' controller, for tests of EC2 that have neither."""

from __future__ import annotations

import asyncio
from typing import Any

from hatoba.fleet import model as fleet
from hatoba.services.ec2.controller.nat import NatGatewayController
from tests.conformance.ec2.networks import Platform


def converge(platform: Platform) -> list[float | None]:
    """One pass over all NAT gateways."""
    controller = NatGatewayController(platform.plane)

    everything = controller.keys()

    async def passes() -> list[float | None]:
        done = [await controller.reconcile(key) for key in everything]
        await platform.store.durable()
        return done

    return asyncio.run_coroutine_threadsafe(passes(), platform.loop).result(20)


def node(platform: Platform, id_: str, number: int, state: Any = "ready") -> None:
    def put() -> None:
        with platform.store.tx() as tx:
            known = tx.find(fleet.nodes, fleet.FLEET, id_)
            record = fleet.Node(
                key=fleet.nodes.key(fleet.FLEET, id_),
                version=known.version if known else 0,
                name=id_,
                number=number,
                address=f"192.0.2.{number}",
                cpu=1,
                memory=1,
                state=state,
            )
            tx.put(fleet.nodes, record)

    platform.run(put)
