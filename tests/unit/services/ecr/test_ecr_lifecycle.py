"""Lifecycle policies: what is one, what it expires, and that the controller does just that, in time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.core.clock import ManualClock
from hatoba.core.keys import Scope
from hatoba.core.secret import Sealer
from hatoba.gateway.tags import tags
from hatoba.registry.manifests import parse as parse_manifest
from hatoba.services.ecr import model
from hatoba.services.ecr.lifecycle import PERIOD, Lifecycle
from hatoba.services.ecr.plan.lifecycle import DAY, BadPolicy, Candidate, expiring, parse
from hatoba.store import Store
from hatoba.store.sqlite import SqliteJournal
from tests.conformance.oci.client import image, index

NOW = 1_700_000_000.0
SCOPE = Scope("aws", "123456789012", "us-east-1")


def rule(priority: int = 1, status: str = "any", count: int = 1, **selection: Any) -> dict[str, Any]:
    selection.setdefault("countType", "imageCountMoreThan")
    if selection["countType"] != "imageCountMoreThan":
        selection.setdefault("countUnit", "days")
    return {
        "rulePriority": priority,
        "selection": {"tagStatus": status, "countNumber": count, **selection},
        "action": {"type": "expire"},
    }


def policy(*rules: dict[str, Any]) -> str:
    return json.dumps({"rules": list(rules)})


def candidate(name: str, days: float, *tagged: str, **more: Any) -> Candidate:
    return Candidate(digest=name, tags=tagged, pushed=NOW - days * DAY, **more)


def gone(images: list[Candidate], *rules: dict[str, Any]) -> list[tuple[str, int]]:
    return [(found.image.digest, found.priority) for found in expiring(parse(policy(*rules)), images, NOW)]


def test_more_than_so_many() -> None:
    images = [candidate("a", 3), candidate("b", 1), candidate("c", 2)]
    assert gone(images, rule(count=2)) == [("a", 1)]
    assert gone(images, rule(count=3)) == []


def test_older_than() -> None:
    images = [candidate("old", 14.1), candidate("young", 13.9), candidate("tagged", 20, "v1")]
    assert gone(images, rule(status="untagged", count=14, countType="sinceImagePushed")) == [("old", 1)]


def test_not_pulled_for_long() -> None:
    images = [candidate("used", 90, pulled=NOW - DAY), candidate("unused", 90), candidate("new", 1)]
    assert gone(images, rule(count=30, countType="sinceImagePulled")) == [("unused", 1)]


def test_prefixes_and_patterns() -> None:
    images = [candidate("a", 3, "prod-1"), candidate("b", 2, "prod-2", "beta"), candidate("c", 1, "dev")]
    assert gone(images, rule(status="tagged", tagPrefixList=["prod"])) == [("a", 1)]
    older = {"countType": "sinceImagePushed"}
    assert gone(images, rule(status="tagged", tagPrefixList=["prod", "be"], **older)) == [("b", 1)]
    assert gone(images, rule(status="tagged", tagPatternList=["*-2"], **older)) == [("b", 1)]
    assert gone(images, rule(status="tagged", tagPatternList=["p*", "*-1"], **older)) == [("a", 1)]


def test_an_earlier_rule_keeps_what_a_later_one_would_take_but_it_is_counted() -> None:
    images = [
        candidate("old-prod", 9, "prod-1"),
        candidate("new-prod", 8, "prod-2"),
        candidate("x", 7),
        candidate("y", 1),
    ]
    keep = rule(1, "tagged", 2, tagPrefixList=["prod"])
    assert gone(images, keep, rule(2, "any", 1)) == [("x", 2)]
    assert gone(images, keep, rule(2, "any", 2)) == []
    one = rule(1, "tagged", 1, tagPrefixList=["prod"])
    assert gone(images, rule(9, "any", 1), one) == [("old-prod", 1), ("x", 9)]


def test_what_an_index_lists_stays() -> None:
    assert gone([candidate("a", 5, listed=True), candidate("b", 1)], rule()) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        policy(),
        policy(rule(0)),
        policy(rule(1), rule(2, "untagged")),
        policy(rule(1, "untagged"), rule(1)),
        policy(rule(1, "untagged"), rule(2, "untagged", 2)),
        policy(rule(status="tagged")),
        policy(rule(tagPrefixList=["x"])),
        policy(rule(status="tagged", tagPrefixList=["x"], tagPatternList=["y"])),
        policy(rule(status="tagged", tagPatternList=["*a*b*c*d*"])),
        policy(rule(count=0)),
        policy(rule(countType="sinceImagePushed", countUnit="hours")),
        policy(rule(countUnit="days")),
        policy({**rule(), "action": {"type": "transition"}}),
        policy({**rule(), "more": 1}),
    ],
)
def test_what_is_no_policy(text: str) -> None:
    with pytest.raises(BadPolicy):
        parse(text)


_images = st.lists(
    st.builds(
        lambda number, days, tagged, listed: candidate(f"{number}", days, *tagged, listed=listed),
        st.integers(0, 99),
        st.floats(0, 60),
        st.sets(st.sampled_from(["a1", "a2", "b1", "latest"]), max_size=2),
        st.booleans(),
    ),
    max_size=12,
    unique_by=lambda one: one.digest,
)
_rules = st.lists(
    st.one_of(
        st.builds(lambda n, p: ("tagged", n, {"tagPrefixList": [p]}), st.integers(1, 5), st.sampled_from("ab")),
        st.builds(
            lambda n: ("tagged", n, {"tagPatternList": ["*1"], "countType": "sinceImagePushed"}), st.integers(1, 40)
        ),
    ),
    max_size=3,
)


@given(_images, _rules, st.integers(1, 6))
def test_properties(images: list[Candidate], rules: list[tuple[str, int, dict[str, Any]]], keep: int) -> None:
    made = [rule(number, status, count, **more) for number, (status, count, more) in enumerate(rules, 1)]
    parsed = parse(policy(*made, rule(len(made) + 1, "any", keep)))
    found = expiring(parsed, images, NOW)
    taken = [expiry.image.digest for expiry in found]
    assert len(set(taken)) == len(taken)
    assert not any(expiry.image.listed for expiry in found)
    assert sum(expiry.priority == len(made) + 1 for expiry in found) <= max(0, len(images) - keep)
    left = [one for one in images if one.digest not in taken]
    assert expiring(parsed, left, NOW) == []  # it settles at once


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(SqliteJournal(tmp_path / "store.sqlite"), [*model.TABLES, tags], Sealer(bytes(32)))
    store.open()
    with store.tx() as tx:
        tx.put(model.repositories, model.Repository(key=model.repositories.key(SCOPE, "app"), created=NOW))
    yield store
    await store.durable()
    store.close()


def push(store: Store, data: bytes, pushed: float, tag: str | None = None) -> str:
    with store.tx() as tx:
        made = model.put_image(tx, SCOPE, "app", parse_manifest(data, ""), pushed)
        if tag is not None:
            model.put_tag(tx, made, tag)
    return made.digest


async def test_the_controller(store: Store) -> None:
    clock = ManualClock(NOW)
    controller = Lifecycle(store, clock)
    key = model.lifecycle_policies.key(SCOPE, "app")
    assert await controller.reconcile(key) is None
    child = image(b"{}", b"1")
    for number, data in enumerate([child, index([child]), image(b"{}", b"2")]):
        push(store, data, NOW - 9 + number, f"v{number}")
    with store.tx() as tx:
        tx.put(model.lifecycle_policies, model.LifecyclePolicy(key=key, text=policy(rule(count=1))))
    assert list(controller.keys()) == [key]
    assert await controller.reconcile(key) == NOW + PERIOD
    # The index goes, and with the next evaluation the image that it had listed.
    assert len(model.images_of(store, SCOPE, "app")) == 2
    newest = push(store, image(b"{}", b"3"), NOW, "v3")
    assert await controller.reconcile(key) == NOW + PERIOD
    assert len(model.images_of(store, SCOPE, "app")) == 3
    clock.advance(PERIOD)
    assert await controller.reconcile(key) == NOW + 2 * PERIOD
    assert [one.digest for one in model.images_of(store, SCOPE, "app")] == [newest]
    assert store.index(model.tags, "repository", (SCOPE, "app"))[0].tag == "v3"
