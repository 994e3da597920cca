"""Network ACLs, their entries and associations."""

from __future__ import annotations

from typing import Any

from hatoba.aws.shapes import ec2 as t
from hatoba.core.ids import resource_id
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2.api import acl_entry
from hatoba.services.ec2.api.room import ec2, made_once, own_tags, paged
from hatoba.services.ec2.defaults import ensure_default
from hatoba.services.ec2.filters import Values, flag, matching
from hatoba.services.ec2.model.acl import (
    ACLS,
    Entry,
    NetworkAcl,
    acls_in,
    associated,
    entry_of,
    followers,
    network_acls,
    refresh_acls,
    the_acl,
    with_entry,
    without_entry,
)
from hatoba.services.ec2.model.arns import arn
from hatoba.services.ec2.model.errors import dependency, invalid
from hatoba.services.ec2.model.network import subnets, the_vpc, vpcs
from hatoba.services.ec2.views import acl as views
from hatoba.store import Tx
from hatoba.store.store import View


def _view(call: Call, view: View, acl: NetworkAcl) -> t.NetworkAcl:
    vpc = the_vpc(view, call.scope, acl.vpc)
    return views.network_acl(acl, followers(view, acl), own_tags(call, acl.id), ipv6=vpc.block6 is not None)


# --- ACLs


@ec2.operation
async def create_network_acl(req: t.CreateNetworkAclRequest, call: Call) -> t.CreateNetworkAclResult:
    """Without a rule: it lets nothing pass."""
    ensure_default(call)
    acl = made_once(call, req, the_acl, lambda tx: _create(tx, call, req))
    answer: t.CreateNetworkAclResult = {"NetworkAcl": _view(call, call.store, acl)}
    if "ClientToken" in req:
        answer["ClientToken"] = req["ClientToken"]
    return answer


def _create(tx: Tx, call: Call, req: t.CreateNetworkAclRequest) -> NetworkAcl:
    vpc = the_vpc(tx, call.scope, req["VpcId"])
    if len(acls_in(tx, vpc)) >= ACLS:
        raise invalid(f"The maximum number of network acls for {vpc.id} has been reached.", "NetworkAclLimitExceeded")
    return tx.put(network_acls, NetworkAcl(key=network_acls.key(call.scope, resource_id(call.ids, "acl")), vpc=vpc.id))


@ec2.operation
async def delete_network_acl(req: t.DeleteNetworkAclRequest, call: Call) -> None:
    with call.tx() as tx:
        acl = the_acl(tx, call.scope, req["NetworkAclId"])
        if acl.is_default:
            raise invalid(f"cannot delete default network ACL {acl.id}")
        if followers(tx, acl):
            raise dependency(f"The networkAcl '{acl.id}'")
        tx.forget(network_acls, acl.key)
        forget_tags(tx, call.scope, arn(call.scope, acl.id))


@ec2.operation
async def describe_network_acls(req: t.DescribeNetworkAclsRequest, call: Call) -> t.DescribeNetworkAclsResult:
    ensure_default(call)
    store = call.store
    if ids := req.get("NetworkAclIds"):
        found = [the_acl(store, call.scope, id_) for id_ in dict.fromkeys(ids)]
    else:
        found = [acl for vpc in store.scan(vpcs, call.scope) for acl in acls_in(store, vpc)]
    rows = matching(
        [_view(call, store, acl) for acl in found],
        req.get("Filters", []),
        _FILTERS,
        lambda acl: own_tags(call, acl["NetworkAclId"]),
    )
    page, token = paged(call, req, rows, order=lambda acl: acl["NetworkAclId"], ids="NetworkAclIds")
    return {"NetworkAcls": page, **next_token(token)}


def _of_entries(*path: str) -> Values[t.NetworkAcl]:
    """A member of the entries, by its path."""

    def read(entry: Any) -> str | None:
        for name in path:
            entry = entry.get(name, {})
        return None if entry == {} else str(entry)

    return lambda acl: (read(entry) for entry in acl["Entries"])


_FILTERS: dict[str, Values[t.NetworkAcl]] = {
    "association.association-id": lambda acl: (each["NetworkAclAssociationId"] for each in acl["Associations"]),
    "association.network-acl-id": lambda acl: (each["NetworkAclId"] for each in acl["Associations"]),
    "association.subnet-id": lambda acl: (each["SubnetId"] for each in acl["Associations"]),
    "default": lambda acl: flag(acl["IsDefault"]),
    "entry.cidr": _of_entries("CidrBlock"),
    "entry.egress": lambda acl: (text for entry in acl["Entries"] for text in flag(entry["Egress"])),
    "entry.icmp.code": _of_entries("IcmpTypeCode", "Code"),
    "entry.icmp.type": _of_entries("IcmpTypeCode", "Type"),
    "entry.ipv6-cidr": _of_entries("Ipv6CidrBlock"),
    "entry.port-range.from": _of_entries("PortRange", "From"),
    "entry.port-range.to": _of_entries("PortRange", "To"),
    "entry.protocol": lambda acl: (text for entry in acl["Entries"] for text in acl_entry.spoken(entry["Protocol"])),
    "entry.rule-action": _of_entries("RuleAction"),
    "entry.rule-number": _of_entries("RuleNumber"),
    "network-acl-id": lambda acl: (acl["NetworkAclId"],),
    "owner-id": lambda acl: (acl["OwnerId"],),
    "vpc-id": lambda acl: (acl["VpcId"],),
}


# --- entries


def _put(tx: Tx, acl: NetworkAcl) -> None:
    tx.put(network_acls, acl)
    refresh_acls(tx, acl.scope, acl.vpc)


@ec2.operation
async def create_network_acl_entry(req: t.CreateNetworkAclEntryRequest, call: Call) -> None:
    new = acl_entry.entry(req)
    with call.tx() as tx:
        _put(tx, with_entry(the_acl(tx, call.scope, req["NetworkAclId"]), new))


@ec2.operation
async def replace_network_acl_entry(req: t.ReplaceNetworkAclEntryRequest, call: Call) -> None:
    new = acl_entry.entry(req)
    with call.tx() as tx:
        acl = the_acl(tx, call.scope, req["NetworkAclId"])
        old: Entry = entry_of(acl, new.number, new.egress)
        _put(tx, with_entry(without_entry(acl, old), new))


@ec2.operation
async def delete_network_acl_entry(req: t.DeleteNetworkAclEntryRequest, call: Call) -> None:
    with call.tx() as tx:
        acl = the_acl(tx, call.scope, req["NetworkAclId"])
        number = acl_entry.rule_number(req["RuleNumber"])
        _put(tx, without_entry(acl, entry_of(acl, number, req["Egress"])))


# --- associations


@ec2.operation
async def replace_network_acl_association(
    req: t.ReplaceNetworkAclAssociationRequest, call: Call
) -> t.ReplaceNetworkAclAssociationResult:
    with call.tx() as tx:
        subnet = associated(tx, call.scope, req["AssociationId"])
        acl = the_acl(tx, call.scope, req["NetworkAclId"])
        if acl.vpc != subnet.vpc:
            raise invalid(f"Network ACL {acl.id} and subnet {subnet.id} belong to different networks.")
        association = resource_id(call.ids, "aclassoc")
        tx.put(subnets, replace(subnet, acl=None if acl.is_default else acl.id, acl_association=association))
        refresh_acls(tx, call.scope, subnet.vpc)
    return {"NewAssociationId": association}
