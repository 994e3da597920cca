"""Elastic addresses: of the instance's host-side pool, reachable from the host while they are associated.

Which interface an elastic address is associated with stands at the interface; how many there may be, in `model/quotas`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hatoba.aws.shapes import ec2 as t
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2 import views
from hatoba.services.ec2.api.holder import changeable, the_changeable
from hatoba.services.ec2.api.room import PAGE, bad_token, dry_run, ec2, own_tags, refuse_unknown, tag_new
from hatoba.services.ec2.filters import matching
from hatoba.services.ec2.model import quotas
from hatoba.services.ec2.model.address import (
    Elastic,
    allocate,
    associate,
    disassociate,
    elastics,
    holder,
    recover,
    release,
    the_elastic,
    translation_of,
)
from hatoba.services.ec2.model.arns import arn
from hatoba.services.ec2.model.errors import invalid, missing, not_found
from hatoba.services.ec2.model.interface import Eni, PublicPool, enis, of_fleet, only_ipv6
from hatoba.services.ec2.model.network import the_subnet
from hatoba.store import Tx
from hatoba.store.store import View


@ec2.operation
async def allocate_address(req: t.AllocateAddressRequest, call: Call) -> t.AllocateAddressResult:
    dry_run(req)
    refuse_unknown(req, "CustomerOwnedIpv4Pool", "IpamPoolId")
    if req.get("Domain", "vpc") != "vpc":
        raise invalid(f"Value ({req['Domain']}) for parameter domain is invalid. Addresses are for VPCs here.")
    with call.tx() as tx:
        quotas.check(tx.size(elastics, call.scope), quotas.ELASTICS, "addresses", "AddressLimitExceeded")
        if "Address" in req:
            elastic = recover(tx, call.ids, call.scope, req["Address"])
        else:
            elastic = allocate(tx, call.ids, call.scope, call.get(PublicPool))
        tag_new(tx, call, elastic.id, req)
    return {
        "AllocationId": elastic.id,
        "Domain": "vpc",
        "NetworkBorderGroup": call.scope.region,
        "PublicIp": elastic.public,
        "PublicIpv4Pool": "amazon",
    }


def _asked(view: View, call: Call, req: Mapping[str, Any]) -> Elastic:
    """By the id of its allocation, or by itself."""
    if "AllocationId" in req:
        return the_elastic(view, call.scope, req["AllocationId"])
    if "PublicIp" not in req:
        raise invalid("Either public IP or allocation id must be specified", "MissingParameter")
    return _by_address(view, call, req["PublicIp"])


def _by_address(view: View, call: Call, public: str) -> Elastic:
    for elastic in view.index(elastics, "public", public):
        if elastic.scope == call.scope:
            return elastic
    raise invalid(f"Address '{public}' not found.", "InvalidAddress.NotFound")


@ec2.operation
async def associate_address(req: t.AssociateAddressRequest, call: Call) -> t.AssociateAddressResult:
    dry_run(req)
    if "InstanceId" in req:
        raise invalid(f"The instance ID '{req['InstanceId']}' does not exist", "InvalidInstanceID.NotFound")
    with call.tx() as tx:
        elastic = _asked(tx, call, req)
        if "NetworkInterfaceId" not in req:
            raise missing("networkInterfaceId")
        eni = the_changeable(tx, call, req["NetworkInterfaceId"])
        private = _private(tx, eni, req)
        held = holder(tx, elastic)
        if held is not None:
            known = translation_of(changeable(call, held), elastic)
            if (held.id, known.private) != (eni.id, private) and req.get("AllowReassociation") is False:
                raise invalid(
                    f"resource {elastic.id} is already associated with associate-id {known.id}",
                    "Resource.AlreadyAssociated",
                )
        association = associate(tx, call.ids, elastic, eni, private)
    return {"AssociationId": association}


def _private(view: View, eni: Eni, req: t.AssociateAddressRequest) -> str | None:
    """The secondary address that is meant; None: the interface's own."""
    interface = of_fleet(view, eni)
    if not interface.address:
        raise only_ipv6(the_subnet(view, eni.scope, eni.subnet))
    wanted = req.get("PrivateIpAddress", interface.address)
    if wanted == interface.address:
        return None
    if wanted not in interface.further:
        raise invalid(f"The private IP address {wanted} is not assigned to {eni.id}.")
    return wanted


@ec2.operation
async def disassociate_address(req: t.DisassociateAddressRequest, call: Call) -> None:
    dry_run(req)
    with call.tx() as tx:
        eni, private = _associated(tx, call, req)
        disassociate(tx, changeable(call, eni), private)


def _associated(tx: Tx, call: Call, req: t.DisassociateAddressRequest) -> tuple[Eni, str | None]:
    """The interface, and which of its addresses: None is its own."""
    if "AssociationId" in req:
        for eni in tx.index(enis, "association", req["AssociationId"]):
            for each in eni.translations if eni.scope == call.scope else ():
                if each.id == req["AssociationId"] and each.allocation is not None:
                    return eni, each.private
        raise not_found(req["AssociationId"], "eipassoc")
    if "PublicIp" not in req:
        raise invalid("Either public IP or association id must be specified", "MissingParameter")
    elastic = _by_address(tx, call, req["PublicIp"])
    held = holder(tx, elastic)
    if held is None:
        raise invalid(f"Address '{req['PublicIp']}' is not associated.", "InvalidAssociationID.NotFound")
    return held, translation_of(held, elastic).private


@ec2.operation
async def release_address(req: t.ReleaseAddressRequest, call: Call) -> None:
    dry_run(req)
    with call.tx() as tx:
        elastic = _asked(tx, call, req)
        if holder(tx, elastic) is not None:
            raise invalid(f"Address {elastic.public} is in use.", "InvalidIPAddress.InUse")
        release(tx, elastic)
        forget_tags(tx, call.scope, arn(call.scope, elastic.id))


@ec2.operation
async def describe_addresses(req: t.DescribeAddressesRequest, call: Call) -> t.DescribeAddressesResult:
    dry_run(req)
    found: Sequence[Elastic] = list(call.store.scan(elastics, call.scope))
    if ids := req.get("AllocationIds"):
        found = [the_elastic(call.store, call.scope, id_) for id_ in dict.fromkeys(ids)]
    if publics := req.get("PublicIps"):
        named = {_by_address(call.store, call, public).id for public in publics}
        found = [elastic for elastic in found if elastic.id in named]
    rows = [_view(call, elastic) for elastic in found]
    rows = matching(
        rows,
        req.get("Filters", []),
        {
            "allocation-id": lambda row: (row["AllocationId"],),
            "association-id": lambda row: (row.get("AssociationId"),),
            "domain": lambda row: (row["Domain"],),
            "instance-id": lambda row: (),
            "network-border-group": lambda row: (row["NetworkBorderGroup"],),
            "network-interface-id": lambda row: (row.get("NetworkInterfaceId"),),
            "network-interface-owner-id": lambda row: (row.get("NetworkInterfaceOwnerId"),),
            "private-ip-address": lambda row: (row.get("PrivateIpAddress"),),
            "public-ip": lambda row: (row["PublicIp"],),
        },
        lambda row: own_tags(call, row["AllocationId"]),
    )
    return {"Addresses": rows}


def _view(call: Call, elastic: Elastic) -> t.Address:
    eni = holder(call.store, elastic)
    translation = translation_of(eni, elastic) if eni is not None else None
    own = of_fleet(call.store, eni).address if eni is not None else ""
    return views.address(elastic, eni, translation, own, own_tags(call, elastic.id))


@ec2.operation
async def describe_addresses_attribute(
    req: t.DescribeAddressesAttributeRequest, call: Call
) -> t.DescribeAddressesAttributeResult:
    """No address has a name of its own in the reverse zone: that is the attribute there is."""
    found = list(call.store.scan(elastics, call.scope))
    if ids := req.get("AllocationIds"):
        found = [the_elastic(call.store, call.scope, id_) for id_ in sorted(set(ids))]
    page, token = call.page(
        found,
        order=lambda elastic: elastic.id,
        token=req.get("NextToken"),
        limit=req.get("MaxResults", PAGE),
        filters=req.get("AllocationIds"),
        bad_token=bad_token,
    )
    return {
        "Addresses": [{"AllocationId": elastic.id, "PublicIp": elastic.public} for elastic in page],
        **next_token(token),
    }
