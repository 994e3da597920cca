"""boto3 against the whole path: every protocol, streams both ways, errors as the clients know them."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError

from hatoba.aws import sigv4
from hatoba.aws.wire import WireRequest
from hatoba.core.clock import SystemClock
from tests.conformance.gateway.world import ROLE, ROOT, World, seen


def refused(operation: Any, **params: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as raised:
        operation(**params)
    error = raised.value.response
    return error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"], error["Error"].get("Message", "")


def test_json(signed: World) -> None:
    answer = signed.client("ecs", region="eu-west-3").list_clusters()
    assert answer["clusterArns"] == ["arn:aws:ecs:eu-west-3:123456789012:cluster/default"]
    assert re.fullmatch(r"[0-9a-f-]{36}", answer["ResponseMetadata"]["RequestId"])


def test_query(signed: World) -> None:
    assert signed.client("sts").get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:root"
    assert len(signed.client("elbv2").describe_target_groups()["TargetGroups"]) == 1


def test_ec2(signed: World) -> None:
    vpcs = signed.client("ec2").describe_vpcs(VpcIds=["vpc-a", "vpc-b"])["Vpcs"]
    assert [vpc["VpcId"] for vpc in vpcs] == ["vpc-a", "vpc-b"]


def test_rest_json(signed: World) -> None:
    assert signed.client("eks").describe_cluster(name="one")["cluster"]["name"] == "one"


@pytest.mark.parametrize("points", [1, 1000], ids=["small", "compressed"])
def test_cbor(signed: World, points: int) -> None:
    """A large one is compressed by the client."""
    seen.clear()
    data = [{"MetricName": f"metric-{number}", "Value": 1.0} for number in range(points)]
    signed.client("cloudwatch").put_metric_data(Namespace="test", MetricData=data)
    assert seen == [points]


@pytest.mark.parametrize("size", [0, 1, 300_000, 20_000_000])
def test_a_streamed_upload(signed: World, size: int) -> None:
    """boto3 sends it in chunks with a checksum behind them."""
    body = io.BytesIO(b"x" * size)
    assert signed.client("s3").put_object(Bucket="bucket", Key="key", Body=body)["ETag"] == str(size)


def test_a_streamed_upload_with_auth_off(open_: World) -> None:
    body = io.BytesIO(b"x" * 300_000)
    assert open_.client("s3").put_object(Bucket="bucket", Key="key", Body=body)["ETag"] == "300000"


def test_a_streamed_download(signed: World) -> None:
    answer = signed.client("s3").get_object(Bucket="bucket", Key="key")
    assert sum(len(piece) for piece in answer["Body"].iter_chunks()) == 64 << 18


def test_a_stream_of_events(signed: World) -> None:
    logs = signed.client("logs", inject_host_prefix=False)
    stream = logs.start_live_tail(logGroupIdentifiers=["arn:aws:logs:us-east-1:123456789012:log-group:x"])
    messages = [
        result["message"]
        for event in stream["responseStream"]
        for result in event.get("sessionUpdate", {}).get("sessionResults", [])
    ]
    assert messages == ["line 0", "line 1", "line 2"]


def test_a_prefix_before_the_host(signed: World) -> None:
    """The clients prepend it to whatever endpoint they are given."""
    http = urllib3.PoolManager()
    for host in (f"data-localhost:{signed.port}", f"123456789012.localhost:{signed.port}"):
        answer = http.request(
            "POST",
            f"{signed.url}/",
            headers={"host": host, "x-amz-target": "AmazonEC2ContainerServiceV20141113.ListClusters"},
        )
        assert answer.json()["__type"] == "MissingAuthenticationTokenException"


# --- errors


def test_an_error_that_the_model_declares(signed: World) -> None:
    ecs = signed.client("ecs")
    with pytest.raises(ecs.exceptions.ClusterNotFoundException, match="Cluster not found"):
        ecs.delete_cluster(cluster="x")


@pytest.mark.parametrize(
    ("service", "operation", "params", "code", "status"),
    [
        ("ecs", "put_attributes", {"attributes": []}, "NotImplementedException", 400),
        ("ec2", "run_instances", {"MinCount": 1, "MaxCount": 1}, "NotImplementedException", 400),
        ("sts", "get_session_token", {}, "NotImplementedException", 400),
        ("cloudwatch", "list_dashboards", {}, "NotImplementedException", 400),
        ("eks", "list_clusters", {}, "NotImplementedException", 400),
        ("s3", "list_buckets", {}, "NotImplementedException", 400),
        ("sqs", "list_queues", {}, "NotImplementedException", 400),
        ("logs", "put_log_events", {"logGroupName": "g"}, "InvalidParameterException", 400),
        ("cloudwatch", "put_metric_data", {}, "ValidationError", 400),
    ],
)
def test_refusals_have_the_codes_of_their_protocols(
    signed: World, service: str, operation: str, params: dict[str, Any], code: str, status: int
) -> None:
    said = refused(getattr(signed.client(service), operation), **params)
    assert said[:2] == (code, status), said


def test_what_is_not_implemented_is_named(signed: World) -> None:
    assert "ecs.PutAttributes" in refused(signed.client("ecs").put_attributes, attributes=[])[2]


def test_an_operation_that_no_model_has(signed: World) -> None:
    http = urllib3.PoolManager()
    credential = sigv4.Credential(access_key_id=ROOT[0], secret=ROOT[1])
    for service, headers, body, code in (
        ("ecs", {"x-amz-target": "AmazonEC2ContainerServiceV20141113.Nonsense"}, b"{}", "UnknownOperationException"),
        (
            "sts",
            {"content-type": "application/x-www-form-urlencoded"},
            b"Action=Nonsense&Version=2011-06-15",
            "InvalidAction",
        ),
        ("eks", {}, b"", "UnknownOperationException"),
    ):
        given = {"host": f"localhost:{signed.port}", **headers}
        request = WireRequest(method="POST", path="/", headers=given, body=body)
        told = sigv4.sign(request, credential, "us-east-1", service, SystemClock().now())
        answer = http.request("POST", f"{signed.url}/", headers=told, body=body)
        assert 400 <= answer.status < 500
        assert code in answer.data.decode() + answer.headers.get("x-amzn-errortype", "")


def test_an_unforeseen_failure_is_a_500_that_tells_nothing_of_it(signed: World) -> None:
    code, status, message = refused(signed.client("ecs").describe_clusters, clusters=["a"])
    assert (code, status) == ("InternalFailure", 500)
    assert "secret" not in message
    metrics = signed.plane.metrics.of("ecs", "DescribeClusters")
    assert metrics.failures >= 1


def test_a_lost_race_is_a_fault_that_clients_repeat(signed: World) -> None:
    code, status, _ = refused(signed.client("ecs").update_cluster, cluster="x")
    assert (code, status) == ("ServerException", 500)


# --- identity and the door


def test_a_role_with_its_session_token(signed: World) -> None:
    assert signed.client("sts", ROLE).get_caller_identity()["UserId"] == "AROAAPP:session"


def test_an_operation_that_needs_no_signature(signed: World) -> None:
    params = {"RoleArn": "arn:aws:iam::123456789012:role/app", "RoleSessionName": "ab", "WebIdentityToken": "abcd"}
    assert signed.client("sts", None).assume_role_with_web_identity(**params)["Audience"] == "anonymous"


def test_rooms_ask_each_other_as_services(signed: World) -> None:
    (arn,) = signed.client("ecs", region="eu-north-1").list_services()["serviceArns"]
    assert arn == (
        "arn:aws:elasticloadbalancing:eu-north-1:123456789012:targetgroup/x/1"
        "?by=arn:aws:sts::123456789012:assumed-role/AWSServiceRoleForECS/ecs"
    )


def test_with_auth_off_the_key_is_the_account(open_: World) -> None:
    def account(*key: str) -> str:
        return str(open_.client("sts", key).get_caller_identity()["Account"])

    assert account("000000000042", "whatever") == "000000000042"
    assert account("anything", "whatever") == "123456789012"
    assert open_.client("sts", None).get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:root"


# --- beside AWS


def test_the_registry_is_mounted_unless_aws_signed(signed: World) -> None:
    http = urllib3.PoolManager()
    assert http.request("GET", f"{signed.url}/v2/").data == b"the registry"
    assert http.request("GET", f"{signed.url}/v2").data == b"the registry"
    assert http.request("GET", f"{signed.url}/v2/a/b/manifests/x", headers={"authorization": "Basic x"}).status == 200
    assert refused(signed.client("apigatewayv2").get_apis)[0] == "NotImplementedException"


def test_health_and_metrics(signed: World) -> None:
    http = urllib3.PoolManager()
    health = http.request("GET", f"{signed.url}/_hatoba/health")
    assert (health.status, health.json()["status"]) == (200, "ready")
    signed.client("ecs").list_clusters()
    text = http.request("GET", f"{signed.url}/_hatoba/metrics").data.decode()
    assert 'hatoba_requests_total{service="ecs",operation="ListClusters",caller="client",code="ok"}' in text
