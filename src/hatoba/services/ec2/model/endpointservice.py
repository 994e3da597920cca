"""The services that VPC endpoints lead to: by gateway, a route; by interface, an address of the VPC.

By interface those are reached that have a room here. A name that stands for many (`*.dkr.ecr…`, a registry an account)
is in the VPC's zone the account's own.

Source: the PrivateLink guide, "AWS services that integrate with AWS PrivateLink".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Literal

import msgspec

from hatoba.core.keys import Scope
from hatoba.services.ec2.model.errors import invalid

Kind = Literal["Gateway", "Interface"]

_GATEWAYS = ("dynamodb", "s3")
_INTERFACES = (
    "cloudtrail",
    "ec2",
    "ecr.api",
    "ecr.dkr",
    "ecs",
    "elasticloadbalancing",
    "kms",
    "logs",
    "secretsmanager",
    "ssm",
    "sts",
)
_MANY = {"ecr.dkr": "*."}


class EndpointService(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is its full one; `dns` that of the service itself, `private` what an endpoint may answer for."""

    name: str
    kind: Kind
    dns: str
    private: str = ""

    @property
    def id(self) -> str:
        return f"vpce-svc-0{hashlib.blake2b(self.name.encode(), digest_size=8).hexdigest()}"

    @property
    def base(self) -> str:
        """The domain of its endpoints' own names."""
        return self.dns.replace(".amazonaws.com", ".vpce.amazonaws.com", 1)

    def private_for(self, account: str) -> str:
        """The name that an account's tasks ask for."""
        return self.private.replace("*", account, 1)


def services_in(region: str) -> Iterator[EndpointService]:
    """By name."""
    for short in sorted((*_GATEWAYS, *_INTERFACES)):
        dns = f"{'.'.join(reversed(short.split('.')))}.{region}.amazonaws.com"
        name = f"com.amazonaws.{region}.{short}"
        if short in _GATEWAYS:
            yield EndpointService(name=name, kind="Gateway", dns=dns)
        else:
            yield EndpointService(name=name, kind="Interface", dns=dns, private=f"{_MANY.get(short, '')}{dns}")


def the_service(scope: Scope, name: str) -> EndpointService:
    """Raises InvalidServiceName."""
    for service in services_in(scope.region):
        if service.name == name:
            return service
    raise invalid(f"The Vpc Endpoint Service '{name}' does not exist", "InvalidServiceName")
