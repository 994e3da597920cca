"""The scheduler, asked in ECS's words: the fleet's nodes, what was decided about them, a wish, and where it goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from hatoba.core.records import replace
from hatoba.fleet.model import FLEET, ZONE, nodes
from hatoba.placement import Assignment, Needs, Refusal, Site
from hatoba.services.ecs.model.capacity_provider import GROUP, find_provider
from hatoba.services.ecs.model.instance import gone, instance_of, instances, offered, registered
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.model.usage import Usage, where
from hatoba.services.ecs.plan.launch import Wish
from hatoba.services.ecs.plan.placement import Member
from hatoba.services.ecs.plan.sites import external, site
from hatoba.store.store import View

_ZONE = f"attribute:{ZONE}"
MOST_SITES = 64  # clusters whose sites are remembered


def assign(view: View, wish: Wish, count: int, settings: Settings) -> Sequence[Assignment | Refusal]:
    """A node for each of `count` equal tasks, or why there is none."""
    usage = view.tally(tasks, Usage)
    need = _needs(view, wish, settings)
    if wish.placement.instance:
        return _there(view, wish, need, usage) * count
    place = (wish.scope, wish.cluster, wish.launch_type) if wish.launch_type != "FARGATE" else ""
    return usage.scheduler.place(need, count, _sites(view, wish), place)


def assign_charged(
    view: View, wish: Wish, charged: Sequence[str], settings: Settings
) -> list[tuple[Wish, Assignment | Refusal]]:
    """`assign` for tasks of which each is charged to a capacity provider ("": to none), in their order."""
    wishes = {name: replace(wish, capacity_provider=name) if name else wish for name in charged}
    pools = {name: _pool(view, one) for name, one in wishes.items()}
    counts = Counter(pools[name] for name in charged)
    # Tasks of one pool compete for the same nodes, so they are placed in one go.
    answers: dict[str, Iterator[Assignment | Refusal]] = {}
    for name, pool in pools.items():
        if pool not in answers:
            answers[pool] = iter(assign(view, wishes[name], counts[pool], settings))
    return [(wishes[name], next(answers[pools[name]])) for name in charged]


def _pool(view: View, wish: Wish) -> str:
    """The group of instances that the capacity provider is; "" for any node."""
    provider = find_provider(view, wish.scope, wish.capacity_provider) if wish.capacity_provider else None
    return provider.group if provider is not None else ""


def _needs(view: View, wish: Wish, settings: Settings) -> Needs:
    need = wish.needs(settings)
    pool = _pool(view, wish)
    if not pool:
        return need
    member = Member(f"attribute:{GROUP} == {pool}", where(wish.scope, wish.cluster, wish.launch_type))
    return replace(need, conditions=(*need.conditions, member))


def there_for(view: View, wish: Wish, settings: Settings) -> frozenset[str]:
    """The nodes on which a daemon is to run, whether there is room on them or not."""
    usage = view.tally(tasks, Usage)
    need = replace(_needs(view, wish, settings), cpu=0, memory=0, ports=frozenset(), alone=False)
    sites = _sites(view, wish).values()
    return frozenset(one.id for one in sites if usage.scheduler.lack(need, one) is None)


def zones_of_nodes(view: View, wish: Wish) -> dict[str, str]:
    """By node that may have tasks of this launch type: the availability zone it is in, as the cluster sees it."""
    return {id_: one.labels[_ZONE] for id_, one in _sites(view, wish).items()}


def open_zones(view: View, wish: Wish, settings: Settings) -> frozenset[str]:
    """The zones in which there is an instance for such tasks, whether it has room or not. Looked for only when a node
    or an instance changed, for all services alike; a service's own constraints may depend on what runs there."""
    usage, sites = view.tally(tasks, Usage), _sites(view, wish)
    need = replace(_needs(view, wish, settings), cpu=0, memory=0, ports=frozenset(), alone=False, group="", order=())
    own = wish.placement.constraints or wish.definition.content.get("placementConstraints")
    asked, made_from = (
        (wish.scope, wish.cluster, wish.launch_type, need),
        (view.changes(nodes), view.changes(instances)),
    )
    known = usage.zones.get(asked)
    if known is not None and known[0] == made_from and not own:
        return known[1]
    found = frozenset(one.labels[_ZONE] for one in sites.values() if usage.scheduler.lack(need, one) is None)
    if len(usage.zones) >= MOST_SITES:
        usage.zones.clear()
    usage.zones[asked] = made_from, found
    return found


def _there(view: View, wish: Wish, need: Needs, usage: Usage) -> list[Assignment | Refusal]:
    """On the instance that was named, or nowhere."""
    node = view.find(nodes, FLEET, wish.placement.instance)
    instance = instance_of(view, wish.scope, wish.cluster, wish.placement.instance)
    if node is None or gone(node, instance) or not offered(node, wish.scope):
        return [Refusal(needs=need, lacking={"lost": (wish.placement.instance,)})]
    lack = usage.scheduler.lack(need, site(node, instance, wish.scope.region))
    if lack is None:
        return [Assignment(node=node.id)]
    return [Refusal(needs=need, lacking={lack: (node.id,)}, closest=(node.id, lack))]


def _sites(view: View, wish: Wish) -> dict[str, Site]:
    """Container instances; for Fargate, which knows none, all nodes as they are. External nodes take only tasks of
    that launch type, and nobody else's do. Made anew only when one changed."""
    usage = view.tally(tasks, Usage)
    fargate = wish.launch_type == "FARGATE"
    place = "FARGATE" if fargate else (wish.scope, wish.cluster, wish.launch_type)
    made_from = (view.changes(nodes), 0 if fargate else view.changes(instances))
    known = usage.sites.get(place)
    if known is not None and known[0] == made_from:
        return known[1]
    if fargate:
        made = [site(node, None, "") for node in view.all(nodes) if not external(node)]
    else:
        made = [
            site(node, instance, wish.scope.region)
            for node, instance in registered(view, wish.scope, wish.cluster)
            if external(node) == (wish.launch_type == "EXTERNAL")
        ]
    before = known[1] if known is not None else {}
    sites = {one.id: before[one.id] if before.get(one.id) == one else one for one in made}
    if len(usage.sites) >= MOST_SITES:
        usage.sites.clear()
    usage.sites[place] = made_from, sites
    return sites
