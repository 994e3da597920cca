"""The in-process front door: how a room, or a controller, uses another room.

    aws = doors.door(scope, "ecs")
    await aws.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": "172.31.0.5", "Port": 80}])

The same path as from outside, without the bytes: validated from the model, authorised, answered once it is durable;
errors are the `AwsError`s a client would be told, as the classes of the called service's shapes. What could never come
over the wire (an unknown member, a wrong type) is a bug of the caller and raises `Nonconforming`.

Whose permissions count, and what policies may know of it (`iam/authorizer/facts.py`), is one of four:

    its linked role             platform.door(scope, "ecs")                 neither via a service nor one
    the service for a resource  platform.door(scope, "ecs", source=arn)     a service principal, `aws:SourceArn`; of no
                                                                            account: with `access.service_itself`
    a role it has assumed       platform.door(scope, "ecs", principal)      that role, as if it asked itself
    those of who called it      call.aws_as_caller                          via the service: a forward access session

Source: the IAM user guide, "AWS global condition context keys", "Forward access sessions".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from hatoba.aws import conform
from hatoba.aws.shapes import error_class
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.gateway.call import Call, Platform, Principal
from hatoba.gateway.operations import Bound, Operations


class LocalClient:
    """One service: its operations in the SDKs' snake case."""

    def __init__(self, door: LocalDoor, service: str) -> None:
        self._door = door
        self._service = service

    def __getattr__(self, operation: str) -> Callable[..., Awaitable[dict[str, Any]]]:
        def ask(**params: Any) -> Awaitable[dict[str, Any]]:
            return self._door.ask(self._service, operation, params)

        return ask


class LocalDoor:
    """All services, as attributes, bound to who asks and where."""

    def __init__(
        self,
        platform: Platform,
        operations: Operations,
        *,
        scope: Scope,
        principal: Principal,
        by: str,
        via: tuple[str, ...] = (),
        source: str = "",
    ) -> None:
        """`by`, `via` and `source`: as in `Call`."""
        self._platform = platform
        self._operations = operations
        self._scope = scope
        self._principal = principal
        self._by = by
        self._via = via
        self._source = source

    def __getattr__(self, service: str) -> LocalClient:
        if service.startswith("__"):
            raise AttributeError(service)
        return LocalClient(self, service)

    async def ask(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        bound = self._operations.find_snake(service, operation)
        self._complete(bound, params)
        conform.input(bound.operation, params)
        began = self._platform.clock.monotonic()
        code = "ok"
        try:
            return await self._operations.perform(bound, params, self._call(bound))
        except AwsError as error:
            code = error.code
            raise _typed(bound, error) from error
        finally:
            bound.metrics.observe(self._by, code, self._platform.clock.monotonic() - began)

    def _complete(self, bound: Bound, params: dict[str, Any]) -> None:
        """An idempotency token that the model demands and the caller did not give, as the SDKs add it."""
        operation = bound.operation
        token = operation.token_member
        if token is None or operation.input is None or token in params:
            return
        if token in operation.model.shape(operation.input).required:
            params[token] = self._platform.ids.uuid()

    def _call(self, bound: Bound) -> Call:
        return Call(
            self._platform,
            scope=self._scope,
            service=bound.operation.service,
            operation=bound.operation.name,
            principal=self._principal,
            request_id=self._platform.ids.uuid(),
            source_ip=f"{self._by}.amazonaws.com",
            user_agent=f"{self._by}.amazonaws.com",
            by=self._by,
            via=self._via,
            source=self._source,
        )


def _typed(bound: Bound, error: AwsError) -> AwsError:
    """The error as its class of the called service's shapes, so that callers can name it in `except`."""
    if type(error) is not AwsError:
        return error
    shape = bound.operation.model.error(error.code)
    if shape is None:
        return error
    return error_class(bound.operation.service, shape.name)(error.message, **error.members)
