"""What boto3 sends for a service is routed to that service: for every one that Hatoba is about."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.httpsession import URLLib3Session

from hatoba.aws import models, protocols
from hatoba.aws.wire import WireRequest
from hatoba.gateway.bodies import form_field
from hatoba.gateway.room import snake
from hatoba.gateway.routing import Route, route

SERVICES = [
    "acm", "apigatewayv2", "application-autoscaling", "appmesh", "apprunner", "autoscaling", "batch", "cloudformation",
    "cloudwatch", "codebuild", "codecommit", "codedeploy", "codepipeline", "dynamodb", "dynamodbstreams", "ec2", "ecr",
    "ecr-public", "ecs", "efs", "eks", "elb", "elbv2", "events", "firehose", "guardduty", "iam", "kms", "lambda",
    "logs", "opensearch", "resourcegroupstaggingapi", "route53", "s3", "s3control", "secretsmanager",
    "servicediscovery", "sesv2", "sns", "sqs", "ssm", "stepfunctions", "sts", "wafv2", "xray",
]  # fmt: skip


class Caught(Exception):
    def __init__(self, request: Any) -> None:
        self.request = request


def catch(request: Any, **_: Any) -> None:
    raise Caught(request)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(URLLib3Session, "send", lambda self, request: catch(request))


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_found_by_its_signature(service: str) -> None:
    model = models.load(service)
    client = boto3.client(
        service,
        region_name="eu-west-1",
        endpoint_url="http://localhost:4566",
        aws_access_key_id="AKID",
        aws_secret_access_key="secret",
        config=Config(parameter_validation=False, inject_host_prefix=False, s3={"addressing_style": "path"}),
    )
    client.meta.events.register("before-send", catch)
    for name in list(model.operations)[:5]:
        operation = model.operation(name)
        assert operation is not None
        wire = sent(client, service, name)
        if wire is None or not operation.wants_signature:
            continue
        form = wire.body if isinstance(wire.body, bytes) and "form" in wire.headers.get("content-type", "") else b""
        found = route(wire, form_field(form, b"Version"), served=models.services(), stranger=lambda: False)
        # CloudFront's and IAM's kin are signed for one region, wherever they are asked.
        assert found == Route(service=service, region=found.region, access_key_id="AKID"), name
        assert found.region in ("eu-west-1", "us-east-1", "us-west-2", "aws-global")
        said = protocols.detect(model, wire).operation_name(model, wire)
        assert said == name or (model.operation(said or "") is not None and model.protocol.startswith("rest"))


def sent(client: Any, service: str, name: str) -> WireRequest | None:
    """The request of an operation with the members that its path needs; None when the client wants more."""
    model = models.load(service)
    operation = model.operation(name)
    assert operation is not None
    params: dict[str, Any] = {}
    if operation.input is not None:
        for member_name, member in model.shape(operation.input).members.items():
            if member.location == "uri":
                numeric = model.shape(member).type in ("integer", "long")
                params[member_name] = 1 if numeric else "123456789012"
    try:
        getattr(client, snake(name))(**params)
    except Caught as caught:
        request = caught.request
    except Exception:  # noqa: BLE001  the client's own customisations want values that this test does not have
        return None
    else:
        return None
    url = urlsplit(request.url)
    headers = {
        key.lower(): value.decode() if isinstance(value, bytes) else value for key, value in request.headers.items()
    }
    body = request.body
    if isinstance(body, str):
        body = body.encode()
    return WireRequest(
        method=request.method,
        path=url.path,
        query=url.query,
        headers={"host": url.netloc, **headers},
        body=body if isinstance(body, bytes) else b"",
    )
