"""What a change of one peer costs beside many others: counted in what is parsed, not in time."""

from __future__ import annotations

import sys
from types import FrameType

import pytest

from hatoba.network import checks, further, holders
from hatoba.network.base import Peer


def peers(count: int, *, groups: tuple[str, ...] = ("sg-1",)) -> tuple[Peer, ...]:
    return tuple(Peer(address=f"10.0.{n // 250}.{n % 250 + 1}", node="192.0.2.7", groups=groups) for n in range(count))


def test_the_address_of_a_peer_is_known_without_parsing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [*peers(3), Peer(address="10.0.0.9", node="192.0.2.7", address6="2001:db8::9", further=("10.0.0.10",))]
    monkeypatch.setattr(further, "IPv4Network", None)
    assert [holders.own(each) for each in known] == [
        {"10.0.0.1"},
        {"10.0.0.2"},
        {"10.0.0.3"},
        {"10.0.0.9", "2001:db8::9", "10.0.0.10"},
    ]


def test_blocks_are_still_taken_apart() -> None:
    block = Peer(address="10.0.0.9", node="192.0.2.7", further=("10.0.0.16/30", "2001:db8:0:1:5::/80"))
    own = {"10.0.0.9", "10.0.0.16", "10.0.0.17", "10.0.0.18", "10.0.0.19", "2001:db8:0:1:5::/80"}
    assert holders.own(block) == own


def calls(given: tuple[Peer, ...]) -> int:
    count = 0

    def note(_: FrameType, event: str, __: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        checks.peers(given)
    finally:
        sys.setprofile(None)
    return count


def test_peers_are_looked_at_once() -> None:
    checks.peers(peers(200))
    assert calls(peers(200)) < 10
    another = Peer(address="10.9.9.9", node="192.0.2.7")
    assert 0 < calls((*peers(200), another)) < 40


@pytest.mark.parametrize(
    "wrong",
    [
        Peer(address="10.0.0.256", node="192.0.2.7"),
        Peer(address="10.0.0.1", node="somewhere"),
        Peer(address="10.0.0.1", node="192.0.2.7", groups=("sg 1; drop",)),
        Peer(address="10.0.0.1", node="192.0.2.7", further=("10.0.0.0/8",)),
    ],
)
def test_a_wrong_one_is_refused_every_time(wrong: Peer) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match=r"\S"):
            checks.peers((*peers(3), wrong))
