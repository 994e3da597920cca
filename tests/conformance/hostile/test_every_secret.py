"""Every member of every request that is a secret: whatever is wrong with it, no refusal, no log line and no line of the
audit repeats it.

What is a secret is what the audit hides (`aws/sensitive.py`): marked by the models, or known to us. Each is put into a
request that is sound otherwise, as it is, too long, of the wrong type, and in a request that lacks everything else.
"""

from __future__ import annotations

import http.client
import json
import logging
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from hatoba.aws import models
from hatoba.aws.models import Operation
from hatoba.aws.sensitive import HIDDEN, conceal
from hatoba.services.cloudtrail.recorder import Recorder
from hatoba.trail.port import Question
from tests.conformance.hostile import test_every_operation
from tests.conformance.hostile.composed import SCOPE, Composed
from tests.conformance.hostile.spoiled import SIGNED, true_inputs
from tests.conformance.hostile.test_every_operation import found, operations

platform = test_every_operation.platform

MARK = "correcthorsebattery"
FORMS = (MARK, b64encode(MARK.encode()).decode()[:-4])
Place = tuple[str | int, ...]
PROTOCOLS = ("json", "query", "ec2")


def secrets(operation: Operation, params: dict[str, Any]) -> list[Place]:
    """Where in the request something is hidden."""

    def differing(given: Any, shown: Any, place: Place) -> Iterator[Place]:
        if isinstance(given, dict) and isinstance(shown, dict) and not isinstance(shown.get("bytes"), int):
            for name, value in given.items():
                yield from differing(value, shown.get(name), (*place, name))
        elif isinstance(given, list) and isinstance(shown, list):
            for at, value in enumerate(given):
                yield from differing(value, shown[at], (*place, at))
        elif shown == HIDDEN:
            yield from leaves(given, place)

    def leaves(value: Any, place: Place) -> Iterator[Place]:
        """What is hidden as a whole has texts in it."""
        parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        if isinstance(value, str | bytes):
            yield place
        for name, part in parts:
            yield from leaves(part, (*place, name))

    return list(differing(params, conceal(operation, operation.input, params), ()))


def put(params: Any, place: Place, value: Any) -> Any:
    if not place:
        return value
    copied = dict(params) if isinstance(params, dict) else list(params)
    copied[place[0]] = put(copied[place[0]], place[1:], value)
    return copied


def spoiled(operation: Operation, params: dict[str, Any], place: Place) -> Iterator[tuple[str, bytes]]:
    """The bodies of requests, and what is wrong with them."""
    texts = {"as it is": MARK, "too long": MARK * 4000, "unprintable": f"{MARK}\x00\u2028", "spaced": f" {MARK} "}
    texts["in base64"] = b64encode(MARK.encode()).decode()
    plain = json.loads(json.dumps(params, default=lambda data: b64encode(data).decode()))
    if operation.model.protocol == "json":
        values = {**texts, "a list": [MARK], "a structure": {MARK: MARK}, "twice": [[MARK], {"Value": MARK}]}
        for what, value in values.items():
            yield what, json.dumps(put(plain, place, value)).encode()
            yield f"{what}, alone", json.dumps({place[0]: put(plain, place, value)[place[0]]}).encode()
        yield "cut short", json.dumps(put(plain, place, MARK)).encode()[:-1]
        return
    for what, text in texts.items():
        fields = [("Action", operation.name), ("Version", operation.model.api_version)]
        for name, value in put(plain, place, text).items():
            fields += flat(name, value)
        yield what, urlencode(fields).encode()
        yield (
            f"{what}, alone",
            urlencode([*fields[:2], *flat(str(place[0]), put(plain, place, text)[place[0]])]).encode(),
        )


def flat(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for key, part in value.items() for pair in flat(f"{name}.{key}", part)]
    if isinstance(value, list):
        return [pair for at, part in enumerate(value, 1) for pair in flat(f"{name}.member.{at}", part)]
    return [(name, str(value).lower() if isinstance(value, bool) else str(value))]


SERVICES = sorted({service for service, _ in operations() if models.load(service).protocol in PROTOCOLS})


@pytest.mark.slow
@pytest.mark.parametrize("service", SERVICES)
def test_no_refusal_repeats_a_secret(platform: Composed, service: str, caplog: pytest.LogCaptureFixture) -> None:
    """S3 is not asked: its keys of customers are refused by their names."""
    wire = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=20)
    caplog.set_level(logging.DEBUG, "hatoba")
    known = platform.ready()
    for operation in (found(*each) for each in operations() if each[0] == service):
        if not any(secrets(operation, params) for params in true_inputs(operation, known)):
            continue
        asked, told = set[Place](), list[tuple[Place, str, str]]()
        for params in true_inputs(operation, platform.ready()):
            for place in set(secrets(operation, params)) - asked:
                asked.add(place)
                for what, body in spoiled(operation, params, place):
                    status, said = ask(wire, operation, body)
                    told += [(place, what, said)] if status >= 400 else []
        told += [((), "the audit", line) for line in audited(platform)]
        told += [((), "the log", line) for line in caplog.messages]
        found_in = [(place, what, said[:300]) for place, what, said in told if any(form in said for form in FORMS)]
        assert found_in == [], operation.name
        caplog.clear()
    wire.close()


def ask(wire: http.client.HTTPConnection, operation: Operation, body: bytes) -> tuple[int, str]:
    headers = {"authorization": SIGNED.format(operation.model.signing_name)}
    if operation.model.protocol == "json":
        target = f"{operation.model.target_prefix}.{operation.name}"
        headers |= {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
    else:
        headers |= {"content-type": "application/x-www-form-urlencoded"}
    wire.request("POST", "/", body, headers)
    answer = wire.getresponse()
    return answer.status, answer.read().decode()


def audited(platform: Composed) -> list[str]:
    """All that the audit has kept of late."""

    async def find() -> list[str]:
        recorder = platform.plane.get(Recorder)
        await recorder.flush()
        found = await recorder.find(Question(account=SCOPE.account, region=SCOPE.region, limit=200))
        return [bytes(entry.document).decode() for _, entry in found]

    return list(platform.wait(find()))
