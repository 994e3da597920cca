"""VPC endpoints: made, changed and removed.

Source: the PrivateLink guide; the EC2 API reference, "CreateVpcEndpoint" and its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from hatoba.aws.shapes import ec2 as t
from hatoba.core.errors import AwsError
from hatoba.core.ids import resource_id
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.policy.document import Malformed, parse
from hatoba.services.ec2.api.room import described, ec2, made_once, own_tags, refuse_unknown
from hatoba.services.ec2.defaults import ensure_default
from hatoba.services.ec2.model.endpoint import (
    VpcEndpoint,
    add_interface,
    add_tables,
    check_private_dns,
    forget_endpoint,
    interfaces_of,
    names_of,
    put_groups,
    refresh_endpoints,
    remove_interface,
    remove_tables,
    service_of,
    tables_of,
    the_endpoint,
    vpc_endpoints,
)
from hatoba.services.ec2.model.endpointservice import the_service
from hatoba.services.ec2.model.errors import invalid, missing
from hatoba.services.ec2.model.group import groups
from hatoba.services.ec2.model.interface import PublicPool, groups_in_vpc
from hatoba.services.ec2.model.network import the_subnet, the_vpc
from hatoba.services.ec2.model.prefixlist import PrefixList, lists_of_aws
from hatoba.services.ec2.model.routes import RouteTable, the_table
from hatoba.services.ec2.views import endpoint as views
from hatoba.store import Tx

# Of endpoints of types that there are none of here.
_OTHER_TYPES = ("ResourceConfigurationArn", "ServiceNetworkArn")
_OF_GATEWAYS = ("AddRouteTableIds", "RemoveRouteTableIds", "RouteTableIds")
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
    endpoint = made_once(call, req, the_endpoint, lambda tx: _create(tx, call, req))
    answer: t.CreateVpcEndpointResult = {"VpcEndpoint": _view(call, endpoint)}
    if "ClientToken" in req:
        answer["ClientToken"] = req["ClientToken"]
    return answer


def _create(tx: Tx, call: Call, req: t.CreateVpcEndpointRequest) -> VpcEndpoint:
    vpc = the_vpc(tx, call.scope, req["VpcId"])
    if "ServiceName" not in req:
        raise missing("serviceName")
    service = the_service(call.scope, req["ServiceName"])
    if req.get("ServiceRegion", call.scope.region) != call.scope.region:
        raise invalid("Endpoints for services of another region are not supported here yet.", "UnsupportedOperation")
    kind = req.get("VpcEndpointType", "Gateway")
    if kind != service.kind:
        raise invalid(
            f"Endpoint type ({kind}) does not match available service types ([{service.kind}]).", "InvalidParameter"
        )
    endpoint = VpcEndpoint(
        key=vpc_endpoints.key(call.scope, resource_id(call.ids, "vpce")),
        vpc=vpc.id,
        service=service.name,
        kind=service.kind,
        policy=_policy(req),
        created=call.now,
    )
    _check_members(endpoint, req)
    if endpoint.kind == "Interface":
        return _create_interfaces(tx, call, endpoint, req)
    add_tables(tx, endpoint, _tables(tx, call, req.get("RouteTableIds", [])), _list(call, endpoint))
    endpoint = tx.put(vpc_endpoints, endpoint)
    refresh_endpoints(tx, call.scope, endpoint.vpc)
    return endpoint


def _create_interfaces(tx: Tx, call: Call, endpoint: VpcEndpoint, req: t.CreateVpcEndpointRequest) -> VpcEndpoint:
    vpc = the_vpc(tx, call.scope, endpoint.vpc)
    endpoint = replace(endpoint, groups=groups_in_vpc(tx, vpc, req.get("SecurityGroupIds", [])))
    if req.get("PrivateDnsEnabled", True):
        endpoint = _with_private_dns(tx, call, endpoint)
    addresses = {given.get("SubnetId", ""): _address(given) for given in req.get("SubnetConfigurations", [])}
    for id_ in dict.fromkeys((*req.get("SubnetIds", []), *addresses)):
        subnet = the_subnet(tx, call.scope, id_)
        endpoint = add_interface(tx, call.ids, endpoint, subnet, addresses.get(id_), call.now)
    endpoint = tx.put(vpc_endpoints, endpoint)
    refresh_endpoints(tx, call.scope, endpoint.vpc)
    return endpoint


def _with_private_dns(tx: Tx, call: Call, endpoint: VpcEndpoint) -> VpcEndpoint:
    vpc = the_vpc(tx, call.scope, endpoint.vpc)
    if not (vpc.dns_support and vpc.dns_hostnames):
        raise invalid(
            "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for "
            f"{vpc.id}",
            "InvalidParameter",
        )
    check_private_dns(tx, endpoint)
    return replace(endpoint, private_dns=True)


def _address(given: t.SubnetConfiguration) -> str | None:
    if "SubnetId" not in given:
        raise missing("SubnetId")
    refuse_unknown(given, "Ipv6")
    if "Ipv4" not in given:
        return None
    try:
        return str(IPv4Address(given["Ipv4"]))
    except AddressValueError:
        raise invalid(f"Value ({given['Ipv4']}) for parameter ipv4 is invalid. Invalid IP address.") from None


def _check_members(endpoint: VpcEndpoint, req: Mapping[str, Any]) -> None:
    """What only endpoints of the other type have, and what neither has here."""
    if endpoint.kind == "Gateway":
        for name in _OF_INTERFACES:
            if req.get(name):
                raise invalid(f"{name} is applicable only to Interface VPC Endpoints.", "InvalidParameter")
    elif any(req.get(name) for name in _OF_GATEWAYS):
        raise invalid("Route table IDs are only supported for Gateway type VPC Endpoint.", "InvalidParameter")
    if req.get("IpAddressType", "ipv4") != "ipv4":
        raise invalid("Endpoints for IPv6 are not supported here yet.", "UnsupportedOperation")
    options = req.get("DnsOptions", {})
    if options.get("DnsRecordIpType", "ipv4") not in ("ipv4", "service-defined"):
        raise invalid("Endpoints for IPv6 are not supported here yet.", "UnsupportedOperation")
    if options.get("PrivateDnsOnlyForInboundResolverEndpoint"):
        which = "the service" if endpoint.kind == "Interface" else "Gateway VPC Endpoints"
        raise invalid(
            f"DnsOptions PrivateDnsOnlyForInboundResolverEndpoint is not applicable to {which}.", "InvalidParameter"
        )
    refuse_unknown(options, "PrivateDnsPreference", "PrivateDnsSpecifiedDomains")


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
    of_aws = lists_of_aws(call.scope, call.get(PublicPool).platform)
    return next(each for each in of_aws if each.name == endpoint.service)


def _view(call: Call, endpoint: VpcEndpoint) -> t.VpcEndpoint:
    own = own_tags(call, endpoint.id)
    if endpoint.kind == "Gateway":
        shown = views.vpc_endpoint(endpoint, own)
        shown["RouteTableIds"] = [table.id for table in tables_of(call.store, endpoint)]
        return shown
    names = [name for name, _ in names_of(call.store, endpoint)]
    if endpoint.private_dns:
        names.append(service_of(endpoint).private)
    subnets = [eni.subnet for eni in interfaces_of(call.store, endpoint)]
    found = (call.store.find(groups, call.scope, id_) for id_ in endpoint.groups)
    group_names = {group.id: group.name for group in found if group is not None}
    return views.interface_endpoint(endpoint, subnets, group_names, names, own)


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
    return {"VpcEndpoints": [_view(call, endpoint) for endpoint in page], **next_token(token)}


@ec2.operation
async def modify_vpc_endpoint(req: t.ModifyVpcEndpointRequest, call: Call) -> t.ModifyVpcEndpointResult:
    if req.get("ResetPolicy") and req.get("PolicyDocument"):
        raise invalid("ResetPolicy and PolicyDocument cannot be specified together.", "InvalidParameterCombination")
    refuse_unknown(req, "SubnetConfigurations")
    with call.tx() as tx:
        endpoint = the_endpoint(tx, call.scope, req["VpcEndpointId"])
        _check_members(endpoint, req)
        if req.get("ResetPolicy") or req.get("PolicyDocument"):
            endpoint = tx.put(vpc_endpoints, replace(endpoint, policy=_policy(req)))
        if endpoint.kind == "Gateway":
            _modify_tables(tx, call, endpoint, req)
        else:
            _modify_interfaces(tx, call, endpoint, req)
    return {"Return": True}


def _modify_tables(tx: Tx, call: Call, endpoint: VpcEndpoint, req: t.ModifyVpcEndpointRequest) -> None:
    gone = _tables(tx, call, req.get("RemoveRouteTableIds", []))
    for table in gone:
        if all(route.gateway != endpoint.id for route in table.routes):
            raise invalid(f"Route table {table.id} is not associated with {endpoint.id}.", "InvalidParameter")
    remove_tables(tx, endpoint, gone)
    add_tables(tx, endpoint, _tables(tx, call, req.get("AddRouteTableIds", [])), _list(call, endpoint))


def _modify_interfaces(tx: Tx, call: Call, endpoint: VpcEndpoint, req: t.ModifyVpcEndpointRequest) -> None:
    """What goes makes room for what comes: a subnet may take the place of another one in its zone."""
    if req.get("AddSecurityGroupIds") or req.get("RemoveSecurityGroupIds"):
        gone = set(req.get("RemoveSecurityGroupIds", []))
        wanted = [id_ for id_ in (*endpoint.groups, *req.get("AddSecurityGroupIds", [])) if id_ not in gone]
        if not wanted:
            raise invalid("You must specify at least one security group.", "InvalidParameter")
        vpc = the_vpc(tx, call.scope, endpoint.vpc)
        endpoint = put_groups(tx, endpoint, groups_in_vpc(tx, vpc, wanted))
    by_subnet = {eni.subnet: eni for eni in interfaces_of(tx, endpoint)}
    for id_ in dict.fromkeys(req.get("RemoveSubnetIds", [])):
        if id_ not in by_subnet:
            raise invalid(f"Subnet {the_subnet(tx, call.scope, id_).id} is not of {endpoint.id}.", "InvalidParameter")
        endpoint = remove_interface(tx, endpoint, by_subnet[id_])
    for id_ in dict.fromkeys(req.get("AddSubnetIds", [])):
        if id_ not in by_subnet or by_subnet[id_].id not in endpoint.interfaces:
            subnet = the_subnet(tx, call.scope, id_)
            endpoint = add_interface(tx, call.ids, endpoint, subnet, None, call.now)
    if req.get("PrivateDnsEnabled"):
        endpoint = tx.put(vpc_endpoints, _with_private_dns(tx, call, endpoint))
    elif "PrivateDnsEnabled" in req:
        endpoint = tx.put(vpc_endpoints, replace(endpoint, private_dns=False))
    refresh_endpoints(tx, call.scope, endpoint.vpc)


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
    return {"Unsuccessful": left}
