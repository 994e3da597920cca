"""Who is let in: wrong secrets, expired and missing tokens, wrong clocks, changed requests."""

from __future__ import annotations

from typing import Any

import pytest
import urllib3

from hatoba.aws import sigv4
from hatoba.aws.wire import WireRequest
from hatoba.core.clock import SystemClock
from tests.conformance.gateway.test_gateway_clients import refused
from tests.conformance.gateway.world import EXPIRED, ROLE, ROOT, USER, World

LIST = "AmazonEC2ContainerServiceV20141113.ListClusters"
QUERY = b"Action=GetCallerIdentity&Version=2011-06-15"


@pytest.mark.parametrize(
    ("key", "json", "query"),
    [
        ((ROOT[0], "wrong"), "InvalidSignatureException", "SignatureDoesNotMatch"),
        (("AKIANOBODY0000000000", "x"), "UnrecognizedClientException", "InvalidClientTokenId"),
        (EXPIRED, "ExpiredTokenException", "ExpiredToken"),
        (ROLE[:2], "UnrecognizedClientException", "InvalidClientTokenId"),
        ((*ROLE[:2], "another token"), "UnrecognizedClientException", "InvalidClientTokenId"),
        ((*ROOT, "a token too many"), "UnrecognizedClientException", "InvalidClientTokenId"),
        (None, "MissingAuthenticationTokenException", "MissingAuthenticationToken"),
    ],
    ids=["secret", "key", "expired", "no token", "other token", "token of none", "unsigned"],
)
def test_who_is_not_let_in(signed: World, key: tuple[str, ...] | None, json: str, query: str) -> None:
    assert refused(signed.client("ecs", key).list_clusters)[0] == json
    assert refused(signed.client("sts", key).get_caller_identity)[:2] == (query, 403)


def test_a_user_without_a_policy_may_only_ask_who_it_is(signed: World) -> None:
    assert signed.client("sts", USER).get_caller_identity()["Arn"].endswith(":user/ann")
    code, _, said = refused(signed.client("ecs", USER).create_cluster, clusterName="forbidden")
    assert code == "AccessDeniedException"
    assert "user/ann is not authorized to perform: ecs:CreateCluster" in said
    assert signed.stored("forbidden") == 0
    assert refused(signed.client("ec2", USER).describe_vpcs)[:2] == ("UnauthorizedOperation", 403)


def send(
    world: World,
    *,
    service: str = "ecs",
    target: str = LIST,
    body: bytes = b"{}",
    late: float = 0.0,
    presigned: bool = False,
    change: Any = None,
) -> urllib3.BaseHTTPResponse:
    """A request signed here, at another time if need be, and changed afterwards."""
    headers = {"host": f"localhost:{world.port}", "content-type": "application/x-amz-json-1.1", "x-amz-target": target}
    if service == "sts":
        headers = {"host": headers["host"], "content-type": "application/x-www-form-urlencoded"}
    credential = sigv4.Credential(access_key_id=ROOT[0], secret=ROOT[1])
    now = SystemClock().now() + late
    request = WireRequest(method="POST", path="/", headers=headers, body=body)
    if presigned:
        query = sigv4.presign(request, credential, "us-east-1", service, now, expires=60)
        url = f"{world.url}/?{query}"
    else:
        headers = sigv4.sign(request, credential, "us-east-1", service, now)
        url = f"{world.url}/"
    sent = {"url": url, "headers": headers, "body": body} | (change or {})
    return urllib3.PoolManager().request("POST", sent["url"], headers=sent["headers"], body=sent["body"])


@pytest.mark.parametrize(("late", "said"), [(-16 * 60, "Signature expired"), (16 * 60, "not yet current")])
def test_a_clock_that_is_wrong_is_told_so(signed: World, late: float, said: str) -> None:
    answer = send(signed, late=late)
    assert answer.json()["__type"] == "InvalidSignatureException"
    assert said in answer.json()["message"]
    assert b"SignatureDoesNotMatch" in send(signed, service="sts", body=QUERY, late=late).data


@pytest.mark.parametrize("late", [-14 * 60, 14 * 60])
def test_a_clock_may_be_a_little_wrong(signed: World, late: float) -> None:
    assert send(signed, late=late).status == 200


def test_a_presigned_request(signed: World) -> None:
    assert send(signed, service="sts", body=QUERY, presigned=True).status == 200
    assert b"RequestExpired" in send(signed, service="sts", body=QUERY, presigned=True, late=-120).data


def test_a_presigned_url_as_clusters_of_kubernetes_take_it_for_a_token(signed: World) -> None:
    url = signed.client("sts").generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    answer = urllib3.PoolManager().request("GET", url)
    assert answer.status == 200, answer.data
    assert b"arn:aws:iam::123456789012:root" in answer.data
    assert urllib3.PoolManager().request("GET", url.replace("GetCallerIdentity", "GetSessionToken")).status == 403


def test_a_changed_body_is_noticed(signed: World) -> None:
    answer = send(signed, change={"body": b'{"maxResults": 1}'})
    assert answer.json()["__type"] == "InvalidSignatureException"


def test_the_scope_must_be_the_service_that_is_asked(signed: World) -> None:
    """A signature for one service is not one for another."""
    answer = send(signed, service="ssm", target=LIST)
    assert answer.status in (400, 403)
    assert answer.json()["__type"] != "ListClustersResponse"


def test_nothing_is_performed_before_the_signature_is_checked(signed: World) -> None:
    target = "AmazonEC2ContainerServiceV20141113.CreateCluster"
    assert send(signed, target=target, body=b'{"clusterName":"forged"}', change={"body": b'{"clusterName":"other"}'})
    assert (signed.stored("forged"), signed.stored("other")) == (0, 0)
