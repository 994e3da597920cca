"""Whatever the bytes are: parsing and validating gives values or an `AwsError`, never another exception.

Three kinds of hostility: random bytes, true requests cut or changed at random, and well-formed bodies whose values have
the wrong types anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import cbor2
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatoba.aws import conform, models, validate
from hatoba.aws.models import Operation
from hatoba.aws.protocols import PROTOCOLS
from hatoba.aws.wire import WireRequest
from hatoba.core.errors import AwsError
from tests.conformance.aws.aws_oracle import Values, serialised

CASES = [
    ("ecs", "json"),
    ("logs", "json"),
    ("iam", "query"),
    ("ec2", "ec2"),
    ("lambda", "rest-json"),
    ("route53", "rest-xml"),
    ("s3", "rest-xml"),
    ("cloudwatch", "smithy-rpc-v2-cbor"),
]
_relaxed = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(2**70),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


def attempt(name: str, operation: Operation, request: WireRequest) -> None:
    """What is let through has the right types; everything else is an `AwsError` of the client's, which renders."""
    protocol = PROTOCOLS[name]
    refused = None
    params: dict[str, Any] = {}
    try:
        protocol.operation_name(operation.model, request)
        params = protocol.parse(operation, request)
        validate.check(operation, params)
    except AwsError as error:
        refused = error
    if refused is None:
        conform.input(operation, params)
    else:
        assert 400 <= refused.status < 500
        assert protocol.render_error(operation.model, refused, "r-1").body


@pytest.mark.parametrize(("service", "name"), CASES)
def test_random_bytes(service: str, name: str) -> None:
    values = Values(service, output=False)

    @_relaxed
    @given(
        values.operations(),
        st.binary(max_size=64),
        st.text("/{}%aZ0?&=é.", max_size=12),
        st.text("&=%.a1+é", max_size=12),
    )
    def check(operation: Operation, body: bytes, path: str, query: str) -> None:
        attempt(name, operation, WireRequest(method=operation.method, path=f"/{path}", query=query, body=body))

    check()


@pytest.mark.slow
@pytest.mark.parametrize(("service", "name"), CASES)
def test_true_requests_cut_and_changed(service: str, name: str) -> None:
    values = Values(service, output=False)

    @_relaxed
    @given(st.data())
    def check(data: st.DataObject) -> None:
        operation = data.draw(values.operations())
        request = serialised(operation, data.draw(values.of(operation)), name)
        body = bytearray(request.whole_body())
        if body:
            at = data.draw(st.integers(0, len(body) - 1))
            if data.draw(st.booleans()):
                del body[at:]
            else:
                body[at] = data.draw(st.integers(0, 255))
        attempt(name, operation, msgspec.structs.replace(request, body=bytes(body)))

    check()


_DUMPS: dict[str, Callable[[Any], bytes]] = {
    "json": lambda value: msgspec.json.encode(value),
    "rest-json": lambda value: msgspec.json.encode(value),
    "smithy-rpc-v2-cbor": lambda value: cbor2.dumps(value),
    "query": lambda value: urlencode(_flat(value)).encode(),
    "ec2": lambda value: urlencode(_flat(value)).encode(),
    "rest-xml": lambda value: f"<A>{_elements(value)}</A>".encode(),
}


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    found = {}
    for name, item in value.items():
        found |= _flat(item, f"{prefix}.{name}" if prefix else name)
    return found


def _elements(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value).replace("&", "").replace("<", "") if not isinstance(value, str) else ""
    return "".join(f"<{name}>{_elements(item)}</{name}>" for name, item in value.items() if name.isidentifier())


@pytest.mark.slow
@pytest.mark.parametrize(("service", "name"), CASES)
def test_wrong_types_anywhere(service: str, name: str) -> None:
    values = Values(service, output=False)

    def spoil(draw: st.DrawFn | Callable[[Any], Any], value: Any) -> Any:
        if draw(st.integers(0, 3)) == 0:
            return draw(_ANYTHING)
        if isinstance(value, dict):
            return {key: spoil(draw, item) for key, item in value.items()}
        if isinstance(value, list):
            return [spoil(draw, item) for item in value]
        return value

    @_relaxed
    @given(st.data())
    def check(data: st.DataObject) -> None:
        operation = data.draw(values.operations())
        body = _DUMPS[name](spoil(data.draw, data.draw(values.of(operation))))
        attempt(name, operation, WireRequest(method=operation.method, path="/", body=body))

    check()


BOMBS = [
    ("ecs", "RegisterTaskDefinition", b"[" * 100_000),
    ("ecs", "RegisterTaskDefinition", b'{"a":' * 100_000),
    ("ecs", "RegisterTaskDefinition", b'{"family": 1e999, "cpu": -0}'),
    ("ecs", "RegisterTaskDefinition", b'{"family": "\\ud800"}'),
    ("ecs", "RegisterTaskDefinition", b"\xff\xfe{}"),
    ("ecs", "RegisterTaskDefinition", b"{} trailing"),
    ("ecs", "RunTask", b'{"count": 99999999999999999999999999999999}'),
    ("iam", "CreateUser", ("A." * 5000 + "B=1").encode()),
    ("iam", "CreateUser", b"UserName=%ff%fe"),
    ("iam", "CreateUser", b"Tags.member.99999999999999999999.Key=a"),
    ("iam", "CreateUser", b"Tags.member.x.Key=a"),
    ("iam", "CreateUser", b"Tags=a&Tags.member=b&Tags.member.1=c"),
    ("iam", "CreateUser", b"Tags.member.1.Key.deeper=a"),
    ("ec2", "DescribeVpcs", b"MaxResults=1_0"),
    ("ec2", "DescribeVpcs", b"DryRun=perhaps"),
    ("route53", "CreateHostedZone", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
    ("route53", "CreateHostedZone", b'<?xml version="1.0" encoding="utf-999"?><a/>'),
    ("route53", "CreateHostedZone", b"<a>" * 100_000),
    ("route53", "CreateHostedZone", "<?xml version='1.0' encoding='utf-16'?><!DOCTYPE a><a/>".encode("utf-16")),
    ("cloudwatch", "PutMetricData", b"\x9f" * 100_000),
    ("cloudwatch", "PutMetricData", b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff"),
    ("cloudwatch", "PutMetricData", b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff"),
    ("cloudwatch", "PutMetricData", b"\xd8\x1c\x81\xd8\x1d\x00"),  # a list that holds itself
    ("cloudwatch", "PutMetricData", b"\xa1\x69Namespace\xc1\xfb\x7f\xf0\0\0\0\0\0\0"),  # a date at infinity
    ("cloudwatch", "PutMetricData", b"\xa1\xa0\xa0"),
]


@pytest.mark.parametrize(("service", "operation_name", "body"), BOMBS)
def test_bombs(service: str, operation_name: str, body: bytes) -> None:
    operation = models.load(service).operation(operation_name)
    assert operation is not None
    protocol = PROTOCOLS[operation.model.protocol]
    with pytest.raises(AwsError) as caught:
        validate.check(operation, protocol.parse(operation, WireRequest(method="POST", path="/", body=body)))
    assert caught.value.status == 400
