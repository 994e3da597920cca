"""Groups and streams, by boto3."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.conformance.logs.platform import Platform


def refused(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_a_group_is_made_described_and_deleted(logs: Any) -> None:
    name = f"/group/{uuid4().hex}"
    logs.create_log_group(logGroupName=name, tags={"team": "shop"})
    with pytest.raises(ClientError) as error:
        logs.create_log_group(logGroupName=name)
    assert refused(error) == ("ResourceAlreadyExistsException", "The specified log group already exists")
    (found,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert found["arn"] == f"arn:aws:logs:us-east-1:123456789012:log-group:{name}:*"
    assert found["logGroupArn"] == found["arn"].removesuffix(":*")
    assert (found["storedBytes"], found["metricFilterCount"], found["logGroupClass"]) == (0, 0, "STANDARD")
    assert "retentionInDays" not in found
    brief = {field: found[field] for field in ("logGroupName", "creationTime", "arn")}
    assert logs.describe_log_groups(logGroupNamePattern=name[1:20])["logGroups"] == [brief]
    assert logs.describe_log_groups(logGroupNamePattern=name[1:20].upper())["logGroups"] == []
    assert logs.describe_log_groups(logGroupIdentifiers=[found["logGroupArn"]])["logGroups"] == [found]
    assert [g["logGroupName"] for g in logs.list_log_groups(logGroupNamePattern=f"^{name[:20]}")["logGroups"]] == [name]
    logs.delete_log_group(logGroupName=name)
    with pytest.raises(ClientError) as error:
        logs.delete_log_group(logGroupName=name)
    assert refused(error) == ("ResourceNotFoundException", "The specified log group does not exist.")


def test_groups_are_paged(logs: Any) -> None:
    prefix = f"/paged/{uuid4().hex[:8]}"
    names = [f"{prefix}/{n:02}" for n in range(7)]
    for name in names:
        logs.create_log_group(logGroupName=name)
    pages = list(
        logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix, PaginationConfig={"PageSize": 3})
    )
    assert [[found["logGroupName"] for found in page["logGroups"]] for page in pages] == [
        names[:3],
        names[3:6],
        names[6:],
    ]
    with pytest.raises(ClientError) as error:
        logs.describe_log_groups(nextToken=pages[0]["nextToken"])  # of another request
    assert refused(error)[0] == "InvalidParameterException"


def test_retention_is_one_of_the_values_that_there_are(logs: Any, group: str) -> None:
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 7
    with pytest.raises(ClientError) as error:
        logs.put_retention_policy(logGroupName=group, retentionInDays=8)
    assert refused(error)[0] == "InvalidParameterException"
    logs.delete_retention_policy(logGroupName=group)
    assert "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]


def test_a_protected_group_stays(logs: Any, group: str) -> None:
    logs.put_log_group_deletion_protection(logGroupIdentifier=group, deletionProtectionEnabled=True)
    with pytest.raises(ClientError) as error:
        logs.delete_log_group(logGroupName=group)
    assert refused(error)[0] == "ValidationException"
    logs.put_log_group_deletion_protection(logGroupIdentifier=group, deletionProtectionEnabled=False)
    logs.delete_log_group(logGroupName=group)


def test_tags_by_arn_and_by_name_are_the_same(logs: Any, group: str) -> None:
    arn = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["logGroupArn"]
    logs.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    logs.tag_log_group(logGroupName=group, tags={"c": "3"})
    logs.untag_log_group(logGroupName=group, tags=["a"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2", "c": "3"}
    logs.untag_resource(resourceArn=arn, tagKeys=["b"])
    assert logs.list_tags_log_group(logGroupName=group)["tags"] == {"c": "3"}
    with pytest.raises(ClientError) as error:
        logs.tag_resource(resourceArn=arn, tags={"aws:x": "1"})
    assert refused(error)[0] == "InvalidParameterException"
    with pytest.raises(ClientError) as error:
        logs.tag_resource(resourceArn=arn + "-not-there", tags={"a": "1"})
    assert refused(error)[0] == "ResourceNotFoundException"


def test_streams_are_made_ordered_paged_and_deleted(logs: Any, group: str, shared: Platform) -> None:
    for name in ("b/1", "a/1", "a/2", "c"):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
    with pytest.raises(ClientError) as error:
        logs.create_log_stream(logGroupName=group, logStreamName="c")
    assert refused(error) == ("ResourceAlreadyExistsException", "The specified log stream already exists")

    def listed(**how: Any) -> list[str]:
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName=group, PaginationConfig={"PageSize": 3}, **how
        )
        return [found["logStreamName"] for page in pages for found in page["logStreams"]]

    assert listed() == ["a/1", "a/2", "b/1", "c"]
    assert listed(descending=True) == ["c", "b/1", "a/2", "a/1"]
    assert listed(logStreamNamePrefix="a/") == ["a/1", "a/2"]
    for when, name in ((3000, "a/2"), (1000, "c"), (2000, "a/1")):
        shared.ingest(group=group, stream=name, create_group=False, parts=[{"times": [when], "messages": ["x"]}])
    assert listed(orderBy="LastEventTime") == ["b/1", "c", "a/1", "a/2"]
    assert listed(orderBy="LastEventTime", descending=True) == ["a/2", "a/1", "c", "b/1"]
    with pytest.raises(ClientError) as error:
        listed(orderBy="LastEventTime", logStreamNamePrefix="a")
    assert refused(error)[0] == "InvalidParameterException"
    (found,) = logs.describe_log_streams(logGroupIdentifier=group, logStreamNamePrefix="c")["logStreams"]
    assert (found["firstEventTimestamp"], found["lastEventTimestamp"]) == (1000, 1000)
    assert found["arn"].endswith(f":log-group:{group}:log-stream:c")
    logs.delete_log_stream(logGroupName=group, logStreamName="c")
    assert listed() == ["a/1", "a/2", "b/1"]
    with pytest.raises(ClientError) as error:
        logs.delete_log_stream(logGroupName=group, logStreamName="c")
    assert refused(error) == ("ResourceNotFoundException", "The specified log stream does not exist.")


def test_what_was_deleted_leaves_the_disk_and_does_not_come_back(own: Platform) -> None:
    logs = own.logs()
    logs.create_log_group(logGroupName="g")
    for name in ("one", "two"):
        own.ingest(group="g", stream=name, create_group=False, parts=[{"times": [1], "messages": ["old"]}])
    logs.delete_log_group(logGroupName="g")
    logs.create_log_group(logGroupName="g")
    assert logs.describe_log_streams(logGroupName="g")["logStreams"] == []
    own.ingest(group="g", stream="one", create_group=False, parts=[{"times": [2], "messages": ["new"]}])
    own.kill()
    own.start()
    events = own.logs().filter_log_events(logGroupName="g")["events"]
    assert [event["message"] for event in events] == ["new"]
