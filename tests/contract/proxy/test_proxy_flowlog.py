"""Logs of network load balancers' TLS listeners, and of checks of targets, with a real Envoy: the documented fields."""

from __future__ import annotations

import asyncio
import gzip
import re
import shlex
import ssl
from pathlib import Path

import pytest
from msgspec.structs import replace

from hatoba.proxy import delivery
from hatoba.proxy.base import Tls, Wanted
from tests.contract.proxy.proxy_rigs import ADDRESS, CHECK, Balancer, Listener, RealRig, forward, until
from tests.contract.proxy.proxy_rigs import group as web_group
from tests.contract.proxy.test_proxy_headers import asked
from tests.contract.proxy.test_proxy_streams import NEAR, PORT, connect, group, healthy, serving, targets, wanted
from tests.contract.proxy.test_proxy_tls import ROOT, certificate

pytestmark = pytest.mark.real

FLOWS = "123456789012_elasticloadbalancing_eu-west-1_net.x.50dc6c495c0c9188"
REQUESTS = "123456789012_elasticloadbalancing_eu-west-1_app.web.50dc6c495c0c9188"
CHECKS = "health_check_log_123456789012_elasticloadbalancing_eu-west-1_app.web.50dc6c495c0c9188"
FIELDS = (
    "type", "version", "time", "elb", "listener", "client", "destination", "lasted", "handshake", "received", "sent",
    "alert", "certificate", "serial", "cipher", "tls", "group", "domain", "alpn", "alpn_target", "alpn_client", "began",
)  # fmt: skip


def noted(real: RealRig, stem: str) -> int:
    file = real.directory / "logs" / "raw" / f"{stem}.json"
    return file.read_bytes().count(b"\n") if file.exists() else 0


async def delivered(real: RealRig, name: str) -> list[str]:
    logs: Path = real.directory / "logs"
    await real.proxy.deliver(logs)
    await real.proxy.deliver(logs)
    (file,) = delivery.waiting(logs)
    folder = r"AWSLogs/123456789012/elasticloadbalancing/eu-west-1/\d{4}/\d\d/\d\d/"
    assert re.fullmatch(folder + name, str(file.relative_to(logs)))
    return gzip.decompress(file.read_bytes()).decode().splitlines()


async def test_each_tls_connection_is_noted_when_it_ends(real: RealRig) -> None:
    shown = certificate("one", "flows.example")
    async with serving(real, "a") as (a,):
        wish = replace(
            wanted(group("g", targets(a)), protocol="TLS", tls=Tls(certificates=("one",))), certificates=(shown,)
        )
        wish = replace(wish, balancers=(replace(wish.balancers[0], access_log=FLOWS),))
        await healthy(real, wish)
        connection = real.namespace.socket()
        await asyncio.get_running_loop().sock_connect(connection, (NEAR, PORT))
        context = ssl.create_default_context(cadata=ROOT.leaf)
        reader, writer = await asyncio.open_connection(sock=connection, ssl=context, server_hostname="flows.example")
        assert await reader.readline() == b"a\n"
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        port = writer.get_extra_info("sockname")[1]
        writer.close()
        await until(lambda: noted(real, FLOWS) == 1)
        plain_reader, plain = await connect(real)
        plain.write(b"hello, is this TLS?\r\n")
        await plain_reader.read()
        plain.close()
        await until(lambda: noted(real, FLOWS) == 2)
    name = rf"{re.escape(FLOWS)}_\d{{8}}T\d{{4}}Z_[a-z2-7]{{8}}\.log\.gz"
    good, bad = (dict(zip(FIELDS, shlex.split(each), strict=True)) for each in await delivered(real, name))
    assert good | {"time": "", "began": "", "lasted": ""} == {
        "type": "tls", "version": "2.0", "time": "", "elb": "net/x/1", "listener": "l", "client": f"127.0.0.1:{port}",
        "destination": f"{NEAR}:{PORT}", "lasted": "", "handshake": "-", "received": "5", "sent": "7", "alert": "-",
        "certificate": "arn:aws:acm:eu-west-1:123456789012:certificate/one", "serial": "-", "cipher": good["cipher"],
        "tls": "tlsv13", "group": "-", "domain": "flows.example", "alpn": "-", "alpn_target": "-", "alpn_client": "-",
        "began": "",
    }  # fmt: skip
    assert good["cipher"] in ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", good["time"])
    assert good["began"] <= good["time"]
    assert int(good["lasted"]) >= 0
    nothing = {"handshake": "-", "certificate": "-", "cipher": "-", "tls": "-", "domain": "-"}
    assert {key: bad[key] for key in nothing} == nothing


async def test_each_check_is_noted_with_what_came_of_it(real: RealRig) -> None:
    up, down = await real.backend("up"), await real.backend("down", listening=False)
    listener = Listener(id="main", port=80, default=forward("arn:web"))
    balancer = Balancer(id="app/web/50dc6c495c0c9188", addresses=(ADDRESS,), listeners=(listener,), health_log=CHECKS)
    members = replace(web_group("arn:web", up, down, check=CHECK), name="web")
    await real.proxy.apply(Wanted(balancers=(balancer,), groups=(members,)))
    await real.facts.until(real.proxy, "arn:web", {"up": "healthy", "down": "unhealthy"})
    lines = [
        each.split(" ")
        for each in await delivered(real, rf"{CHECKS}_\d{{8}}T\d{{4}}Z_{ADDRESS}_[a-z2-7]{{8}}\.log\.gz")
    ]
    assert {(each[0], *each[3:]) for each in lines} == {
        ("http", f"127.0.0.1:{up.port}", "web", "PASS", "200", "-"),
        ("http", f"127.0.0.1:{down.port}", "web", "FAIL", "-", "ConnectionReset"),
    }
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", each[1]) for each in lines)
    assert all(re.fullmatch(r"0\.\d{9}", each[2]) for each in lines)


async def test_what_was_noted_last_becomes_files_when_the_proxy_is_not_wanted_any_more(real: RealRig) -> None:
    up = await real.backend("up")
    listener = Listener(id="main", port=80, default=forward("arn:web"))
    balancer = Balancer(
        id="app/web/50dc6c495c0c9188",
        addresses=(ADDRESS,),
        listeners=(listener,),
        access_log=REQUESTS,
        health_log=CHECKS,
    )
    await real.proxy.apply(Wanted(balancers=(balancer,), groups=(web_group("arn:web", up),)))
    await real.facts.until(real.proxy, "arn:web", {"up": "healthy"})
    await real.raw(asked("/last"))
    await real.proxy.stop()
    found = {file.name.partition("_2")[0]: file for file in delivery.waiting(real.directory / "logs")}
    assert set(found) == {REQUESTS, CHECKS}
    (line,) = gzip.decompress(found[REQUESTS].read_bytes()).decode().splitlines()
    assert '"GET http://web:80/last HTTP/1.1"' in line


async def test_an_agent_that_is_killed_before_envoy_hears_of_it_loses_no_line(real: RealRig) -> None:
    """It had put the file aside: Envoy writes to that for as long as nobody tells it otherwise."""
    listener = Listener(id="main", port=80, default=forward("arn:none"))
    balancer = Balancer(id="app/web/50dc6c495c0c9188", addresses=(ADDRESS,), listeners=(listener,), access_log=REQUESTS)
    await real.proxy.apply(Wanted(balancers=(balancer,)))
    logs = real.directory / "logs"
    await real.raw(asked("/first"))
    await until(lambda: noted(real, REQUESTS) == 1)
    (aside,) = delivery.put_aside(logs, 1.7e9, {})
    await real.raw(asked("/second"))
    await until(lambda: (logs / "raw" / aside).read_bytes().count(b"\n") == 2)
    await real.proxy.deliver(logs)
    await until(lambda: (logs / "raw" / f"{REQUESTS}.json").exists())
    await real.proxy.deliver(logs)
    await real.raw(asked("/third"))
    await until(lambda: noted(real, REQUESTS) == 1)
    await real.proxy.deliver(logs)
    await real.proxy.deliver(logs)
    texts = [gzip.decompress(file.read_bytes()).decode() for file in delivery.waiting(logs)]
    assert [each in "".join(texts) for each in ("/first", "/second", "/third")] == [True] * 3
    assert "".join(texts).count("\n") == 3
