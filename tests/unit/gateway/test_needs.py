"""Rules of the rooms' tables: what is needed for which request."""

from __future__ import annotations

from typing import Any, cast

import pytest

from hatoba.gateway.call import Call
from hatoba.gateway.needs import (
    Access,
    Need,
    Params,
    Passed,
    acting,
    all_of,
    anyone,
    inside,
    member,
    named,
    on,
    tag_keys,
    untagged,
    when,
)

NOBODY = cast(Call, None)  # the rules below ask nothing of it


def thing(call: Call, name: str) -> str:
    return f"arn:aws:store:eu-west-1:123456789012:thing/{name}"


THINGS = named("things", thing)
A, B = thing(NOBODY, "a"), thing(NOBODY, "b")


def needs(rule: Any, **req: Any) -> list[Need]:
    return list(Access("store", {"Do": rule}).needs("Do", req, NOBODY))


def said(found: list[Need]) -> list[tuple[str, str]]:
    return [(need.action, need.resource) for need in found]


def test_what_a_room_forgot_needs_its_action_on_everything() -> None:
    assert list(Access("store", {}).needs("Steal", {}, NOBODY)) == [Need(action="store:Steal", resource="*")]


def test_each_resource_that_is_named_is_needed_once() -> None:
    assert said(needs(on(THINGS), things=["a", B, "a"])) == [("store:Do", A), ("store:Do", B)]
    assert said(needs(on(named("thing", thing)), thing="a")) == [("store:Do", A)]


def test_where_none_is_named_everything_is_needed() -> None:
    assert said(needs(on(THINGS))) == [("store:Do", "*")]
    assert said(needs(on())) == [("store:Do", "*")]


def test_tags_at_creation_are_seen_by_policies_and_need_the_tagging_action_too() -> None:
    rule = on(THINGS, tags="tags", tagging="TagResource")
    given = {"aws:TagKeys": ["stage"], "aws:RequestTag/stage": "beta"}
    assert needs(rule, things=["a"], tags=[{"key": "stage", "value": "beta"}]) == [
        Need(action="store:Do", resource=A, keys=given),
        Need(action="store:TagResource", resource=A, keys={**given, "store:CreateAction": "Do"}),
    ]
    assert said(needs(rule, things=["a"], tags=[])) == [("store:Do", A)]


def test_roles_that_are_handed_over_need_to_be_passed() -> None:
    rule = on(passes=(Passed(member="roleArn", to="x.amazonaws.com"), Passed(member="many.role", to="y.amazonaws.com")))
    found = needs(rule, roleArn="r1", many=[{"role": "r2"}, {"role": "r2"}, {}, {"role": "r3"}])
    assert said(found) == [
        ("store:Do", "*"),
        ("iam:PassRole", "r1"),
        ("iam:PassRole", "r2"),
        ("iam:PassRole", "r3"),
    ]
    assert [need.keys for need in found[1:]] == [
        {"iam:PassedToService": "x.amazonaws.com"},
        {"iam:PassedToService": "y.amazonaws.com"},
        {"iam:PassedToService": "y.amazonaws.com"},
    ]


def test_rules_are_put_together() -> None:
    both = all_of(acting("store:Read", THINGS), acting("store:Write", named("to", thing)))
    assert said(needs(both, things=["a"], to="b")) == [("store:Read", A), ("store:Write", B)]
    also = on(THINGS, also=(when(lambda req: req.get("secret"), acting("kms:Decrypt")),))
    assert said(needs(also, things=["a"])) == [("store:Do", A)]
    assert said(needs(also, things=["a"], secret=True)) == [("store:Do", A), ("kms:Decrypt", "*")]
    assert needs(anyone) == needs(inside) == []


def test_keys_of_a_rule_stand_at_every_resource() -> None:
    def cluster(req: Params, call: Call) -> dict[str, str]:
        return {"store:cluster": req["cluster"]}

    assert [need.keys for need in needs(on(THINGS, keys=cluster), things=["a", "b"], cluster="c")] == [
        {"store:cluster": "c"}
    ] * 2
    assert needs(on(keys=untagged("keys")), keys=["x", "y"])[0].keys == {"aws:TagKeys": ["x", "y"]}


@pytest.mark.parametrize(
    "given",
    [
        [{"key": "a", "value": "1"}],
        [{"Key": "a", "Value": "1"}],
        [{"TagKey": "a", "TagValue": "1"}],
        {"a": "1"},
        [{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "1"}]}],
    ],
)
def test_tags_are_read_in_every_form(given: Any) -> None:
    assert tag_keys(given) == {"aws:TagKeys": ["a"], "aws:RequestTag/a": "1"}


@pytest.mark.parametrize("req", [{}, {"a": None}, {"a": 3}, {"a": {"b": [1, {"c": "x"}]}}, {"a": ["x"]}, {"a": ""}])
def test_a_rule_does_not_stumble_over_what_is_malformed(req: dict[str, Any]) -> None:
    assert list(member(req, "a.b")) == []


def test_the_resources_own_policy_goes_along_with_the_rooms_actions() -> None:
    def policy_of(call: Call, arn: str) -> str | None:
        return "{}" if arn == A else None

    rule = on(THINGS, passes=(Passed(member="role", to="x"),))
    access = Access("store", {"Do": rule}, policy_of=policy_of)
    found = list(access.needs("Do", {"things": ["a", "b"], "role": A}, NOBODY))
    assert [(need.resource, need.policy, need.trusts_account) for need in found] == [
        (A, "{}", True),
        (B, None, True),
        (A, None, True),  # iam:PassRole is no action of this room
    ]
    strict = Access("store", {"Do": rule}, policy_of=policy_of, trusts_account=False)
    assert [need.trusts_account for need in strict.needs("Do", {"things": ["a", "b"]}, NOBODY)] == [False, False]


def test_a_tag_that_is_given_twice_has_both_values() -> None:
    """Or policies would be asked about the one, and the resource be given the other."""
    given = [{"Key": "team", "Value": "blue"}, {"Key": "team", "Value": "red"}, {"Key": "a", "Value": "1"}]
    assert tag_keys(given) == {
        "aws:TagKeys": ["team", "a"],
        "aws:RequestTag/team": ["blue", "red"],
        "aws:RequestTag/a": "1",
    }
