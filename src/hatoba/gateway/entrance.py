"""The way in from VPCs. Interface endpoints: each leads to its own service, and to nothing else of the platform. What
it answers besides is whom to trust when it is asked by TLS. And the platform's own place, where routers lead that here.

Which endpoint it is stands in the address that the client has asked for, in its VPC (`Request.meant`). It is looked up
for every request: one that is gone refuses what still comes by connections that stand, and a changed policy counts.
"""

from __future__ import annotations

from collections.abc import Container

from msgspec.structs import replace

from hatoba.gateway.http import Handler, Request, Response
from hatoba.gateway.own import AUTHORITY, PREFIX
from hatoba.gateway.way import Find

_REGISTRY, _DISTRIBUTION = "ecr.dkr", "/v2"


def entrance(
    network: str,
    find: Find,
    *,
    aws: Handler,
    registry: Handler,
    authority: Handler,
    direct: Handler | None = None,
    places: Container[str] = (),
) -> Handler:
    """For connections from the VPC `network`. `direct` answers what was meant for the `places` of the platform."""

    async def answer(request: Request) -> Response:
        if direct is not None and request.meant in places:
            return await direct(request)
        way = find(network, request.meant)
        if way is None:
            return Response(status=403, body=b"There is no VPC endpoint at this address.\n", close=True)
        request = replace(request, way=way)
        path = request.path
        if way.service == _REGISTRY and (path == _DISTRIBUTION or path.startswith(f"{_DISTRIBUTION}/")):
            return await registry(request)
        if path == PREFIX + AUTHORITY:
            return await authority(request)
        return await aws(request)  # which refuses what is another service's

    return answer
