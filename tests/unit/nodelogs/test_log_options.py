"""The awslogs driver's options."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from hatoba.node.logs import protocol
from hatoba.node.logs.options import SPOOL_BYTES, BadOption, Options, datetime_pattern, parse


def parsed(blocking: bool = True, **options: str) -> Options:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return parse(named, container="web", container_id="c0ffee", task_id="t1", blocking=blocking)


def test_the_stream_is_named_by_prefix_container_and_task() -> None:
    assert parsed(awslogs_group="/ecs/shop", awslogs_stream_prefix="ecs").stream == "ecs/web/t1"
    assert parsed(awslogs_group="/ecs/shop").stream == "c0ffee"
    assert parsed(awslogs_group="/ecs/shop", awslogs_stream="own").stream == "own"


def test_what_says_how_events_are_collected_is_taken_and_changes_nothing() -> None:
    more = {
        "awslogs_force_flush_interval_seconds": "3",
        "awslogs_max_buffered_events": "99",
        "awslogs_format": "json/emf",
    }
    assert parsed(awslogs_group="g", awslogs_endpoint="http://elsewhere", **more) == parsed(awslogs_group="g")


def test_the_mode_decides_what_a_full_spool_does() -> None:
    assert (parsed(awslogs_group="g").mode, parsed(awslogs_group="g").limit) == (protocol.BLOCK, SPOOL_BYTES)
    assert parsed(blocking=False, awslogs_group="g").mode == protocol.DROP
    drops = parsed(awslogs_group="g", mode="non-blocking", max_buffer_size="25m")
    assert (drops.mode, drops.limit) == (protocol.DROP, 25 << 20)
    assert parsed(awslogs_group="g", mode="non-blocking", max_buffer_size="4k").limit == 1 << 20


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "awslogs-group"),
        ({"awslogs-group": "g", "awslogs-colour": "red"}, "unknown log opt 'awslogs-colour'"),
        ({"awslogs-group": "g", "awslogs-max-buffered-events": "0"}, "must specify a positive integer for log opt"),
        ({"awslogs-group": "g", "awslogs-format": "xml"}, "unsupported log format 'xml'"),
        ({"awslogs-group": "g", "mode": "sometimes"}, "logging mode"),
        ({"awslogs-group": "g", "mode": "blocking", "max-buffer-size": "1m"}, "only supported with"),
        ({"awslogs-group": "g", "mode": "non-blocking", "max-buffer-size": "much"}, "invalid size: 'much'"),
        ({"awslogs-group": "g", "awslogs-create-group": "yes"}, "'yes' is not true or false"),
        ({"awslogs-group": "g", "awslogs-multiline-pattern": "("}, "could not parse"),
        ({"awslogs-group": "g", "awslogs-datetime-format": "%Q"}, "'%Q' is not a directive"),
        ({"awslogs-group": "g", "awslogs-datetime-format": "%H", "awslogs-multiline-pattern": "x"}, "together"),
    ],
)
def test_a_bad_option_says_what_is_wrong(options: dict[str, str], reason: str) -> None:
    with pytest.raises(BadOption, match=re.escape(reason)):
        parse(options, container="web", container_id="c", task_id="t", blocking=True)


@pytest.mark.parametrize("format_", ["[%b %d, %Y %H:%M:%S]", "%Y-%m-%dT%H:%M:%S.%f%z", "%I:%M %p %A", "100%% %j"])
def test_a_datetime_format_finds_the_times_it_writes(format_: str) -> None:
    written = datetime(2026, 11, 20, 6, 16, 9, 112, tzinfo=UTC).strftime(format_)
    assert re.search(datetime_pattern(format_), f"x {written} message")
    assert not re.search(datetime_pattern(format_), "  at com.example.Main(Main.java:12)")
