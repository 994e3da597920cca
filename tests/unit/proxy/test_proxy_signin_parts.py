"""What the service is told, how its verdicts are put, what names mean while nobody says so."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from hatoba.core.secret import Secret
from hatoba.proxy.base import Balancer, Certificate, FixedResponse, Headers, Listener, PathIs, Rule, Tls, Wanted
from hatoba.proxy.signin import envoy
from hatoba.proxy.signin.flow import Answered, Passed
from hatoba.proxy.signin.names import Names
from hatoba.proxy.signin.telling import told
from hatoba.proxy.signin.words import CLIENT, SESSION_KEY, SIGNING_KEY, Secrets, Signer, Told
from hatoba.services.acm import x509
from tests.unit.proxy.signin_flow import BASIC, PEM, WANTS

NOW = 1_700_000_000.0
ROOT = x509.authority("a root", NOW)
SHOWN = x509.issue(ROOT, ("shop.example",), "EC_prime256v1", NOW, 3600.0)
ALONE = x509.authority("shop.example itself", NOW)
LISTENER = Listener(
    id="l1", port=443, protocol="HTTPS", default=FixedResponse(status=200), tls=Tls(certificates=("shop", "gone")),
    headers=Headers(answers=(("strict-transport-security", "max-age=1"),), server=False), sign_in=WANTS,
    rules=(
        Rule(id="a", priority=1, conditions=(PathIs(values=("/a",)),), action=FixedResponse(status=200),
             sign_in=replace(WANTS, id="r2")),
        Rule(id="b", priority=2, conditions=(PathIs(values=("/b",)),), action=FixedResponse(status=200)),
    ),
)  # fmt: skip
BALANCER = Balancer(
    id="web",
    addresses=("2001:db8::5", "10.0.0.5", "10.0.1.5"),
    listeners=(LISTENER,),
    signer=Signer(name="arn", key="k"),
)
VALUES = {
    SESSION_KEY: Secret("00"),
    SIGNING_KEY: Secret(PEM),
    CLIENT + "r1": Secret("one"),
    CLIENT + "r2": Secret("two"),
}
WISH = Wanted(
    balancers=(BALANCER, Balancer(id="plain", addresses=("10.0.0.6",))),
    certificates=(Certificate(id="shop", chain=SHOWN.leaf + ROOT.leaf, private_key=Secret(SHOWN.key)),),
    secrets=(Secrets(balancer="web", values=VALUES),),
)


def test_the_service_is_told_of_balancers_whose_users_sign_in_and_trusts_their_roots() -> None:
    (site,) = told(WISH).sites
    assert (site.balancer, site.source, site.session, site.signing) == ("web", "10.0.0.5", "00", PEM)
    assert {rule.wants.id: (rule.secret, rule.listener, rule.server) for rule in site.rules} == {
        "r1": ("one", "l1", ""),
        "r2": ("two", "l1", ""),
    }
    assert site.rules[0].answers == (("strict-transport-security", "max-age=1"),)
    assert site.anchors == ROOT.leaf, "not the certificate itself, nor one that is not shown"


@pytest.mark.parametrize(
    "wish",
    [
        replace(WISH, secrets=()),
        replace(WISH, secrets=(Secrets(balancer="web", values={SESSION_KEY: Secret("00")}),)),
        replace(WISH, balancers=(replace(BALANCER, signer=None),)),
        replace(WISH, balancers=(replace(BALANCER, addresses=("2001:db8::5",)),)),
    ],
)
def test_nobody_signs_in_without_keys_or_an_address(wish: Wanted) -> None:
    assert told(wish) == Told()


def test_a_verdict_has_what_the_listener_adds_and_each_cookie_on_its_own() -> None:
    rule = replace(BASIC, answers=(("x-frame-options", "DENY"),), server="awselb/2.0")
    denied = envoy.verdict(Answered(status=561, cookies=("a=1", "b=2"), reason="AuthInvalidGrantError"), rule)
    found = [(each.header.key, each.header.value) for each in denied.denied_response.headers]
    assert denied.denied_response.status.code == 561
    assert "561" in denied.denied_response.body
    assert denied.dynamic_metadata["reason"] == "AuthInvalidGrantError"
    assert found == [
        ("content-type", "text/html"), ("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-frame-options", "DENY"),
        ("server", "awselb/2.0"), ("cache-control", "no-store"),
    ]  # fmt: skip
    away = envoy.verdict(Answered(status=302, location="https://idp.example/"), None).denied_response
    assert (away.status.code, away.body) == (302, "")
    passed = envoy.verdict(Passed(headers=(("x-amzn-oidc-identity", "alice"),), cookies=("a=1",)), rule).ok_response
    assert set(passed.headers_to_remove) == {"x-amzn-oidc-accesstoken", "x-amzn-oidc-data"}
    assert [each.header.value for each in passed.response_headers_to_add] == ["a=1"]


async def test_a_name_means_what_it_meant_last_while_nobody_can_say() -> None:
    now, answers = [0.0], [("10.0.0.7", 30.0), ("10.0.0.8", 1e9)]

    async def query(name: str) -> tuple[str, float]:
        if not answers:
            raise OSError("the agent is away")
        return answers.pop(0)

    names = Names(query, lambda: now[0])
    assert await names("192.0.2.1") == "192.0.2.1"
    assert [await names("idp.example"), await names("idp.example")] == ["10.0.0.7"] * 2
    now[0] = 31.0
    assert await names("idp.example") == "10.0.0.8"
    now[0] = 331.0 + 3600.0
    assert await names("idp.example") == "10.0.0.8"
    with pytest.raises(OSError, match="away"):
        await names("other.example")
