"""The fleet's nodes as placement sees them, with what ECS has put on each."""

from __future__ import annotations

from collections.abc import Sequence

from hatoba.fleet.model import nodes
from hatoba.placement import Assignment, Refusal, place
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.plan.launch import Wish
from hatoba.services.ecs.plan.needs import architecture, candidate, needs
from hatoba.store.store import View


def assign(view: View, wish: Wish, count: int, settings: Settings) -> Sequence[Assignment | Refusal]:
    """A node for each of `count` equal tasks, or why there is none."""
    need = needs(wish.reserve(settings), wish.group, architecture(wish.definition))
    return place([need] * count, [candidate(node, view.index(tasks, "node", node.id)) for node in view.all(nodes)])
