"""Bad input: whatever is sent, the answer is AWS's error for it, never a 500, and nothing is changed."""

from __future__ import annotations

import socket

import pytest
import urllib3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.gateway.world import World

PREFIX = "AmazonEC2ContainerServiceV20141113"
FORM = "application/x-www-form-urlencoded"
CREATE = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"{PREFIX}.CreateCluster"}
CBOR = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}
CBOR_PATH = "/service/GraniteServiceVersion20100801/operation/PutMetricData"

BROKEN = {
    "JSON: not JSON": ("/", CREATE, b"{"),
    "JSON: a list": ("/", CREATE, b"[]"),
    "JSON: deep": ("/", CREATE, b'{"clusterName":' * 5000),
    "JSON: a number for a name": ("/", CREATE, b'{"clusterName": 5}'),
    "JSON: not UTF-8": ("/", CREATE, b'{"clusterName": "\xff\xfe"}'),
    "JSON: NUL": ("/", CREATE, b"\0"),
    "JSON: a surrogate": ("/", CREATE, b'{"clusterName": "\\ud800"}'),
    "query: no action": ("/", {"content-type": FORM}, b"Version=2011-06-15"),
    "query: not UTF-8": ("/", {"content-type": FORM}, b"Action=AssumeRole&Version=2011-06-15&RoleArn=%ff"),
    "query: a huge index": ("/", {"content-type": FORM}, b"Action=DescribeVpcs&Version=2016-11-15&VpcId.9999999999=x"),
    "CBOR: cut": (CBOR_PATH, CBOR, b"\xbf\x69Namesp"),
    "CBOR: not CBOR": (CBOR_PATH, CBOR, b"\xff\xff\xff"),
    "CBOR: empty": (CBOR_PATH, CBOR, b""),
    "CBOR: a bomb of lengths": (CBOR_PATH, CBOR, b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff"),
    "CBOR: deep": (CBOR_PATH, CBOR, b"\x81" * 100_000),
    "gzip: not gzip": (CBOR_PATH, CBOR | {"content-encoding": "gzip"}, b"\x1f\x8bno"),
    "target: nothing": ("/", {"x-amz-target": ""}, b"{}"),
    "target: no operation": ("/", {"x-amz-target": f"{PREFIX}."}, b"{}"),
    "target: several dots": ("/", {"x-amz-target": f"{PREFIX}.a.b"}, b"{}"),
    "path: not UTF-8": ("/clusters/%ff", {"host": "eks.localhost"}, b""),
    "path: a NUL": ("/clusters/%00", {"host": "eks.localhost"}, b""),
    "path: climbing": ("/_hatoba/../../etc/passwd", {}, b""),
    "nothing at all": ("/", {}, b""),
    "another service": ("/", {"host": "nosuch.localhost"}, b""),
}


def send(world: World, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    given = {"host": "localhost", "content-length": str(len(body)), "connection": "close", **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return raw(world, f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)


def raw(world: World, data: bytes, *, end: bool = False) -> tuple[int, bytes]:
    """The first answer's status, and all that came."""
    with socket.create_connection(("127.0.0.1", world.port), timeout=10) as wire:
        wire.sendall(data)
        if end:
            wire.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := wire.recv(65536):
            answer += piece
    return (int(answer.split(b" ", 2)[1]) if answer else 0), answer


@pytest.mark.parametrize(("path", "headers", "body"), BROKEN.values(), ids=BROKEN)
def test_broken_requests_are_the_clients_fault(open_: World, path: str, headers: dict[str, str], body: bytes) -> None:
    before = open_.plane.metrics.failures
    status, answer = send(open_, path, headers, body)
    assert 400 <= status < 500, answer
    assert b"x-amzn-requestid" in answer or path.startswith("/_hatoba")
    assert open_.plane.metrics.failures == before


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(
        [("/", CREATE), ("/", {"content-type": FORM}), (CBOR_PATH, CBOR), ("/a%2fb?x=%", {"host": "eks.localhost"})]
    ),
    st.binary(max_size=80) | st.text(max_size=40).map(lambda text: f'{{"clusterName": "{text}'.encode()),
)
def test_random_bodies_are_the_clients_fault(open_: World, where: tuple[str, dict[str, str]], body: bytes) -> None:
    status, answer = send(open_, where[0], where[1], body)
    assert 200 <= status < 500, answer
    assert open_.server.failures == 0


def test_a_body_cut_short_changes_nothing(open_: World) -> None:
    body = b'{"clusterName":"cut"}'
    lines = "".join(f"{name}: {value}\r\n" for name, value in CREATE.items())
    head = f"POST / HTTP/1.1\r\nhost: a\r\n{lines}content-length: {len(body) + 1}\r\n\r\n".encode()
    status, answer = raw(open_, head + body, end=True)
    assert status == 400
    assert b"IncompleteBody" in answer
    assert open_.stored("cut") == 0


def test_a_body_that_is_too_long_is_refused(open_: World) -> None:
    answer = urllib3.PoolManager().request("POST", open_.url, headers=CREATE, body=b"x" * (5 << 20))
    assert (answer.status, answer.json()["__type"]) == (413, "RequestEntityTooLarge")


def test_a_bomb_of_gzip_is_not_unpacked(open_: World) -> None:
    import gzip

    bomb = gzip.compress(b"\0" * (200 << 20), compresslevel=9)
    status, answer = send(open_, CBOR_PATH, CBOR | {"content-encoding": "gzip"}, bomb)
    assert status == 400, answer


def test_garbage_between_pipelined_requests(open_: World) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in CREATE.items())
    one = f'POST / HTTP/1.1\r\nhost: a\r\n{lines}content-length: 25\r\n\r\n{{"clusterName":"garbage"}}'.encode()
    _, answer = raw(open_, one + one + b"\r\n\x00garbage\r\n\r\n" + one)
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.count(b"HTTP/1.1 400") == 1
    assert open_.stored("garbage") == 2


def test_many_unknown_names_do_not_grow_the_metrics(open_: World) -> None:
    before = len(list(open_.plane.metrics.collect()))
    for number in range(50):
        send(open_, "/", {"x-amz-target": f"{PREFIX}.Operation{number}"}, b"{}")
        send(open_, "/", {"x-amz-target": f"Service{number}.X"}, b"{}")
    assert len(list(open_.plane.metrics.collect())) <= before + 2


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://localhost:3000", "sec-fetch-site": "same-site"}, 200),
    ],
)
def test_a_page_of_another_site_cannot_post_forms(open_: World, headers: dict[str, str], status: int) -> None:
    form = b"Action=GetCallerIdentity&Version=2011-06-15"
    assert send(open_, "/", {"content-type": FORM, **headers}, form)[0] == status


def test_strangers_cannot_make_us_load_models(signed: World) -> None:
    from hatoba.aws import models

    before = models.load.cache_info().currsize
    for service in ("sagemaker", "quicksight", "connect", "lambda", "ses"):
        authorization = f"AWS4-HMAC-SHA256 Credential=NOBODY/20260101/us-east-1/{service}/aws4_request, Signature=0"
        assert send(signed, "/", {"authorization": authorization}, b"")[0] == 403
    assert models.load.cache_info().currsize == before


def test_reset_is_refused_unless_it_was_composed(signed: World) -> None:
    answer = urllib3.PoolManager().request("POST", f"{signed.url}/_hatoba/reset")
    assert answer.status == 403
