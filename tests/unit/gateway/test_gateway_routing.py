"""Which service a request means: a table of what clients send."""

from __future__ import annotations

import contextlib
from collections.abc import Container

import pytest

from hatoba.aws import index
from hatoba.aws.wire import WireRequest
from hatoba.core.errors import AwsError
from hatoba.gateway import routing
from hatoba.gateway.bodies import form_field
from hatoba.gateway.routing import Route, route

FORM = "application/x-www-form-urlencoded; charset=utf-8"
JSON = "application/x-amz-json-1.1"


ALL = frozenset(service.name for service in index.services())


def signed(service: str, region: str = "eu-west-1") -> str:
    return f"AWS4-HMAC-SHA256 Credential=AKID/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"


def asked(
    path: str = "/",
    *,
    method: str = "POST",
    version: str | None = None,
    served: Container[str] = ALL,
    stranger: bool = False,
    **headers: str,
) -> Route:
    path, _, query = path.partition("?")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = WireRequest(method=method, path=path, query=query, headers=named)
    return route(request, version, served=served, stranger=lambda: stranger)


@pytest.mark.parametrize(
    ("signing_name", "headers", "version", "service"),
    [
        ("ecs", {"x_amz_target": "AmazonEC2ContainerServiceV20141113.ListClusters"}, None, "ecs"),
        ("elasticloadbalancing", {"content_type": FORM}, "2015-12-01", "elbv2"),
        ("elasticloadbalancing", {"content_type": FORM}, "2012-06-01", "elb"),
        ("ec2", {"content_type": FORM}, "2016-11-15", "ec2"),
        ("monitoring", {"smithy_protocol": "rpc-v2-cbor"}, None, "cloudwatch"),
        ("dynamodb", {"x_amz_target": "DynamoDBStreams_20120810.ListStreams"}, None, "dynamodbstreams"),
        ("dynamodb", {"x_amz_target": "DynamoDB_20120810.ListTables"}, None, "dynamodb"),
        ("application-autoscaling", {"x_amz_target": "AnyScaleFrontendService.X"}, None, "application-autoscaling"),
        ("servicediscovery", {"x_amz_target": "Route53AutoNaming_v20170314.X"}, None, "servicediscovery"),
        # A target of another service does not change what was signed: that service answers that it has no such thing.
        ("ecs", {"x_amz_target": "AmazonSSM.GetParameter"}, None, "ecs"),
    ],
)
def test_the_signature_and_what_tells_its_services_apart(
    signing_name: str, headers: dict[str, str], version: str | None, service: str
) -> None:
    found = asked(authorization=signed(signing_name), host="localhost:4566", version=version, **headers)
    assert found == Route(service=service, region="eu-west-1", access_key_id="AKID")


@pytest.mark.parametrize(
    ("signing_name", "method", "path", "service"),
    [
        ("apigateway", "GET", "/restapis", "apigateway"),
        ("apigateway", "GET", "/v2/apis", "apigatewayv2"),
        ("ses", "GET", "/v2/email/account", "sesv2"),
        ("appmesh", "GET", "/v20190125/meshes", "appmesh"),
        ("eks", "POST", "/clusters", "eks"),
        ("lambda", "GET", "/2015-03-31/functions", "lambda"),
        ("s3", "GET", "/bucket", "s3"),
        ("iam", "GET", "/?Action=ListUsers&Version=2010-05-08", "iam"),
    ],
)
def test_the_path_tells_services_of_one_signing_name_apart(
    signing_name: str, method: str, path: str, service: str
) -> None:
    assert asked(path, method=method, authorization=signed(signing_name)).service == service


def test_of_several_the_one_that_has_a_room_is_meant() -> None:
    said = {"authorization": signed("apigateway")}
    assert asked("/v2/apis", method="GET", served={"apigateway"}, **said).service == "apigateway"
    assert asked("/v2/apis", method="GET", served=(), **said).service == "apigatewayv2"
    # A stranger is not worth a look into the models: the one of the same name says that it is not there.
    assert asked("/v2/apis", method="GET", served=(), stranger=True, **said).service == "apigateway"


def test_a_presigned_query_is_a_signature() -> None:
    query = (
        "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Credential=AKID%2F20260101%2Fus-west-2%2Fsts%2Faws4_request"
    )
    assert asked(f"/?{query}", method="GET") == Route(service="sts", region="us-west-2", access_key_id="AKID")


@pytest.mark.parametrize(
    ("host", "service", "region"),
    [
        ("ecs.us-east-1.amazonaws.com", "ecs", "us-east-1"),
        ("api.ecr.eu-central-1.amazonaws.com", "ecr", "eu-central-1"),
        ("ecs.cn-north-1.amazonaws.com.cn:443", "ecs", "cn-north-1"),
        ("monitoring.us-gov-west-1.amazonaws.com", "cloudwatch", "us-gov-west-1"),
        ("logs.localhost:4566", "logs", None),
        ("elbv2.localhost", "elbv2", None),
        ("ECS.Localhost:4566", "ecs", None),
        ("ecs.eu-west-1.localhost:4566", "ecs", "eu-west-1"),
        ("data-servicediscovery.us-east-1.amazonaws.com", "servicediscovery", "us-east-1"),
        ("streaming-logs.us-east-1.amazonaws.com", "logs", "us-east-1"),
        ("sync-states.us-east-1.amazonaws.com", "stepfunctions", "us-east-1"),
        ("123456789012.ecs.us-east-1.localhost", "ecs", "us-east-1"),
        ("bucket.s3.us-east-1.amazonaws.com", "s3", "us-east-1"),
        ("ecs.us-east-1.api.aws", "ecs", "us-east-1"),
    ],
)
def test_the_host_of_an_unsigned_request(host: str, service: str, region: str | None) -> None:
    assert asked(host=host) == Route(service=service, region=region, access_key_id=None)


@pytest.mark.parametrize("host", ["localhost:4566", "127.0.0.1:4566", "[::1]:4566", "data-localhost", "", ":", "a..b"])
def test_a_host_that_tells_nothing(host: str) -> None:
    assert routing.of_host(host) == ((), None)


def test_an_unsigned_form_is_told_by_its_version() -> None:
    assert asked(host="localhost", content_type=FORM, version="2011-06-15").service == "sts"


def test_an_unsigned_target_suffices() -> None:
    target = "AmazonEC2ContainerServiceV20141113.ListClusters"
    assert asked(host="localhost", x_amz_target=target).service == "ecs"


def test_the_path_of_the_rpc_protocol_suffices() -> None:
    path = "/service/GraniteServiceVersion20100801/operation/PutMetricData"
    assert asked(path, host="localhost", smithy_protocol="rpc-v2-cbor").service == "cloudwatch"


def test_the_user_agent_is_the_last_hint() -> None:
    agent = "aws-sdk-js/3.600.0 ua/2.0 os/linux lang/js md/nodejs#20 api/elastic-load-balancing-v2#3.600.0"
    assert asked(host="localhost", user_agent=agent).service == "elbv2"
    assert asked(host="sqs.localhost", user_agent=agent).service == "sqs"


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"host": "localhost"}, "no signature, no X-Amz-Target"),
        ({"authorization": signed("nosuch")}, "signed for the service 'nosuch'"),
        ({"x_amz_target": "Nothing.Nothing"}, "the target 'Nothing'"),
    ],
)
def test_what_cannot_be_told_is_refused_with_what_was_looked_at(headers: dict[str, str], said: str) -> None:
    with pytest.raises(AwsError, match=said) as refused:
        asked(**headers)
    assert (refused.value.code, refused.value.status) == ("UnknownServiceException", 404)


@pytest.mark.parametrize("region", ["", "..", "us-east-1%00", "US-EAST-1", "a" * 100])
def test_a_region_is_a_name(region: str) -> None:
    with pytest.raises(AwsError, match="valid region"):
        asked(authorization=signed("ecs", region))


@pytest.mark.parametrize(
    ("region", "partition"), [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_the_partition_of_a_region(region: str, partition: str) -> None:
    assert routing.partition(region) == partition


@pytest.mark.parametrize(
    ("form", "value"),
    [
        (b"Action=X&Version=2015-12-01", "2015-12-01"),
        (b"Version=1&Action=X", "1"),
        (b"Filter.Version=9&Version=1", "1"),
        (b"Filter.Version=9", None),
        (b"Version=", ""),
        (b"", None),
    ],
)
def test_one_field_of_a_form(form: bytes, value: str | None) -> None:
    assert form_field(form, b"Version") == value


def test_what_strangers_say_is_remembered_only_if_it_is_short() -> None:
    """Heads may have 64 KiB: thousands of such names would stay in memory for good."""

    def remembered(long: str) -> list[int]:
        with pytest.raises(AwsError):
            asked(host=f"{long}.localhost")
        for headers in ({"authorization": signed(long)}, {"authorization": signed("ecs"), "x_amz_target": f"{long}.A"}):
            with contextlib.suppress(AwsError):
                asked(**headers)
        return [cache.cache_info().currsize for cache in (routing._of_host, routing._settled)]

    assert remembered("x" * 60_000) == remembered("y" * 60_000), "what is short of them is known from the first time on"
    with pytest.raises(AwsError, match="valid region"):
        asked(authorization=signed("ecs", region="us-" + "a" * 60 + "-1"))
