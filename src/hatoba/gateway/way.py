"""How a request has come, where that is more than an address: through an endpoint of a VPC."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoint, as it is at the moment of the request. `service` as in `com.amazonaws.<region>.<service>`."""

    endpoint: str  # its id
    vpc: str
    account: str  # the endpoint's owner
    service: str
    policy: str | None = None  # a document; None: everything to everybody
    client: str = ""  # whose address there policies are told; "": the connection's

    def leads_to(self, endpoint_prefix: str) -> bool:
        """Whether it is the service's own. Services of several words are named backwards: `ecr.api`, `api.ecr…`."""
        return ".".join(reversed(self.service.split("."))) == endpoint_prefix


Find = Callable[[str, str], Way | None]  # by network and address
Gate = Callable[[str, str], Way | None]  # what is asked of a service, by its endpoint prefix, in a region goes by


class Guest(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever asks by the direct way from a VPC that has gateway endpoints."""

    gate: Gate
    seen: str  # the address under which it would come if there were none; "": the host's own
    gated: bool  # there still is one


FindGuest = Callable[[str, str], Guest]  # by network and address
