"""What secrets are referred to by, and what is read, as values: forms, files of variables, hostile input."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.aws.shapes import ecs as t
from hatoba.core.secret import Secret
from hatoba.services.ecs.plan import secrets
from hatoba.services.ecs.plan.definition.check import register
from hatoba.services.ecs.plan.secrets import Parameter, Read, Reference, SecretVersion, Unreadable, Unusable
from tests.unit.services.ecs.world import ROLE, SCOPE, container, definition

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"


@pytest.mark.parametrize(
    ("text", "source", "key"),
    [
        ("host", Parameter(region="us-east-1", name="host"), ""),
        ("/a/b", Parameter(region="us-east-1", name="/a/b"), ""),
        ("arn:aws:ssm:eu-west-1:123456789012:parameter/host", Parameter(region="eu-west-1", name="host"), ""),
        ("arn:aws:ssm:eu-west-1:123456789012:parameter/a/b", Parameter(region="eu-west-1", name="/a/b"), ""),
        (
            "arn:aws:ssm:us-east-1:210987654321:parameter/shared",
            Parameter(region="us-east-1", name="arn:aws:ssm:us-east-1:210987654321:parameter/shared"),
            "",
        ),
        (ARN, SecretVersion(region="eu-west-1", secret=ARN), ""),
        (f"{ARN}:user::", SecretVersion(region="eu-west-1", secret=ARN), "user"),
        (f"{ARN}::AWSPREVIOUS:", SecretVersion(region="eu-west-1", secret=ARN, stage="AWSPREVIOUS"), ""),
        (f"{ARN}:::v1", SecretVersion(region="eu-west-1", secret=ARN, version="v1"), ""),
    ],
)
def test_forms_of_references(text: str, source: Parameter | SecretVersion, key: str) -> None:
    assert secrets.reference(text, SCOPE) == Reference(source=source, key=key)


@pytest.mark.parametrize(
    "text", ["", "a b", "a:1", "arn:aws:s3:::b/k", f"{ARN}:key", f"{ARN}:a:b:c:d", "arn:aws:ssm:r:1:x"]
)
def test_what_has_no_form(text: str) -> None:
    with pytest.raises(Unreadable):
        secrets.reference(text, SCOPE)


@given(
    st.text(max_size=80)
    | st.builds("arn:aws:{}:r:123456789012:{}".format, st.sampled_from(["ssm", "secretsmanager", "s3"]), st.text())
)
def test_any_text_is_a_reference_or_unreadable(text: str) -> None:
    try:
        found = secrets.reference(text, SCOPE)
    except Unreadable:
        return
    assert found.source


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True)
VALUES = st.text(st.characters(blacklist_characters="\n\r", blacklist_categories=["Cs"]), min_size=1, max_size=20)


@given(st.dictionaries(NAMES, VALUES), st.sampled_from(["\n", "\r\n"]))
def test_a_file_says_what_was_written_into_it(wanted: dict[str, str], end: str) -> None:
    text = end.join(f"# {name}{end}{name}=before{end}{end}{name}={value}" for name, value in wanted.items())
    assert secrets.variables(text) == wanted


@given(st.text())
def test_any_text_is_a_file(text: str) -> None:
    assert all(name and value for name, value in secrets.variables(text).items())


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner))
)
def test_a_member_is_text_or_said_to_be_unusable(value: object) -> None:
    source = SecretVersion(region="r", secret=ARN)
    read = Read(values={source: Secret(json.dumps(value))})
    wanted = Reference(source=source, key="key")
    if not isinstance(value, dict) or "key" not in value:
        with pytest.raises(Unusable):
            read.value(wanted)
        return
    found = read.value(wanted).reveal()
    assert found == value["key"] if isinstance(value["key"], str) else json.loads(found) == value["key"]


def test_whole_secrets_are_not_looked_into() -> None:
    source = SecretVersion(region="r", secret=ARN)
    assert Read(values={source: Secret("not json")}).value(Reference(source=source)).reveal() == "not json"


HOSTILE = st.text(max_size=40) | st.sampled_from([ARN, f"{ARN}:k", "arn:aws:s3:::b/k", "name", "", "\0", "${x}", "}"])


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "secrets": st.lists(st.fixed_dictionaries({"name": HOSTILE, "valueFrom": HOSTILE}), max_size=3),
            "environment": st.lists(
                st.fixed_dictionaries({}, optional={"name": HOSTILE, "value": HOSTILE}), max_size=3
            ),
            "environmentFiles": st.lists(st.fixed_dictionaries({"type": st.just("s3"), "value": HOSTILE}), max_size=12),
            "repositoryCredentials": st.fixed_dictionaries({"credentialsParameter": HOSTILE}),
            "firelensConfiguration": st.fixed_dictionaries(
                {"type": st.sampled_from(["fluentd", "fluentbit"])},
                optional={
                    "options": st.dictionaries(st.sampled_from(["config-file-type", "config-file-value", "x"]), HOSTILE)
                },
            ),
            "logConfiguration": st.fixed_dictionaries(
                {"logDriver": st.sampled_from(["awsfirelens", "awslogs", "splunk", "syslog"])},
                optional={
                    "options": st.dictionaries(HOSTILE, HOSTILE, max_size=3),
                    "secretOptions": st.lists(
                        st.fixed_dictionaries({"name": HOSTILE, "valueFrom": HOSTILE}), max_size=2
                    ),
                },
            ),
        },
    ),
    st.booleans(),
)
def test_hostile_definitions_are_refused_in_words(fields: dict[str, Any], role: bool) -> None:
    more = {"executionRoleArn": ROLE} if role else {}
    wanted = definition(
        containerDefinitions=[container(**fields), container("other", portMappings=[])],
        requiresCompatibilities=["EC2"],
        **more,
    )
    with contextlib.suppress(t.ClientException):  # and nothing else
        register(wanted)  # type: ignore[arg-type]
