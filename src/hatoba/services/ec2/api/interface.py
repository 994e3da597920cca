"""Network interfaces: made by users, and by the platform's services for tasks and load balancers.

What an interface has besides its own IPv4 address is in `further` and `further6`. Creating one twice with the same
client token finds the first. Those that a service made for itself show who asked for them; one that is in use cannot be
deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import AddressValueError, IPv4Address

from hatoba.aws.shapes import ec2 as t
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2 import views
from hatoba.services.ec2.api.further import of_new
from hatoba.services.ec2.api.further6 import make_primary, of_new6
from hatoba.services.ec2.api.holder import changeable, the_changeable
from hatoba.services.ec2.api.room import described, dry_run, ec2, made_once, one_attribute, own_tags, refuse_unknown
from hatoba.services.ec2.defaults import ensure_default
from hatoba.services.ec2.filters import Values, flag
from hatoba.services.ec2.model.address import give_public, take_public
from hatoba.services.ec2.model.arns import arn
from hatoba.services.ec2.model.errors import invalid, missing, not_found
from hatoba.services.ec2.model.further import assign
from hatoba.services.ec2.model.further6 import addresses_of, assign6
from hatoba.services.ec2.model.group import groups
from hatoba.services.ec2.model.interface import (
    Eni,
    PublicPool,
    Translation,
    create_eni,
    enis,
    forget_eni,
    groups_for,
    in_use,
    of_fleet,
    only_ipv6,
    the_eni,
)
from hatoba.services.ec2.model.network import the_subnet
from hatoba.store import Tx


def _view(call: Call, eni: Eni) -> t.NetworkInterface:
    interface, used = of_fleet(call.store, eni), in_use(call.store, eni)
    return views.network_interface(eni, interface, used, _group_names(call, eni), own_tags(call, eni.id))


def _group_names(call: Call, eni: Eni) -> dict[str, str]:
    found = (call.store.find(groups, call.scope, id_) for id_ in of_fleet(call.store, eni).groups)
    return {group.id: group.name for group in found if group is not None}


@ec2.operation
async def create_network_interface(req: t.CreateNetworkInterfaceRequest, call: Call) -> t.CreateNetworkInterfaceResult:
    dry_run(req)
    refuse_unknown(req, *_UNKNOWN)
    if req.get("InterfaceType", "interface") != "interface":
        raise invalid(f"Interfaces of type {req['InterfaceType']} are not supported here yet.", "UnsupportedOperation")
    ensure_default(call)
    asked, besides = of_new(req)
    address = _address(asked)

    def create(tx: Tx) -> Eni:
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
        assign(tx, eni, besides)
        assign6(tx, eni, of_new6(req, subnet))
        return make_primary(tx, eni, req.get("EnablePrimaryIpv6", False))

    eni = made_once(call, req, the_eni, create)
    answer: t.CreateNetworkInterfaceResult = {"NetworkInterface": _view(call, eni)}
    if "ClientToken" in req:
        answer["ClientToken"] = req["ClientToken"]
    return answer


# What would make another thing of it.
_UNKNOWN = ("ConnectionTrackingSpecification", "Operator")


def _address(wanted: str | None) -> str | None:
    if wanted is not None:
        try:
            return str(IPv4Address(wanted))
        except AddressValueError:
            raise invalid(f"Value ({wanted}) for parameter privateIpAddress is invalid. Invalid IP address.") from None
    return None


@ec2.operation
async def describe_network_interfaces(
    req: t.DescribeNetworkInterfacesRequest, call: Call
) -> t.DescribeNetworkInterfacesResult:
    ensure_default(call)

    def of(read: Callable[[fleet.Interface], tuple[str | None, ...]]) -> Callable[[Eni], tuple[str | None, ...]]:
        return lambda eni: read(of_fleet(call.store, eni))

    page, token = described(
        call,
        enis,
        req,
        {
            "network-interface-id": lambda eni: (eni.id,),
            "subnet-id": lambda eni: (eni.subnet,),
            "vpc-id": lambda eni: (eni.vpc,),
            "availability-zone": lambda eni: (eni.zone,),
            "description": lambda eni: (eni.description,),
            "requester-id": lambda eni: (eni.requester,),
            "requester-managed": lambda eni: flag(eni.requester is not None),
            "owner-id": lambda eni: (eni.key.account,),
            "status": lambda eni: ("in-use" if in_use(call.store, eni) else "available",),
            "interface-type": lambda eni: (eni.kind,),
            "availability-zone-id": lambda eni: (views.zone_id(eni.zone),),
            "source-dest-check": lambda eni: flag(eni.source_check),
            "attachment.attachment-id": lambda eni: (views.attachment_id(eni) if in_use(call.store, eni) else None,),
            "attachment.device-index": lambda eni: ("1" if in_use(call.store, eni) else None,),
            "attachment.instance-id": lambda eni: (),
            "attachment.instance-owner-id": lambda eni: (views.attached_by(eni) if in_use(call.store, eni) else None,),
            "attachment.attach-time": lambda eni: (_time(eni.created) if in_use(call.store, eni) else None,),
            "attachment.delete-on-termination": lambda eni: flag(False) if in_use(call.store, eni) else (),
            "operator.managed": lambda eni: flag(False),
            "operator.principal": lambda eni: (),
            "attachment.status": lambda eni: ("attached" if in_use(call.store, eni) else None,),
            "ipv6-addresses.ipv6-address": of(lambda interface: tuple(addresses_of(interface))),
            "group-name": lambda eni: _group_names(call, eni).values(),
            "group-id": of(lambda interface: interface.groups),
            "mac-address": of(lambda interface: (interface.mac,)),
            "private-ip-address": of(_private),
            "addresses.private-ip-address": of(_private),
            "addresses.primary": of(lambda interface: ("true", "false")[: len(_private(interface))]),
            "private-dns-name": of(_names(call.scope.region)),
            **{f"association.{name}": _public(read, own=True) for name, read in _PUBLIC.items()},
            **{f"addresses.association.{name}": _public(read) for name, read in _PUBLIC.items()},
        },
        ids="NetworkInterfaceIds",
        kind="eni",
        indexed={"description": "description", "subnet-id": "subnet", "vpc-id": "vpc"},
    )
    return {"NetworkInterfaces": [_view(call, eni) for eni in page], **next_token(token)}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


_PUBLIC: dict[str, Callable[[Eni, Translation], str | None]] = {
    "allocation-id": lambda eni, each: each.allocation,
    "association-id": lambda eni, each: each.id,
    "owner-id": lambda eni, each: eni.key.account,
    "ip-owner-id": lambda eni, each: eni.key.account if each.allocation else "amazon",
    "public-ip": lambda eni, each: each.public,
    "public-dns-name": lambda eni, each: views.public_name(each.public, eni.key.region),
}


def _public(read: Callable[[Eni, Translation], str | None], *, own: bool = False) -> Values[Eni]:
    """Of all associations of an interface, or of its own address's only."""
    return lambda eni: [read(eni, each) for each in eni.translations if not own or each.private is None]


def _private(interface: fleet.Interface) -> tuple[str, ...]:
    """Of IPv4."""
    return tuple(held for held in (interface.address, *interface.further) if held and ":" not in held)


def _names(region: str) -> Callable[[fleet.Interface], tuple[str, ...]]:
    return lambda interface: (views.private_name(interface.address, region),) if interface.address else ()


@ec2.operation
async def delete_network_interface(req: t.DeleteNetworkInterfaceRequest, call: Call) -> None:
    dry_run(req)
    with call.tx() as tx:
        eni = the_eni(tx, call.scope, req["NetworkInterfaceId"])
        if in_use(tx, eni):
            raise invalid(f"Network interface '{eni.id}' is currently in use.", "InvalidNetworkInterface.InUse")
        forget_eni(tx, changeable(call, eni))
        forget_tags(tx, call.scope, arn(call.scope, eni.id))


# What no interface has here.
_UNCHANGED = ("AssociatedSubnetIds", "ConnectionTrackingSpecification", "EnaSrdSpecification")


@ec2.operation
async def modify_network_interface_attribute(req: t.ModifyNetworkInterfaceAttributeRequest, call: Call) -> None:
    """Also how the platform's services give a task or a load balancer its public address."""
    dry_run(req)
    one_attribute(req, "NetworkInterfaceId")
    refuse_unknown(req, *_UNCHANGED)
    if "Attachment" in req:
        raise not_found(req["Attachment"].get("AttachmentId", ""), "eni-attach")
    with call.tx() as tx:
        eni = the_changeable(tx, call, req["NetworkInterfaceId"])
        if "Description" in req:
            eni = tx.put(enis, replace(eni, description=req["Description"].get("Value", "")))
        if "SourceDestCheck" in req:
            eni = tx.put(enis, replace(eni, source_check=req["SourceDestCheck"].get("Value", True)))
        if "Groups" in req:
            subnet = the_subnet(tx, call.scope, eni.subnet)
            if not req["Groups"]:
                raise invalid("You must specify at least one security group.", "MissingParameter")
            tx.put(fleet.interfaces, replace(of_fleet(tx, eni), groups=groups_for(tx, subnet, req["Groups"])))
        if "EnablePrimaryIpv6" in req:
            make_primary(tx, eni, req["EnablePrimaryIpv6"])
        if req.get("AssociatePublicIpAddress") is True:
            if not of_fleet(tx, eni).address:
                raise only_ipv6(the_subnet(tx, call.scope, eni.subnet))
            give_public(tx, call.ids, eni, call.get(PublicPool))
        elif req.get("AssociatePublicIpAddress") is False:
            take_public(tx, eni)


@ec2.operation
async def reset_network_interface_attribute(req: t.ResetNetworkInterfaceAttributeRequest, call: Call) -> None:
    """The one attribute that can be reset; what its member says counts for nothing."""
    if "SourceDestCheck" not in req:
        raise missing("sourceDestCheck")
    with call.tx() as tx:
        eni = the_changeable(tx, call, req["NetworkInterfaceId"])
        tx.put(enis, replace(eni, source_check=True))


# --- attachments: to machines, which there are not; tasks' and load balancers' are their services' own


@ec2.operation
async def attach_network_interface(req: t.AttachNetworkInterfaceRequest, call: Call) -> t.AttachNetworkInterfaceResult:
    the_eni(call.store, call.scope, req["NetworkInterfaceId"])
    raise invalid(f"The instance ID '{req['InstanceId']}' does not exist", "InvalidInstanceID.NotFound")


@ec2.operation
async def detach_network_interface(req: t.DetachNetworkInterfaceRequest, call: Call) -> None:
    id_ = req["AttachmentId"]
    found = call.store.find(enis, call.scope, id_.replace("ela-attach-", "eni-", 1))
    if found is None or views.attachment_id(found) != id_ or not in_use(call.store, found):
        raise not_found(id_, "eni-attach")
    raise invalid("You are not allowed to manage 'ela-attach' attachments.", "OperationNotPermitted")


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
