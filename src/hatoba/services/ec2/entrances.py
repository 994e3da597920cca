"""Which interface endpoint an address of a VPC is: for requests that come through one. And what its services are
called: for the certificates that they show."""

from __future__ import annotations

from hatoba.gateway.way import Way
from hatoba.services.ec2.model.endpoint import interfaces_of, service_of, vpc_endpoints
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


def names_at(view: View, vpc: str, asked: str) -> tuple[str, ...]:
    """All names by which the service is asked that has the one asked for, at an endpoint of the VPC: its own, whether
    or not the VPC's resolver knows it, and those of its endpoints. None: no endpoint leads there."""
    for endpoint in view.index(vpc_endpoints, "vpc", vpc):
        if endpoint.kind == "Interface":
            service = service_of(endpoint)
            names = (service.private, f"*.{service.base}")
            if any(_covers(name, asked) for name in names):
                return names
    return ()


def _covers(name: str, asked: str) -> bool:
    """As clients look at certificates: a star is one label."""
    label, _, rest = asked.partition(".")
    return name == asked or (bool(label) and name == f"*.{rest}")
