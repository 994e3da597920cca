"""Records as the room would have written them: what plans are tested with."""

from __future__ import annotations

from typing import Any

from hatoba.core.keys import Scope
from hatoba.services.elbv2.model.balancer import Interface, LoadBalancer, Place, load_balancers
from hatoba.services.elbv2.model.group import HealthCheck, Target, TargetGroup, target_groups, targets
from hatoba.services.elbv2.model.listener import Listener, Rule, listeners, rules

SCOPE = Scope("aws", "123456789012", "eu-west-1")
BALANCER = "app/web/50dc6c495c0c9188"


def balancer(**fields: Any) -> LoadBalancer:
    zones = ("eu-west-1a", "eu-west-1b")
    known: dict[str, Any] = {
        "key": load_balancers.key(SCOPE, BALANCER),
        "name": "web",
        "number": "1234567890",
        "scheme": "internet-facing",
        "vpc": "vpc-1",
        "places": tuple(Place(subnet=f"subnet-{n}", zone=zone, token="t") for n, zone in enumerate(zones)),
        "groups": ("sg-1",),
        "interfaces": tuple(
            Interface(subnet=f"subnet-{n}", id=f"eni-{n}", address=f"172.31.{16 * n}.4", public=f"100.64.4.{n}")
            for n in (1, 0)
        ),
    }
    return LoadBalancer(**{**known, **fields})


def group(name: str = "app", **fields: Any) -> TargetGroup:
    key = target_groups.key(SCOPE, f"{name}/{len(name):016x}")
    known: dict[str, Any] = {
        "key": key,
        "name": name,
        "protocol": "HTTP",
        "port": 80,
        "vpc": "vpc-1",
        "check": HealthCheck(),
    }
    return TargetGroup(**{**known, **fields})


def target(address: str = "172.31.0.9", **fields: Any) -> Target:
    known: dict[str, Any] = {
        "key": targets.key(SCOPE, f"app|{address}"),
        "group": group().id,
        "address": address,
        "port": 80,
        "zone": "eu-west-1a",
        "registration": "0000aaaa",
    }
    return Target(**{**known, **fields})


def forward(*shares: tuple[TargetGroup, int], sticky: int | None = None) -> dict[str, Any]:
    stickiness = {"Enabled": False} if sticky is None else {"Enabled": True, "DurationSeconds": sticky}
    return {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": each.arn, "Weight": weight} for each, weight in shares],
            "TargetGroupStickinessConfig": stickiness,
        },
    }


def listener(action: dict[str, Any], port: int = 80) -> Listener:
    key = listeners.key(SCOPE, f"{BALANCER}/{port:016x}")
    return Listener(key=key, balancer=BALANCER, port=port, default=action, default_rule="d" * 16)


def rule(of: Listener, priority: int, action: dict[str, Any], *conditions: dict[str, Any]) -> Rule:
    key = rules.key(SCOPE, f"{of.id}/{priority:016x}")
    return Rule(key=key, listener=of.id, priority=priority, conditions=conditions, action=action)
