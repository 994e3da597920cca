"""What holds of all policies."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hatoba.policy.decision import Applicable, Decision, decide
from hatoba.policy.document import parse, read, render
from hatoba.policy.principals import Caller
from hatoba.policy.request import Keys, Request
from hatoba.policy.rules import Bundle, compile_document

ACCOUNT = "123456789012"
USER, ROLE = f"arn:aws:iam::{ACCOUNT}:user/Bob", f"arn:aws:iam::{ACCOUNT}:role/App"
CALLERS = [
    Caller(account=ACCOUNT, arn=USER, id="AIDA"),
    Caller(account=ACCOUNT, arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/App/one", id="AROA:one", role=ROLE),
    Caller(account=ACCOUNT, arn=f"arn:aws:iam::{ACCOUNT}:root", id=ACCOUNT, root=True),
    Caller(account="999999999999", arn="arn:aws:iam::999999999999:user/Eve", id="AIDB"),
    Caller(services=frozenset(["ecs.amazonaws.com"])),
    Caller(),
]

actions = st.sampled_from(["*", "s3:*", "s3:Get*", "s3:GetObject", "s3:PutObject", "S3:g?tObject", "ec2:*", "*:Get*"])
resources = st.sampled_from(
    ["*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/k", "arn:aws:s3:::*", "arn:aws:s3", "arn:aws:s3:::b/${aws:username}"]
)
principals = st.sampled_from(
    ["*", {"AWS": ACCOUNT}, {"AWS": USER}, {"AWS": [ROLE, "999999999999"]}, {"Service": "ecs.amazonaws.com"}]
)
conditions = st.dictionaries(
    st.sampled_from(
        [
            "StringEquals",
            "StringNotEquals",
            "StringLikeIfExists",
            "ForAllValues:StringLike",
            "ForAnyValue:StringLike",
            "NumericLessThan",
            "IpAddress",
            "Null",
            "Bool",
        ]
    ),
    st.dictionaries(st.sampled_from(["s3:a", "s3:b"]), st.sampled_from(["a", "*", "1", "true", "10.0.0.0/8"])),
    max_size=2,
)


@st.composite
def statements(draw: st.DrawFn, effects: tuple[str, ...] = ("Allow", "Deny"), named: bool = False) -> dict[str, Any]:
    raw: dict[str, Any] = {"Effect": draw(st.sampled_from(effects))}
    raw[draw(st.sampled_from(["Action", "Action", "NotAction"]))] = draw(st.lists(actions, min_size=1, max_size=2))
    raw[draw(st.sampled_from(["Resource", "Resource", "NotResource"]))] = draw(st.lists(resources, min_size=1))
    if named:
        raw[draw(st.sampled_from(["Principal", "Principal", "NotPrincipal"]))] = draw(principals)
    if draw(st.booleans()):
        raw["Condition"] = draw(conditions)
    return raw


def several(named: bool = False, effects: tuple[str, ...] = ("Allow", "Deny")) -> st.SearchStrategy[list[Any]]:
    return st.lists(statements(effects, named), min_size=1, max_size=4)


requests = st.builds(
    Request,
    st.sampled_from(["s3:GetObject", "s3:PutObject", "ec2:RunInstances"]),
    st.sampled_from(["arn:aws:s3:::b/k", "arn:aws:s3:::b/Bob", "arn:aws:s3:::other/k", "*"]),
    st.sampled_from(CALLERS),
    st.builds(
        Keys,
        st.dictionaries(
            st.sampled_from(["s3:a", "s3:b", "aws:username"]),
            st.one_of(st.sampled_from(["a", "Bob", "0", "true", "10.1.1.1"]), st.lists(st.sampled_from("ab"))),
        ),
    ),
)


def bundle(raw: list[Any]) -> Bundle:
    return Bundle([("it", compile_document(parse(json.dumps({"Version": "2012-10-17", "Statement": raw}))))])


def decided(request: Request, **kinds: list[Any] | None) -> Decision:
    found = {kind: bundle(raw) for kind, raw in kinds.items() if raw is not None}
    same = request.caller.account in ("", ACCOUNT)
    return decide(request, Applicable(identity=found.pop("identity", Bundle([])), **found, same_account=same))


maybe = st.one_of(st.none(), several())
named = st.one_of(st.none(), several(named=True))


@given(requests, several(), maybe, maybe, named, statements(("Deny",)))
def test_a_deny_that_applies_always_wins(
    request: Request, identity: Any, boundary: Any, session: Any, resource: Any, deny: Any
) -> None:
    everywhere = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    kinds = {"identity": identity, "boundary": boundary, "session": session, "resource": resource}
    for kind, raw in kinds.items():
        if raw is not None:
            whose = {"Principal": "*"} if kind == "resource" else {}
            assert decided(request, **kinds | {kind: [*raw, everywhere | whose]}).explicit
    if decided(request, **kinds | {"identity": [deny]}).explicit:
        assert not decided(request, **kinds | {"identity": [*identity, deny]}).allowed


@given(requests, several(), maybe, maybe, named, statements(("Allow",)), statements(("Allow",), named=True))
def test_another_allow_never_takes_anything_away(
    request: Request, identity: Any, boundary: Any, session: Any, resource: Any, allow: Any, grant: Any
) -> None:
    kinds = {"identity": identity, "boundary": boundary, "session": session, "resource": resource}
    if not decided(request, **kinds).allowed:
        return
    for kind, raw in kinds.items():
        if raw is not None:
            assert decided(request, **kinds | {kind: [*raw, grant if kind == "resource" else allow]}).allowed


@given(requests, several(), maybe, maybe, named, several(effects=("Deny",)))
def test_denies_never_add_anything(
    request: Request, identity: Any, boundary: Any, session: Any, resource: Any, denies: Any
) -> None:
    kinds = {"identity": identity, "boundary": boundary, "session": session, "resource": resource}
    if decided(request, **kinds | {"identity": identity + denies}).allowed:
        assert decided(request, **kinds).allowed


@given(requests, several(), several(), named)
def test_boundaries_and_sessions_are_intersections(request: Request, identity: Any, limit: Any, resource: Any) -> None:
    for kind in ("boundary", "session"):
        if decided(request, identity=identity, resource=resource, **{kind: limit}).allowed:
            assert decided(request, identity=identity, resource=resource).allowed
        if request.caller is CALLERS[0] and decided(request, identity=identity, **{kind: limit}).allowed:
            assert decided(request, identity=limit).allowed


@given(requests, several(), maybe, named, st.randoms(use_true_random=False))
def test_the_order_of_statements_means_nothing(
    request: Request, identity: Any, boundary: Any, resource: Any, chance: random.Random
) -> None:
    before = decided(request, identity=identity, boundary=boundary, resource=resource)
    shuffled = [raw and chance.sample(raw, len(raw)) for raw in (identity, boundary, resource)]
    after = decided(request, identity=shuffled[0], boundary=shuffled[1], resource=shuffled[2])
    assert (before.allowed, before.explicit, before.by) == (after.allowed, after.explicit, after.by)


@given(requests, several(), several())
def test_one_policy_or_many_is_the_same(request: Request, some: Any, others: Any) -> None:
    texts = [json.dumps({"Version": "2012-10-17", "Statement": raw}) for raw in (some, others)]
    apart = Bundle([(text, compile_document(parse(text))) for text in texts])
    together = decide(request, Applicable(identity=bundle(some + others)))
    found = decide(request, Applicable(identity=apart))
    assert (found.allowed, found.explicit, found.by) == (together.allowed, together.explicit, together.by)


@given(several(named=True))
def test_what_is_written_reads_the_same(raw: list[Any]) -> None:
    document = parse(json.dumps({"Version": "2012-10-17", "Statement": raw}))
    assert parse(render(document)) == document
    assert render(parse(render(document))) == render(document)


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    document = read(text)
    assert not document.statements or parse(render(document)) == document
