"""Rules on the wire: what a request must be like, and what becomes of it, with a real Envoy."""

from __future__ import annotations

import pytest

from hatoba.proxy.base import (
    Balancer,
    FixedResponse,
    Forward,
    HeaderIs,
    HostIs,
    Listener,
    MethodIs,
    PathIs,
    QueryHas,
    Redirect,
    Rule,
    SourceIn,
    Substitution,
    Wanted,
)
from tests.contract.proxy.proxy_rigs import ADDRESS, PORT, RealRig, forward, group
from tests.contract.proxy.serving import NEVER
from tests.unit.services.elbv2.test_elbv2_rules import GOOD

pytestmark = pytest.mark.real


def ruled(*rules: Rule, default: Forward | FixedResponse | None = None, port: int = PORT) -> Wanted:
    action = default or FixedResponse(status=200, body="default")
    listener = Listener(id="main", port=port, default=action, rules=rules)
    return Wanted(balancers=(Balancer(id="web", addresses=(ADDRESS,), listeners=(listener,)),))


def says(id_: str, *conditions: HostIs | PathIs | HeaderIs | MethodIs | QueryHas | SourceIn, priority: int = 1) -> Rule:
    return Rule(id=id_, priority=priority, conditions=conditions, action=FixedResponse(status=200, body=id_))


def request(host: str, path: str, *headers: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""]).encode()


async def test_rules_by_regular_expression_source_and_literal_asterisk(real: RealRig) -> None:
    await real.proxy.apply(
        ruled(
            says("host", HostIs(expressions=(r"^(api|www)[0-9]+\.example\.com$",)), priority=1),
            says("path", PathIs(expressions=(r"^/v[0-9]+/(.*)\.json$", "/admin")), priority=2),
            says(
                "header", HeaderIs(name="X-Client", values=("plain*",), expressions=("^Agent-[0-9]{2}$",)), priority=3
            ),
            says(
                "elsewhere", SourceIn(values=("192.0.2.0/24", "2001:db8::/32")), MethodIs(values=("PUT",)), priority=4
            ),
            says("near", SourceIn(values=("10.0.0.0/8", "127.0.0.0/8")), MethodIs(values=("PUT",)), priority=5),
            says("query", QueryHas(values=((r"a\*b", r"c\?"), ("", "d*"))), priority=6),
            says("custom", MethodIs(values=("FROB-NICATE",)), priority=7),
        )
    )
    for sent, expected in (
        (request("api1.example.com", "/"), "host"),
        (request("API12.Example.COM:8080", "/"), "host"),
        (request("api.example.com", "/"), "default"),
        (request("xapi1.example.com", "/"), "default"),
        (request("a", "/v2/x/y.json"), "path"),
        (request("a", "/v2/x/y.json?q=1"), "path"),
        (request("a", "/v2/x?y.json"), "default"),
        (request("a", "/V2/y.json"), "default"),
        (request("a", "/x/admin/y"), "path"),
        (request("a", "/?x=/admin"), "default"),
        (request("a", "/", "X-Client: Agent-12"), "header"),
        (request("a", "/", "X-Client: agent-12"), "default"),
        (request("a", "/", "X-Client: Agent-123"), "default"),
        (request("a", "/", "X-Client: PLAINtext"), "header"),
        (request("a", "/", "X-Forwarded-For: 192.0.2.9", method="PUT"), "near"),
        (request("a", "/", method="FROB-NICATE"), "custom"),
        (request("a", "/", method="FROBNICATE"), "default"),
        (request("a", "/?A*b=C?"), "query"),
        (request("a", "/?axb=c1"), "default"),
        (request("a", "/?z=deep"), "query"),
    ):
        assert (await real.raw(sent)).endswith(f"\r\n\r\n{expected}"), sent


async def test_host_and_url_are_rewritten_where_they_match(real: RealRig) -> None:
    a = await real.backend("a")
    rule = Rule(
        id="r",
        priority=1,
        conditions=(PathIs(values=("/*",)),),
        action=forward("web"),
        host=Substitution(expression=r"^mywebsite-(.+)\.com$", replacement=r"internal.\1.myweb.com"),
        url=Substitution(expression=r"^/dp/([A-Z0-9]+)/?(\?.*)?$", replacement=r"/product.php?id=\1"),
    )
    wish = ruled(rule)
    await real.proxy.apply(Wanted(balancers=wish.balancers, groups=(group("web", a, check=NEVER),)))
    await real.facts.until(real.proxy, "web", {"a": "healthy"})
    for host, path, line in (
        ("mywebsite-example.com", "/dp/B09G", "GET /product.php?id=B09G HTTP/1.1\r\nHost: internal.example.myweb.com"),
        ("MyWebsite-a.com:8080", "/dp/B09G/?x", "GET /product.php?id=B09G HTTP/1.1\r\nHost: internal.a.myweb.com"),
        ("other.com", "/x?y=1", "GET /x?y=1 HTTP/1.1\r\nHost: other.com"),
    ):
        assert (await real.raw(request(host, path))).startswith("HTTP/1.1 200")
        assert a.seen[-1].startswith(line + "\r\n"), a.seen[-1]


async def test_a_rewrite_that_makes_nonsense_is_an_error_of_the_balancer(real: RealRig) -> None:
    a = await real.backend("a")
    rule = Rule(
        id="r",
        priority=1,
        conditions=(PathIs(values=("/x*",)),),
        action=forward("web"),
        url=Substitution(expression="^/x/?(.*)$", replacement=r"\1"),
    )
    wish = ruled(rule)
    await real.proxy.apply(Wanted(balancers=wish.balancers, groups=(group("web", a, check=NEVER),)))
    await real.facts.until(real.proxy, "web", {"a": "healthy"})
    answer = await real.raw(request("h", "/x/y"))
    assert answer.startswith("HTTP/1.1 500 ")
    assert "\r\nserver: awselb/2.0\r\n" in answer
    assert "<h1>500 Internal Server Error</h1>" in answer
    assert a.seen == []


async def test_redirects_are_made_of_the_requests_own_parts(real: RealRig) -> None:
    def to(id_: str, asked: str, **parts: object) -> Rule:
        action = Redirect(**{"status": 302, **parts})  # type: ignore[arg-type]
        return Rule(id=id_, priority=int(id_), conditions=(PathIs(values=(asked,)),), action=action)

    await real.proxy.apply(
        ruled(
            to("1", "/host/*", host="www.#{host}", port=443, protocol="HTTPS"),
            to("2", "/path/*", status=301, path="/new/#{path}"),
            to("3", "/query/*", query="#{query}&from=#{host}", host="other.example"),
            to("4", "/none/*", query="", path="/#{host}/#{path}"),
        )
    )
    for path, status, expected in (
        ("/host/a?b=c", 302, "https://www.shop.example:443/host/a?b=c"),
        ("/path/a%20b?b=%25", 301, f"http://shop.example:{PORT}/new/path/a%20b?b=%25"),
        ("/query/a?b=c", 302, f"http://other.example:{PORT}/query/a?b=c&from=shop.example"),
        ("/none/a?b=c", 302, f"http://shop.example:{PORT}/shop.example/none/a"),
    ):
        answer = await real.raw(request("shop.example:80", path))
        assert answer.startswith(f"HTTP/1.1 {status} "), answer
        assert f"\r\nlocation: {expected}\r\n" in answer, answer
        assert "\r\nserver: awselb/2.0\r\n" in answer


async def test_envoy_takes_every_expression_that_the_api_takes(real: RealRig) -> None:
    """A refused route configuration would hold up all later changes of its listener."""
    rules = [
        rule
        for n, each in enumerate(GOOD)
        for rule in (
            says(f"{n}p", PathIs(expressions=(each,)), priority=4 * n),
            says(f"{n}h", HostIs(expressions=(each,)), priority=4 * n + 1),
            says(f"{n}x", HeaderIs(name="X", expressions=(each,)), priority=4 * n + 2),
            Rule(
                id=f"{n}s",
                priority=4 * n + 3,
                conditions=(),
                action=forward("web"),
                url=Substitution(expression=each, replacement="/"),
                host=Substitution(expression=each, replacement="a"),
            ),
        )
    ]
    values = tuple(str(n) * 127 + "*" for n in range(5))
    rules.append(says("long", HostIs(values=values), PathIs(values=values), priority=999))
    await real.proxy.apply(Wanted(balancers=ruled(*rules).balancers, groups=(group("web"),)))
