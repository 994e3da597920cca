"""The registry with big and with small things, over HTTP, everything durable before it is answered.

    python -m bench.registry [--megabytes N]

A process with the store, the gateway, ECR and the registry is started; this one is the client. Prints throughput, the
server's CPU and its peak memory for one large blob each way, then rates and CPU for small images and API calls.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.process import cpu_seconds, memory, peak_memory
from tests.conformance.apart import KEY, REGION
from tests.conformance.ecr.platform import Platform, Registry
from tests.conformance.oci.client import image

MEGABYTE = 1024 * 1024
ROUNDS = 5


def large(platform: Platform, login: str, megabytes: int) -> None:
    block = os.urandom(MEGABYTE)
    digest = hashlib.sha256()
    began = time.perf_counter()
    for _ in range(megabytes):
        digest.update(block)
    print(f"sha256 alone                 {megabytes / (time.perf_counter() - began):8.0f} MB/s")

    def blocks() -> Iterator[bytes]:
        for _ in range(megabytes):
            yield block

    name = f"/v2/app/blobs/sha256:{digest.hexdigest()}"
    location = Registry(platform.registry, login)("POST", "/v2/app/blobs/uploads/").headers["location"]
    headers = Registry(platform.registry, login).headers
    wire = http.client.HTTPConnection(platform.registry)
    idle = memory(platform.pid)

    def upload() -> None:
        length = {"content-length": str(megabytes * MEGABYTE)}
        wire.request("PATCH", location, body=blocks(), headers={**headers, **length})
        _done(wire.getresponse(), 202)
        wire.request("PUT", f"{location}?digest={name.rpartition('/')[2]}", headers=headers)
        _done(wire.getresponse(), 201)

    def download() -> None:
        wire.request("GET", name, headers=headers)
        response, buffer = wire.getresponse(), bytearray(MEGABYTE)
        while response.readinto(buffer):
            pass

    for what, work in (("upload, synced", upload), ("download", download)):
        cpu, wall = _measured(platform.pid, work)
        rate, peak = megabytes / wall, peak_memory(platform.pid) / MEGABYTE
        print(f"{what:28} {rate:8.0f} MB/s   CPU {cpu:5.2f} s   peak {peak:.0f} MB (idle {idle / MEGABYTE:.0f})")


def small(platform: Platform, login: str) -> None:
    registry = Registry(platform.registry, login)
    number = 0

    def push() -> None:
        nonlocal number
        number += 1
        config, layer = b"%d" % number, b"layer %d" % number
        for content in (config, layer):
            registry.push("app", content)
        assert registry("PUT", f"/v2/app/manifests/t{number}", image(config, layer)).status == 201

    _rate(platform.pid, "push of a small image", push, 40)
    _rate(platform.pid, "pull of a manifest", lambda: registry("GET", "/v2/app/manifests/t1"), 300)
    blob = f"/v2/app/blobs/{registry.push('app', b'small')}"
    _rate(platform.pid, "pull of a small blob", lambda: registry("GET", blob), 300)

    ecr = platform.client()
    for other in range(19):
        ecr.create_repository(repositoryName=f"other/{other}")
    wire = http.client.HTTPConnection(platform.registry)
    for operation, body in (
        ("DescribeRepositories", b"{}"),  # 20 of them
        ("DescribeImages", b'{"repositoryName":"app","imageIds":[{"imageTag":"t1"}]}'),
    ):
        headers = _signed(platform.registry, operation, body)

        def ask(body: bytes = body, headers: dict[str, str] = headers) -> None:
            wire.request("POST", "/", body=body, headers=headers)
            _done(wire.getresponse(), 200)

        _rate(platform.pid, operation, ask, 300)


def _signed(host: str, operation: str, body: bytes) -> dict[str, str]:
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": f"AmazonEC2ContainerRegistry_V20150921.{operation}",
    }
    request = AWSRequest("POST", f"http://{host}/", headers=headers, data=body)
    SigV4Auth(Credentials(*KEY), "ecr", REGION).add_auth(request)
    return dict(request.headers)


def _measured(pid: int, work: Callable[[], object]) -> tuple[float, float]:
    cpu, wall = cpu_seconds(pid), time.perf_counter()
    work()
    return cpu_seconds(pid) - cpu, time.perf_counter() - wall


def _rate(pid: int, what: str, work: Callable[[], object], count: int) -> None:
    work()
    rounds = [_measured(pid, lambda: [work() for _ in range(count)]) for _ in range(ROUNDS)]
    cpu, wall = (statistics.median(values) / count * 1e3 for values in zip(*rounds, strict=True))
    print(f"{what:28} {wall:8.2f} ms     CPU {cpu:6.3f} ms")


def _done(response: http.client.HTTPResponse, status: int) -> None:
    body = response.read()
    assert response.status == status, body


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--megabytes", type=int, default=1024)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(Path(folder)).start()
        try:
            platform.client().create_repository(repositoryName="app")
            login = platform.login()
            large(platform, login, given.megabytes)
            small(platform, login)
        finally:
            platform.kill()


if __name__ == "__main__":
    main()
