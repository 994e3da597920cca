"""Health, metrics and reset."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hatoba.gateway.front import front
from hatoba.gateway.http import Body, Request, Response
from hatoba.gateway.metrics import BUCKETS, Metrics
from hatoba.gateway.own import Own
from tests.unit.gateway.wire import on_uvloop


class NoFlow:
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def send_continue(self) -> None: ...


def request(method: str, target: str, peer: str = "127.0.0.1", **headers: str) -> Request:
    body = Body(NoFlow(), 0, expects=False)
    body.finish()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method=method, target=target, headers=named, body=body, peer=peer)


def parsed(response: Response) -> Any:
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


@on_uvloop
async def test_health_follows_the_status() -> None:
    own = Own(version="1.2", components=lambda: {"store": "ok", "node": "not connected"})
    codes = []
    for own.status in ("starting", "ready", "stopping"):
        answer = await own(request("GET", "/_hatoba/health"))
        codes.append(answer.status)
    assert codes == [503, 200, 503]
    assert parsed(answer) == {
        "status": "stopping",
        "version": "1.2",
        "components": {"store": "ok", "node": "not connected"},
    }


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("127.9.9.9", {}, 200),
        ("::1", {}, 200),
        ("::ffff:127.0.0.1", {}, 200),
        ("10.0.0.1", {}, 403),
        ("::ffff:10.0.0.1", {}, 403),
        ("", {}, 403),
        ("127.0.0.1", {"origin": "http://evil.example"}, 403),
    ],
)
@on_uvloop
async def test_reset_is_for_this_machine_only(peer: str, headers: dict[str, str], status: int) -> None:
    done = []

    async def reset() -> None:
        done.append(1)

    own = Own(version="1", components=dict, reset=reset)
    assert (await own(request("POST", "/_hatoba/reset", peer, **headers))).status == status
    assert len(done) == (status == 200)


@on_uvloop
async def test_reset_needs_auth_off_and_post() -> None:
    own = Own(version="1", components=dict)
    assert (await own(request("POST", "/_hatoba/reset"))).status == 403
    assert (await own(request("GET", "/_hatoba/reset"))).status == 405
    assert (await own(request("GET", "/_hatoba/nonsense"))).status == 404


@pytest.mark.parametrize(
    ("target", "headers", "where"),
    [
        ("/v2/", {}, "registry"),
        ("/v2", {}, "registry"),
        ("/v2?x=y", {}, "registry"),
        ("/v2/a/manifests/latest", {"authorization": "Bearer x"}, "registry"),
        ("/v2/apis", {"authorization": "AWS4-HMAC-SHA256 Credential=x"}, "aws"),
        ("/v2/apis?X-Amz-Signature=0", {}, "aws"),
        ("/v20190125/meshes", {}, "aws"),
        ("/_hatoba/health", {}, "own"),
        ("/_hatobas", {}, "aws"),
        ("/", {}, "aws"),
    ],
)
@on_uvloop
async def test_what_is_mounted_where(target: str, headers: dict[str, str], where: str) -> None:
    def named(name: str) -> Any:
        async def handler(request: Request) -> Response:
            return Response(body=name.encode())

        return handler

    answer = front(aws=named("aws"), registry=named("registry"), own_paths=named("own"))
    assert (await answer(request("GET", target, **headers))).body == where.encode()


def test_metrics_are_prometheus_text() -> None:
    metrics = Metrics()
    for seconds in (0.0001, BUCKETS[0], 0.3, 100):
        metrics.of("ecs", "RunTask").observe("client", "ok", seconds)
    metrics.of("ecs", "RunTask").observe("ecs", "ClientException", 0.3)
    metrics.refuse("UnknownServiceException")
    lines = list(metrics.collect())
    where = 'service="ecs",operation="RunTask"'
    assert f'hatoba_requests_total{{{where},caller="client",code="ok"}} 4' in lines
    assert f'hatoba_requests_total{{{where},caller="ecs",code="ClientException"}} 1' in lines
    # A bound belongs to its own bucket, and buckets add up.
    assert f'hatoba_request_seconds_bucket{{{where},le="0.0005"}} 2' in lines
    assert f'hatoba_request_seconds_bucket{{{where},le="0.5"}} 4' in lines
    assert f'hatoba_request_seconds_bucket{{{where},le="+Inf"}} 5' in lines
    assert f"hatoba_request_seconds_count{{{where}}} 5" in lines
    assert 'hatoba_requests_refused_total{code="UnknownServiceException"} 1' in lines


@on_uvloop
async def test_metrics_of_all_collectors() -> None:
    own = Own(version="1", components=dict, collectors=[lambda: ["a 1"]])
    own.collect(lambda: ["b 2", "c 3"])
    answer = await own(request("GET", "/_hatoba/metrics"))
    assert answer.body == b"a 1\nb 2\nc 3\n"
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
