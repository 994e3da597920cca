"""Which nodes can take it. Each filter answers whether a node passes; the first that fails names what it lacks."""

from __future__ import annotations

from collections.abc import Callable

from hatoba.placement.ledger import Use
from hatoba.placement.model import Lack, Needs, Site

Filter = tuple[Lack, Callable[[Needs, Site, Use], bool]]

# In this order: what can least be helped comes first, so that a refusal names the most telling lack.
FILTERS: tuple[Filter, ...] = (
    ("lost", lambda needs, site, use: site.ready),
    ("draining", lambda needs, site, use: not site.draining),
    ("architecture", lambda needs, site, use: not needs.architecture or needs.architecture == site.architecture),
    ("feature", lambda needs, site, use: not needs.features or _has(site, needs.features)),
    ("gpu", lambda needs, site, use: not needs.gpus),  # no node offers any yet
    ("condition", lambda needs, site, use: all(condition.holds(site, use) for condition in needs.conditions)),
    ("distinct", lambda needs, site, use: not needs.alone or needs.group not in use.counts),
    ("cpu", lambda needs, site, use: use.cpu + needs.cpu <= site.cpu),
    ("memory", lambda needs, site, use: use.memory + needs.memory <= site.memory),
    ("ports", lambda needs, site, use: needs.ports.isdisjoint(use.ports)),
)
RANK: dict[Lack, int] = {lack: rank for rank, (lack, _) in enumerate(FILTERS)}


def _has(site: Site, features: frozenset[tuple[str, str]]) -> bool:
    labels = site.labels
    return all(label in labels and (not value or labels[label] == value) for label, value in features)


def lack(needs: Needs, site: Site, use: Use) -> Lack | None:
    """What the node lacks, or None when it can take it."""
    for name, passes in FILTERS:
        if not passes(needs, site, use):
            return name
    return None
