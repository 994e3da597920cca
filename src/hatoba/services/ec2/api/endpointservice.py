"""Which services there are VPC endpoints for."""

from __future__ import annotations

from hatoba.aws.shapes import ec2 as t
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.services.ec2.api.room import ec2, paged
from hatoba.services.ec2.defaults import zones
from hatoba.services.ec2.filters import matching
from hatoba.services.ec2.model.endpointservice import services_in, the_service
from hatoba.services.ec2.model.errors import invalid
from hatoba.services.ec2.views import endpoint as views


@ec2.operation
async def describe_vpc_endpoint_services(
    req: t.DescribeVpcEndpointServicesRequest, call: Call
) -> t.DescribeVpcEndpointServicesResult:
    for region in req.get("ServiceRegions", []):
        if region != call.scope.region:
            raise invalid("Services of another region are not supported here yet.", "UnsupportedOperation")
    found = list(services_in(call.scope.region))
    if names := req.get("ServiceNames"):
        found = [the_service(call.scope, name) for name in dict.fromkeys(names)]
    found = matching(
        found,
        req.get("Filters", []),
        {
            "owner": lambda service: (views.OWNER,),
            "service-name": lambda service: (service.name,),
            "service-region": lambda service: (call.scope.region,),
            "service-type": lambda service: (service.kind,),
            "supported-ip-address-types": lambda service: ("ipv4",),
        },
        lambda service: {},
    )
    page, token = paged(call, req, found, order=lambda service: service.name)
    return {
        "ServiceNames": [service.name for service in page],
        "ServiceDetails": [
            views.endpoint_service(service, call.scope.region, zones(call.scope.region)) for service in page
        ],
        **next_token(token),
    }
