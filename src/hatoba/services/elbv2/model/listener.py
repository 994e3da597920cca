"""Listeners and their rules. Actions and conditions are kept in the API's own shape, complete and checked.

A listener's default rule is no record: it is the listener's default action under a rule's ARN.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from hatoba.core.records import Record
from hatoba.gateway.tags import forget_tags
from hatoba.services.elbv2.model import arns
from hatoba.services.elbv2.model.authentication import Authentication
from hatoba.services.elbv2.model.balancer import LoadBalancer, load_balancers
from hatoba.services.elbv2.model.group import TargetGroup
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View

ListenerProtocol = Literal["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE"]
Action = dict[str, Any]
Condition = dict[str, Any]
Transform = dict[str, Any]


def groups_of(action: Action) -> tuple[str, ...]:
    """ARNs of the target groups that an action forwards to."""
    return tuple(share["TargetGroupArn"] for share in action.get("ForwardConfig", {}).get("TargetGroups", ()))


class Mutual(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of certificates that clients show."""

    mode: Literal["off", "passthrough", "verify"] = "off"
    trust_store: str = ""  # ARN, of verify
    ignores_expiry: bool = False
    advertises: bool = False


class Listener(Record, frozen=True, kw_only=True):
    balancer: str  # id
    port: int
    default: Action
    default_rule: str  # the last part of the default rule's ARN
    protocol: ListenerProtocol = "HTTP"
    certificates: tuple[str, ...] = ()  # ARNs, of HTTPS and TLS: the default one first
    ids: dict[str, str] = msgspec.field(default_factory=dict)  # by which the fleet knows IAM's, by their ARNs
    policy: str = ""  # of HTTPS and TLS: the security policy's name
    alpn: str = ""  # of TLS: the policy's name
    mutual: Mutual = Mutual()  # of HTTPS
    attributes: dict[str, str] = msgspec.field(default_factory=dict)  # those that were set
    authentication: Authentication | None = None  # before the default action

    @property
    def arn(self) -> str:
        return arns.make(self.scope, arns.LISTENER, self.id)

    @property
    def default_rule_arn(self) -> str:
        return arns.make(self.scope, arns.RULE, f"{self.id}/{self.default_rule}")


class Rule(Record, frozen=True, kw_only=True):
    listener: str  # id
    priority: int
    conditions: tuple[Condition, ...]
    action: Action
    transforms: tuple[Transform, ...] = ()
    authentication: Authentication | None = None  # before the action

    @property
    def arn(self) -> str:
        return arns.make(self.scope, arns.RULE, self.id)


listeners = Table(
    "elbv2.listeners",
    Listener,
    indexes=(
        Index("balancer", lambda listener: listener.balancer),
        Index("group", lambda listener: groups_of(listener.default), many=True),
        Index("trust_store", lambda listener: listener.mutual.trust_store or None),
    ),
)
rules = Table(
    "elbv2.rules",
    Rule,
    indexes=(
        Index("listener", lambda rule: rule.listener),
        Index("group", lambda rule: groups_of(rule.action), many=True),
    ),
)


def listener_by_arn(view: View, arn: str) -> Listener | None:
    parsed = arns.parse(arn)
    if parsed is None or parsed[1] != arns.LISTENER:
        return None
    return view.find(listeners, parsed[0], parsed[2])


def rule_by_arn(view: View, arn: str) -> Rule | Listener | None:
    """A rule; the listener itself when the ARN is that of its default rule."""
    parsed = arns.parse(arn)
    if parsed is None or parsed[1] != arns.RULE:
        return None
    rule = view.find(rules, parsed[0], parsed[2])
    if rule is not None:
        return rule
    listener = view.find(listeners, parsed[0], parsed[2].rpartition("/")[0])
    return listener if listener is not None and listener.default_rule == arns.last(parsed[2]) else None


def listeners_of(view: View, balancer: LoadBalancer) -> list[Listener]:
    """By port."""
    return sorted(view.index(listeners, "balancer", balancer.id), key=lambda listener: listener.port)


def rules_of(view: View, listener: Listener) -> list[Rule]:
    """By priority."""
    return sorted(view.index(rules, "listener", listener.id), key=lambda rule: rule.priority)


def groups_behind(view: View, balancer: LoadBalancer) -> tuple[str, ...]:
    """ARNs of all groups that it forwards to, each once."""
    of = listeners_of(view, balancer)
    actions = [listener.default for listener in of]
    actions += [rule.action for listener in of for rule in rules_of(view, listener)]
    return tuple(dict.fromkeys(group for action in actions for group in groups_of(action)))


def listeners_trusting(view: View, trust_store: str) -> list[Listener]:
    """Those that verify by the trust store with this ARN."""
    return view.index(listeners, "trust_store", trust_store)


def balancer_of(view: View, listener: Listener) -> LoadBalancer:
    found = view.find(load_balancers, listener.scope, listener.balancer)
    if found is None:
        raise LookupError(f"{listener.id} has no load balancer")
    return found


def users_of(view: View, group: TargetGroup) -> list[LoadBalancer]:
    """The load balancers that forward to a group: one at most, as the API keeps it."""

    def ids() -> Iterator[str]:
        for listener in view.index(listeners, "group", group.arn):
            yield listener.balancer
        for rule in view.index(rules, "group", group.arn):
            yield rule.listener.rpartition("/")[0]

    found = (view.find(load_balancers, group.scope, id_) for id_ in dict.fromkeys(ids()))
    return [balancer for balancer in found if balancer is not None]


def forget_rule(tx: Tx, rule: Rule) -> None:
    forget_tags(tx, rule.scope, rule.arn)
    tx.forget(rules, rule.key)


def forget_listener(tx: Tx, listener: Listener) -> None:
    for rule in tx.index(rules, "listener", listener.id):
        forget_rule(tx, rule)
    forget_tags(tx, listener.scope, listener.arn)
    tx.forget(listeners, listener.key)
