"""Events put, ingested, read and searched, by boto3 and by the AWS CLI."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance.apart import KEY, REGION
from tests.conformance.logs.platform import Platform

DAY = 24 * 3600 * 1000


def now() -> int:
    return time.time_ns() // 1_000_000


def put(logs: Any, group: str, stream: str, *events: tuple[int, str]) -> Any:
    return logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": when, "message": message} for when, message in events],
    )


def texts(answer: Any) -> list[str]:
    return [event["message"] for event in answer["events"]]


@pytest.fixture
def stream(logs: Any, group: str) -> str:
    logs.create_log_stream(logGroupName=group, logStreamName="web/1")
    return "web/1"


def test_events_are_put_and_read_forward_and_backward(logs: Any, group: str, stream: str) -> None:
    start = now()
    answer = put(logs, group, stream, *((start + n, f"line {n}") for n in range(10)))
    assert "rejectedLogEventsInfo" not in answer
    assert answer["nextSequenceToken"]

    def get(**how: Any) -> Any:
        return logs.get_log_events(logGroupName=group, logStreamName=stream, **how)

    everything = [f"line {n}" for n in range(10)]
    assert texts(get(startFromHead=True)) == everything
    last = get(limit=3)  # without startFromHead the latest, in order of time
    assert texts(last) == everything[7:]
    before = get(limit=3, nextToken=last["nextBackwardToken"])
    assert texts(before) == everything[4:7]
    # Forward from there comes what was seen before, then the end, where the token stays.
    again = get(limit=3, nextToken=before["nextForwardToken"])
    assert texts(again) == everything[7:]
    assert again["nextForwardToken"] == last["nextForwardToken"]
    end = get(nextToken=again["nextForwardToken"])
    assert (texts(end), end["nextForwardToken"]) == ([], again["nextForwardToken"])
    assert texts(get(limit=1, nextToken=end["nextBackwardToken"])) == ["line 9"]
    put(logs, group, stream, (start + 10, "later"))
    assert texts(get(nextToken=end["nextForwardToken"])) == ["later"]
    first = get(limit=2, startFromHead=True)
    top = get(nextToken=first["nextBackwardToken"])
    assert (texts(top), top["nextBackwardToken"]) == ([], first["nextBackwardToken"])
    assert texts(get(limit=1, nextToken=top["nextForwardToken"])) == ["line 0"]
    # The end is not included.
    assert texts(get(startTime=start + 2, endTime=start + 4, startFromHead=True)) == ["line 2", "line 3"]
    with pytest.raises(ClientError, match="nextToken is invalid"):
        get(nextToken="f/made-up")


def test_an_empty_stream_has_tokens_too(logs: Any, group: str, stream: str) -> None:
    for head in (True, False):
        answer = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=head)
        assert answer["events"] == []
        put(logs, group, stream, (now(), f"from head {head}"))
        answer = logs.get_log_events(logGroupName=group, logStreamName=stream, nextToken=answer["nextForwardToken"])
        assert texts(answer)[-1] == f"from head {head}"
        logs.delete_log_stream(logGroupName=group, logStreamName=stream)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)


def test_the_rules_of_a_batch(logs: Any, group: str, stream: str) -> None:
    start = now()
    for events, words in (
        ([(start, "b"), (start - 1, "a")], "chronological order"),
        ([(start - DAY - 1, "a"), (start, "b")], "24 hours"),
        ([(start, "x" * 1_048_577)], "Log event too large"),
        ([(start, "x" * 600_000)] * 2, "Upload too large"),
    ):
        with pytest.raises(ClientError, match=words) as error:
            put(logs, group, stream, *events)
        assert error.value.response["Error"]["Code"] == "InvalidParameterException"
    answer = put(logs, group, stream, (start - 15 * DAY, "old"))
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    answer = put(logs, group, stream, (start, "good"), (start + 3 * 3600 * 1000, "new"))
    assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    assert texts(logs.get_log_events(logGroupName=group, logStreamName=stream)) == ["good"]
    with pytest.raises(ClientError, match="log stream does not exist"):
        put(logs, group, "nowhere", (start, "x"))
    with pytest.raises(ClientError, match="log group does not exist"):
        put(logs, "nowhere", stream, (start, "x"))


def test_a_search_goes_over_all_streams_in_order_of_time(logs: Any, group: str) -> None:
    start = now() - 100_000
    wanted = []
    for number, name in enumerate(("web/1", "web/2", "api/1")):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
        put(logs, group, name, *((start + 3 * n + number, f"{name} {n}") for n in range(20)))
        wanted += [(start + 3 * n + number, name, f"{name} {n}") for n in range(20)]

    def search(**how: Any) -> list[tuple[int, str, str]]:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, PaginationConfig={"PageSize": 7}, **how
        )
        events = [event for page in pages for event in page["events"]]
        assert len({event["eventId"] for event in events}) == len(events)
        return [(event["timestamp"], event["logStreamName"], event["message"]) for event in events]

    assert search() == sorted(wanted)
    assert search(logStreamNamePrefix="web/") == sorted(row for row in wanted if row[1] != "api/1")
    assert search(logStreamNames=["api/1"]) == [row for row in wanted if row[1] == "api/1"]
    assert search(filterPattern='"web/1 1" -"web/1 19"') == [
        row for row in wanted if row[2].startswith("web/1 1") and row[2] != "web/1 19"
    ]
    # Unlike GetLogEvents, a search includes its end.
    assert search(startTime=start + 3, endTime=start + 5) == sorted(wanted)[3:6]
    with pytest.raises(ClientError, match="Invalid filter pattern"):
        search(filterPattern="{ $.a = ")
    with pytest.raises(ClientError, match="log stream does not exist"):
        search(logStreamNames=["nowhere"])
    with pytest.raises(ClientError, match="Only one"):
        search(logStreamNames=["web/1"], logStreamNamePrefix="w")


def test_a_search_for_something_rare_gets_there_by_empty_pages(logs: Any, group: str, shared: Platform) -> None:
    for n in range(12):
        messages = [f"{n}" for _ in range(5_000)]
        messages[-1] = f"needle {n}"
        part = {"times": [1_000 + n] * 5_000, "messages": messages}
        shared.ingest(group=group, stream="s", create_group=False, parts=[part])
    answer = logs.filter_log_events(logGroupName=group, filterPattern='"needle 11"')
    assert answer["events"] == []
    answer = logs.filter_log_events(logGroupName=group, filterPattern='"needle 11"', nextToken=answer["nextToken"])
    assert texts(answer) == ["needle 11"]


def test_what_is_past_its_retention_is_not_shown(logs: Any, group: str, shared: Platform) -> None:
    parts = [{"times": [now() - 2 * DAY, now()], "messages": ["past", "present"]}]
    shared.ingest(group=group, stream="s", create_group=False, parts=parts)
    assert texts(logs.filter_log_events(logGroupName=group)) == ["past", "present"]
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    assert texts(logs.filter_log_events(logGroupName=group)) == ["present"]
    assert texts(logs.get_log_events(logGroupName=group, logStreamName="s", startFromHead=True)) == ["present"]


def test_a_metric_filter_is_tried(logs: Any) -> None:
    answer = logs.test_metric_filter(filterPattern="[level = E*, code]", logEventMessages=["ERR 5", "WARN 6", "E 7 8"])
    assert answer["matches"] == [
        {"eventNumber": 1, "eventMessage": "ERR 5", "extractedValues": {"$level": "ERR", "$code": "5"}}
    ]


def test_a_node_is_told_of_a_missing_group_or_makes_it(logs: Any, group: str, shared: Platform) -> None:
    asked: dict[str, Any] = {"group": f"{group}-new", "stream": "ecs/web/t", "parts": []}
    assert shared.ingest(create_group=False, **asked) == {"error": "ResourceNotFoundException"}
    assert shared.ingest(create_group=True, **asked) == {"new": 0}
    assert len(logs.describe_log_streams(logGroupName=f"{group}-new")["logStreams"]) == 1


@pytest.mark.slow
def test_kills_at_any_moment_lose_and_repeat_nothing(own: Platform) -> None:
    rng = random.Random(3)
    own.logs().create_log_group(logGroupName="g")
    stored = put_ = sent = 0
    for _ in range(8):
        killer = threading.Timer(rng.uniform(0.05, 0.4), own.kill)
        killer.start()
        try:
            while True:
                count = rng.randrange(1, 200)
                # From what is known to be stored, as a node does that never heard the answer.
                ends = list(range(stored + 1, stored + count + 1))
                part = {"times": [1] * count, "messages": [f"{n}" for n in ends], "producer": "c/stdout", "ends": ends}
                sent = max(sent, ends[-1])
                assert "new" in own.ingest(group="g", stream="s", create_group=False, parts=[part])
                stored = ends[-1]
                put_ += 1
        except (ConnectionError, OSError):
            killer.join()
        own.start()
    assert put_ > 20
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = own.logs().get_log_events(logGroupName="g", logStreamName="s", startFromHead=True, **token)
        if not answer["events"]:
            break
        found += texts(answer)
        token = {"nextToken": answer["nextForwardToken"]}
    assert stored <= len(found) <= sent
    assert found == [f"{n}" for n in range(1, len(found) + 1)]


def test_live_tail_shows_what_is_stored_from_now_on(logs: Any, group: str, shared: Platform) -> None:
    arn = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["logGroupArn"]
    part = {"times": [now()], "messages": ["before"]}
    shared.ingest(group=group, stream="web/1", create_group=False, parts=[part])
    answer = logs.start_live_tail(
        logGroupIdentifiers=[arn], logStreamNamePrefixes=["web/"], logEventFilterPattern="-noise"
    )
    events = iter(answer["responseStream"])
    assert next(events)["sessionStart"]["logGroupIdentifiers"] == [arn]
    for name, message in (("web/1", "hello"), ("web/2", "noise"), ("api/1", "not asked for"), ("web/2", "there")):
        part = {"times": [now()], "messages": [message]}
        shared.ingest(group=group, stream=name, create_group=False, parts=[part])
    seen: list[tuple[str, str]] = []
    while len(seen) < 2:
        results = next(events)["sessionUpdate"]["sessionResults"]
        seen += [(found["logStreamName"], found["message"]) for found in results]
    assert seen == [("web/1", "hello"), ("web/2", "there")]
    answer["responseStream"].close()


@pytest.mark.skipif(shutil.which("aws", path="/usr/bin") is None, reason="needs Debian's awscli")
@pytest.mark.slow
def test_the_aws_cli_follows(group: str, shared: Platform, tmp_path: Path) -> None:
    environment = {
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": KEY[0],
        "AWS_SECRET_ACCESS_KEY": KEY[1],
        "AWS_DEFAULT_REGION": REGION,
        "PYTHONUNBUFFERED": "1",
    }
    part = {"times": [now()], "messages": ["first"]}
    shared.ingest(group=group, stream="ecs/web/1", create_group=False, parts=[part])
    command = [
        "/usr/bin/aws",
        "--endpoint-url",
        shared.endpoint,
        "logs",
        "tail",
        group,
        "--follow",
        "--format",
        "short",
    ]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().endswith(" first\n")
        for n in range(3):
            part = {"times": [now() + n], "messages": [f"more {n}"]}
            shared.ingest(group=group, stream=f"ecs/web/{n}", create_group=False, parts=[part])
        assert [process.stdout.readline().split(" ", 1)[1] for _ in range(3)] == [f"more {n}\n" for n in range(3)]
    finally:
        process.terminate()
        process.wait()
