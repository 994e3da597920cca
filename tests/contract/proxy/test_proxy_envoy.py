"""What only a real Envoy can show on the wire: bytes, connections that live on, changes under load."""

from __future__ import annotations

import asyncio
import re

import pytest
from msgspec.structs import replace

from hatoba.core.errors import PortError
from hatoba.proxy.base import (
    Balancer,
    BalancerAttributes,
    FixedResponse,
    HostIs,
    Listener,
    PathIs,
    QueryHas,
    Redirect,
    Rejected,
    Rule,
    Wanted,
)
from tests.contract.proxy.proxy_rigs import (
    ADDRESS,
    PORT,
    RealRig,
    forward,
    group,
    read_answer,
    wanted,
)
from tests.contract.proxy.serving import NEVER, request, serving
from tests.contract.proxy.test_proxy_tls import certificate
from tests.unit.proxy.test_proxy_golden import CASES
from tools.waiting import PATIENCE

pytestmark = pytest.mark.real


async def test_a_target_sees_who_asked_and_how(real: RealRig) -> None:
    (a,) = await serving(real, "a")
    await real.raw(request("/x?y=1", "X-Forwarded-For: 198.51.100.7", "X-Forwarded-Port: 1", "x-envoy-max-retries: 9"))
    head = a.seen[-1]
    assert head.startswith("GET /x?y=1 HTTP/1.1\r\nHost: shop.example:8080\r\n")
    assert re.search(r"\r\nX-Forwarded-For: 198\.51\.100\.7, ?127\.0\.0\.\d\r\n", head)
    assert "\r\nX-Forwarded-Proto: http\r\n" in head
    assert f"\r\nX-Forwarded-Port: {PORT}\r\n" in head
    assert re.search(r"\r\nX-Amzn-Trace-Id: Root=1-[0-9a-f]{8}-[0-9a-f]{24}\r\n", head)
    assert "envoy" not in head.lower()
    await real.raw(request("/", "X-Forwarded-For: 198.51.100.7", "X-Forwarded-For: 203.0.113.9"))
    assert re.search(r"\r\nX-Forwarded-For: 198\.51\.100\.7, ?203\.0\.113\.9, ?127\.0\.0\.\d\r\n", a.seen[-1])
    await real.raw(request("/"))
    assert re.search(r"\r\nX-Forwarded-For: 127\.0\.0\.\d\r\n", a.seen[-1])


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("TRACE /x HTTP/1.1", 405),
        ("CONNECT shop.example:443 HTTP/1.1", 400),
        ("OPTIONS * HTTP/1.1", 400),
        ("GET / HTTP/1.1\r\nHost: other.example", 400),  # the second one
        ("GET / HTTP/1.1" + "".join(f"\r\nX-{n}: {'a' * 7000}" for n in range(10)), 400),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip", 501),
    ],
)
async def test_what_no_load_balancer_does_is_refused_with_a_page(real: RealRig, line: str, status: int) -> None:
    (a,) = await serving(real, "a")
    answer = await real.raw(f"{line}\r\nHost: shop.example:443\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert re.search(r"\r\nserver: awselb/2\.0\r\n", answer, re.IGNORECASE)
    assert f"<center><h1>{status} " in answer
    assert a.seen == []


async def test_other_protocols_are_not_spoken(real: RealRig) -> None:
    await serving(real, "a")
    upgrades = [("h2c", 200), ("TLS/1.3", 400)]
    for name, status in upgrades:
        answer = await real.raw(request("/", f"Upgrade: {name}", "Connection: Upgrade, close"))
        assert (name, int(answer.split()[1])) == (name, status)


async def test_a_trace_goes_on_with_this_hop_in_front(real: RealRig) -> None:
    (a,) = await serving(real, "a")
    root = "Root=1-67891233-abcdef012345678912345678"
    await real.raw(request("/", f"X-Amzn-Trace-Id: {root}"))
    assert re.search(rf"\r\nX-Amzn-Trace-Id: Self=1-[0-9a-f]{{8}}-[0-9a-f]{{24}};{root}\r\n", a.seen[-1])
    await real.raw(request())
    await real.raw(request())
    traces = [re.search(r"Root=(\S+)", head)[1] for head in a.seen[-2:]]  # type: ignore[index]
    assert traces[0] != traces[1]


async def test_an_answer_passes_unchanged(real: RealRig) -> None:
    await serving(real, "a")
    answer = await real.raw(request())
    assert answer.startswith("HTTP/1.1 200 X\r\n")
    assert "\r\nServer: app\r\n" in answer
    assert "envoy" not in answer.lower()


@pytest.mark.parametrize(
    ("path", "status"),
    [("/close", "502 Bad Gateway"), ("/garbage", "502 Bad Gateway"), ("/silent", "504 Gateway Time-out")],
)
async def test_what_a_bad_target_costs_is_told_in_the_balancers_words(real: RealRig, path: str, status: str) -> None:
    a = await real.backend("a")
    wish = wanted(forward("web"), group("web", a, check=NEVER))
    if path == "/silent":
        impatient = replace(wish.balancers[0], attributes=BalancerAttributes(idle_timeout=0.3))
        wish = replace(wish, balancers=(impatient,))
    await real.proxy.apply(wish)
    await real.facts.until(real.proxy, "web", {"a": "healthy"})
    answer = await real.raw(request(path))
    assert answer.startswith(f"HTTP/1.1 {status[:3]} ")
    assert "\r\nserver: awselb/2.0\r\n" in answer
    assert "\r\ncontent-type: text/html\r\n" in answer
    assert f"<center><h1>{status}</h1></center>" in answer


async def test_a_refused_connection_is_502_and_an_empty_group_503(real: RealRig) -> None:
    (a,) = await serving(real, "a")
    await real.down(a)
    assert (await real.get())[0] == 502
    await real.proxy.apply(wanted(forward("web"), group("web")))
    status, body = await real.get()
    assert status == 503
    assert "503 Service Temporarily Unavailable" in body


@pytest.mark.parametrize(
    "smuggled",
    [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    ],
)
async def test_requests_with_two_meanings_never_reach_a_target(real: RealRig, smuggled: str) -> None:
    (a,) = await serving(real, "a")
    answer = await real.raw(smuggled.encode())
    assert answer[9:12] in ("400", "501")
    assert a.seen == []


async def test_a_folded_header_reaches_the_target_on_one_line(real: RealRig) -> None:
    (a,) = await serving(real, "a")
    await real.raw(b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n Evil: b\r\n\r\n")
    assert re.search(r"\r\nX: a +Evil: b\r\n", a.seen[-1])


async def test_a_fixed_response_and_a_redirect_are_as_written(real: RealRig) -> None:
    await real.proxy.apply(wanted(FixedResponse(status=503, content_type="text/plain", body="closed")))
    answer = await real.raw(request())
    assert answer.startswith("HTTP/1.1 503")
    assert "\r\ncontent-type: text/plain\r\n" in answer
    assert answer.endswith("\r\n\r\nclosed")
    await real.proxy.apply(wanted(Redirect(status=301, protocol="HTTPS", port=8443, path="/new")))
    answer = await real.raw(request("/old?a=b"))
    assert answer.startswith("HTTP/1.1 301")
    assert "\r\nlocation: https://shop.example:8443/new?a=b\r\n" in answer
    assert "\r\nserver: awselb/2.0\r\n" in answer


async def test_rules_are_tried_by_priority_and_all_conditions_must_hold(real: RealRig) -> None:
    def says(id_: str, priority: int, *conditions: HostIs | PathIs | QueryHas) -> Rule:
        return Rule(id=id_, priority=priority, conditions=conditions, action=FixedResponse(status=200, body=id_))

    listener = Listener(
        id="main",
        port=PORT,
        default=FixedResponse(status=200, body="default"),
        rules=(
            says("path", 3, PathIs(values=("/img/*", "/v?"))),
            says("host-and-path", 2, HostIs(values=("*.EXAMPLE",)), PathIs(values=("/both",))),
            says("query", 1, QueryHas(values=(("v", "1*"),))),
        ),
    )
    await real.proxy.apply(Wanted(balancers=(Balancer(id="web", addresses=(ADDRESS,), listeners=(listener,)),)))
    for path, expected in {
        "/": "default",
        "/img/a/b?c": "path",
        "/v1": "path",
        "/v12": "default",
        "/both": "host-and-path",
        "/both/": "default",
        "/img/x?a=b&V=12": "query",
        "/?a=v=1": "default",
    }.items():
        assert (await real.raw(request(path))).endswith(f"\r\n\r\n{expected}"), path


async def test_prior_knowledge_http2_is_understood(real: RealRig) -> None:
    await serving(real, "a")
    reader, writer = await real.connect()
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
    frame = await reader.readexactly(9)
    assert frame[3] == 4  # SETTINGS
    writer.close()


async def test_targets_come_and_go_under_load_and_no_request_fails(real: RealRig) -> None:
    a, b, c = [await real.backend(name) for name in "abc"]
    await real.proxy.apply(wanted(forward("web"), group("web", a, check=NEVER)))
    await real.facts.until(real.proxy, "web", {"a": "healthy"})
    async with real.load() as load:
        await load.answered(50)
        for old, new in ((a, b), (b, c), (c, a), (a, b)):
            await real.proxy.apply(wanted(forward("web"), group("web", old, new, check=NEVER)))
            await load.answered(20, by=new.name)
            draining = (old.name,)
            await real.proxy.apply(wanted(forward("web"), group("web", old, new, draining=draining, check=NEVER)))
            await load.answered(20)
            await real.proxy.apply(wanted(forward("web"), group("web", new, check=NEVER)))
            await real.down(old)
            await load.answered(50)
            await real.up(old)
    assert load.failures == []


async def test_routes_and_weights_change_under_load_and_no_request_fails(real: RealRig) -> None:
    a, b = [await real.backend(name) for name in "ab"]
    groups = (group("blue", a, check=NEVER), group("green", b, check=NEVER))
    await real.proxy.apply(wanted(forward(blue=1), *groups))
    await real.facts.until(real.proxy, "blue", {"a": "healthy"})
    async with real.load() as load:
        await load.answered(20)
        # The other group's target must be known to be healthy before all requests go there.
        await real.proxy.apply(wanted(forward(blue=99, green=0), *groups))
        await real.facts.until(real.proxy, "green", {"b": "healthy"})
        for green in (1, 10, 50, 100):
            await real.proxy.apply(wanted(forward(blue=100 - green, green=green), *groups))
            await load.answered(20)
        await load.answered(20, by="b")
        await real.proxy.apply(wanted(forward(green=1), *groups))
        await load.answered(20, by="b")
    assert load.failures == []


async def test_a_request_under_way_finishes_while_its_target_drains(real: RealRig) -> None:
    a, b = await serving(real, "a", "b")
    await real.proxy.apply(wanted(forward("web"), group("web", a, check=NEVER)))
    waiting = asyncio.create_task(real.raw(request("/wait")))
    await asyncio.wait_for(real.met.wait(), PATIENCE)
    await real.proxy.apply(wanted(forward("web"), group("web", a, b, draining=("a",), check=NEVER)))
    await real.facts.until(real.proxy, "web", {"b": "healthy"})
    assert (await real.get()) == (200, "b")
    assert not waiting.done()
    # The delay is over, the target is gone: what it is still working at may end.
    await real.proxy.apply(wanted(forward("web"), group("web", b, check=NEVER)))
    assert (await real.get()) == (200, "b")
    real.release.set()
    assert (await waiting).endswith("a")


async def test_a_listener_keeps_its_connections_when_another_comes_and_goes(real: RealRig) -> None:
    (a,) = await serving(real, "a")
    reader, writer = await real.connect()
    web = wanted(forward("web"), group("web", a, check=NEVER))
    more = Listener(id="more", port=81, default=FixedResponse(status=200, body="more"))
    both = Balancer(id="web", addresses=(ADDRESS,), listeners=(*web.balancers[0].listeners, more))
    for wish in (Wanted(balancers=(both,), groups=web.groups), web):
        await real.proxy.apply(wish)
        if wish is not web:
            assert await real.get(81) == (200, "more")
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await read_answer(reader) == (200, "a")
    writer.close()


async def test_a_refused_listener_is_told_and_harms_nobody(real: RealRig) -> None:
    (a,) = await serving(real, "a")
    web = wanted(forward("web"), group("web", a, check=NEVER)).balancers[0]
    taken = Listener(id="taken", port=a.port, default=FixedResponse(status=200))
    fine = Listener(id="fine", port=82, default=FixedResponse(status=200, body="fine"))
    wish = Wanted(
        balancers=(web, Balancer(id="other", addresses=("127.0.0.1",), listeners=(taken, fine))),
        groups=(group("web", a, check=NEVER),),
    )
    with pytest.raises(Rejected, match=r"listener other\|taken.*Address already in use"):
        await real.proxy.apply(wish)
    assert await real.get() == (200, "a")
    await real.down(a)
    for writer in list(real._connections):
        writer.close()
    await real.proxy.apply(wish)  # the port is free now: the same wish succeeds


async def test_what_is_not_carried_out_yet_is_told_and_harms_nobody(real: RealRig) -> None:
    a = await real.backend("a")
    web = wanted(forward("web"), group("web", a, check=NEVER))
    raw = Listener(id="s", port=443, protocol="TCP", default=FixedResponse(status=200))
    other = Balancer(id="other", addresses=(ADDRESS,), listeners=(raw,))
    with pytest.raises(PortError, match="Unsupported: listener s of other: Listeners for TCP"):
        await real.proxy.apply(Wanted(balancers=(*web.balancers, other), groups=web.groups))
    await real.facts.until(real.proxy, "web", {"a": "healthy"})
    assert await real.get() == (200, "a")


async def test_a_new_listener_takes_the_port_of_one_that_goes(real: RealRig) -> None:
    for body in ("one", "two"):
        action = FixedResponse(status=200, body=body)
        balancer = Balancer(id=body, addresses=(ADDRESS,), listeners=(Listener(id=body, port=PORT, default=action),))
        await real.proxy.apply(Wanted(balancers=(balancer,)))
        assert await real.get() == (200, body)


async def test_a_balancer_without_an_address_here_is_not_carried(real: RealRig) -> None:
    a = await real.backend("a")
    elsewhere = Balancer(id="w", addresses=(), listeners=(Listener(id="l", port=PORT, default=forward("web")),))
    await real.proxy.apply(Wanted(balancers=(elsewhere,), groups=(group("web", a),)))
    assert dict(real.proxy.health()) == {}


@pytest.mark.parametrize("case", CASES)
async def test_envoy_accepts_what_the_golden_files_say(real: RealRig, case: str) -> None:
    wish = CASES[case][0]
    # The files hold no private keys: certificates that Envoy can use stand in for the words in their place.
    certificates = tuple(certificate(each.id, "shop.example") for each in wish.certificates)
    await real.proxy.apply(replace(wish, certificates=certificates))


async def test_attributes_of_requests_are_as_wished(real: RealRig) -> None:
    """X-Forwarded-For kept, removed, or with the client's port."""
    (a,) = await serving(real, "a")
    web = wanted(forward("web"), group("web", a, check=NEVER))
    for attributes, expected in (
        (BalancerAttributes(forwarded_for="preserve"), r"\r\nX-Forwarded-For: 198\.51\.100\.7\r\n"),
        (BalancerAttributes(forwarded_for_port=True), r"\r\nX-Forwarded-For: 198\.51\.100\.7, ?127\.0\.0\.\d:\d+\r\n"),
        (BalancerAttributes(forwarded_for="remove"), r"\A(?!.*X-Forwarded-For)"),
    ):
        balancer = Balancer(id="web", addresses=(ADDRESS,), listeners=web.balancers[0].listeners, attributes=attributes)
        await real.proxy.apply(Wanted(balancers=(balancer,), groups=web.groups))
        await real.raw(request("/", "X-Forwarded-For: 198.51.100.7"))
        assert re.search(expected, a.seen[-1], re.DOTALL), attributes
