"""The operations of all rooms, and how one is carried out: the half of the request path that has no bytes.

    validate ─ authorise ─ handler ─ audit ─ durable

Clients come here from `path` (after the bytes), rooms from `door`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from hatoba.aws import conform, models, validate
from hatoba.aws.models import Operation, ServiceModel
from hatoba.aws.protocols import not_implemented
from hatoba.core.errors import AwsError
from hatoba.gateway.access import Authorizer
from hatoba.gateway.audit import Asked, Auditor, Witness
from hatoba.gateway.call import Call
from hatoba.gateway.metrics import Metrics, OperationMetrics
from hatoba.gateway.needs import Access, Need
from hatoba.gateway.room import BODY_BYTES, Handler, Service, policy_prefix, snake
from hatoba.store import Conflict, Store

# What models call a write that lost a race, where they have a name for it.
_LOST_RACES = ("ConcurrentModificationException", "ConcurrentUpdateException", "ConcurrentModification")


class Bound(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """An operation of a model, with what a room has for it."""

    operation: Operation
    handler: Handler | None
    access: Access
    metrics: OperationMetrics


class Operations:
    """`strict` (in tests) also checks every answer and every error against the model."""

    def __init__(
        self,
        rooms: Iterable[Service],
        store: Store,
        authorizer: Authorizer,
        auditor: Auditor,
        metrics: Metrics,
        *,
        strict: bool = False,
    ) -> None:
        self._rooms = {room.name: room for room in rooms}
        self._aliases = {room.alias.replace("-", "_"): room.name for room in self._rooms.values()}
        self._aliases |= {name.replace("-", "_"): name for name in self._rooms}
        self._store = store
        self._authorizer = authorizer
        self._auditor = auditor
        self._metrics = metrics
        self._strict = strict
        self._bound: dict[tuple[str, str], Bound] = {}
        self._snakes: dict[str, dict[str, str]] = {}

    def find(self, model: ServiceModel, name: str) -> Bound | None:
        """An operation by the model's names; None when the model has none of that name."""
        bound = self._bound.get((model.name, name))
        if bound is None:
            operation = model.operation(name)
            if operation is None:
                return None
            room = self._rooms.get(model.name)
            handler = room.handler(name) if room is not None else None
            access = room.access if room is not None else Access(policy_prefix(model.name), {})
            bound = Bound(
                operation=operation, handler=handler, access=access, metrics=self._metrics.of(model.name, name)
            )
            self._bound[model.name, name] = bound
        return bound

    def find_snake(self, service: str, name: str) -> Bound:
        """An operation by the SDKs' names: `elbv2`, `register_targets`. Raises `AwsError` when there is none."""
        service = service.removesuffix("_")  # `aws.lambda_`: Python has a word of that name
        botocore_name = self._aliases.get(service, service.replace("_", "-"))
        try:
            model = models.load(botocore_name)
        except models.UnknownService:
            raise AwsError(f"AWS has no service '{service}'.", code="UnknownServiceException", status=404) from None
        names = self._snakes.get(model.name)
        if names is None:
            names = self._snakes[model.name] = {snake(operation): operation for operation in model.operations}
        bound = self.find(model, names[name]) if name in names else None
        if bound is None:
            raise AwsError(f"{model.name} has no operation {name}.", code="UnknownOperationException", status=400)
        return bound

    @property
    def services(self) -> Mapping[str, Service]:
        """Those that have rooms, by botocore's names."""
        return self._rooms

    def body_bytes(self, service: str) -> int:
        """The longest body that is read whole."""
        room = self._rooms.get(service)
        return room.body_bytes if room is not None else BODY_BYTES

    def demand(self, call: Call, needs: Iterable[Need]) -> None:
        """What an operation finds out to need while it is carried out. Raises the service's access-denied error."""
        operation = models.load(call.service).operation(call.operation)
        assert operation is not None
        self._authorizer.decide(call, operation, needs)

    def witness(self, call: Call, params: Mapping[str, Any]) -> Witness:
        """For what is asked another way than by AWS's protocols: audited as the operation that it comes to."""
        bound = self.find(models.load(call.service), call.operation)
        assert bound is not None
        return self._witness(bound, params, call)

    def _witness(self, bound: Bound, params: Mapping[str, Any], call: Call) -> Witness:
        return Witness(self._auditor, Asked(call=call, operation=bound.operation, params=params, access=bound.access))

    async def perform(self, bound: Bound, params: dict[str, Any], call: Call) -> dict[str, Any]:
        """The answer's values, once everything they may show is durable. Raises `AwsError`, as durable."""
        witness = self._witness(bound, params, call)
        result: dict[str, Any] | None = None
        failure: AwsError | None = None
        try:
            result = await self._carry_out(bound, params, call)
        except AwsError as error:
            failure = error
            raise
        finally:
            witness.ended(result, failure)
            # An error tells something of the state, too. Nothing pending: nothing to wait for.
            if self._store.durable_seq < self._store.seq:
                await self._store.durable()
        return result

    async def _carry_out(self, bound: Bound, params: dict[str, Any], call: Call) -> dict[str, Any]:
        operation, handler = bound.operation, bound.handler
        if handler is None:
            raise not_implemented(operation)
        try:
            validate.check(operation, params)
            call.needs = tuple(bound.access.needs(operation.name, params, call))
            self._authorizer.decide(call, operation, call.needs)
            result: dict[str, Any] = await handler(params, call) or {}
            if self._strict:
                conform.output(operation, result)
        except Conflict as error:
            raise lost_race(operation.model, error) from error
        except AwsError as error:
            if self._strict:
                conform.error(operation, error)
            raise
        return result


def lost_race(model: ServiceModel, error: Conflict) -> AwsError:
    """A record changed between reading and writing it. The SDKs repeat what is answered with a server's fault."""
    said = f"Another request changed the same resource at the same time; try again. ({error})"
    for name in _LOST_RACES:
        shape = model.error(name)
        if shape is not None:
            return AwsError(said, code=shape.code, status=shape.status)
    fault = next((shape for shape in model.errors() if shape.fault or shape.status >= 500), None)
    return AwsError(said, code=fault.code if fault else "InternalFailure", status=fault.status if fault else 500)
