"""Which interface endpoint an address of a VPC is: for requests that come through one."""

from __future__ import annotations

from hatoba.gateway.way import Way
from hatoba.services.ec2.model.endpoint import interfaces_of, vpc_endpoints
from hatoba.services.ec2.model.interface import of_fleet
from hatoba.store.store import View


def endpoint_at(view: View, vpc: str, address: str) -> Way | None:
    """As it is now; None for an address that is none of an endpoint's."""
    for endpoint in view.index(vpc_endpoints, "vpc", vpc):
        if any(of_fleet(view, eni).address == address for eni in interfaces_of(view, endpoint)):
            return Way(
                endpoint=endpoint.id,
                vpc=endpoint.vpc,
                account=endpoint.key.account,
                service=endpoint.service.removeprefix(f"com.amazonaws.{endpoint.key.region}."),
                policy=endpoint.policy,
            )
    return None
