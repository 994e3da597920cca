"""Services by the Cloud Map namespace in which Service Connect has them, in whatever cluster they are."""

from __future__ import annotations

from hatoba.aws.shapes import ecs as t
from hatoba.core import arn
from hatoba.gateway.call import Call
from hatoba.gateway.continued import small_next_token
from hatoba.services.ecs.api.room import ecs, page
from hatoba.services.ecs.model.cluster import clusters
from hatoba.services.ecs.model.service import services


@ecs.operation
async def list_services_by_namespace(
    req: t.ListServicesByNamespaceRequest, call: Call
) -> t.ListServicesByNamespaceResponse:
    namespace = req["namespace"]
    if namespace.startswith("arn:"):
        parsed = arn.parse(namespace)
        if parsed is None or parsed.service != "servicediscovery" or not parsed.resource.startswith("namespace/"):
            raise t.InvalidParameterException(f"Invalid identifier: {namespace} is not the ARN of a namespace.")
    rows = call.store.index(services, "namespace", (call.scope, namespace))
    # A namespace is known here by those who name it.
    if not rows and all(known.service_connect != namespace for known in call.store.scan(clusters, call.scope)):
        raise t.NamespaceNotFoundException(f"The namespace {namespace} was not found.")
    found, more = page(call, rows, req, lambda service: service.id, limit=10)
    return {"serviceArns": [service.arn for service in found], **small_next_token(more)}
