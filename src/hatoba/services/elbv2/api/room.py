"""The room, and what its operations share: finding what an ARN names, paging, tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NotRequired, TypedDict, TypeVar

from hatoba.aws.shapes import elbv2 as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.gateway.tags import set_tags
from hatoba.services.elbv2.access import ACCESS
from hatoba.services.elbv2.model import arns
from hatoba.services.elbv2.model.balancer import LoadBalancer, by_arn
from hatoba.services.elbv2.model.group import TargetGroup, group_by_arn
from hatoba.services.elbv2.model.listener import Listener, Rule, listener_by_arn, rule_by_arn
from hatoba.services.elbv2.model.trust import TrustStore, trust_store_by_arn
from hatoba.services.elbv2.plan.errors import invalid
from hatoba.store import Tx
from hatoba.store.store import View

elbv2 = Service("elbv2", access=ACCESS)

T = TypeVar("T")

PAGE = 400
MOST_TAGS = 50
_NOUNS = {
    arns.LOAD_BALANCER: "load balancer",
    arns.TARGET_GROUP: "target group",
    arns.LISTENER: "listener",
    arns.RULE: "listener rule",
    arns.TRUST_STORE: "trust store",
}


def check_arn(arn: str, kind: str) -> None:
    parsed = arns.parse(arn)
    if parsed is None or parsed[1] != kind:
        raise invalid(f"'{arn}' is not a valid {_NOUNS[kind]} ARN")


def _here(call: Call, arn: str, kind: str) -> bool:
    """Nothing of another account or region can be reached here. Raises when it is no ARN of the kind."""
    check_arn(arn, kind)
    parsed = arns.parse(arn)
    return parsed is not None and parsed[0] == call.scope


def find_balancer(view: View, call: Call, arn: str) -> LoadBalancer | None:
    return by_arn(view, arn) if _here(call, arn, arns.LOAD_BALANCER) else None


def find_group(view: View, call: Call, arn: str) -> TargetGroup | None:
    return group_by_arn(view, arn) if _here(call, arn, arns.TARGET_GROUP) else None


def find_listener(view: View, call: Call, arn: str) -> Listener | None:
    return listener_by_arn(view, arn) if _here(call, arn, arns.LISTENER) else None


def the_balancer(view: View, call: Call, arn: str) -> LoadBalancer:
    found = find_balancer(view, call, arn)
    if found is None:
        raise t.LoadBalancerNotFoundException(f"Load balancer '{arn}' not found")
    return found


def the_group(view: View, call: Call, arn: str) -> TargetGroup:
    found = find_group(view, call, arn)
    if found is None:
        raise t.TargetGroupNotFoundException(f"Target groups '{arn}' not found")
    return found


def the_listener(view: View, call: Call, arn: str) -> Listener:
    found = find_listener(view, call, arn)
    if found is None:
        raise t.ListenerNotFoundException(f"Listener '{arn}' not found")
    return found


def the_trust_store(view: View, call: Call, arn: str) -> TrustStore:
    found = trust_store_by_arn(view, arn) if _here(call, arn, arns.TRUST_STORE) else None
    if found is None:
        raise t.TrustStoreNotFoundException(f"The specified trust store '{arn}' does not exist")
    return found


def the_rule(view: View, call: Call, arn: str) -> Rule | Listener:
    """The listener when it is its default rule's ARN."""
    found = rule_by_arn(view, arn) if _here(call, arn, arns.RULE) else None
    if found is None:
        raise t.RuleNotFoundException(f"Rule '{arn}' not found")
    return found


def page(
    call: Call, rows: Iterable[T], req: Mapping[str, Any], order: Callable[[T], str]
) -> tuple[list[T], str | None]:
    filters = sorted((name, str(value)) for name, value in req.items() if name not in ("Marker", "PageSize"))
    return call.page(
        rows,
        order=order,
        token=req.get("Marker") or None,
        limit=req.get("PageSize", PAGE),
        filters=filters,
        bad_token=lambda: invalid("The marker is not valid"),
    )


class NextMarker(TypedDict):
    NextMarker: NotRequired[str]


def next_marker(marker: str | None) -> NextMarker:
    """What an answer says of the next page."""
    return {} if marker is None else {"NextMarker": marker}


def checked_tags(tags: Sequence[t.Tag] | None, twice: Callable[[str], AwsError] = invalid) -> dict[str, str]:
    """`twice`: the error of a key that is given twice, where the operation declares its own."""
    found: dict[str, str] = {}
    for tag in tags or ():
        if tag["Key"].lower().startswith("aws:"):
            raise invalid(f"Tag keys cannot begin with 'aws:', but one is '{tag['Key']}'")
        if tag["Key"] in found:
            raise twice(f"The tag key '{tag['Key']}' was specified more than once")
        found[tag["Key"]] = tag.get("Value") or ""
    if len(found) > MOST_TAGS:
        raise t.TooManyTagsException(f"You can specify at most {MOST_TAGS} tags")
    return found


def tag(tx: Tx, call: Call, arn: str, tags: Mapping[str, str]) -> None:
    if tags:
        set_tags(tx, call.scope, arn, tags)
