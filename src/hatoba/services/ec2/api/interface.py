"""Network interfaces."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address

from hatoba.aws.shapes import ec2 as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.gateway.call import Call
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2 import views
from hatoba.services.ec2.api.room import arn, described, dry_run, ec2, own_tags, tag_new
from hatoba.services.ec2.defaults import ensure_default
from hatoba.services.ec2.model.errors import invalid, not_found
from hatoba.services.ec2.model.group import groups
from hatoba.services.ec2.model.interface import (
    Eni,
    PublicPool,
    create_eni,
    enis,
    forget_eni,
    give_public,
    groups_for,
    in_use,
    of_fleet,
    take_public,
    the_eni,
)
from hatoba.services.ec2.model.network import the_subnet


def _view(call: Call, eni: Eni) -> t.NetworkInterface:
    interface = of_fleet(call.store, eni)
    found = ((id_, call.store.find(groups, call.scope, id_)) for id_ in interface.groups)
    names = {id_: group.name for id_, group in found if group is not None}
    return views.network_interface(eni, interface, in_use(call.store, eni), names, own_tags(call, eni.id))


def _mismatch() -> AwsError:
    return invalid(
        "Idempotent request parameters do not match those of the request made with this client token.",
        "IdempotentParameterMismatch",
    )


@ec2.operation
async def create_network_interface(req: t.CreateNetworkInterfaceRequest, call: Call) -> t.CreateNetworkInterfaceResult:
    dry_run(req)
    ensure_default(call)
    address = req.get("PrivateIpAddress")
    if address is not None:
        _check_address(address)
    token = req.get("ClientToken")
    with call.tx() as tx:
        earlier = call.earlier(tx, req, token, mismatch=_mismatch)
        if earlier is not None:
            eni = the_eni(tx, call.scope, earlier["id"])
        else:
            subnet = the_subnet(tx, call.scope, req["SubnetId"])
            eni = create_eni(
                tx,
                call.ids,
                subnet,
                groups=groups_for(tx, subnet, req.get("Groups", [])),
                address=address,
                description=req.get("Description", ""),
                requester=call.principal.id if call.principal.kind == "service" else None,
                now=call.now,
            )
            tag_new(tx, call, eni.id, req)
            call.remember(tx, req, token, {"id": eni.id})
    answer: t.CreateNetworkInterfaceResult = {"NetworkInterface": _view(call, eni)}
    if token is not None:
        answer["ClientToken"] = token
    return answer


def _check_address(address: str) -> None:
    try:
        IPv4Address(address)
    except AddressValueError:
        raise invalid(f"Value ({address}) for parameter privateIpAddress is invalid. Invalid IP address.") from None


@ec2.operation
async def describe_network_interfaces(
    req: t.DescribeNetworkInterfacesRequest, call: Call
) -> t.DescribeNetworkInterfacesResult:
    ensure_default(call)

    def of(read: Callable[[fleet.Interface], tuple[str | None, ...]]) -> Callable[[Eni], tuple[str | None, ...]]:
        return lambda eni: read(of_fleet(call.store, eni))

    page, token = described(
        call,
        call.store.scan(enis, call.scope),
        req,
        {
            "network-interface-id": lambda eni: (eni.id,),
            "subnet-id": lambda eni: (eni.subnet,),
            "vpc-id": lambda eni: (eni.vpc,),
            "availability-zone": lambda eni: (eni.zone,),
            "description": lambda eni: (eni.description,),
            "requester-id": lambda eni: (eni.requester,),
            "requester-managed": lambda eni: ("true" if eni.requester else "false",),
            "owner-id": lambda eni: (eni.key.account,),
            "status": lambda eni: ("in-use" if in_use(call.store, eni) else "available",),
            "interface-type": lambda eni: ("interface",),
            "group-id": of(lambda interface: interface.groups),
            "mac-address": of(lambda interface: (interface.mac,)),
            "private-ip-address": of(lambda interface: (interface.address,)),
            "addresses.private-ip-address": of(lambda interface: (interface.address,)),
            "association.public-ip": of(lambda interface: (interface.public,)),
            "addresses.association.public-ip": of(lambda interface: (interface.public,)),
        },
        ids="NetworkInterfaceIds",
        missing=lambda id_: not_found(id_, "eni"),
    )
    answer: t.DescribeNetworkInterfacesResult = {"NetworkInterfaces": [_view(call, eni) for eni in page]}
    if token is not None:
        answer["NextToken"] = token
    return answer


@ec2.operation
async def delete_network_interface(req: t.DeleteNetworkInterfaceRequest, call: Call) -> None:
    dry_run(req)
    with call.tx() as tx:
        eni = the_eni(tx, call.scope, req["NetworkInterfaceId"])
        if in_use(tx, eni):
            raise invalid(f"Network interface '{eni.id}' is currently in use.", "InvalidNetworkInterface.InUse")
        forget_eni(tx, eni)
        forget_tags(tx, call.scope, arn(call.scope, eni.id))


@ec2.operation
async def modify_network_interface_attribute(req: t.ModifyNetworkInterfaceAttributeRequest, call: Call) -> None:
    """Also how the platform's services give a task or a load balancer its public address."""
    dry_run(req)
    with call.tx() as tx:
        eni = the_eni(tx, call.scope, req["NetworkInterfaceId"])
        if "Description" in req:
            eni = tx.put(enis, replace(eni, description=req["Description"].get("Value", "")))
        if "SourceDestCheck" in req:
            eni = tx.put(enis, replace(eni, source_check=req["SourceDestCheck"].get("Value", True)))
        if "Groups" in req:
            subnet = the_subnet(tx, call.scope, eni.subnet)
            tx.put(fleet.interfaces, replace(of_fleet(tx, eni), groups=groups_for(tx, subnet, req["Groups"])))
        if req.get("AssociatePublicIpAddress") is True:
            give_public(tx, call.ids, eni, call.get(PublicPool))
        elif req.get("AssociatePublicIpAddress") is False:
            take_public(tx, eni)


@ec2.operation
async def describe_network_interface_attribute(
    req: t.DescribeNetworkInterfaceAttributeRequest, call: Call
) -> t.DescribeNetworkInterfaceAttributeResult:
    eni = the_eni(call.store, call.scope, req["NetworkInterfaceId"])
    view = _view(call, eni)
    match req.get("Attribute"):
        case "description":
            return {"NetworkInterfaceId": eni.id, "Description": {"Value": eni.description}}
        case "groupSet":
            return {"NetworkInterfaceId": eni.id, "Groups": view["Groups"]}
        case "sourceDestCheck":
            return {"NetworkInterfaceId": eni.id, "SourceDestCheck": {"Value": eni.source_check}}
        case "attachment" if "Attachment" in view:
            return {"NetworkInterfaceId": eni.id, "Attachment": view["Attachment"]}
        case "associatePublicIpAddress":
            return {"NetworkInterfaceId": eni.id, "AssociatePublicIpAddress": "Association" in view}
    return {"NetworkInterfaceId": eni.id}
