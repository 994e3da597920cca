"""What a session may be asked to be: policies, tags, source identity."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from hatoba.core.errors import AwsError
from hatoba.core.reach import may_be_asked
from hatoba.gateway.call import SessionContext
from hatoba.services.sts.plan.limits import packed, wish

ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


def tags(**given: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


def before(**given: Any) -> SessionContext:
    return SessionContext(issued=0.0, **given)


def refused(code: str, asked: dict[str, Any], session: SessionContext | None = None) -> str:
    with pytest.raises(AwsError) as caught:
        wish(asked, session)
    assert caught.value.code == code
    return str(caught.value)


def test_transitive_tags_and_the_source_identity_go_along() -> None:
    session = before(tags=(("team", "a"), ("mine", "b")), transitive=("team",), source_identity="ann")
    wished = wish({"Tags": tags(cost="1", lot="2"), "TransitiveTagKeys": ["cost"]}, session)
    assert wished.tags == (("team", "a"), ("cost", "1"), ("lot", "2"))
    assert wished.transitive == ("team", "cost")
    assert wished.source_identity == "ann"
    assert wish({"SourceIdentity": "ann"}, session).source_identity == "ann"
    refused("AccessDenied", {"SourceIdentity": "bob"}, session)
    refused("ValidationError", {"Tags": tags(TEAM="b")}, session)  # nobody changes what is transitive


@pytest.mark.parametrize(
    "asked",
    [
        {"Tags": tags(a="1", A="2")},
        {"Tags": tags(**{"aws:team": "1"})},
        {"Tags": tags(a="1"), "TransitiveTagKeys": ["b"]},
        {"Tags": tags(**{f"k{number}": "v" for number in range(51)})},
        {"SourceIdentity": "aws:me"},
        {"PolicyArns": [{"arn": f"arn:aws:iam::aws:policy/P{number}"} for number in range(11)]},
        {"PolicyArns": [{"arn": "arn:aws:s3:::policy/x"}]},
        {"PolicyArns": [{}]},
    ],
)
def test_what_cannot_be(asked: dict[str, Any]) -> None:
    refused("ValidationError", asked)


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "{}",
        "not json",
        {"Statement": []},
        {"Statement": [7]},
        {"Version": "2013", "Statement": ALLOW},
        {"Statement": {**ALLOW, "Effect": "allow"}},
        {"Statement": {**ALLOW, "Principal": "*"}},
        {"Statement": {"Effect": "Allow", "Resource": "*"}},
        {"Statement": {"Effect": "Allow", "Action": "*"}},
        {"Statement": {**ALLOW, "Action": [7]}},
        {"Statement": {**ALLOW, "Condition": "never"}},
        {"Statement": {**ALLOW, "Condition": {"StringResembles": {"a": "b"}}}},
        {"Statement": {**ALLOW, "Ressource": "*"}},
        '{"Statement": {"Effect": "Allow", "Effect": "Deny", "Action": "*", "Resource": "*"}}',
    ],
)
def test_policies_that_are_none(document: Any) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    refused("MalformedPolicyDocument", {"Policy": text})


def test_how_much_there_may_be() -> None:
    small = wish({"Policy": json.dumps({"Statement": ALLOW}), "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/A"}] * 2})
    assert small.policy_arns == ("arn:aws:iam::aws:policy/A",)
    assert 1 <= packed(small) < 10
    assert packed(wish({})) <= 1
    for asked, ends in (
        ({"Policy": json.dumps({"Statement": ALLOW}) + " " * 2048}, "less than or equal to 2048"),
        ({"PolicyArns": [{"arn": f"arn:aws:iam::aws:policy/P{n}"} for n in range(11)]}, "less than or equal to 10"),
    ):
        with pytest.raises(AwsError) as caught:
            wish(asked)
        assert (caught.value.code, caught.value.message.partition(":")[0]) == (
            "ValidationError",
            "1 validation error detected",
        )
        assert caught.value.message.endswith(f"Member must have length {ends}")
    noise = {f"k{number}": hashlib.shake_128(str(number).encode()).hexdigest(128) for number in range(50)}
    with pytest.raises(AwsError) as caught:
        packed(wish({"Tags": tags(**noise)}))
    assert caught.value.code == "PackedPolicyTooLarge"


@pytest.mark.parametrize(
    ("address", "asked", "with_loopback"),
    [
        ("93.184.216.34", True, True),
        ("10.1.2.3", True, True),  # a provider in one's own network
        ("100.64.7.1", True, True),
        ("2606:2800:220:1::1", True, True),
        ("127.0.0.1", False, True),
        ("127.9.9.9", False, True),
        ("::1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("2002:a9fe:a9fe::1", False, False),
        ("169.254.169.254", False, False),
        ("169.254.170.2", False, False),
        ("fe80::1%eth0", False, False),
        ("fd00:ec2::254", False, False),
        ("0.0.0.0", False, False),
        ("0.1.2.3", False, False),
        ("::", False, False),
        ("224.0.0.1", False, False),
        ("255.255.255.255", False, False),
        ("ff02::1", False, False),
        ("somewhere", False, False),
    ],
)
def test_where_providers_may_be(address: str, asked: bool, with_loopback: bool) -> None:
    assert may_be_asked(address) is asked
    assert may_be_asked(address, loopback=True) is with_loopback
