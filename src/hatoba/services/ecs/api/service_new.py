"""The end of every CreateService: one transaction, the same answer for the same client token, names that are free."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hatoba.aws.shapes import ecs as t
from hatoba.gateway.call import Call
from hatoba.services.ecs.api.room import checked_token, tag
from hatoba.services.ecs.api.service import shape
from hatoba.services.ecs.model.cluster import use_cluster
from hatoba.services.ecs.model.service import Service, find_service, forget_service, services
from hatoba.services.ecs.model.service_deployment import forget_history
from hatoba.services.ecs.views import pieces
from hatoba.store import Tx

LONGEST_TOKEN = 36


def create(
    req: t.CreateServiceRequest, call: Call, tags: Mapping[str, str], put: Callable[[Tx], Service]
) -> t.CreateServiceResponse:
    """`put`: checks once more what may have changed meanwhile, and writes the service."""
    token = checked_token(req.get("clientToken"), LONGEST_TOKEN)
    with call.tx() as tx:
        earlier = call.earlier(tx, req, token, mismatch=_not_idempotent)
        if earlier is not None and (made := tx.find(services, call.scope, earlier["id"])) is not None:
            return {"service": shape(tx, made)}
        cluster = use_cluster(tx, call.scope, req.get("cluster"))
        known = find_service(tx, call.scope, cluster.id, req["serviceName"])
        if known is not None:
            _may_be_replaced(known)
            forget_history(tx, known)
            forget_service(tx, known)
        service = put(tx)
        tag(tx, call.scope, service.arn, tags)
        described = shape(tx, service)
        if tags:
            described["tags"] = pieces.tags(tags)
        call.remember(tx, req, token, {"id": service.id})
        return {"service": described}


def _not_idempotent() -> t.InvalidParameterException:
    return t.InvalidParameterException("Creation of service was not idempotent.")


def _may_be_replaced(known: Service) -> None:
    if known.status == "DRAINING":
        raise t.InvalidParameterException("Unable to Start a service that is still Draining.")
    if known.status == "ACTIVE":
        raise _not_idempotent()
