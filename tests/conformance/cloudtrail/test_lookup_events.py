"""LookupEvents with boto3: what people did a moment ago."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance.ec2.networks import Platform, served
from tests.conformance.serving import fresh_account, refused


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with served(tmp_path_factory.mktemp("cloudtrail")) as platform:
        yield platform


@pytest.fixture
def account() -> str:
    return fresh_account()


@pytest.fixture
def iam(platform: Platform, account: str) -> Any:
    return platform.client("iam", account=account)


@pytest.fixture
def cloudtrail(platform: Platform, account: str) -> Any:
    return platform.client("cloudtrail", account=account)


def where(key: str, value: str) -> list[dict[str, str]]:
    return [{"AttributeKey": key, "AttributeValue": value}]


def names(answer: Any) -> list[str]:
    return [event["EventName"] for event in answer["Events"]]


def test_what_was_done_can_be_looked_up_at_once(iam: Any, cloudtrail: Any, account: str) -> None:
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    with pytest.raises(ClientError):
        iam.create_user(UserName="ann")
    answer = cloudtrail.lookup_events()
    assert names(answer)[:3] == ["CreateUser", "CreateAccessKey", "CreateUser"]
    failed, made_key, _ = answer["Events"][:3]
    event = json.loads(failed["CloudTrailEvent"])
    assert event["errorCode"] == "EntityAlreadyExists"
    assert event["userIdentity"]["type"] == "Root"
    assert event["sourceIPAddress"] in ("127.0.0.1", "::1")
    assert "Boto3" in event["userAgent"]
    assert (failed["Username"], failed["EventSource"], failed["ReadOnly"]) == ("root", "iam.amazonaws.com", "false")
    assert key["SecretAccessKey"] not in made_key["CloudTrailEvent"]
    assert key["AccessKeyId"] in made_key["CloudTrailEvent"]


def test_found_by_each_attribute(iam: Any, cloudtrail: Any, account: str) -> None:
    iam.create_user(UserName="bob")
    iam.list_users()
    assert names(cloudtrail.lookup_events(LookupAttributes=where("EventName", "ListUsers"))) == ["ListUsers"]
    assert names(cloudtrail.lookup_events(LookupAttributes=where("ReadOnly", "false"))) == ["CreateUser"]
    assert "CreateUser" in names(cloudtrail.lookup_events(LookupAttributes=where("AccessKeyId", f"AKIA{account}")))
    assert names(cloudtrail.lookup_events(LookupAttributes=where("Username", "eve"))) == []
    (found,) = cloudtrail.lookup_events(LookupAttributes=where("EventName", "CreateUser"))["Events"]
    again = cloudtrail.lookup_events(LookupAttributes=where("EventId", found["EventId"]))
    assert again["Events"] == [found]


def test_page_by_page(iam: Any, cloudtrail: Any) -> None:
    for number in range(7):
        iam.create_group(GroupName=f"g{number}")
    pages = cloudtrail.get_paginator("lookup_events").paginate(
        LookupAttributes=where("EventName", "CreateGroup"), PaginationConfig={"PageSize": 3}
    )
    found = [json.loads(event["CloudTrailEvent"]) for page in pages for event in page["Events"]]
    assert [event["requestParameters"]["GroupName"] for event in found] == [f"g{number}" for number in range(6, -1, -1)]


def test_between_two_times(iam: Any, cloudtrail: Any) -> None:
    iam.create_user(UserName="cat")
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    by_name = where("EventName", "CreateUser")
    assert cloudtrail.lookup_events(StartTime=now - hour, EndTime=now + hour, LookupAttributes=by_name)["Events"]
    assert not cloudtrail.lookup_events(EndTime=now - hour, LookupAttributes=by_name)["Events"]
    assert not cloudtrail.lookup_events(StartTime=now + hour, LookupAttributes=by_name)["Events"]


def test_what_cannot_be_asked(cloudtrail: Any) -> None:
    now = datetime.now(UTC)
    refused("InvalidTimeRangeException", cloudtrail.lookup_events, StartTime=now, EndTime=now - timedelta(hours=1))
    refused("InvalidNextTokenException", cloudtrail.lookup_events, NextToken="made-up")
    two = where("EventName", "A") + where("Username", "b")
    refused("InvalidLookupAttributesException", cloudtrail.lookup_events, LookupAttributes=two)
    refused("InvalidEventCategoryException", cloudtrail.lookup_events, EventCategory="insight")


def test_there_are_no_trails(cloudtrail: Any) -> None:
    assert cloudtrail.describe_trails()["trailList"] == []
    assert cloudtrail.list_trails()["Trails"] == []
