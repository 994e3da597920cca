"""Places one after the other, each seeing what the ones before it took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hatoba.core.records import replace
from hatoba.placement import filters, scores
from hatoba.placement.model import Assignment, Candidate, Lack, Needs, Refusal


def place(needs: Sequence[Needs], candidates: Iterable[Candidate]) -> list[Assignment | Refusal]:
    """An answer for each of `needs`, in order. Deterministic: equal nodes are taken in the order of their ids."""
    nodes = {node.id: node for node in candidates}
    answers: list[Assignment | Refusal] = []
    for need in needs:
        fitting = [node for node in nodes.values() if filters.lack(need, node) is None]
        if not fitting:
            answers.append(_refuse(need, nodes.values()))
            continue
        best = min(fitting, key=lambda node: scores.spread(need, node))
        nodes[best.id] = _take(need, best)
        answers.append(Assignment(node=best.id))
    return answers


def _take(needs: Needs, node: Candidate) -> Candidate:
    return replace(
        node,
        cpu=node.cpu - needs.cpu,
        memory=node.memory - needs.memory,
        ports=node.ports | needs.ports,
        running=node.running + 1,
        groups={**node.groups, needs.group: node.groups.get(needs.group, 0) + 1},
    )


def _refuse(needs: Needs, nodes: Iterable[Candidate]) -> Refusal:
    lacking: dict[Lack, tuple[str, ...]] = {}
    closest: tuple[str, Lack] | None = None
    for node in sorted(nodes, key=lambda node: node.id):
        lack = filters.lack(needs, node)
        if lack is None:
            continue
        lacking[lack] = (*lacking.get(lack, ()), node.id)
        if closest is None or filters.RANK[lack] > filters.RANK[closest[1]]:
            closest = (node.id, lack)
    return Refusal(needs=needs, lacking=lacking, closest=closest)
