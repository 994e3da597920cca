"""A client that costs next to nothing: requests that were signed before, sent again and again on one connection."""

from __future__ import annotations

import socket
import statistics
import time
from typing import NamedTuple

from bench.process import cpu_seconds
from hatoba.aws import sigv4
from hatoba.aws.wire import WireRequest


class Keys(NamedTuple):
    id: str
    secret: str
    region: str = "us-east-1"


def signed(
    port: int, keys: Keys, service: str, target: str, body: bytes, content_type: str = "application/x-amz-json-1.1"
) -> bytes:
    """A POST as the SDKs send it, with its head; `target` is empty for the query protocols."""
    headers = {"host": f"127.0.0.1:{port}", "content-type": content_type}
    if target:
        headers["x-amz-target"] = target
    request = WireRequest(method="POST", path="/", headers=headers, body=body)
    credential = sigv4.Credential(access_key_id=keys.id, secret=keys.secret)
    headers = sigv4.sign(request, credential, keys.region, service, time.time())
    headers |= {"user-agent": "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1", "content-length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST / HTTP/1.1\r\n{lines}\r\n".encode() + body


def ask(wire: socket.socket, request: bytes) -> bytes:
    """One answer with a content-length, head and all."""
    wire.sendall(request)
    data = wire.recv(65536)
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += wire.recv(65536)
    start = data.index(b"content-length: ") + 16
    whole = end + 4 + int(data[start : data.index(b"\r", start)])
    while len(data) < whole:
        data += wire.recv(65536)
    return data


class Cost(NamedTuple):
    """Of one request, in seconds: the server's CPU, all threads together, and the time until the answer."""

    cpu: float
    wall: float


def cost(pid: int, wire: socket.socket, request: bytes, count: int, rounds: int = 7) -> Cost:
    """Medians over the rounds. The first answer must be a 200; it is not counted."""
    first = ask(wire, request)
    if not first.startswith(b"HTTP/1.1 200"):
        raise AssertionError(first[:2000])
    found = [_round(pid, wire, request, count) for _ in range(rounds)]
    return Cost(statistics.median(each.cpu for each in found), statistics.median(each.wall for each in found))


def _round(pid: int, wire: socket.socket, request: bytes, count: int) -> Cost:
    cpu, wall = cpu_seconds(pid), time.perf_counter()
    for _ in range(count):
        ask(wire, request)
    return Cost((cpu_seconds(pid) - cpu) / count, (time.perf_counter() - wall) / count)
