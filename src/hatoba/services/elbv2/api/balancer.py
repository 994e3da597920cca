"""Load balancers. An operation writes what is wanted; the controller gives it interfaces and a node.

What changes while one stands (subnets, groups, the type of its addresses) is wanted in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hatoba.aws.shapes import elbv2 as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import tags_of
from hatoba.services.elbv2 import views
from hatoba.services.elbv2.api import quotas
from hatoba.services.elbv2.api.room import checked_tags, elbv2, find_balancer, next_marker, page, tag, the_balancer
from hatoba.services.elbv2.api.subnets import (
    Where,
    check_blocks,
    check_gateway,
    checked_groups,
    checked_subnets,
    checked_type,
)
from hatoba.services.elbv2.carried import publish
from hatoba.services.elbv2.families import check_families, checked_prefixes
from hatoba.services.elbv2.model.balancer import IpType, Kind, LoadBalancer, Place, Scheme, load_balancers, named
from hatoba.services.elbv2.model.group import targets
from hatoba.services.elbv2.model.listener import forget_listener, listeners_of
from hatoba.services.elbv2.plan import attributes
from hatoba.services.elbv2.plan.errors import invalid, not_here
from hatoba.services.elbv2.plan.names import check_name

_PRIVATE_LINK: Final = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"
_PREFIXES = {"application": "app", "network": "net", "gateway": "gwy"}  # of ids


@elbv2.operation
async def create_load_balancer(req: t.CreateLoadBalancerInput, call: Call) -> t.CreateLoadBalancerOutput:
    kind = req.get("Type", "application")
    for member in ("CustomerOwnedIpv4Pool", "IpamPools"):
        if member in req:
            raise not_here(f"{member} is")
    check_name(req["Name"], "Load balancer")
    tags = checked_tags(req.get("Tags"), t.DuplicateTagKeysException)
    if kind == "gateway":
        for member in ("Scheme", "SecurityGroups"):
            if req.get(member):
                raise invalid(f"{member} cannot be specified for load balancers with type 'gateway'")
    scheme: Scheme = "internal" if kind == "gateway" else req.get("Scheme", "internet-facing")
    ip_type = checked_type(req.get("IpAddressType", "ipv4"), kind, scheme)
    prefixes = checked_prefixes(req.get("EnablePrefixForIpv6SourceNat"), False, kind, ip_type)
    where = await checked_subnets(call, dict(req), kind, scheme, ip_type, prefixes)
    groups = await checked_groups(call, where.vpc, req.get("SecurityGroups") or (), kind)
    if scheme == "internet-facing":
        await check_gateway(call, where.vpc)
    with call.tx() as tx:
        known = named(tx, call.scope, req["Name"])
        if known is None:
            quotas.room_for_balancer(tx, call.scope, kind)
            own = call.ids.hex(16)
            number, id_ = call.ids.digits(10), f"{_PREFIXES[kind]}/{req['Name']}/{own}"
            record = LoadBalancer(
                key=load_balancers.key(call.scope, id_),
                name=req["Name"],
                kind=kind,
                number=own if kind == "network" else number,
                scheme=scheme,
                ip_type=ip_type,
                prefixes=prefixes,
                vpc=where.vpc,
                places=where.places,
                groups=groups,
                created=call.now,
            )
            known = tx.put(load_balancers, record)
            tag(tx, call, known.arn, tags)
        elif not _same(known, (kind, scheme, ip_type, prefixes), where, groups) or (
            tags and tags != tags_of(tx, call.scope, known.arn)
        ):
            raise t.DuplicateLoadBalancerNameException(
                f"A load balancer with the same name '{req['Name']}' exists, but with different settings"
            )
    return {"LoadBalancers": [views.load_balancer(known)]}


def _same(known: LoadBalancer, asked: tuple[Kind, Scheme, IpType, bool], where: Where, groups: Iterable[str]) -> bool:
    def shown(places: Iterable[Place]) -> set[tuple[str, ...]]:
        return {(place.subnet, place.address, place.allocation, place.address6, place.prefix6) for place in places}

    before = (known.kind, known.scheme, known.ip_type, known.prefixes)
    return (before, shown(known.places), set(known.groups)) == (asked, shown(where.places), set(groups))


@elbv2.operation
async def describe_load_balancers(req: t.DescribeLoadBalancersInput, call: Call) -> t.DescribeLoadBalancersOutput:
    arns, names = req.get("LoadBalancerArns"), req.get("Names")
    if arns and names:
        raise invalid("Load balancer names and load balancer ARNs cannot be specified at the same time")
    rows: Iterable[LoadBalancer]
    if arns:
        rows = _all_of(arns, [find_balancer(call.store, call, arn) for arn in arns])
    elif names:
        rows = _all_of(names, [named(call.store, call.scope, name) for name in names])
    else:
        rows = (record for record in call.store.scan(load_balancers, call.scope) if not record.deleting)
    found, more = page(call, rows, dict(req), lambda record: record.id)
    return {"LoadBalancers": [views.load_balancer(record) for record in found], **next_marker(more)}


def _all_of(asked: list[str], found: list[LoadBalancer | None]) -> list[LoadBalancer]:
    missing = [name for name, record in zip(asked, found, strict=True) if record is None]
    if missing:
        raise t.LoadBalancerNotFoundException(f"Load balancers '[{', '.join(missing)}]' not found")
    return sorted({record.id: record for record in found if record is not None}.values(), key=lambda r: r.id)


@elbv2.operation
async def delete_load_balancer(req: t.DeleteLoadBalancerInput, call: Call) -> t.DeleteLoadBalancerOutput:
    """Its listeners and rules go with it. One that does not exist is deleted already."""
    with call.tx() as tx:
        record = find_balancer(tx, call, req["LoadBalancerArn"])
        if record is None:
            return {}
        if attributes.of_balancer(record)[attributes.PROTECTED] == "true":
            raise t.OperationNotPermittedException(
                f"Load balancer '{record.arn}' cannot be deleted because deletion protection is enabled"
            )
        if tx.count(targets, "address", record.arn):
            raise t.ResourceInUseException(
                f"Load balancer '{record.arn}' cannot be deleted because it is currently associated with another "
                "service"
            )
        for listener in listeners_of(tx, record):
            forget_listener(tx, listener)
        tx.put(load_balancers, replace(record, deleting=True))
    return {}


@elbv2.operation
async def set_security_groups(req: t.SetSecurityGroupsInput, call: Call) -> t.SetSecurityGroupsOutput:
    before = the_balancer(call.store, call, req["LoadBalancerArn"])
    if before.kind == "gateway":
        raise t.InvalidConfigurationRequestException("Gateway Load Balancers have no security groups")
    if before.kind == "network" and not before.groups:
        raise t.InvalidConfigurationRequestException(
            "Security groups cannot be set for a Network Load Balancer that was created without any"
        )
    if before.kind != "network" and _PRIVATE_LINK in req:
        raise invalid(f"{_PRIVATE_LINK} cannot be specified for load balancers with type '{before.kind}'")
    if not req["SecurityGroups"]:
        raise invalid("At least one security group must be specified")
    groups = await checked_groups(call, before.vpc, req["SecurityGroups"], before.kind)
    with call.tx() as tx:
        record = the_balancer(tx, call, req["LoadBalancerArn"])
        enforced = req.get(_PRIVATE_LINK, views.private_link(record)) == "on"
        record = tx.put(load_balancers, replace(record, groups=groups, private_link=enforced))
    answer: t.SetSecurityGroupsOutput = {"SecurityGroupIds": list(groups)}
    if record.kind == "network":
        answer["EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"] = views.private_link(record)
    return answer


@elbv2.operation
async def set_subnets(req: t.SetSubnetsInput, call: Call) -> t.SetSubnetsOutput:
    before = the_balancer(call.store, call, req["LoadBalancerArn"])
    ip_type = checked_type(req.get("IpAddressType", before.ip_type), before.kind, before.scheme)
    prefixes = checked_prefixes(req.get("EnablePrefixForIpv6SourceNat"), before.prefixes, before.kind, ip_type)
    where = await checked_subnets(call, dict(req), before.kind, before.scheme, ip_type, prefixes)
    with call.tx() as tx:
        record = the_balancer(tx, call, req["LoadBalancerArn"])
        if where.vpc != record.vpc:
            raise t.InvalidConfigurationRequestException(
                f"The subnets of the load balancer must belong to its VPC '{record.vpc}'"
            )
        check_families(tx, record, ip_type, prefixes)
        kept = {place.subnet: place for place in record.places}
        places = tuple(_kept(kept.get(place.subnet), place) for place in where.places)
        record = tx.put(load_balancers, replace(record, places=places, ip_type=ip_type, prefixes=prefixes))
        if record.complete:
            publish(tx, record)
    answer: t.SetSubnetsOutput = {"AvailabilityZones": views.zones(record), "IpAddressType": record.ip_type}
    if record.kind == "network":
        answer["EnablePrefixForIpv6SourceNat"] = views.prefixes(record)
    return answer


def _kept(before: Place | None, wanted: Place) -> Place:
    """One that it has stays as it is, but may be given another prefix."""
    return wanted if before is None else replace(before, prefix6=wanted.prefix6 or before.prefix6)


@elbv2.operation
async def set_ip_address_type(req: t.SetIpAddressTypeInput, call: Call) -> t.SetIpAddressTypeOutput:
    """The controller gives its interfaces what they need for it, or takes it."""
    before = the_balancer(call.store, call, req["LoadBalancerArn"])
    ip_type = checked_type(req["IpAddressType"], before.kind, before.scheme)
    await check_blocks(call, [place.subnet for place in before.places], ip_type)
    with call.tx() as tx:
        record = the_balancer(tx, call, req["LoadBalancerArn"])
        prefixes = checked_prefixes(None, record.prefixes, record.kind, ip_type)
        check_families(tx, record, ip_type, prefixes)
        tx.put(load_balancers, replace(record, ip_type=ip_type, prefixes=prefixes))
    return {"IpAddressType": ip_type}
