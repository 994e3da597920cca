"""VPC endpoints: made, changed and removed, and which services there are endpoints for.

Source: the PrivateLink guide; the EC2 API reference, "CreateVpcEndpoint" and its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hatoba.aws.shapes import ec2 as t
from hatoba.core.errors import AwsError
from hatoba.core.ids import resource_id
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import forget_tags
from hatoba.policy.document import Malformed, parse
from hatoba.services.ec2.api.room import described, ec2, mismatch, own_tags, paged, refuse_unknown, tag_new
from hatoba.services.ec2.defaults import ensure_default, zones
from hatoba.services.ec2.filters import matching
from hatoba.services.ec2.model.arns import arn
from hatoba.services.ec2.model.endpoint import (
    EndpointService,
    VpcEndpoint,
    add_tables,
    forget_endpoint,
    remove_tables,
    services_in,
    tables_of,
    the_endpoint,
    the_service,
    vpc_endpoints,
)
from hatoba.services.ec2.model.errors import invalid, missing
from hatoba.services.ec2.model.interface import PublicPool
from hatoba.services.ec2.model.network import the_vpc
from hatoba.services.ec2.model.prefixlist import PrefixList, lists_of_aws
from hatoba.services.ec2.model.routes import RouteTable, the_table
from hatoba.services.ec2.views import endpoint as views
from hatoba.store import Tx

# Of endpoints of types that there are none of here.
_OTHER_TYPES = ("ResourceConfigurationArn", "ServiceNetworkArn")
_OF_INTERFACES = (
    "AddSecurityGroupIds",
    "AddSubnetIds",
    "PrivateDnsEnabled",
    "RemoveSecurityGroupIds",
    "RemoveSubnetIds",
    "SecurityGroupIds",
    "SubnetConfigurations",
    "SubnetIds",
)
_POLICY_SIZE = 20480


@ec2.operation
async def create_vpc_endpoint(req: t.CreateVpcEndpointRequest, call: Call) -> t.CreateVpcEndpointResult:
    refuse_unknown(req, *_OTHER_TYPES)
    ensure_default(call)
    token = req.get("ClientToken")
    with call.tx() as tx:
        earlier = call.earlier(tx, req, token, mismatch=mismatch)
        if earlier is not None:
            endpoint = the_endpoint(tx, call.scope, earlier["id"])
        else:
            endpoint = _create(tx, call, req)
            tag_new(tx, call, endpoint.id, req)
            call.remember(tx, req, token, {"id": endpoint.id})
    answer: t.CreateVpcEndpointResult = {"VpcEndpoint": _view(call, endpoint)}
    if token is not None:
        answer["ClientToken"] = token
    return answer


def _create(tx: Tx, call: Call, req: t.CreateVpcEndpointRequest) -> VpcEndpoint:
    vpc = the_vpc(tx, call.scope, req["VpcId"])
    if "ServiceName" not in req:
        raise missing("serviceName")
    service = the_service(call.scope, req["ServiceName"])
    if req.get("ServiceRegion", call.scope.region) != call.scope.region:
        raise invalid("Endpoints for services of another region are not supported here yet.", "UnsupportedOperation")
    kind = req.get("VpcEndpointType", "Gateway")
    if kind != "Gateway":
        raise invalid(
            f"Endpoint type ({kind}) does not match available service types ([{', '.join(service.kinds)}]).",
            "InvalidParameter",
        )
    _check_gateway(req)
    endpoint = VpcEndpoint(
        key=vpc_endpoints.key(call.scope, resource_id(call.ids, "vpce")),
        vpc=vpc.id,
        service=service.name,
        kind=kind,
        policy=_policy(req),
        created=call.now,
    )
    add_tables(tx, endpoint, _tables(tx, call, req.get("RouteTableIds", [])), _list(call, endpoint))
    return tx.put(vpc_endpoints, endpoint)


def _check_gateway(req: Mapping[str, Any]) -> None:
    """What only endpoints of other types have."""
    for name in _OF_INTERFACES:
        if req.get(name):
            raise invalid(f"{name} is applicable only to Interface VPC Endpoints.", "InvalidParameter")
    if req.get("IpAddressType", "ipv4") != "ipv4":
        raise invalid("Endpoints for IPv6 are not supported here yet.", "UnsupportedOperation")
    options = req.get("DnsOptions", {})
    for name in options:
        if name != "DnsRecordIpType":
            raise invalid(f"DnsOptions {name} is applicable only to Interface VPC Endpoints.", "InvalidParameter")
    if options.get("DnsRecordIpType", "ipv4") not in ("ipv4", "service-defined"):
        raise invalid("Endpoints for IPv6 are not supported here yet.", "UnsupportedOperation")


def _policy(req: Mapping[str, Any]) -> str | None:
    """As it is written. Raises InvalidPolicyDocument."""
    text: str | None = req.get("PolicyDocument")
    if not text:
        return None
    if len(text) > _POLICY_SIZE:
        raise invalid(
            f"The policy document is {len(text)} characters long; {_POLICY_SIZE} are allowed.", "InvalidPolicyDocument"
        )
    try:
        document = parse(text)
    except Malformed as wrong:
        raise invalid(f"The policy document is not valid: {wrong}", "InvalidPolicyDocument") from None
    for statement in document.statements:
        if statement.principals is None:
            raise invalid("The policy document is not valid: principal: it is missing", "InvalidPolicyDocument")
    return text


def _tables(tx: Tx, call: Call, ids: Iterable[str]) -> list[RouteTable]:
    return [the_table(tx, call.scope, id_) for id_ in dict.fromkeys(ids)]


def _list(call: Call, endpoint: VpcEndpoint) -> PrefixList:
    """The service's addresses: AWS's own list has its name."""
    of_aws = lists_of_aws(call.scope, call.get(PublicPool).transit)
    return next(each for each in of_aws if each.name == endpoint.service)


def _view(call: Call, endpoint: VpcEndpoint) -> t.VpcEndpoint:
    tables = [table.id for table in tables_of(call.store, endpoint)]
    return views.vpc_endpoint(endpoint, tables, own_tags(call, endpoint.id))


@ec2.operation
async def describe_vpc_endpoints(req: t.DescribeVpcEndpointsRequest, call: Call) -> t.DescribeVpcEndpointsResult:
    page, token = described(
        call,
        vpc_endpoints,
        req,
        {
            "ip-address-type": lambda endpoint: ("ipv4",),
            "service-name": lambda endpoint: (endpoint.service,),
            "service-region": lambda endpoint: (endpoint.key.region,),
            "vpc-endpoint-id": lambda endpoint: (endpoint.id,),
            "vpc-endpoint-state": lambda endpoint: ("available",),
            "vpc-endpoint-type": lambda endpoint: (endpoint.kind,),
            "vpc-id": lambda endpoint: (endpoint.vpc,),
        },
        ids="VpcEndpointIds",
        kind="vpce",
        indexed={"vpc-id": "vpc"},
    )
    answer: t.DescribeVpcEndpointsResult = {"VpcEndpoints": [_view(call, endpoint) for endpoint in page]}
    if token is not None:
        answer["NextToken"] = token
    return answer


@ec2.operation
async def modify_vpc_endpoint(req: t.ModifyVpcEndpointRequest, call: Call) -> t.ModifyVpcEndpointResult:
    with call.tx() as tx:
        endpoint = the_endpoint(tx, call.scope, req["VpcEndpointId"])
        _check_gateway(req)
        if req.get("ResetPolicy") and req.get("PolicyDocument"):
            raise invalid("ResetPolicy and PolicyDocument cannot be specified together.", "InvalidParameterCombination")
        if req.get("ResetPolicy"):
            endpoint = tx.put(vpc_endpoints, replace(endpoint, policy=None))
        elif req.get("PolicyDocument"):
            endpoint = tx.put(vpc_endpoints, replace(endpoint, policy=_policy(req)))
        gone = _tables(tx, call, req.get("RemoveRouteTableIds", []))
        for table in gone:
            if all(route.gateway != endpoint.id for route in table.routes):
                raise invalid(f"Route table {table.id} is not associated with {endpoint.id}.", "InvalidParameter")
        remove_tables(tx, endpoint, gone)
        add_tables(tx, endpoint, _tables(tx, call, req.get("AddRouteTableIds", [])), _list(call, endpoint))
    return {"Return": True}


@ec2.operation
async def delete_vpc_endpoints(req: t.DeleteVpcEndpointsRequest, call: Call) -> t.DeleteVpcEndpointsResult:
    """Those that are there go; of the others the answer says why not."""
    left: list[t.UnsuccessfulItem] = []
    with call.tx() as tx:
        for id_ in dict.fromkeys(req["VpcEndpointIds"]):
            try:
                endpoint = the_endpoint(tx, call.scope, id_)
            except AwsError as error:
                left.append({"ResourceId": id_, "Error": {"Code": error.code, "Message": error.message}})
                continue
            forget_endpoint(tx, endpoint)
            forget_tags(tx, call.scope, arn(call.scope, id_))
    return {"Unsuccessful": left}


@ec2.operation
async def describe_vpc_endpoint_services(
    req: t.DescribeVpcEndpointServicesRequest, call: Call
) -> t.DescribeVpcEndpointServicesResult:
    for region in req.get("ServiceRegions", []):
        if region != call.scope.region:
            raise invalid("Services of another region are not supported here yet.", "UnsupportedOperation")
    found: list[EndpointService] = list(services_in(call.scope.region))
    if names := req.get("ServiceNames"):
        found = [the_service(call.scope, name) for name in dict.fromkeys(names)]
    found = matching(
        found,
        req.get("Filters", []),
        {
            "owner": lambda service: (views.OWNER,),
            "service-name": lambda service: (service.name,),
            "service-region": lambda service: (call.scope.region,),
            "service-type": lambda service: service.kinds,
            "supported-ip-address-types": lambda service: ("ipv4",),
        },
        lambda service: {},
    )
    page, token = paged(call, req, found, order=lambda service: service.name)
    answer: t.DescribeVpcEndpointServicesResult = {
        "ServiceNames": [service.name for service in page],
        "ServiceDetails": [
            views.endpoint_service(service, call.scope.region, zones(call.scope.region)) for service in page
        ],
    }
    if token is not None:
        answer["NextToken"] = token
    return answer
