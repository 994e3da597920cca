"""Event streams as botocore reads them: frames, checksums, events, exceptions in the middle."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.eventstream import EventStream, EventStreamBuffer, NoInitialResponseError
from botocore.exceptions import EventStreamError
from botocore.parsers import create_parser

from hatoba.aws import models
from hatoba.aws.protocols import PROTOCOLS, events
from hatoba.core.errors import AwsError
from tests.conformance.aws.aws_oracle import botocore_operation, from_botocore

_START = {
    "sessionStart": {"requestId": "r", "sessionId": "s", "logGroupIdentifiers": ["g"], "logEventFilterPattern": "ü"}
}
_UPDATE = {
    "sessionUpdate": {
        "sessionMetadata": {"sampled": False},
        "sessionResults": [{"message": "hé\n", "timestamp": 1700000000123, "logStreamName": "a"}],
    }
}


class _Raw:
    """What botocore streams from: an urllib3 response, as far as it looks."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> Any:
        # Pieces of an odd size: frames are cut anywhere.
        return iter([self._data[start : start + 13] for start in range(0, len(self._data), 13)])

    def close(self) -> None:
        pass


async def streamed(service: str, name: str, member: str, *items: Any) -> bytes:
    async def source() -> AsyncIterator[dict[str, Any]]:
        for item in items:
            if isinstance(item, AwsError):
                raise item
            yield item

    operation = models.load(service).operation(name)
    assert operation is not None
    answer = PROTOCOLS[operation.model.protocol].render(operation, {member: source()}, "r-1")
    assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
    assert not isinstance(answer.body, bytes)
    return b"".join([piece async for piece in answer.body])


async def test_live_tail() -> None:
    data = await streamed("logs", "StartLiveTail", "responseStream", _START, _UPDATE)
    operation = models.load("logs").operation("StartLiveTail")
    assert operation is not None
    parsed = create_parser("json").parse(
        {"status_code": 200, "headers": {}, "body": _Raw(data), "context": {"operation_name": "StartLiveTail"}},
        botocore_operation(operation).output_shape,
    )
    assert [from_botocore(event) for event in parsed["responseStream"]] == [_START, _UPDATE]


async def test_exceptions() -> None:
    known = AwsError("too slow", code="SessionTimeoutException")
    unknown = AwsError("what now", code="Surprise")
    for error in (known, unknown):
        data = await streamed("logs", "StartLiveTail", "responseStream", _START, error)
        operation = models.load("logs").operation("StartLiveTail")
        assert operation is not None
        shape = botocore_operation(operation).output_shape.members["responseStream"]
        stream = EventStream(_Raw(data), shape, create_parser("json")._event_stream_parser, "StartLiveTail")
        stream.get_initial_response()
        received = iter(stream)
        assert from_botocore(next(received)) == _START
        with pytest.raises(EventStreamError, match=error.message):
            next(received)


async def test_rest_streams_have_no_initial_response() -> None:
    items = [{"PayloadChunk": {"Payload": b"\0\1"}}, {"InvokeComplete": {"ErrorCode": "x"}}]
    data = await streamed("lambda", "InvokeWithResponseStream", "EventStream", *items)
    operation = models.load("lambda").operation("InvokeWithResponseStream")
    assert operation is not None
    shape = botocore_operation(operation).output_shape.members["EventStream"]
    parser = create_parser("rest-json")._event_stream_parser
    assert list(EventStream(_Raw(data), shape, parser, "Invoke")) == items
    with pytest.raises(NoInitialResponseError):
        EventStream(_Raw(data), shape, parser, "Invoke").get_initial_response()


def test_header_types() -> None:
    headers = {"s": "text", "b": b"\0", "t": True, "f": False, "i": -5, "d": 1.5}
    buffer = EventStreamBuffer()
    buffer.add_data(events.frame(headers, b"payload"))
    message = buffer.next()
    assert message.payload == b"payload"
    assert message.headers == headers | {"d": 1500}  # botocore leaves milliseconds
