"""Access logs' lines and files, without an Envoy."""

from __future__ import annotations

import gzip
import json
import os
import shlex
import threading
from pathlib import Path

import pytest

from hatoba.proxy import connectionlog, delivery, healthlog, logfiles
from hatoba.proxy.accesslog import line
from hatoba.proxy.base import HealthCheck
from hatoba.proxy.health import Answered, Failed, Result, TimedOut
from hatoba.proxy.logfiles import Kind

NAME = "123456789012_elasticloadbalancing_eu-west-1_app.web.50dc6c495c0c9188"
NOW = 1_700_000_000.0
AT = {NAME: "10.0.0.5"}
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
    assert delivery.put_aside(tmp_path, NOW, AT)
    (aside,) = delivery.put_aside(tmp_path, NOW, AT)
    assert delivery.finish(tmp_path, ()) == [], "Envoy may still write to it"
    (first,) = delivery.finish(tmp_path, {aside})
    # The agent was killed before it could remove what the file was made of.
    wrote(tmp_path, json.dumps(RAW) + "\n")
    delivery.put_aside(tmp_path, NOW, AT)
    (again,) = delivery.finish(tmp_path)
    assert again == first, "the same file, not a second one"
    assert kept(tmp_path) == [line(RAW)]
    assert delivery.finish(tmp_path) == []


def test_the_oldest_files_go_when_there_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MOST_BYTES", 700)
    for number in range(6):
        wrote(tmp_path, json.dumps({**RAW, "agent": os.urandom(60).hex()}) + "\n")
        delivery.put_aside(tmp_path, NOW + number, AT)
        (file,) = delivery.finish(tmp_path)
        os.utime(file, (NOW + number, NOW + number))
    sizes = [file.stat().st_size for file in tmp_path.rglob("*.log.gz")]
    assert 1 <= len(sizes) < 6
    assert sum(sizes) <= 700
    assert file.exists(), "the newest"


def test_much_becomes_several_files_that_are_cut_at_the_same_places_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "PART_BYTES", 600)
    lines = [json.dumps({**RAW, "agent": str(number)}) + "\n" for number in range(7)]
    wrote(tmp_path, *lines)
    delivery.put_aside(tmp_path, NOW, AT)
    first = {file.name: file.read_bytes() for file in delivery.finish(tmp_path)}
    assert len(first) == 4
    assert kept_in_order(tmp_path) == [line(json.loads(each)) for each in lines]
    # Some of them are delivered; then the agent was killed before it could remove what they were made of.
    wrote(tmp_path, *lines)
    delivery.put_aside(tmp_path, NOW, AT)
    assert {file.name: file.read_bytes() for file in delivery.finish(tmp_path)} == first


def test_files_are_made_by_one_at_a_time_also_when_the_first_is_not_waited_for_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that ends while it makes them makes the rest at once."""
    wrote(tmp_path, json.dumps(RAW) + "\n")
    delivery.put_aside(tmp_path, NOW, AT)
    reached, go = threading.Event(), threading.Event()
    fsync = os.fsync

    def slow(descriptor: int) -> None:
        reached.set()
        go.wait(5)
        fsync(descriptor)

    monkeypatch.setattr(delivery.os, "fsync", slow)
    first = threading.Thread(target=delivery.finish, args=(tmp_path,))
    first.start()
    assert reached.wait(5)
    made: list[list[Path]] = []
    second = threading.Thread(target=lambda: made.append(delivery.settle(tmp_path, NOW + 1, AT)))
    second.start()
    go.set()
    first.join()
    second.join()
    assert made == [[]], "the first has made it"
    assert kept(tmp_path) == [line(RAW)]


def kept_in_order(folder: Path) -> list[str]:
    return sorted(kept(folder), key=lambda text: shlex.split(text)[13])


def test_a_files_address_is_its_load_balancers(tmp_path: Path) -> None:
    wrote(tmp_path, json.dumps(RAW) + "\n")
    delivery.put_aside(tmp_path, NOW, {"another": "10.0.0.9", NAME: "10.0.0.7"})
    (file,) = delivery.finish(tmp_path)
    assert file.name.split("_")[5] == "10.0.0.7"


def test_what_an_earlier_version_has_put_aside_is_kept(tmp_path: Path) -> None:
    delivery.prepare(tmp_path)
    (tmp_path / "raw" / f"{NAME}.json.{int(NOW * 1e6)}.aside").write_text(json.dumps(RAW) + "\n")
    (file,) = delivery.finish(tmp_path)
    assert file.name.startswith(f"{NAME}_20231114T2213Z_0.0.0.0_")


KINDS: tuple[Kind, ...] = ("access", "connection", "health")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("balancer", ["app/web-1/50dc6c495c0c9188", "net/web/50dc6c495c0c9188"])
@pytest.mark.parametrize("address", ["10.0.0.5", "fd00::5"])
def test_a_name_says_whose_it_is(kind: Kind, balancer: str, address: str) -> None:
    stem = logfiles.stem(kind, "123456789012", "eu-west-1", balancer)
    key = logfiles.key(stem, NOW, address, 0)
    found = logfiles.placed(key.rpartition("/")[2])
    assert found == (logfiles.Stem(kind, "123456789012", "eu-west-1", balancer), key)
    assert key.startswith("AWSLogs/123456789012/elasticloadbalancing/eu-west-1/2023/11/14/")
    assert (address in key) == balancer.startswith("app/"), "as is documented for either"


@pytest.mark.parametrize(
    "name",
    [
        "", "ELBAccessLogTestFile", f"../{NAME}_20231114T2213Z_10.0.0.5_abcdefgh.log.gz",
        f"{NAME}_20231114T2213Z_../x_abcdefgh.log.gz", f"{NAME}_20231114T2213Z_10.0.0.5_abcdefgh.log.gz/..",
        f"{NAME}_20231114T2213Z_10.0.0.5_abcdefgh.log.gz\n", f"{NAME.replace('app', 'gwy')}_20231114T2213Z_a_b.log.gz",
    ],
)  # fmt: skip
def test_nothing_else_is_such_a_name(name: str) -> None:
    assert logfiles.placed(name) is None


CHECK = HealthCheck(codes=((200, 299),))


@pytest.mark.parametrize(
    ("settings", "result", "said"),
    [
        (CHECK, Answered(code=204), "http PASS 204 -"),
        (HealthCheck(protocol="HTTPS"), Answered(code=302), "https FAIL 302 ResponseCodeMismatch"),
        (HealthCheck(version="HTTP2"), Answered(code=502), "h2 FAIL 502 TargetError"),
        (HealthCheck(version="GRPC", codes=((0, 0),)), Answered(code=12), "grpc FAIL 12 GRPCUnexpectedStatus"),
        (CHECK, TimedOut(), "http FAIL - RequestTimedOut"),
        (CHECK, TimedOut(connected=False), "http FAIL - ConnectionTimedOut"),
        (CHECK, Failed(why="refused"), "http FAIL - ConnectionReset"),
        (CHECK, Failed(why="no namespace", ours=True), "http FAIL - InternalError"),
    ],
)
def test_what_came_of_a_check(settings: HealthCheck, result: Result, said: str) -> None:
    raw = healthlog.noted("web", "10.0.0.9", 80, settings, result, began=NOW + 0.25, took=0.019584011)
    kind, at, latency, target, group, *rest = healthlog.line(json.loads(json.dumps(raw))).split(" ")
    assert " ".join((kind, *rest)) == said
    assert (at, latency, target, group) == ("2023-11-14T22:13:20.250000Z", "0.019584011", "10.0.0.9:80", "web")
