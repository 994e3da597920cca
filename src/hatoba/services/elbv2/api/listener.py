"""Listeners."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from hatoba.aws.shapes import elbv2 as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import tags_of
from hatoba.services.elbv2 import views
from hatoba.services.elbv2.api.certificate import check_there
from hatoba.services.elbv2.api.room import (
    checked_tags,
    elbv2,
    find_listener,
    page,
    tag,
    the_balancer,
    the_group,
    the_listener,
)
from hatoba.services.elbv2.carried import publish
from hatoba.services.elbv2.model.balancer import LoadBalancer
from hatoba.services.elbv2.model.listener import (
    Action,
    Listener,
    balancer_of,
    forget_listener,
    groups_of,
    listeners,
    listeners_of,
    users_of,
)
from hatoba.services.elbv2.plan import actions, tls
from hatoba.services.elbv2.plan.errors import invalid, not_here
from hatoba.store.store import View

_MOST_LISTENERS = 50


def check_forward(view: View, call: Call, action: Action, balancer: LoadBalancer, protocol: str) -> None:
    """The groups of an action must exist, be in the load balancer's VPC, and belong to no other load balancer."""
    for arn in groups_of(action):
        group = the_group(view, call, arn)
        if group.vpc != balancer.vpc:
            raise invalid(f"Target group '{arn}' is not in the load balancer's VPC '{balancer.vpc}'")
        if protocol == "HTTP" and group.speaks == "GRPC":
            raise invalid(
                "Listener protocol 'HTTP' is not supported with a target group with the protocol-version 'GRPC'"
            )
        if any(user.id != balancer.id for user in users_of(view, group)):
            raise t.TargetGroupAssociationLimitException(
                f"The following target groups cannot be associated with more than one load balancer: {arn}"
            )


class Security(NamedTuple):
    """Protocol, certificates and policy of a listener, as they are to be."""

    protocol: Literal["HTTP", "HTTPS"] = "HTTP"
    certificates: tuple[str, ...] = ()
    policy: str = ""


def _security(req: Mapping[str, Any], now: Security = Security()) -> Security:  # noqa: B008  frozen
    """What is not given stays as it is."""
    protocol = req.get("Protocol") or now.protocol
    if protocol not in ("HTTP", "HTTPS"):
        raise t.UnsupportedProtocolException(
            f"The protocol '{protocol}' is not supported by load balancers with type 'APPLICATION'"
        )
    if req.get("AlpnPolicy"):
        raise invalid("AlpnPolicy can only be specified for a listener with the protocol 'TLS'")
    if protocol == "HTTP":
        for member in ("Certificates", "SslPolicy", "MutualAuthentication"):
            if req.get(member):
                raise invalid(f"{member} cannot be specified for a listener with the protocol 'HTTP'")
        return Security()
    if (req.get("MutualAuthentication") or {}).get("Mode", "off") != "off":
        raise not_here("Listeners that ask clients for certificates are")
    certificates = now.certificates
    if "Certificates" in req or not certificates:
        default = tls.the_default(req.get("Certificates"))
        certificates = (default, *(each for each in certificates[1:] if each != default))
    return Security("HTTPS", certificates, tls.checked_policy(req.get("SslPolicy") or now.policy or None))


def _of(record: Listener) -> Security:
    return Security(record.protocol, record.certificates, record.policy)


@elbv2.operation
async def create_listener(req: t.CreateListenerInput, call: Call) -> t.CreateListenerOutput:
    tags = checked_tags(req.get("Tags"))
    if "Protocol" not in req or "Port" not in req:
        raise invalid("A listener must have a protocol and a port")
    security = _security(dict(req))
    action = actions.checked(req["DefaultActions"])
    await check_there(call, security.certificates)
    with call.tx() as tx:
        balancer = the_balancer(tx, call, req["LoadBalancerArn"])
        check_forward(tx, call, action, balancer, security.protocol)
        others = listeners_of(tx, balancer)
        record = next((other for other in others if other.port == req["Port"]), None)
        if record is None:
            if len(others) >= _MOST_LISTENERS:
                raise t.TooManyListenersException(f"A load balancer can have at most {_MOST_LISTENERS} listeners")
            key = listeners.key(call.scope, f"{balancer.id}/{call.ids.hex(16)}")
            new = Listener(
                key=key,
                balancer=balancer.id,
                port=req["Port"],
                default=action,
                default_rule=call.ids.hex(16),
                **security._asdict(),
            )
            record = tx.put(listeners, new)
            tag(tx, call, record.arn, tags)
            publish(tx, balancer)
        elif (record.default, _of(record)) != (action, security) or (
            tags and tags != tags_of(tx, call.scope, record.arn)
        ):
            raise t.DuplicateListenerException(
                f"A listener already exists on this port for this load balancer '{balancer.arn}'"
            )
    return {"Listeners": [views.listener(record, balancer)]}


@elbv2.operation
async def describe_listeners(req: t.DescribeListenersInput, call: Call) -> t.DescribeListenersOutput:
    arns, balancer = req.get("ListenerArns"), req.get("LoadBalancerArn")
    if arns and balancer:
        raise invalid("You cannot specify both listener ARNs and a load balancer ARN")
    if arns:
        rows = _all_of(find_listener(call.store, call, arn) for arn in arns)
    elif balancer:
        rows = listeners_of(call.store, the_balancer(call.store, call, balancer))
    else:
        raise invalid("You must specify either listener ARNs or a load balancer ARN")
    found, more = page(call, rows, dict(req), _order)
    shown = [views.listener(record, balancer_of(call.store, record)) for record in found]
    answer: t.DescribeListenersOutput = {"Listeners": shown}
    if more:
        answer["NextMarker"] = more
    return answer


def _order(listener: Listener) -> str:
    return f"{listener.balancer} {listener.port:05d}"


def _all_of(found: Iterable[Listener | None]) -> list[Listener]:
    known: dict[str, Listener] = {}
    for record in found:
        if record is None:
            raise t.ListenerNotFoundException("One or more listeners not found")
        known[record.id] = record
    return sorted(known.values(), key=_order)


@elbv2.operation
async def modify_listener(req: t.ModifyListenerInput, call: Call) -> t.ModifyListenerOutput:
    action = actions.checked(req["DefaultActions"]) if "DefaultActions" in req else None
    now = _of(the_listener(call.store, call, req["ListenerArn"]))
    await check_there(call, _security(dict(req), now).certificates if "Certificates" in req else ())
    with call.tx() as tx:
        record = the_listener(tx, call, req["ListenerArn"])
        security = _security(dict(req), _of(record))
        balancer = balancer_of(tx, record)
        port = req.get("Port", record.port)
        if any(other.port == port and other.id != record.id for other in listeners_of(tx, balancer)):
            raise invalid(f"Listener port '{port}' is already in use")
        check_forward(tx, call, action or record.default, balancer, security.protocol)
        record = tx.put(listeners, replace(record, port=port, default=action or record.default, **security._asdict()))
        publish(tx, balancer)
    return {"Listeners": [views.listener(record, balancer)]}


@elbv2.operation
async def delete_listener(req: t.DeleteListenerInput, call: Call) -> t.DeleteListenerOutput:
    with call.tx() as tx:
        record = the_listener(tx, call, req["ListenerArn"])
        balancer = balancer_of(tx, record)
        forget_listener(tx, record)
        publish(tx, balancer)
    return {}
