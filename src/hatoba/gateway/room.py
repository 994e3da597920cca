"""How a room declares what it can do.

    ecs = Service("ecs")

    @ecs.operation
    async def delete_cluster(req: t.DeleteClusterRequest, call: Call) -> t.DeleteClusterResponse: ...

The function's name is the operation, in the snake case of the SDKs (`delete_cluster` → `DeleteCluster`); it is checked
against the model when the model is first loaded, and for every room by a test. The request has been parsed, validated
and authorised before; the answer is sent once everything that the call committed is durable.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from botocore import xform_name

from hatoba.aws import index
from hatoba.gateway.call import Call
from hatoba.gateway.needs import Access

Handler = Callable[[Any, Call], Awaitable[Any]]
H = TypeVar("H", bound=Handler)

BODY_BYTES = 4 * 1024 * 1024  # of a request that does not stream


def snake(operation: str) -> str:
    """The SDKs' name of an operation: `DescribeDBInstances` → `describe_db_instances`."""
    # botocore's own rule has exceptions (`GetOTelEnrichment`) that only it knows.
    return str(xform_name(operation))


# Where policies do not call a service by the name under which its requests are signed.
_PREFIXES = {"email": "ses", "monitoring": "cloudwatch", "tagging": "tag"}


def policy_prefix(service: str) -> str:
    """How policies name a service, by botocore's name."""
    signing = index.signing_name(service)
    return _PREFIXES.get(signing, signing)


class Service:
    """A room's operations. `name` is botocore's service name, also the attribute's name on the front door."""

    def __init__(
        self, name: str, *, access: Access | None = None, alias: str | None = None, body_bytes: int = BODY_BYTES
    ) -> None:
        """`access`: what each operation needs to be allowed. `body_bytes`: the longest request, for services that take
        more in one piece (ECR's image layers)."""
        self.name = name
        self.access = access or Access(policy_prefix(name), {})
        self.body_bytes = body_bytes
        self.alias = alias or name  # elasticloadbalancingv2's is botocore's `elbv2`
        self._handlers: dict[str, Handler] = {}

    def operation(self, handler: H) -> H:
        name = handler.__name__
        if name in self._handlers:
            raise TypeError(f"{self.name}.{name} is declared twice")
        self._handlers[name] = handler
        return handler

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """By snake-case name."""
        return self._handlers

    def handler(self, operation: str) -> Handler | None:
        """The handler of an operation by the model's name, or None when it is not implemented yet."""
        return self._handlers.get(snake(operation))
