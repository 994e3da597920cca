"""What a load balancer, and a region, may not have any more of.

Each is asked in the transaction that would add it, and costs no more than what the load balancer has: what a region has
is not gone through before it is nearly full.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hatoba.aws.shapes import elbv2 as t
from hatoba.core.keys import Scope
from hatoba.services.elbv2.model.balancer import LoadBalancer, load_balancers
from hatoba.services.elbv2.model.group import TargetGroup, group_by_arn, target_groups, targets, targets_of
from hatoba.services.elbv2.model.listener import groups_behind, listeners, listeners_of, rules
from hatoba.services.elbv2.plan import quotas
from hatoba.store.store import View


def room_for_balancer(view: View, scope: Scope, kind: str) -> None:
    """Raises TooManyLoadBalancers."""
    most = quotas.LOAD_BALANCERS[kind]
    if view.size(load_balancers, scope) < most:
        return
    if sum(each.kind == kind and not each.deleting for each in view.scan(load_balancers, scope)) >= most:
        raise t.TooManyLoadBalancersException("The maximum number of load balancers has been reached")


def room_for_group(view: View, scope: Scope) -> None:
    """Raises TooManyTargetGroups."""
    if view.size(target_groups, scope) >= quotas.TARGET_GROUPS:
        raise t.TooManyTargetGroupsException("The maximum number of target groups has been reached")


def room_for_listener(view: View, balancer: LoadBalancer) -> None:
    """Raises TooManyListeners."""
    if view.count(listeners, "balancer", balancer.id) >= quotas.LISTENERS:
        raise t.TooManyListenersException(_reached("listeners", quotas.LISTENERS, balancer))


def room_for_rule(view: View, balancer: LoadBalancer) -> None:
    """Raises TooManyRules."""
    if sum(view.count(rules, "listener", each.id) for each in listeners_of(view, balancer)) >= quotas.RULES:
        raise t.TooManyRulesException(f"The maximum number of rules on load balancer '{balancer.arn}' has been reached")


def check_groups(view: View, balancer: LoadBalancer) -> None:
    """What it forwards to by now. Raises TooManyUniqueTargetGroupsPerLoadBalancer, and as `check_targets`."""
    behind = _behind(view, balancer)
    if balancer.kind == "application" and len(behind) > quotas.GROUPS:
        raise t.TooManyUniqueTargetGroupsPerLoadBalancerException(
            _reached("unique target groups", quotas.GROUPS, balancer)
        )
    _check_targets(view, balancer, behind, (each.address for group in behind for each in targets_of(view, group)))


def check_targets(view: View, balancer: LoadBalancer, added: Iterable[str]) -> None:
    """With these addresses, which are registered already. Raises TooManyTargets, TooManyRegistrationsForTargetId."""
    _check_targets(view, balancer, _behind(view, balancer), added)


def _check_targets(view: View, balancer: LoadBalancer, behind: list[TargetGroup], added: Iterable[str]) -> None:
    most = quotas.TARGETS[balancer.kind]
    if sum(view.count(targets, "group", group.id) for group in behind) > most:
        raise t.TooManyTargetsException(_reached("targets", most, balancer))
    if balancer.kind != "application":
        return
    asked = {each for each in added if view.count(targets, "address", each) > quotas.REGISTRATIONS}
    if not asked:
        return
    times = Counter(each.address for group in behind for each in targets_of(view, group) if each.address in asked)
    if too_often := sorted(each for each, count in times.items() if count > quotas.REGISTRATIONS):
        raise t.TooManyRegistrationsForTargetIdException(
            f"The following targets cannot be registered more than '{quotas.REGISTRATIONS}' times with load balancer "
            f"'{balancer.arn}': {', '.join(too_often)}"
        )


def _behind(view: View, balancer: LoadBalancer) -> list[TargetGroup]:
    found = (group_by_arn(view, arn) for arn in groups_behind(view, balancer))
    return [group for group in found if group is not None]


def _reached(what: str, most: int, balancer: LoadBalancer) -> str:
    return f"The maximum number of {what} per load balancer '{most}' has been reached on load balancer '{balancer.arn}'"
