"""What a balancer does to requests and answers by its attributes, with a real Envoy and a target that keeps heads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hatoba.proxy.base import (
    Balancer,
    BalancerAttributes,
    FixedResponse,
    Headers,
    Listener,
    PathIs,
    Redirect,
    Rule,
    Substitution,
    Tls,
    Wanted,
)
from tests.contract.proxy.proxy_rigs import ADDRESS, Backend, RealRig, forward, group
from tests.contract.proxy.test_proxy_tls import PORT as SECURE_PORT
from tests.contract.proxy.test_proxy_tls import SHOP, Client, trusting

pytestmark = pytest.mark.real


async def serving(real: RealRig, port: int = 80, headers: Headers = Headers(), **attributes: Any) -> Backend:  # noqa: B008
    backend = await real.backend("a")
    listener = Listener(
        id="main",
        port=port,
        default=forward("web"),
        headers=headers,
        rules=(
            Rule(
                id="1", priority=1, conditions=(PathIs(values=("/fixed",)),), action=FixedResponse(status=200, body="f")
            ),
            Rule(
                id="2",
                priority=2,
                conditions=(PathIs(values=("/away",)),),
                action=Redirect(path="/#{path}/", status=301),
            ),
            Rule(id="3", priority=3, conditions=(PathIs(values=("/moved",)),), action=Redirect(path="/new")),
            Rule(
                id="4",
                priority=4,
                conditions=(PathIs(values=("/broken",)),),
                action=forward("web"),
                url=Substitution(expression="^/broken", replacement="no slash"),
            ),
            Rule(id="5", priority=5, conditions=(PathIs(values=("/nobody",)),), action=forward("gone")),
            Rule(
                id="6",
                priority=6,
                conditions=(PathIs(values=("/was",)),),
                action=forward("web"),
                url=Substitution(expression="^/was", replacement="/fixed"),
            ),
        ),
    )
    balancer = Balancer(
        id="web",
        name="web.elb.example",
        addresses=(ADDRESS,),
        listeners=(listener,),
        attributes=BalancerAttributes(**attributes),
    )
    await real.proxy.apply(Wanted(balancers=(balancer,), groups=(group("web", backend),)))
    await real.facts.until(real.proxy, "web", {"a": "healthy"})
    return backend


def asked(path: str = "/", *lines: str, host: str = "web", method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode()


def values(head: str, name: str) -> list[str]:
    return re.findall(rf"(?im)^{name}: ?(.*?)\r$", head)


@pytest.mark.parametrize(
    ("port", "preserve", "sent", "seen"),
    [
        (80, False, "shop.example:8080", "shop.example"),
        (80, False, "shop.example", "shop.example"),
        (8080, False, "shop.example", "shop.example:8080"),
        (8080, False, "shop.example:99", "shop.example:99"),
        (80, True, "shop.example:8080", "shop.example:8080"),
        (8080, True, "shop.example", "shop.example"),
    ],
)
async def test_the_host_that_targets_see(real: RealRig, port: int, preserve: bool, sent: str, seen: str) -> None:
    backend = await serving(real, port, preserve_host=preserve)
    await real.raw(asked(host=sent), port)
    assert values(backend.seen[-1], "host") == [seen]


async def test_who_names_no_host_in_an_old_version_means_the_balancer(real: RealRig) -> None:
    backend = await serving(real, 80)
    assert (await real.raw(b"GET / HTTP/1.0\r\n\r\n", 80)).startswith("HTTP/1.0 200")
    assert values(backend.seen[-1], "host") == ["web.elb.example"]
    assert (await real.raw(b"GET / HTTP/1.0\r\nHost: shop.example\r\n\r\n", 80)).startswith("HTTP/1.0 200")
    assert values(backend.seen[-1], "host") == ["shop.example"]
    assert (await real.raw(b"GET / HTTP/1.1\r\n\r\n", 80)).startswith("HTTP/1.1 400")


async def test_the_rule_is_chosen_by_what_the_client_sent_whatever_it_is_rewritten_to(real: RealRig) -> None:
    backend = await serving(real)
    answer = await real.raw(asked("/was"))
    assert answer.startswith("HTTP/1.1 200")
    assert backend.seen[-1].startswith("GET /fixed HTTP/1.1"), "and not the answer of that path's own rule"


@pytest.mark.parametrize("drops", [True, False])
async def test_headers_with_other_names_than_letters_digits_and_hyphens_are_dropped_if_wished(
    real: RealRig, drops: bool
) -> None:
    backend = await serving(real, drop_invalid_headers=drops)
    await real.raw(asked("/", "X_Under: 1", "X.Dot: 2", "X!Bang: 3", "X-Good-1: 4"))
    head = backend.seen[-1]
    assert values(head, "x-good-1") == ["4"]
    found = [values(head, name) for name in ("x_under", r"x\.dot", "x!bang")]
    assert found == ([[], [], []] if drops else [["1"], ["2"], ["3"]])


async def test_strict_screening_refuses_what_two_servers_could_read_in_two_ways(real: RealRig) -> None:
    backend = await serving(real, desync="strictest")
    for lines in (["Content-Length: 0"], ["Content_Length: 5"], ["Transfer.Encoding: chunked"]):
        answer = await real.raw(asked("/", *lines))
        assert answer.startswith("HTTP/1.1 400"), lines
        assert "<h1>400 Bad Request" in answer
    assert backend.seen == []
    assert "200" in (await real.raw(asked("/", "Content-Length: 0", method="POST"))).split("\r\n")[0]
    assert "200" in (await real.raw(asked("/", "X-Content-Length-Of: 3"))).split("\r\n")[0]


@pytest.mark.parametrize("desync", ["monitor", "defensive"])
async def test_what_could_be_smuggled_is_refused_in_every_mode_and_what_is_unusual_is_not(
    real: RealRig, desync: str
) -> None:
    backend = await serving(real, desync=desync)
    for lines in (
        ["Content-Length: 3", "Transfer-Encoding: chunked"],
        ["Content-Length: 3", "Content-Length: 4"],
        ["Content-Length: 3x"],
    ):
        assert (await real.raw(asked("/", *lines, method="POST"))).startswith("HTTP/1.1 400"), lines
    assert backend.seen == []
    assert "200" in (await real.raw(asked("/", "Content-Length: 0"))).split("\r\n")[0]


ADDED = Headers(
    answers=(
        ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
        ("Content-Security-Policy", "default-src 'self' %3A"),
        ("Server-Timing", "edge"),
    ),
    server=False,
)


async def test_headers_are_added_to_every_answer_and_the_balancer_does_not_say_who_it_is(real: RealRig) -> None:
    await serving(real, headers=ADDED)
    statuses = {"/": 200, "/fixed": 200, "/away": 301, "/moved": 302, "/nobody": 503, "/broken": 500, "/garbage": 502}
    for path, status in statuses.items():
        answer = await real.raw(asked(path))
        assert answer.startswith(f"HTTP/1.1 {status}"), (path, answer)
        for name, value in ADDED.answers:
            assert values(answer, name) == [value], (path, name)
        assert values(answer, "server") == (["app"] if path == "/" else []), path
    refused = await real.raw(b"GET / HTTP/1.1\r\n\r\n")
    assert refused.startswith("HTTP/1.1 400")
    assert values(refused, "server") == []


async def test_answers_say_who_gives_them_unless_told_not_to(real: RealRig) -> None:
    await serving(real)
    for path in ("/fixed", "/away", "/moved", "/nobody", "/broken", "/garbage"):
        assert values(await real.raw(asked(path)), "server") == ["awselb/2.0"], path


@pytest.mark.parametrize("names", [(), (("X-Amzn-Tls-Version", "Tls-V"),)])
async def test_targets_are_told_what_was_agreed_upon(
    real: RealRig, tmp_path: Path, names: tuple[tuple[str, str], ...]
) -> None:
    backend = await real.backend("a")
    listener = Listener(
        id="tls",
        port=SECURE_PORT,
        protocol="HTTPS",
        default=forward("web"),
        tls=Tls(certificates=("shop",), maximum="TLSv1.2", ciphers=("ECDHE-ECDSA-AES128-GCM-SHA256",)),
        headers=Headers(names=names),
    )
    balancer = Balancer(
        id="web", addresses=(ADDRESS,), listeners=(listener,), attributes=BalancerAttributes(tls_headers=True)
    )
    await real.proxy.apply(Wanted(balancers=(balancer,), groups=(group("web", backend),), certificates=(SHOP,)))
    await real.facts.until(real.proxy, "web", {"a": "healthy"})
    async with Client(real, trusting(tmp_path), "shop.example") as client:
        await client.get()
    head = backend.seen[-1]
    assert values(head, "x-amzn-tls-cipher-suite") == ["ECDHE-ECDSA-AES128-GCM-SHA256"]
    assert values(head, "tls-v" if names else "x-amzn-tls-version") == ["TLSv1.2"]
    assert values(head, "x-forwarded-proto") == ["https"]
