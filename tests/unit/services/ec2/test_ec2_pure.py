"""Filters against a model, ids of zones, permissions gathered from rules."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.core.errors import AwsError
from hatoba.policy.patterns import ANY, STAR
from hatoba.services.ec2.filters import _made, matches, matching
from hatoba.services.ec2.model.group import GroupRule
from hatoba.services.ec2.views import zone_id
from hatoba.services.ec2.views.group import permissions

TEXT = st.text("ab*?\\[].", max_size=6)


def model(value: str, pattern: str) -> bool:
    """Letter by letter, with no regular expression."""
    if not pattern:
        return not value
    if pattern[0] == "*":
        return model(value, pattern[1:]) or (bool(value) and model(value[1:], pattern))
    if not value:
        return False
    if pattern[0] == "\\" and len(pattern) > 1:
        return value[0] == pattern[1] and model(value[1:], pattern[2:])
    return pattern[0] in ("?", value[0]) and model(value[1:], pattern[1:])


@given(TEXT, TEXT)
def test_patterns_know_two_signs_only(value: str, pattern: str) -> None:
    assert matches(value, pattern) == (value == pattern or model(value, pattern))


@given(st.text(max_size=10))
def test_every_value_is_found_by_itself(value: str) -> None:
    assert matches(value, value)
    assert matches(value, "*")


RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from("abc"),
            "kind": st.sampled_from("xy"),
            "tags": st.dictionaries(st.sampled_from("st"), st.sampled_from("12")),
        }
    ),
    max_size=6,
)
FILTERS = st.lists(
    st.fixed_dictionaries(
        {
            "Name": st.sampled_from(["name", "kind", "tag:s", "tag-key"]),
            "Values": st.lists(st.sampled_from(["a", "b", "x", "1", "s", "*"]), max_size=3),
        }
    ),
    max_size=3,
)


@given(RECORDS, FILTERS)
def test_filters_are_all_needed_and_any_value_does(
    records: list[dict[str, Any]], filters: list[dict[str, Any]]
) -> None:
    def values(record: dict[str, Any], name: str) -> list[str]:
        if name == "tag-key":
            return list(record["tags"])
        if name == "tag:s":
            return [record["tags"]["s"]] if "s" in record["tags"] else []
        return [record[name]]

    def passes(record: dict[str, Any], wanted: dict[str, Any]) -> bool:
        return any("*" in wanted["Values"] or value in wanted["Values"] for value in values(record, wanted["Name"]))

    known = {"name": lambda record: (record["name"],), "kind": lambda record: (record["kind"], None)}
    found = matching(records, filters, known, lambda record: record["tags"])
    assert found == [record for record in records if all(passes(record, wanted) for wanted in filters)]


def test_a_filter_that_nobody_knows_is_refused_even_when_there_is_nothing_to_filter() -> None:
    with pytest.raises(AwsError, match="The filter 'colour' is invalid"):
        matching([], [{"Name": "colour", "Values": []}], {}, lambda record: {})
    with pytest.raises(AwsError, match="The filter '' is invalid"):
        matching([], [{"Values": ["a"]}], {}, lambda record: {})


@pytest.mark.parametrize(
    ("zone", "id_"),
    [
        ("us-east-1a", "use1-az1"),
        ("us-west-2c", "usw2-az3"),
        ("ap-south-1b", "aps1-az2"),
        ("ap-southeast-1a", "apse1-az1"),
        ("ap-northeast-3a", "apne3-az1"),
        ("eu-central-1a", "euc1-az1"),
        ("us-gov-west-1a", "usgw1-az1"),
        ("cn-northwest-1a", "cnnw1-az1"),
        ("moona", "moon-az1"),
    ],
)
def test_zones_have_ids(zone: str, id_: str) -> None:
    assert zone_id(zone) == id_


RULES = st.lists(
    st.builds(
        GroupRule,
        id=st.uuids().map(str),
        protocol=st.sampled_from(["-1", "6", "17", "50"]),
        from_port=st.sampled_from([None, 80]),
        to_port=st.sampled_from([None, 80]),
        cidr=st.sampled_from(["10.0.0.0/8", "0.0.0.0/0"]),
        description=st.sampled_from([None, "a"]),
    )
    | st.builds(GroupRule, id=st.uuids().map(str), protocol=st.just("6"), group=st.sampled_from(["sg-1", "sg-2"])),
    max_size=8,
)


@given(RULES)
def test_permissions_hold_every_rule_once(rules: list[GroupRule]) -> None:
    gathered = permissions(rules, lambda rule: {"GroupId": rule.group or "", "UserId": "123456789012"})
    ends = [
        (each["IpProtocol"], each.get("FromPort"), end.get("CidrIp") or end["GroupId"], end.get("Description"))
        for each in gathered
        for end in (*each["IpRanges"], *each["UserIdGroupPairs"])
    ]
    names = {"6": "tcp", "17": "udp"}
    wanted = [(names.get(r.protocol, r.protocol), r.from_port, r.cidr or r.group, r.description) for r in rules]
    assert sorted(map(repr, ends)) == sorted(map(repr, wanted))
    ports = [(each["IpProtocol"], each.get("FromPort"), each.get("ToPort")) for each in gathered]
    assert len(set(ports)) == len(ports)
    assert all(re.fullmatch(r"-1|tcp|udp|50", protocol) for protocol, _, _ in ports)


def test_no_pattern_takes_long() -> None:
    """Anybody who may describe anything gives one, and tags have 256 characters: one of these would not end."""
    for pattern in ("*a" * 60 + "*b", "*a?" * 40 + "*b", "*" * 250 + "b", "*" * 100_000 + "b"):
        assert not matches("a" * 256, pattern)


def test_stars_in_a_row_are_one() -> None:
    """A hundred thousand of them would take seconds to compile."""
    assert _made("*" * 100_000 + "b").matches("ab")
    assert _made("a**\\**?*")._pieces == ("a", STAR, "*", STAR, ANY, STAR)
