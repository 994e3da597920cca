"""How long is waited with the next Envoy after one that came to nothing."""

from __future__ import annotations

from itertools import islice

from hatoba.proxy.handover import pauses


def test_the_next_one_is_tried_at_once_and_others_ever_more_slowly() -> None:
    """Who dies as it takes over leaves nobody listening; who always dies must not keep the machine busy."""
    first, *others = islice(pauses(), 30)
    assert first == 0
    assert others == sorted(others)
    assert others[0] <= 0.1
    assert sum(others[:10]) > 60, "ten in a minute are too many"
    assert others[-1] == 600
