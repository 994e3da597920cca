"""What a service keeps saying, and what it does not say twice.

"Duplicate event messages in a service's event log are omitted until either the cause is resolved or six hours pass"
(the developer guide, "Viewing service event messages"): that it is steady, what is in the way of its next task, and
why its tasks do not start. Everything else happens once and is said once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hatoba.core.records import replace
from hatoba.services.ecs.model.service import Service
from hatoba.services.ecs.plan.rollout import words

QUIET = 6 * 3600.0  # seconds


class Said(NamedTuple):
    service: Service
    messages: list[str]
    again_at: float | None  # when something will have to be said again


def say(before: Service, after: Service, messages: Iterable[str], now: float) -> Said:
    """`messages`: what there would be to say of the step from `before` to `after`."""
    standing = _standing(after)
    # What failed in this step were tasks of the deployment before it, though it may end in a rollback to another one.
    failing = bool(before.deployments) and before.primary.failed > 0
    known = {
        text: at
        for text, at in before.said.items()
        if text in standing or (failing and words.is_failure(text) and now - at < QUIET)
    }
    told: list[str] = []
    for message in messages:
        if message in standing or words.is_failure(message):
            if now - known.get(message, now - QUIET) < QUIET:
                continue
            known[message] = now
        told.append(message)
    for text in standing:
        if now - known.setdefault(text, now) >= QUIET:
            known[text] = now
            told.append(text)
    known = {text: at for text, at in known.items() if text in standing or _fails(before, after, text)}
    after = replace(after, said=known) if known != before.said else after
    return Said(after, told, min((known[text] + QUIET for text in standing), default=None))


def _standing(service: Service) -> tuple[str, ...]:
    """What holds for as long as nothing changes."""
    if service.status != "ACTIVE":
        return ()
    return (*((words.STEADY,) if service.steady else ()), *((service.blocked,) if service.blocked else ()))


def _fails(before: Service, after: Service, text: str) -> bool:
    """Tasks of the same deployment go on failing."""
    same = bool(before.deployments) and bool(after.deployments) and before.primary.id == after.primary.id
    return same and after.primary.failed > 0 and words.is_failure(text)
