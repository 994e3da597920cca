"""What a request says of a route, its destination and its target → the route, checked.

Source: the API reference's CreateRoute; the VPC user guide, "Example routing options": which targets IPv6 has.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

from hatoba.aws.shapes import ec2 as t
from hatoba.gateway.call import Call
from hatoba.network.routing import within
from hatoba.services.ec2.api.peers import network6
from hatoba.services.ec2.api.room import block, refuse_unknown
from hatoba.services.ec2.model.errors import invalid, missing, not_found
from hatoba.services.ec2.model.interface import PublicPool
from hatoba.services.ec2.model.nat import the_nat_gateway
from hatoba.services.ec2.model.peering import LIVE, the_peering
from hatoba.services.ec2.model.prefixlist import OF_AWS, PrefixList, any_list
from hatoba.services.ec2.model.routes import LOCAL, Route, RouteTable, the_egress_gateway, the_gateway
from hatoba.store import Tx

_DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
_TARGETS = ("EgressOnlyInternetGatewayId", "GatewayId", "NatGatewayId", "VpcPeeringConnectionId")
_OTHERS = (
    "CarrierGatewayId",
    "CoreNetworkArn",
    "InstanceId",
    "LocalGatewayId",
    "LocalTarget",
    "NetworkInterfaceId",
    "OdbNetworkArn",
    "TransitGatewayId",
    "VpcEndpointId",
)
# What says a destination, and what it may not lie in, by whether it is IPv6.
_RESERVED = {
    False: ("destinationCidrBlock", ip_network("169.254.168.0/22")),
    True: ("destinationIpv6CidrBlock", ip_network("fd00:ec2::/32")),
}

_New = t.CreateRouteRequest | t.ReplaceRouteRequest
_Asked = _New | t.DeleteRouteRequest


def asked_route(tx: Tx, call: Call, table: RouteTable, req: _New) -> Route:
    """Raises what is wrong with the destination or the target that is asked for."""
    refuse_unknown(req, *_OTHERS)
    destination = asked_destination(req)
    listed = any_list(tx, call.scope, destination, call.get(PublicPool).platform) if _names_list(req) else None
    given = [name for name in _TARGETS if name in req]
    if len(given) != 1:
        wrong = "Only one" if given else "One"
        raise invalid(f"{wrong} of {', '.join(_TARGETS)} must be specified.", "InvalidParameterCombination")
    _check_family(req, _six(destination, listed))
    if listed is not None:
        own = listed.cidrs if listed.owner == OF_AWS else ()
        return Route(destination=destination, gateway=_target(tx, table, req), listed=own)
    _check_reserved(destination)
    local = (ip_network(route.destination) for route in table.routes if route.gateway == LOCAL)
    if any(within(ip_network(destination), inside) for inside in local):
        raise invalid(
            f"The destination CIDR block {destination} is equal to or more specific than one of this VPC's CIDR "
            "blocks. This route can target only an interface or an instance."
        )
    return Route(destination=destination, gateway=_target(tx, table, req))


def asked_destination(req: _Asked) -> str:
    """A block in canonical form, or the id of a prefix list. Raises MissingParameter, InvalidParameterCombination,
    InvalidParameterValue."""
    given = [name for name in _DESTINATIONS if name in req]
    if len(given) > 1:
        raise invalid(f"Only one of {', '.join(_DESTINATIONS)} must be specified.", "InvalidParameterCombination")
    if "DestinationPrefixListId" in req:
        return req["DestinationPrefixListId"]
    return str(_block(req))


def _names_list(req: _Asked) -> bool:
    return "DestinationPrefixListId" in req


def _block(req: _Asked) -> IPv4Network | IPv6Network:
    if "DestinationIpv6CidrBlock" in req:
        return network6(req["DestinationIpv6CidrBlock"], "destinationIpv6CidrBlock")
    if "DestinationCidrBlock" not in req:
        raise missing("destinationCidrBlock")
    return block(req["DestinationCidrBlock"], "destinationCidrBlock")


def _check_reserved(destination: str) -> None:
    """Where each machine has its platform's services is nobody's to route. Source: the VPC user guide, "Configure route
    tables"."""
    name, reserved = _RESERVED[":" in destination]
    if within(ip_network(destination), reserved):
        raise invalid(f"Value ({destination}) for parameter {name} is invalid. {reserved} is reserved.")


def _six(destination: str, listed: PrefixList | None) -> bool:
    return ":" in destination if listed is None else listed.family == "IPv6"


def _check_family(req: _New, six: bool) -> None:
    """A gateway that lets out only is for IPv6, and NAT gateways are for IPv4: there is no NAT64."""
    if six and "NatGatewayId" in req:
        raise invalid("IPv6 routes to NAT gateways (NAT64) are not supported here yet.", "UnsupportedOperation")
    if not six and "EgressOnlyInternetGatewayId" in req:
        raise invalid("An egress-only internet gateway can be the target of IPv6 routes only.")


def _target(tx: Tx, table: RouteTable, req: _New) -> str:
    """Its id. It has to be of the table's VPC."""
    if "NatGatewayId" in req:
        nat = the_nat_gateway(tx, table.scope, req["NatGatewayId"])
        kind, id_, vpcs = "NAT gateway", nat.id, {nat.vpc}
        if nat.ended is not None:
            raise not_found(id_, "nat")
    elif "VpcPeeringConnectionId" in req:
        peering = the_peering(tx, table.scope, req["VpcPeeringConnectionId"])
        kind, id_, vpcs = "VPC peering connection", peering.id, set(peering.vpcs)
        if peering.state not in LIVE:
            raise not_found(id_, "pcx")
    elif "EgressOnlyInternetGatewayId" in req:
        egress = the_egress_gateway(tx, table.scope, req["EgressOnlyInternetGatewayId"])
        kind, id_, vpcs = "egress-only internet gateway", egress.id, {egress.vpc}
    else:
        gateway = the_gateway(tx, table.scope, req.get("GatewayId", ""))
        kind, id_, vpcs = "network gateway", gateway.id, {gateway.vpc or ""}
    if table.vpc not in vpcs:
        raise invalid(f"route table {table.id} and {kind} {id_} belong to different networks")
    return id_
