"""Every protocol against botocore, in both directions: what it sends we read, what we answer it reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatoba.aws import models
from hatoba.aws.protocols import PROTOCOLS, WireProtocol, detect
from hatoba.aws.wire import WireRequest
from hatoba.core.errors import AwsError
from tests.conformance.aws.aws_oracle import Values, pruned, same, serialised, understood

# (service, protocol): each protocol at least twice where AWS has two services of it.
CASES = [
    ("ecs", "json"),
    ("ecr", "json"),
    ("logs", "json"),
    ("elbv2", "query"),
    ("iam", "query"),
    ("sts", "query"),
    ("ec2", "ec2"),
    ("eks", "rest-json"),
    ("lambda", "rest-json"),
    ("appmesh", "rest-json"),
    ("route53", "rest-xml"),
    ("s3", "rest-xml"),
    ("cloudwatch", "smithy-rpc-v2-cbor"),
    ("cloudwatch", "json"),
    ("cloudwatch", "query"),
]
_relaxed = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
# An answer that S3 gives unwrapped.
_ODD = {"s3": ("GetBucketLocation",)}


def spoken(service: str, name: str) -> WireProtocol:
    """How the service speaks the protocol: S3 in a way of its own."""
    own = detect(models.load(service), WireRequest(method="GET", path="/"))
    return own if own.name == name else PROTOCOLS[name]


@pytest.mark.parametrize(("service", "name"), CASES)
def test_what_botocore_sends_is_what_we_read(service: str, name: str) -> None:
    values, protocol = Values(service, output=False), spoken(service, name)

    @_relaxed
    @given(st.data())
    def check(data: st.DataObject) -> None:
        operation = data.draw(values.operations())
        params = data.draw(values.of(operation))
        request = serialised(operation, params, name)
        assert detect(operation.model, request) is protocol
        read = protocol.parse(operation, request)
        assert same(pruned(read), pruned(params)), (operation, params, request, read)

    check()


@pytest.mark.parametrize(("service", "name"), CASES)
def test_what_we_answer_is_what_botocore_reads(service: str, name: str) -> None:
    values, protocol = Values(service, output=True), spoken(service, name)

    @_relaxed
    @given(st.data())
    def check(data: st.DataObject) -> None:
        operation = data.draw(values.operations(_ODD.get(service, ())))
        result = data.draw(values.of(operation))
        answer = protocol.render(operation, result, "r-1")
        read = understood(operation, answer, name)
        assert same(pruned(read), pruned(result)), (operation, result, answer, read)

    check()


@pytest.mark.parametrize(("service", "name"), CASES)
def test_the_operation_is_found(service: str, name: str) -> None:
    """By target, action or path: every operation of the model finds itself among all others."""
    model, protocol = models.load(service), PROTOCOLS[name]
    for operation_name in model.operations:
        operation = model.operation(operation_name)
        assert operation is not None
        params = _least(operation.input, model)
        request = serialised(operation, params, name)
        # S3 has twins at one address: deprecated ones, and one that only the host name tells apart.
        if not operation.deprecated and operation_name != "ListDirectoryBuckets":
            assert protocol.operation_name(model, request) == operation_name


def _least(use: Any, model: models.ServiceModel) -> dict[str, Any]:
    """The members that place a request: labels, and what is required in the query string and headers."""
    if use is None:
        return {}
    shape = model.shape(use)
    placed = {name: member for name, member in shape.members.items() if member.location}
    needed = {name: member for name, member in placed.items() if member.location == "uri" or name in shape.required}
    samples: dict[str, Any] = {
        "string": "a1",
        "integer": 1,
        "long": 1,
        "boolean": True,
        "timestamp": 1.0,
        "list": ["a"],
    }
    return {name: samples[model.shape(member).type] for name, member in needed.items()}


@pytest.mark.parametrize(("service", "name"), CASES)
def test_errors_are_told(service: str, name: str) -> None:
    """Every modelled error, and one that is not: code and message arrive."""
    model, protocol = models.load(service), PROTOCOLS[name]
    operation = model.operation(next(iter(model.operations)))
    assert operation is not None
    shapes = [(shape.code, shape.status) for shape in model.errors() if shape.code == shape.name or name != "json"]
    for code, status in [*shapes, ("SomethingElse", 400), ("InternalFailure", 500)]:
        error = AwsError('what <b>was</b> "wrong" & why', code=code, status=status)
        answer = protocol.render_error(model, error, "r-1")
        assert answer.status == status
        shape = model.error(code)
        told = understood(operation, answer, name)["Error"]
        expected = {code, shape.name} if shape else {code}
        assert told["Code"] in expected
        assert told["Message"] == error.message
