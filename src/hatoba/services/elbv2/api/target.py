"""Targets: registering, deregistering, and how they are.

A target of the type `ip` is an address of its group's family, and in the zone of the subnet that it lies in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from hatoba.aws.shapes import elbv2 as t
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.gateway.call import Call
from hatoba.services.elbv2 import views
from hatoba.services.elbv2.api import quotas
from hatoba.services.elbv2.api.room import elbv2, the_group
from hatoba.services.elbv2.carried import publish_group
from hatoba.services.elbv2.model.balancer import by_arn
from hatoba.services.elbv2.model.group import ANYWHERE, Target, TargetGroup, target_key_id, targets, targets_of
from hatoba.services.elbv2.model.instance import instance_named, offered
from hatoba.services.elbv2.model.listener import listeners_of, users_of
from hatoba.services.elbv2.plan import attributes, health
from hatoba.services.elbv2.plan.errors import invalid
from hatoba.services.elbv2.plan.quotas import TARGETS_OF_GROUP
from hatoba.store.store import View

Network = IPv4Network | IPv6Network
Zones = Sequence[tuple[Network, str]]

# Outside of the VPC a target must be in one of these. Source: "Target type" in the load balancers' user guide.
_PRIVATE: tuple[Network, ...] = tuple(
    IPv4Network(block) for block in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
)


@elbv2.operation
async def register_targets(req: t.RegisterTargetsInput, call: Call) -> t.RegisterTargetsOutput:
    """One that is registered stays as it is; one that is draining begins anew."""
    group = the_group(call.store, call, req["TargetGroupArn"])
    for given in req["Targets"]:
        if "QuicServerId" in given:
            raise invalid("QuicServerId cannot be specified for target groups with other protocols than QUIC")
    zones = await _zones(call, group.vpc)
    with call.tx() as tx:
        group = the_group(tx, call, req["TargetGroupArn"])
        for given in req["Targets"]:
            zone = _place(tx, call, given, group, zones)
            address, port = given["Id"], given.get("Port", group.port)
            key = targets.key(call.scope, target_key_id(group, address, port))
            known = tx.get(targets, key)
            if known is not None and known.draining_until is None:
                continue
            record = Target(
                key=key,
                group=group.id,
                address=address,
                port=port,
                zone=zone,
                registration=call.ids.hex(8),
            )
            tx.write(targets, record)
        most = 1 if group.kind == "alb" else TARGETS_OF_GROUP
        if tx.count(targets, "group", group.id) > most:
            raise t.TooManyTargetsException(f"A target group can have at most {most} targets")
        for balancer in users_of(tx, group):
            quotas.check_targets(tx, balancer, (given["Id"] for given in req["Targets"]))
        publish_group(tx, group)
    return {}


def _place(view: View, call: Call, given: t.TargetDescription, group: TargetGroup, zones: Zones) -> str:
    """Its zone. Raises when it is no target for the group."""
    match group.kind:
        case "alb":
            return _balancers_zone(view, call, given, group)
        case "instance":
            return _instances_zone(view, call, given)
    return _zone(given, zones, group)


def _instances_zone(view: View, call: Call, given: t.TargetDescription) -> str:
    """Nodes are in every VPC. Raises InvalidTarget."""
    if "AvailabilityZone" in given:
        raise invalid("AvailabilityZone cannot be specified for target groups with target type 'instance'")
    node = instance_named(view, given["Id"])
    if node is None or not offered(node, call.scope):
        raise t.InvalidTargetException(f"The following targets do not exist: '{given['Id']}'")
    if node.state != "ready":
        raise t.InvalidTargetException(
            f"The following targets are not in a running state and cannot be registered: '{given['Id']}'"
        )
    return node.zone(call.scope.region)


def _address(target: t.TargetDescription, group: TargetGroup) -> IPv4Address | IPv6Address:
    """Of the group's family, in the one form that stands for it."""
    family, version = ("IPv6", 6) if group.ip_type == "ipv6" else ("IPv4", 4)
    try:
        address = ip_address(target["Id"])
    except ValueError:
        address = None
    if address is None or address.version != version or str(address) != target["Id"] or "%" in target["Id"]:
        raise invalid(f"The IP address '{target['Id']}' is not a valid {family} address")
    return address


async def _zones(call: Call, vpc: str) -> Zones:
    """The blocks of the VPC's subnets and their zones."""
    filters = [{"Name": "vpc-id", "Values": [vpc]}]
    found: list[dict[str, Any]] = (await call.aws.ec2.describe_subnets(Filters=filters)).get("Subnets") or []
    return [(ip_network(block), subnet["AvailabilityZone"]) for subnet in found for block in _blocks(subnet)]


def _blocks(subnet: Mapping[str, Any]) -> list[str]:
    six = [each["Ipv6CidrBlock"] for each in subnet.get("Ipv6CidrBlockAssociationSet") or ()]
    return [subnet["CidrBlock"], *six] if "CidrBlock" in subnet else six


def _balancers_zone(view: View, call: Call, given: t.TargetDescription, group: TargetGroup) -> str:
    """Of an application load balancer as a target: it is reached from all. Raises InvalidTarget."""
    found = by_arn(view, given["Id"])
    if found is None or found.scope != call.scope or found.kind != "application" or found.vpc != group.vpc:
        raise t.InvalidTargetException(
            f"The target '{given['Id']}' is not an application load balancer in the VPC '{group.vpc}'"
        )
    port = given.get("Port", group.port)
    if port != group.port or all(listener.port != port for listener in listeners_of(view, found)):
        raise t.InvalidTargetException(
            f"The load balancer '{given['Id']}' must have a listener with the target group's port {group.port}"
        )
    if "AvailabilityZone" in given:
        raise invalid("AvailabilityZone cannot be specified for target groups with target type 'alb'")
    return ANYWHERE


def _zone(given: t.TargetDescription, zones: Zones, group: TargetGroup) -> str:
    address = _address(given, group)
    asked = given.get("AvailabilityZone")
    zone = next((zone for network, zone in zones if address in network), None)
    if zone is not None:
        if asked not in (None, zone):
            raise invalid(
                f"The IP address '{address}' is within the VPC, and cannot have its Availability Zone overridden to "
                f"'{asked}' from '{zone}'"
            )
        return zone
    if not any(address in block for block in _PRIVATE):
        raise t.InvalidTargetException(
            f"The IP address '{address}' is not within a subnet of the VPC '{group.vpc}' and not private"
        )
    if asked is None:
        raise invalid(f"The Availability Zone is required for IP address '{address}' because it is not in the VPC")
    if asked != ANYWHERE:
        raise invalid(
            f"The Availability Zone for IP address '{address}' must be 'all' for Application Load Balancer target "
            "groups, when not within the VPC"
        )
    return ANYWHERE


@elbv2.operation
async def deregister_targets(req: t.DeregisterTargetsInput, call: Call) -> t.DeregisterTargetsOutput:
    """It gets no more requests from now on, and is forgotten when the deregistration delay is over. Where nobody
    forwards to the group there is nothing to wait for. Targets that are not registered are none of its concern."""
    with call.tx() as tx:
        group = the_group(tx, call, req["TargetGroupArn"])
        delay = float(attributes.of_group(group)[attributes.DELAY])
        used = bool(users_of(tx, group))
        for given in req["Targets"]:
            for record in _named(targets_of(tx, group), given):
                if record.draining_until is not None:
                    continue
                if used and delay > 0:
                    tx.put(targets, replace(record, draining_until=call.now + delay))
                else:
                    tx.forget(targets, record.key)
        publish_group(tx, group)
    return {}


def _named(known: Sequence[Target], given: t.TargetDescription) -> list[Target]:
    """Without a port: the address under every port."""
    port = given.get("Port")
    return [record for record in known if record.address == given["Id"] and port in (None, record.port)]


@elbv2.operation
async def describe_target_health(req: t.DescribeTargetHealthInput, call: Call) -> t.DescribeTargetHealthOutput:
    view = call.store
    group = the_group(view, call, req["TargetGroupArn"])
    user = next(iter(users_of(view, group)), None)
    zones = None if user is None else user.zones
    known = targets_of(view, group)

    def shown(record: Target) -> t.TargetHealthDescription:
        id_ = fleet.target_id(group.arn, record.name)
        status = view.find(fleet.target_statuses, fleet.FLEET, id_)
        gone = group.kind == "instance" and instance_named(view, record.address) is None
        return views.target(record, group, health.health(record, zones, status, gone=gone))

    if "Targets" not in req:
        return {"TargetHealthDescriptions": [shown(record) for record in known]}
    described: list[t.TargetHealthDescription] = []
    for given in req["Targets"]:
        found = _named(known, given)
        described += [shown(record) for record in found] or [views.unknown_target(given, health.UNKNOWN)]
    return {"TargetHealthDescriptions": described}
