"""What CloudWatch Logs' requests need to be allowed, in the forms of ARNs that its user guide has for policies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hatoba.gateway.tags import Tags, tags
from hatoba.services.logs.access import ACCESS
from tests.unit.services.asked import SCOPE, Asked

HERE = f"arn:aws:logs:{SCOPE.region}:{SCOPE.account}"
G = {"logGroupName": "app"}
S = {**G, "logStreamName": "web/1"}


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    asked = Asked("logs", ACCESS, tags)
    asked.put(tags, Tags(key=tags.key(SCOPE, f"{HERE}:log-group:app"), tags={"team": "blue"}))
    yield asked
    asked.close()


@pytest.mark.parametrize(
    ("operation", "req", "resources"),
    [
        ("CreateLogGroup", G, ["log-group:app:log-stream:"]),
        ("CreateLogStream", S, ["log-group:app:log-stream:web/1"]),
        ("PutLogEvents", {**S, "logEvents": [{"timestamp": 1, "message": "a"}]}, ["log-group:app:log-stream:web/1"]),
        ("GetLogEvents", {"logGroupIdentifier": f"{HERE}:log-group:app", "logStreamName": "s"},
         ["log-group:app:log-stream:s"]),
        ("FilterLogEvents", {**G, "logStreamNames": ["s"]}, ["log-group:app:log-stream:"]),
        ("FilterLogEvents", {"logGroupIdentifier": "arn:aws:logs:eu-west-1:999999999999:log-group:app"},
         ["arn:aws:logs:eu-west-1:999999999999:log-group:app:log-stream:"]),
        ("DescribeLogStreams", {}, ["log-group::log-stream:"]),
        ("DescribeLogGroups", {"logGroupNamePrefix": "app"}, ["log-group::log-stream:"]),
        ("DescribeLogGroups", {"logGroupIdentifiers": ["app"]}, ["log-group::log-stream:"]),
        ("StartLiveTail", {"logGroupIdentifiers": [f"{HERE}:log-group:a", f"{HERE}:log-group:b"]},
         ["log-group:a:log-stream:", "log-group:b:log-stream:"]),
        ("TagResource", {"resourceArn": f"{HERE}:log-group:app", "tags": {"a": "b"}}, ["log-group:app"]),
        ("ListTagsForResource", {"resourceArn": f"{HERE}:log-group:app"}, ["log-group:app"]),
        ("TagLogGroup", {**G, "tags": {"a": "b"}}, ["log-group:app:log-stream:"]),
        ("TestMetricFilter", {"filterPattern": "", "logEventMessages": ["a"]}, ["*"]),
    ],
)  # fmt: skip
def test_groups_and_streams(asked: Asked, operation: str, req: dict[str, Any], resources: list[str]) -> None:
    assert asked.said(operation, **req) == [f"logs:{operation} {resource}" for resource in resources]


def test_tags_at_creation_need_the_right_to_tag_the_group_by_its_plain_arn(asked: Asked) -> None:
    assert asked.said("CreateLogGroup", **G, tags={"a": "b"}) == [
        "logs:CreateLogGroup log-group:app:log-stream:",
        "logs:TagResource log-group:app",
    ]
    for need in asked.needs("CreateLogGroup", logGroupName="new", tags={"a": "b"}):
        assert need.keys == {"aws:TagKeys": ["a"], "aws:RequestTag/a": "b"}
    assert asked.keys("UntagLogGroup", logGroupName="new", tags=["a"]) == {"aws:TagKeys": ["a"]}


def test_a_groups_tags_are_those_of_what_is_in_it_and_no_other_groups(asked: Asked) -> None:
    assert asked.keys("PutRetentionPolicy", **G, retentionInDays=1) == {"aws:ResourceTag/team": "blue"}
    assert asked.keys("CreateLogStream", **S) == {"aws:ResourceTag/team": "blue"}
    both = asked.needs("StartLiveTail", logGroupIdentifiers=[f"{HERE}:log-group:app", f"{HERE}:log-group:other"])
    assert [dict(need.keys) for need in both] == [{"aws:ResourceTag/team": "blue"}, {}]
