"""The scheduler, asked in ECS's words: the fleet's nodes, what was decided about them, a wish, and where it goes."""

from __future__ import annotations

from collections.abc import Sequence

from hatoba.core.records import replace
from hatoba.fleet.model import FLEET, nodes
from hatoba.placement import Assignment, Needs, Refusal, Site
from hatoba.services.ecs.model.instance import gone, instance_of, instances, registered
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.model.usage import Usage
from hatoba.services.ecs.plan.launch import Wish
from hatoba.services.ecs.plan.sites import site
from hatoba.store.store import View

MOST_SITES = 64  # clusters whose sites are remembered


def assign(view: View, wish: Wish, count: int, settings: Settings) -> Sequence[Assignment | Refusal]:
    """A node for each of `count` equal tasks, or why there is none."""
    usage = view.tally(tasks, Usage)
    need = wish.needs(settings)
    if wish.placement.instance:
        return _there(view, wish, need, usage) * count
    where = (wish.scope, wish.cluster) if wish.launch_type == "EC2" else ""
    return usage.scheduler.place(need, count, _sites(view, wish), where)


def there_for(view: View, wish: Wish, settings: Settings) -> frozenset[str]:
    """The nodes on which a daemon is to run, whether there is room on them or not."""
    usage = view.tally(tasks, Usage)
    need = replace(wish.needs(settings), cpu=0, memory=0, ports=frozenset(), alone=False)
    sites = _sites(view, wish).values()
    return frozenset(one.id for one in sites if usage.scheduler.lack(need, one) is None)


def _there(view: View, wish: Wish, need: Needs, usage: Usage) -> list[Assignment | Refusal]:
    """On the instance that was named, or nowhere."""
    node = view.find(nodes, FLEET, wish.placement.instance)
    instance = instance_of(view, wish.scope, wish.cluster, wish.placement.instance)
    if node is None or gone(node, instance):
        return [Refusal(needs=need, lacking={"lost": (wish.placement.instance,)})]
    lack = usage.scheduler.lack(need, site(node, instance, wish.scope.region))
    if lack is None:
        return [Assignment(node=node.id)]
    return [Refusal(needs=need, lacking={lack: (node.id,)}, closest=(node.id, lack))]


def _sites(view: View, wish: Wish) -> dict[str, Site]:
    """Container instances; for Fargate, which knows none, all nodes as they are. Made anew only when one changed."""
    usage = view.tally(tasks, Usage)
    fargate = wish.launch_type == "FARGATE"
    where = "FARGATE" if fargate else (wish.scope, wish.cluster)
    made_from = (view.changes(nodes), 0 if fargate else view.changes(instances))
    known = usage.sites.get(where)
    if known is not None and known[0] == made_from:
        return known[1]
    if fargate:
        made = [site(node, None, "") for node in view.all(nodes)]
    else:
        made = [
            site(node, instance, wish.scope.region) for node, instance in registered(view, wish.scope, wish.cluster)
        ]
    before = known[1] if known is not None else {}
    sites = {one.id: before[one.id] if before.get(one.id) == one else one for one in made}
    if len(usage.sites) >= MOST_SITES:
        usage.sites.clear()
    usage.sites[where] = made_from, sites
    return sites
