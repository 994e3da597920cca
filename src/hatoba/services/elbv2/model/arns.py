"""ELB's ARNs. What follows the kind is the record's id.

loadbalancer/app/<name>/<id>                       targetgroup/<name>/<id>
listener/app/<name>/<id>/<id>                      listener-rule/app/<name>/<id>/<id>/<id>
truststore/<name>/<id>
"""

from __future__ import annotations

from hatoba.core import arn
from hatoba.core.keys import Scope

LOAD_BALANCER, TARGET_GROUP, LISTENER, RULE = "loadbalancer", "targetgroup", "listener", "listener-rule"
TRUST_STORE = "truststore"
SERVICE = "elasticloadbalancing"

# How many parts an id has.
_PARTS = {LOAD_BALANCER: 3, TARGET_GROUP: 2, LISTENER: 4, RULE: 5, TRUST_STORE: 2}


def make(scope: Scope, kind: str, id_: str) -> str:
    return arn.make(scope, SERVICE, f"{kind}/{id_}")


def parse(text: str) -> tuple[Scope, str, str] | None:
    """(scope, kind, id); None for what is not one of ELB's ARNs."""
    parsed = arn.parse(text)
    if parsed is None or parsed.service != SERVICE:
        return None
    kind, _, id_ = parsed.resource.partition("/")
    if len(id_.split("/")) != _PARTS.get(kind):
        return None
    return parsed.scope, kind, id_


def last(id_: str) -> str:
    """The id's own hexadecimal digits, without those of what it belongs to."""
    return id_.rpartition("/")[2]
