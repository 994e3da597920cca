"""URLs that hand something out: who has none gets nothing, and one opens what it was given for, in its time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.conformance.elbv2.test_elbv2_contents import content
from tests.conformance.elbv2.test_elbv2_trust import FILES, bucket, store
from tests.conformance.elbv2.world import World, world
from tests.conformance.threats.disarm import without


async def location(w: World, trust: str) -> str:
    found: str = (await w.elb.get_trust_store_ca_certificates_bundle(TrustStoreArn=trust))["Location"]
    return found


async def without_a_token(w: World, trust: str) -> bool:
    place, _, _ = (await location(w, trust)).partition("?")
    return (await content(w, place))[0] == 200


async def with_a_token_that_was_made_up(w: World, trust: str) -> bool:
    place, _, token = (await location(w, trust)).partition("?token=")
    flipped = ("B" if token[20] == "A" else "A") + token[21:]
    return (await content(w, f"{place}?token={token[:20]}{flipped}"))[0] == 200


async def with_the_token_of_another_file(w: World, trust: str) -> bool:
    asked = [{"S3Bucket": "pki", "S3Key": "crl.pem"}]
    await w.elb.add_trust_store_revocations(TrustStoreArn=trust, RevocationContents=asked)
    url = await location(w, trust)
    return (await content(w, url.replace("/bundle?", "/revocations/1?")))[0] == 200


async def with_the_token_of_ones_own_store(w: World, trust: str) -> bool:
    own = await store(w, name="mine")
    return (await content(w, (await location(w, own)).replace(own, trust)))[0] == 200


async def too_late(w: World, trust: str) -> bool:
    url = await location(w, trust)
    w.clock.advance(600.5)
    return (await content(w, url))[0] == 200


async def with_the_token_of_a_page(w: World, trust: str) -> bool:
    """Markers are sealed with the same key."""
    await store(w, name="more")
    marker = (await w.elb.describe_trust_stores(PageSize=1))["NextMarker"]
    place, _, _ = (await location(w, trust)).partition("?")
    return (await content(w, f"{place}?token={marker}"))[0] == 200


Attack = Callable[[World, str], Awaitable[bool]]
CHECK = "hatoba.services.elbv2.handed:_valid"
FORGED = (CHECK, "except BadToken:\n        return False", "except BadToken:\n        return True")
LATE = (CHECK, "platform.clock.now() < float(until)", "True")
THREATS: list[tuple[Attack, tuple[str, str, str]]] = [
    (without_a_token, FORGED),
    (with_a_token_that_was_made_up, FORGED),
    (with_the_token_of_another_file, FORGED),
    (with_the_token_of_ones_own_store, FORGED),
    (with_the_token_of_a_page, FORGED),
    (too_late, LATE),
]


@pytest.mark.parametrize(("attack", "check"), THREATS, ids=[attack.__name__ for attack, _ in THREATS])
async def test_refused_by_a_check_that_is_needed(attack: Attack, check: tuple[str, str, str], tmp_path: Path) -> None:
    async with world(tmp_path, further=(bucket(FILES),)) as w:
        trust = await store(w)
        assert not await attack(w, trust)
    (tmp_path / "again").mkdir()
    async with world(tmp_path / "again", further=(bucket(FILES),)) as w:
        trust = await store(w)
        with without(*check):
            assert await attack(w, trust), "it is not this check that refuses it"
