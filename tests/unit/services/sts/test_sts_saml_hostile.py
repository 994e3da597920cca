"""Whatever becomes of an assertion on its way: it says what its provider signed, or it is refused, and nothing else."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

from hatoba.services.sts.plan.saml.assertion import Assertion
from hatoba.services.sts.plan.saml.reading import read
from hatoba.services.sts.plan.saml.words import BadAssertion
from tests.conformance.iam.assertions import OURS, assertion, metadata, response, signed

NOW = 1_800_000_000.0
SAID = {f"{OURS}Role": ["a,b"], f"{OURS}RoleSessionName": ["ann"], f"{OURS}PrincipalTag:team": ["a"]}
TIMES = 150


def asked(sent: str) -> Assertion:
    return read(sent, metadata(), "ASSP1", lambda wrapped, digest, mask: [], NOW, encrypted=False)


def bytes_changed(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    match chance.randrange(4):
        case 0:
            return data[:place] + bytes([chance.randrange(256)]) + data[place + 1 :]
        case 1:
            return data[:place]
        case 2:
            return data[:place] + data[place + chance.randrange(1, 60) :]
        case _:
            return data[:place] + data[chance.randrange(len(data)) :][:40] + data[place:]


def tree_changed(data: bytes, chance: random.Random) -> bytes:
    root = etree.fromstring(data)
    every = list(root.iter("*"))
    one, other = chance.choice(every[1:]), chance.choice(every)
    match chance.randrange(4):
        case 0:
            one.getparent().remove(one)
        case 1:
            one.text = chance.choice(["", "x", "9" * 400, "\u2603"])
        case 2:
            if one.attrib:
                one.set(
                    chance.choice(list(one.attrib)),
                    chance.choice(["", "x", "#_a1", "_r1", "0001-01-01T00:00:00+23:59"]),
                )
        case _:
            if other not in one.iter():
                other.append(one)
    return etree.tostring(root)


@pytest.mark.parametrize("sign", ["assertion", "response"])
@pytest.mark.parametrize("change", [bytes_changed, tree_changed])
def test_it_is_as_it_was_signed_or_it_is_refused(sign: Any, change: Callable[[bytes, random.Random], bytes]) -> None:
    chance = random.Random(f"{sign} {change.__name__}")
    whole = base64.b64decode(response(assertion(NOW, SAID), sign=sign))
    true = asked(base64.b64encode(whole).decode())
    refused = 0
    for _ in range(TIMES):
        try:
            assert asked(base64.b64encode(change(whole, chance)).decode()) == true
        except BadAssertion:
            refused += 1
    assert refused > TIMES / 2


def test_what_a_provider_itself_may_say() -> None:
    """Its account's owner chose it, and it may be anything: it is read, or refused, all the same."""
    chance = random.Random(7)
    strange = ["", "x" * 5000, "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "NaN", ",", "a,b,c", "\u0661"]
    for _ in range(TIMES):
        element = etree.fromstring(assertion(NOW, SAID))
        for _ in range(chance.randrange(1, 4)):
            one = chance.choice(list(element.iter("*"))[1:])
            if one.attrib and chance.random() < 0.6:
                one.set(chance.choice(list(one.attrib)), chance.choice(strange))
            elif chance.random() < 0.5:
                one.text = chance.choice(strange)
            elif one.getparent() is not None:
                one.getparent().remove(one)
        inside = etree.tostring(signed(element, "idp")).decode()
        try:
            found = asked(response(inside, sign="nothing"))
        except BadAssertion:
            continue
        assert isinstance(found, Assertion)
