"""Staging labels: which version has which, and how they move. Pure.

A label is on one version at a time. Whenever AWSCURRENT moves, AWSPREVIOUS goes to the version that had it. A version
without labels is deprecated: it can be read by its id until it is cleared away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hatoba.aws.shapes import secretsmanager as t
from hatoba.core.errors import AwsError

CURRENT, PREVIOUS, PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"
MOST = 20  # on one version
Stages = Mapping[str, tuple[str, ...]]  # by version


def holder(stages: Stages, label: str) -> str | None:
    return next((version for version, labels in stages.items() if label in labels), None)


def attach(stages: Stages, version: str, labels: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The labels of all versions, once these are on that one."""
    now = dict(stages)
    now.setdefault(version, ())
    for label in dict.fromkeys(labels):
        before = holder(now, label)
        if before == version:
            continue
        if before is not None:
            now[before] = _without(now[before], label)
        now[version] = (*now[version], label)
        if label == CURRENT and before is not None:
            now = _previous(now, before)
    if len(now[version]) > MOST:
        raise t.LimitExceededException(f"A version can have at most {MOST} staging labels.")
    return now


def _previous(now: dict[str, tuple[str, ...]], version: str) -> dict[str, tuple[str, ...]]:
    now = {each: _without(labels, PREVIOUS) for each, labels in now.items()}
    return now | {version: (*now[version], PREVIOUS)}


def _without(labels: tuple[str, ...], label: str) -> tuple[str, ...]:
    return tuple(each for each in labels if each != label)


def moved(stages: Stages, label: str, *, to: str | None, from_: str | None) -> dict[str, tuple[str, ...]]:
    """UpdateSecretVersionStage. Raises for what would leave a label nowhere it may not be, or on two versions."""
    for version in (to, from_):
        if version is not None and version not in stages:
            raise no_version(version)
    if to is None and from_ is None:
        raise _wrong("You must specify MoveToVersionId, RemoveFromVersionId, or both.")
    before = holder(stages, label)
    if from_ is not None and before != from_:
        raise _wrong(f"The staging label {label} is not currently attached to version {from_}.")
    if to is None:
        assert from_ is not None
        if label == CURRENT:
            raise _wrong(
                "You can only move staging label AWSCURRENT to a different secret version. It can't be completely "
                "removed."
            )
        return {**stages, from_: _without(stages[from_], label)}
    if before is not None and before != to and from_ is None:
        raise _wrong(
            f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version "
            f"{before}, so you must explicitly reference that version in RemoveFromVersionId."
        )
    return attach(stages, to, (label,))


def no_version(version: str) -> AwsError:
    return t.ResourceNotFoundException(
        f"Secrets Manager can't find the specified secret value for VersionId: {version}"
    )


def _wrong(message: str) -> AwsError:
    return t.InvalidParameterException(message)
