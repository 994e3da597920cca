"""Which zones a load balancer's name leads to."""

from __future__ import annotations

import pytest

from hatoba.services.elbv2.plan import attributes as keys
from hatoba.services.elbv2.plan.failover import Seen, fit

OFF = {keys.DNS_COUNT: "1", keys.DNS_PERCENT: "off"}
ZONES = ("a", "b")


def seen(text: str) -> Seen:
    """`a+ b- all+`: zones of targets, healthy or not."""
    targets = tuple((each[:-1], each.endswith("+")) for each in text.split())
    return Seen(attributes=OFF, targets=targets)


@pytest.mark.parametrize(
    ("groups", "left"),
    [
        ([], "ab"),
        ([seen("a+ b+")], "ab"),
        ([seen("a+ b-")], "a"),
        ([seen("a+")], "a"),
        ([seen("a- b-")], "ab"),
        ([seen("")], "ab"),
        ([seen("a- all+")], "ab"),
        ([seen("a+ b-"), seen("a- b+")], "ab"),
        ([seen("a+ b+"), seen("a+ b-")], "a"),
        ([Seen(attributes={**OFF, keys.DNS_COUNT: "2"}, targets=(("a", True), ("a", True), ("b", True)))], "a"),
        ([Seen(attributes={**OFF, keys.DNS_COUNT: "off"}, targets=(("a", True),))], "ab"),
        (
            [
                Seen(
                    attributes={**OFF, keys.DNS_PERCENT: "50"},
                    targets=(("a", True), ("a", False), ("b", True), ("b", False), ("b", False)),
                )
            ],
            "a",
        ),
    ],
)
def test_zones_with_too_few_healthy_targets_are_left_out(groups: list[Seen], left: str) -> None:
    assert fit(ZONES, groups) == frozenset(left)
