"""The direct way to the platform, for those whose VPC has gateway endpoints: what they ask of an endpoint's service in
its region goes by the endpoint, if the routes of their subnet lead there. All else is as if there were no endpoint.

By IPv4 a VPC's router translates what its tasks send to others than itself, so nobody would know who asks: it leads
what is for the platform to its entrance instead (`network/gates.py`), which tells the address that was meant. By IPv6
nothing is translated. Who asks is looked up for every request, so that whatever changes counts in the very next one.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from hatoba.gateway.http import Handler, Request, Response
from hatoba.gateway.way import FindGuest, Gate


def by_entrance(network: str, find: FindGuest, front: Handler) -> Handler:
    """For connections from the VPC `network` that were meant for the platform's own place."""

    async def answer(request: Request) -> Response:
        guest = find(network, request.peer)
        seen = request.carrier or guest.seen or request.meant
        response = await front(replace(request, peer=seen, gate=guest.gate))
        # Once there is no gateway endpoint any more, the next connection takes the direct way itself.
        return response if guest.gated else replace(response, close=True)

    return answer


def by_ipv6(find: Callable[[str], Gate], front: Handler) -> Handler:
    """For connections at the address that is for tasks only."""

    async def answer(request: Request) -> Response:
        return await front(replace(request, gate=find(request.peer)))

    return answer
