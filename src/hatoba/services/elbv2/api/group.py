"""Target groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from hatoba.aws.shapes import elbv2 as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import forget_tags, tags_of
from hatoba.services.elbv2 import views
from hatoba.services.elbv2.api import quotas
from hatoba.services.elbv2.api.room import (
    checked_tags,
    elbv2,
    find_group,
    next_marker,
    page,
    tag,
    the_balancer,
    the_group,
)
from hatoba.services.elbv2.carried import publish_group
from hatoba.services.elbv2.model.group import (
    HealthCheck,
    Protocol,
    TargetGroup,
    TargetKind,
    Version,
    forget_group,
    group_by_arn,
    group_named,
    target_groups,
)
from hatoba.services.elbv2.model.listener import groups_behind, users_of
from hatoba.services.elbv2.plan import flow_check, health_check
from hatoba.services.elbv2.plan.errors import invalid, not_here
from hatoba.services.elbv2.plan.names import check_name
from hatoba.store.store import View

_GENEVE = 6081
_VERSIONS = ("HTTP1", "HTTP2", "GRPC")


def _view(view: View, record: TargetGroup) -> t.TargetGroup:
    return views.target_group(record, users_of(view, record))


def _wanted(req: t.CreateTargetGroupInput, call: Call) -> TargetGroup:
    """The record that a request asks for. Raises ValidationError."""
    check_name(req["Name"], "Target group")
    kind = req.get("TargetType", "instance")
    if kind not in ("instance", "ip", "alb"):
        raise not_here(
            f"The target type '{kind}' is not available: use 'instance', 'ip' or 'alb'. Other target types are"
        )
    if "Protocol" not in req:
        raise invalid("A protocol must be specified")
    protocol = req["Protocol"]
    if protocol == "QUIC" or protocol == "TCP_QUIC":
        raise not_here(f"Target groups with the protocol '{protocol}' are")
    if kind == "alb" and protocol != "TCP":
        raise invalid("Target groups with target type 'alb' must have the protocol 'TCP'")
    if protocol == "GENEVE" and req.get("Port") != _GENEVE:
        raise invalid(f"Target groups with the protocol 'GENEVE' must have the port {_GENEVE}")
    if protocol not in ("HTTP", "HTTPS") and "ProtocolVersion" in req:
        raise invalid(f"ProtocolVersion cannot be specified for target groups with the protocol '{protocol}'")
    if "Port" not in req:
        raise invalid("A port must be specified")
    if "VpcId" not in req:
        raise invalid("A VPC ID must be specified")
    ip_type = req.get("IpAddressType", "ipv4")
    if ip_type == "ipv6" and kind != "ip":
        raise not_here("Target groups of IPv6 whose target type is not 'ip' are")
    if ip_type == "ipv6" and protocol == "GENEVE":
        raise invalid(f"Target groups with the protocol '{protocol}' cannot have the IP address type 'ipv6'")
    if "TargetControlPort" in req:
        raise not_here("TargetControlPort is")
    version = req.get("ProtocolVersion") or "HTTP1"
    if version not in _VERSIONS:
        raise invalid(f"Protocol version '{version}' must be one of [{', '.join(_VERSIONS)}]")
    known_version = cast(Version, version)
    return TargetGroup(
        key=target_groups.key(call.scope, f"{req['Name']}/{call.ids.hex(16)}"),
        name=req["Name"],
        kind=kind,
        protocol=protocol,
        speaks=known_version,
        ip_type=ip_type,
        port=req["Port"],
        vpc=req["VpcId"],
        check=_checked(protocol, kind, known_version, dict(req)),
        created=call.now,
    )


def _checked(
    protocol: Protocol, kind: TargetKind, version: Version, req: Mapping[str, Any], now: HealthCheck | None = None
) -> HealthCheck:
    """`now`, or the default, with what a request changes."""
    if protocol in ("HTTP", "HTTPS"):
        return health_check.checked(now or health_check.default(version), req, version)
    return flow_check.checked(now or flow_check.default(protocol, kind), req, protocol, kind)


@elbv2.operation
async def create_target_group(req: t.CreateTargetGroupInput, call: Call) -> t.CreateTargetGroupOutput:
    tags = checked_tags(req.get("Tags"))
    wanted = _wanted(req, call)
    await _check_vpc(call, wanted.vpc)
    with call.tx() as tx:
        known = group_named(tx, call.scope, wanted.name)
        if known is None:
            quotas.room_for_group(tx, call.scope)
            known = tx.put(target_groups, wanted)
            tag(tx, call, known.arn, tags)
        elif _settings(known) != _settings(wanted) or (tags and tags != tags_of(tx, call.scope, known.arn)):
            raise t.DuplicateTargetGroupNameException(
                f"A target group with the same name '{wanted.name}' exists, but with different settings"
            )
        return {"TargetGroups": [_view(tx, known)]}


def _settings(group: TargetGroup) -> tuple[object, ...]:
    return group.kind, group.protocol, group.speaks, group.ip_type, group.port, group.vpc, group.check


async def _check_vpc(call: Call, vpc: str) -> None:
    try:
        await call.aws.ec2.describe_vpcs(VpcIds=[vpc])
    except AwsError as error:
        if error.status >= 500:
            raise
        raise invalid(f"The VPC ID '{vpc}' is not found") from error


@elbv2.operation
async def describe_target_groups(req: t.DescribeTargetGroupsInput, call: Call) -> t.DescribeTargetGroupsOutput:
    arns, names, balancer = req.get("TargetGroupArns"), req.get("Names"), req.get("LoadBalancerArn")
    if sum(1 for given in (arns, names, balancer) if given) > 1:
        raise invalid("Target group names, target group ARNs and a load balancer ARN cannot be specified together")
    rows: Iterable[TargetGroup]
    if arns:
        rows = _all_of([find_group(call.store, call, arn) for arn in arns])
    elif names:
        rows = _all_of([group_named(call.store, call.scope, name) for name in names])
    elif balancer:
        rows = _of_balancer(call, balancer)
    else:
        rows = call.store.scan(target_groups, call.scope)
    found, more = page(call, rows, dict(req), lambda record: record.id)
    return {"TargetGroups": [_view(call.store, record) for record in found], **next_marker(more)}


def _all_of(found: Iterable[TargetGroup | None]) -> list[TargetGroup]:
    known: dict[str, TargetGroup] = {}
    for record in found:
        if record is None:
            raise t.TargetGroupNotFoundException("One or more target groups not found")
        known[record.id] = record
    return sorted(known.values(), key=lambda record: record.id)


def _of_balancer(call: Call, arn: str) -> list[TargetGroup]:
    behind = groups_behind(call.store, the_balancer(call.store, call, arn))
    return _all_of(group_by_arn(call.store, group) for group in behind)


@elbv2.operation
async def modify_target_group(req: t.ModifyTargetGroupInput, call: Call) -> t.ModifyTargetGroupOutput:
    with call.tx() as tx:
        record = the_group(tx, call, req["TargetGroupArn"])
        check = _checked(record.protocol, record.kind, record.speaks, dict(req), record.check)
        record = tx.put(target_groups, replace(record, check=check))
        publish_group(tx, record)
        return {"TargetGroups": [_view(tx, record)]}


@elbv2.operation
async def delete_target_group(req: t.DeleteTargetGroupInput, call: Call) -> t.DeleteTargetGroupOutput:
    """One that does not exist is deleted already."""
    with call.tx() as tx:
        record = find_group(tx, call, req["TargetGroupArn"])
        if record is None:
            return {}
        if users_of(tx, record):
            raise t.ResourceInUseException(f"Target group '{record.arn}' is currently in use by a listener or a rule")
        forget_tags(tx, call.scope, record.arn)
        forget_group(tx, record)
    return {}
