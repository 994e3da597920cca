"""Access logs' lines and files, without an Envoy."""

from __future__ import annotations

import gzip
import json
import os
import shlex
from pathlib import Path

import pytest

from hatoba.proxy import connectionlog, delivery
from hatoba.proxy.accesslog import line

NAME = "123456789012_elasticloadbalancing_eu-west-1_app.web.50dc6c495c0c9188"
NOW = 1_700_000_000.0
RAW = {
    "began": "1700000000.25", "lasted": 500, "balancer": "app/web/1", "client": "10.0.0.1:2", "method": "GET",
    "host": "web", "path": "/", "port": "80", "protocol": "HTTP/1.1", "status": 200, "received": 1, "sent": 2,
}  # fmt: skip


def wrote(folder: Path, *texts: str) -> None:
    delivery.prepare(folder)
    file = delivery.place(folder, NAME)
    assert file is not None
    with file.open("a") as out:
        out.write("".join(texts))


def kept(folder: Path) -> list[str]:
    files = sorted(folder.rglob("*.log.gz"))
    return [text for file in files for text in gzip.decompress(file.read_bytes()).decode().splitlines()]


def test_a_hostile_client_can_neither_end_a_field_nor_a_line() -> None:
    agent, path = 'x" "forged', '/?q="\n evil'
    text = line({**RAW, "agent": agent, "path": path})
    assert "\n" not in text
    assert len(shlex.split(text)) == 33
    assert shlex.split(text)[12] == "GET http://web:80/?q=%22%0A%20evil HTTP/1.1"


def test_times_are_of_the_beginning_and_of_the_answer() -> None:
    found = shlex.split(line(RAW))
    assert (found[1], found[21]) == ("2023-11-14T22:13:20.750000Z", "2023-11-14T22:13:20.250000Z")


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({}, "http"),
        ({"tls": "TLSv1.3"}, "https"),
        ({"tls": "TLSv1.3", "protocol": "HTTP/2"}, "h2"),
        ({"tls": "TLSv1.3", "protocol": "HTTP/2", "content": "application/grpc+proto"}, "grpcs"),
        ({"upgrade": "WebSocket", "status": 101}, "ws"),
        ({"upgrade": "websocket", "status": 101, "tls": "TLSv1.2"}, "wss"),
        ({"upgrade": "websocket", "status": 400}, "http"),
    ],
)
def test_the_type_of_a_request(more: dict[str, object], kind: str) -> None:
    assert line({**RAW, **more}).split(" ")[0] == kind


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        ("", "Success"),
        ("…CERTIFICATE_VERIFY_FAILED:certificate_has_expired", "Failed:ClientCertExpired"),
        ("…CERTIFICATE_VERIFY_FAILED:certificate_revoked", "Failed:ClientCertCrlHit"),
        ("…CERTIFICATE_VERIFY_FAILED:unable_to_get_certificate_CRL", "Failed:ClientCertCrlProcessingError"),
        ("…CERTIFICATE_VERIFY_FAILED:unable_to_get_local_issuer_certificate", "Failed:ClientCertUntrusted"),
        ("…PEER_DID_NOT_RETURN_A_CERTIFICATE", "Failed:UnmappedConnectionError"),
    ],
)
def test_why_a_connection_came_to_nothing(failure: str, status: str) -> None:
    raw = {"began": "1700000000.25", "client": "10.0.0.1:2", "port": "443", "tls": "TLSv1.3", "failure": failure}
    found = shlex.split(connectionlog.line(raw))
    assert len(found) == 12
    assert (found[0], found[1:4], found[10]) == ("2023-11-14T22:13:20.250000Z", ["10.0.0.1", "2", "443"], status)


def test_what_was_put_aside_is_kept_once_also_after_a_crash_in_between(tmp_path: Path) -> None:
    wrote(tmp_path, json.dumps(RAW) + "\n", '{"torn": ')
    assert delivery.put_aside(tmp_path, NOW)
    assert not delivery.put_aside(tmp_path, NOW), "there is nothing new"
    (first,) = delivery.finish(tmp_path, "10.0.0.5")
    # The agent was killed before it could remove what the file was made of.
    wrote(tmp_path, json.dumps(RAW) + "\n")
    delivery.put_aside(tmp_path, NOW)
    (again,) = delivery.finish(tmp_path, "10.0.0.5")
    assert again == first, "the same file, not a second one"
    assert kept(tmp_path) == [line(RAW)]
    assert delivery.finish(tmp_path, "10.0.0.5") == []


def test_the_oldest_files_go_when_there_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MOST_BYTES", 700)
    for number in range(6):
        wrote(tmp_path, json.dumps({**RAW, "agent": os.urandom(60).hex()}) + "\n")
        delivery.put_aside(tmp_path, NOW + number)
        (file,) = delivery.finish(tmp_path, "10.0.0.5")
        os.utime(file, (NOW + number, NOW + number))
    sizes = [file.stat().st_size for file in tmp_path.rglob("*.log.gz")]
    assert 1 <= len(sizes) < 6
    assert sum(sizes) <= 700
    assert file.exists(), "the newest"
