"""Access logs with a real Envoy: the fields as documented, and the files on their way."""

from __future__ import annotations

import gzip
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from hatoba.proxy.base import (
    Balancer,
    FixedResponse,
    HostIs,
    Listener,
    PathIs,
    Redirect,
    Rule,
    Substitution,
    Tls,
    Wanted,
)
from tests.contract.proxy.proxy_rigs import ADDRESS, Backend, RealRig, forward, group, until
from tests.contract.proxy.test_proxy_headers import asked
from tests.contract.proxy.test_proxy_tls import PORT as SECURE
from tests.contract.proxy.test_proxy_tls import SHOP, Client, trusting

pytestmark = pytest.mark.real

NAME = "123456789012_elasticloadbalancing_eu-west-1_app.web.50dc6c495c0c9188"
ID = "app/web/50dc6c495c0c9188"
FIELDS = (
    "type", "time", "elb", "client", "target", "request_time", "target_time", "response_time", "status",
    "target_status", "received", "sent", "request", "agent", "cipher", "tls", "group", "trace", "domain", "certificate",
    "priority", "created", "actions", "redirect", "error", "targets", "target_statuses", "classification", "reason",
    "connection", "host", "uri", "transformed",
)  # fmt: skip


def parsed(line: str) -> dict[str, str]:
    found = shlex.split(line)
    assert len(found) == len(FIELDS), line
    return dict(zip(FIELDS, found, strict=True))


async def serving(real: RealRig) -> Backend:
    backend = await real.backend("a")
    rules = (
        Rule(id="1", priority=5, conditions=(PathIs(values=("/fixed",)),), action=FixedResponse(status=410, body="f")),
        Rule(id="2", priority=7, conditions=(PathIs(values=("/away",)),), action=Redirect(protocol="HTTPS", port=443)),
        Rule(id="3", priority=9, conditions=(PathIs(values=("/nobody",)),), action=forward("gone")),
        Rule(
            id="4",
            priority=11,
            conditions=(HostIs(values=("old.example",)),),
            action=forward("arn:web"),
            host=Substitution(expression="^old", replacement="new"),
            url=Substitution(expression="^/a", replacement="/b"),
        ),
    )
    plain = Listener(id="main", port=80, default=forward("arn:web"), rules=rules)
    secure = Listener(
        id="tls", port=SECURE, protocol="HTTPS", default=forward("arn:web"), tls=Tls(certificates=("shop",))
    )
    balancer = Balancer(id=ID, addresses=(ADDRESS,), listeners=(plain, secure), access_log=NAME)
    await real.proxy.apply(Wanted(balancers=(balancer,), groups=(group("arn:web", backend),), certificates=(SHOP,)))
    await real.facts.until(real.proxy, "arn:web", {"a": "healthy"})
    return backend


def noted(real: RealRig) -> int:
    """Lines that Envoy has written by now."""
    file = real.directory / "logs" / "raw" / f"{NAME}.json"
    return file.read_bytes().count(b"\n") if file.exists() else 0


async def delivered(real: RealRig) -> list[dict[str, str]]:
    logs = real.directory / "logs"
    await real.proxy.deliver(logs)
    await real.proxy.deliver(logs)
    (file,) = logs.rglob("*.log.gz")
    assert re.fullmatch(
        rf"AWSLogs/123456789012/elasticloadbalancing/eu-west-1/\d{{4}}/\d\d/\d\d/"
        rf"{re.escape(NAME)}_\d{{8}}T\d{{4}}Z_{re.escape(ADDRESS)}_[a-z2-7]{{8}}\.log\.gz",
        str(file.relative_to(logs)),
    )
    return [parsed(text) for text in gzip.decompress(file.read_bytes()).decode().splitlines()]


def has(entry: dict[str, str], **expected: Any) -> None:
    assert {name: entry[name] for name in expected} == expected


async def test_every_request_is_noted_with_the_documented_fields(real: RealRig, tmp_path: Path) -> None:
    backend = await serving(real)
    target = f"127.0.0.1:{backend.port}"
    await real.raw(asked("/x?q=%20a", 'User-Agent: a "quoted" agent', host="web.example"))
    await real.raw(asked("/fixed"))
    await real.raw(asked("/away"))
    await real.raw(asked("/nobody"))
    await real.raw(asked("/garbage"))
    await real.raw(asked("/a/b", host="old.example"))
    reader, writer = await real.connect()
    writer.write(asked("/chat", "Connection: Upgrade", "Upgrade: websocket"))
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    writer.close()
    async with Client(real, trusting(tmp_path), "shop.example") as client:
        await client.get()
        await client.get()
    await until(lambda: noted(real) == 9)
    found = {each["request"].split("/", 3)[-1]: each for each in await delivered(real)}
    assert len(found) == 8, "of the secure ones the last"

    first = found["x?q=%20a HTTP/1.1"]
    has(
        first, type="http", elb=ID, target=target, status="200", target_status="200", agent=r"a \x22quoted\x22 agent",
        request="GET http://web.example:80/x?q=%20a HTTP/1.1", cipher="-", tls="-", group="arn:web", domain="-",
        certificate="-", priority="0", actions="forward", redirect="-", error="-", targets=target,
        target_statuses="200", classification="-", reason="-", host="-", uri="-", transformed="-",
    )  # fmt: skip
    assert re.fullmatch(r"127\.0\.0\.1:\d+", first["client"])
    assert first["trace"].startswith("Root=1-")
    assert all(re.fullmatch(r"\d\.\d{3}", first[name]) for name in ("request_time", "target_time", "response_time"))
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", first[name]) for name in ("time", "created"))
    assert first["created"] <= first["time"]
    assert int(first["received"]) > 60
    assert int(first["sent"]) > 60

    alone = {"target": "-", "target_status": "-", "request_time": "-1", "target_time": "-1", "response_time": "-1"}
    has(found["fixed HTTP/1.1"], status="410", priority="5", actions="fixed-response", group="-", **alone)
    has(
        found["away HTTP/1.1"], status="302", priority="7", actions="redirect", redirect="https://web:443/away", **alone
    )
    has(found["nobody HTTP/1.1"], status="503", priority="9", group="-", **alone)
    has(found["garbage HTTP/1.1"], status="502", target=target, target_status="-", target_time="-1", group="arn:web")
    has(
        found["a/b HTTP/1.1"], priority="11", host="new.example", uri="/b/b", transformed="TransformSuccess",
        request="GET http://old.example:80/a/b HTTP/1.1",
    )  # fmt: skip
    has(found["chat HTTP/1.1"], type="ws", status="101")
    secure = found[" HTTP/1.1"]
    has(
        secure, type="https", tls="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", domain="shop.example",
        certificate="arn:aws:acm:eu-west-1:123456789012:certificate/shop",
        request=f"GET https://shop.example:{SECURE}/ HTTP/1.1",
    )  # fmt: skip


async def test_no_request_is_lost_or_told_twice_while_files_change(real: RealRig) -> None:
    await serving(real)
    logs = real.directory / "logs"
    async with real.load(clients=4, pause=0.005) as load:
        for _ in range(3):
            await load.answered(more=50)
            await real.proxy.deliver(logs)
    assert load.failures == []
    sent = load.answers.total()
    # Envoy writes what it holds within half a second.
    await until(lambda: _all(logs) == sent)
    await real.proxy.deliver(logs)
    await real.proxy.deliver(logs)
    texts = [text for file in logs.rglob("*.log.gz") for text in gzip.decompress(file.read_bytes()).splitlines()]
    assert len(texts) == len(set(texts)) == sent
    assert list((logs / "raw").glob("*.aside")) == []


def _all(logs: Path) -> int:
    raw = sum(file.read_bytes().count(b"\n") for file in (logs / "raw").iterdir())
    return raw + sum(gzip.decompress(file.read_bytes()).count(b"\n") for file in logs.rglob("*.log.gz"))


@pytest.mark.parametrize("name", ["../../x", "a/b", f"{NAME}/..", "..", f"{NAME}\n", f"/{NAME}"])
async def test_a_name_that_leads_elsewhere_is_no_file(real: RealRig, name: str) -> None:
    listener = Listener(id="main", port=80, default=FixedResponse(status=200))
    balancer = Balancer(id=ID, addresses=(ADDRESS,), listeners=(listener,), access_log=name)
    await real.proxy.apply(Wanted(balancers=(balancer,)))
    assert (await real.raw(asked("/"))).startswith("HTTP/1.1 200")
    assert [file.name for file in real.directory.rglob("*.json") if file.parent.name == "raw"] == []
