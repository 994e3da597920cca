"""TestMetricFilter: a pattern tried on given messages."""

from __future__ import annotations

from hatoba.aws.shapes import logs as t
from hatoba.gateway.call import Call
from hatoba.services.logs.api.room import logs, pattern


@logs.operation
async def test_metric_filter(req: t.TestMetricFilterRequest, call: Call) -> t.TestMetricFilterResponse:
    match = pattern(req["filterPattern"])
    found: list[t.MetricFilterMatchRecord] = []
    for number, message in enumerate(req["logEventMessages"], 1):
        extracted: dict[str, str] | None = match(message) if match is not None else {}
        if extracted is not None:
            found.append({"eventNumber": number, "eventMessage": message, "extractedValues": extracted})
    return {"matches": found}
