"""Policy documents: what is kept can be evaluated, whatever somebody wrote; and records of the first schema."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hatoba.aws.shapes import iam as t
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.core.secret import Sealer
from hatoba.gateway.access import root
from hatoba.services.iam import documents
from hatoba.services.iam.model import policies
from hatoba.services.sts.plan.trust import allows
from hatoba.store.codec import Codec

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["*", "Allow", "sts:AssumeRole", "arn:x", ""]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["AWS", "StringEquals", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
NAMES = ["Effect", "Action", "NotAction", "Principal", "NotPrincipal", "Resource", "Condition", "Sid"]
GOOD = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}
SPOILED = st.builds(
    lambda changed, gone: {name: value for name, value in {**GOOD, **changed}.items() if name not in gone},
    st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=2),
    st.sets(st.sampled_from(NAMES), max_size=1),
)
DOCUMENTS = st.builds(
    lambda found: json.dumps({"Statement": found}), SPOILED | st.lists(SPOILED, max_size=2) | ANYTHING
)


@given(DOCUMENTS | st.text(max_size=20) | ANYTHING.map(json.dumps))
def test_whatever_is_written_is_refused_or_can_be_evaluated(document: str) -> None:
    for check in (documents.check_trust, documents.check_identity):
        if refusal(check, document) is None:
            assert allows(document, "sts:AssumeRole", root("aws", "123456789012"), (), {"aws:x": "x"}) in (True, False)


def refusal(check: Callable[[str], None], document: str) -> AwsError | None:
    try:
        check(document)
    except t.MalformedPolicyDocumentException as error:
        return error
    return None


@given(st.text(" \t\r\nab", max_size=20))
def test_white_space_does_not_count(text: str) -> None:
    assert documents.size(text) == text.count("a") + text.count("b")


def test_a_policy_of_the_first_schema_has_one_version() -> None:
    old = {
        "key": policies.key(Scope("aws", "123456789012", ""), "read"),
        "version": 3,
        "name": "Read",
        "unique": "ANPA",
        "document": "{}",
        "created": 5.0,
    }
    decoder = Codec(Sealer(bytes(32))).decoder(policies)
    policy = decoder.decode(decoder.migrate(msgspec.msgpack.encode(old), 1))
    assert (policy.name, policy.version, policy.default, policy.made, policy.updated) == ("Read", 3, "v1", 1, 5.0)
    assert [(version.id, version.document) for version in policy.versions] == [("v1", "{}")]
