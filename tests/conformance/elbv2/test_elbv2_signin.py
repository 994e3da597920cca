"""The action authenticate-oidc: what is kept, answered, refused; what nodes are told; the keys that are published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from hatoba.app.rooms import tables
from hatoba.proxy.signin.words import CLIENT, SESSION_KEY, SIGNING_KEY, SignIn
from hatoba.services.elbv2 import signing
from hatoba.services.elbv2.model.authentication import signers
from tests.conformance.elbv2.test_elbv2_api import refused
from tests.conformance.elbv2.test_elbv2_tls import certificate
from tests.conformance.elbv2.world import ACCOUNT, REGION, World, world
from tests.unit.gateway.test_gateway_own import request

SECRET = "never-to-be-seen"
IDP = "https://idp.example:8443/realm"
CONFIG = {
    "Issuer": IDP,
    "AuthorizationEndpoint": f"{IDP}/authorize",
    "TokenEndpoint": f"{IDP}/token",
    "UserInfoEndpoint": f"{IDP}/userinfo",
    "ClientId": "shop",
}
DEFAULTS = {
    "SessionCookieName": "AWSELBAuthSessionCookie",
    "Scope": "openid",
    "SessionTimeout": 604_800,
    "OnUnauthenticatedRequest": "authenticate",
}
ANSWERED = {"Type": "fixed-response", "Order": 2, "FixedResponseConfig": {"StatusCode": "200"}}
HIDDEN = {"Field": "path-pattern", "Values": ["/hidden/*"]}


def signs_in(order: int = 1, secret: str | None = SECRET, **config: Any) -> dict[str, Any]:
    given = {**CONFIG, **({"ClientSecret": secret} if secret is not None else {}), **config}
    return {"Type": "authenticate-oidc", "Order": order, "AuthenticateOidcConfig": given}


def all_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


class Shop:
    """A load balancer with an HTTPS and an HTTP listener."""

    def __init__(self, w: World, balancer: str, https: str, http: str) -> None:
        self.w, self.balancer, self.https, self.http = w, balancer, https, http

    def rule(self, *actions: Any, listener: str = "", priority: int = 1) -> Any:
        return self.w.elb.create_rule(
            ListenerArn=listener or self.https, Priority=priority, Conditions=[HIDDEN], Actions=list(actions)
        )


async def shop(w: World) -> Shop:
    balancer, arn = await w.balancer(), await certificate(w, "shop.example")
    answered = {key: value for key, value in ANSWERED.items() if key != "Order"}
    plain = await w.elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[answered])
    secure = await w.elb.create_listener(
        LoadBalancerArn=balancer, Protocol="HTTPS", Port=443, Certificates=[{"CertificateArn": arn}],
        DefaultActions=[answered],
    )  # fmt: skip
    return Shop(w, balancer, *(each["Listeners"][0]["ListenerArn"] for each in (secure, plain)))


async def test_it_is_complete_when_it_is_described_but_for_its_secret(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        s = await shop(w)
        made = await s.rule(ANSWERED, signs_in())
        (rule,) = made["Rules"]
        first, then = rule["Actions"]
        assert first == {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": {**CONFIG, **DEFAULTS}}
        assert then == ANSWERED
        params = {"prompt": "login", "display": "page"}
        wanted = signs_in(
            SessionCookieName="Shop", Scope="openid email", SessionTimeout=60, OnUnauthenticatedRequest="deny",
            AuthenticationRequestExtraParams=params,
        )  # fmt: skip
        await w.elb.modify_listener(ListenerArn=s.https, DefaultActions=[wanted, ANSWERED])
        (shown,) = (await w.elb.describe_listeners(ListenerArns=[s.https]))["Listeners"]
        config = {key: value for key, value in wanted["AuthenticateOidcConfig"].items() if key != "ClientSecret"}
        assert shown["DefaultActions"][0]["AuthenticateOidcConfig"] == config
        rules = (await w.elb.describe_rules(ListenerArn=s.https))["Rules"]
        assert [rule["Actions"][0]["Type"] for rule in rules] == ["authenticate-oidc"] * 2
        assert SECRET not in str((shown, rules))
        # What is not said stays; what is said without it goes.
        await w.elb.modify_rule(RuleArn=rule["RuleArn"], Conditions=[{**HIDDEN, "Values": ["/other"]}])
        (kept,) = (await w.elb.describe_rules(RuleArns=[rule["RuleArn"]]))["Rules"]
        assert kept["Actions"] == rule["Actions"]
        await w.elb.modify_rule(RuleArn=rule["RuleArn"], Actions=[ANSWERED])
        (gone,) = (await w.elb.describe_rules(RuleArns=[rule["RuleArn"]]))["Rules"]
        assert gone["Actions"] == [ANSWERED]


async def test_nodes_are_told_what_it_takes_and_secrets_apart(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        s = await shop(w)
        await w.settle()
        (before,) = w.told(s.balancer)
        assert (before.secrets, w.wanted().balancers[0].signer) == ({}, None)
        (rule,) = (await s.rule(signs_in(AuthenticationRequestExtraParams={"b": "2", "a": "1"}), ANSWERED))["Rules"]
        (told,) = w.told(s.balancer)
        id_ = rule["RuleArn"].rpartition("/")[2]
        (balancer,) = w.wanted().balancers
        listener = next(each for each in balancer.listeners if each.port == 443)
        assert listener.rules[0].sign_in == SignIn(
            id=id_, issuer=IDP, authorization=f"{IDP}/authorize", token=f"{IDP}/token", user_info=f"{IDP}/userinfo",
            client="shop", cookie="AWSELBAuthSessionCookie", scope="openid", timeout=604_800,
            extra=(("a", "1"), ("b", "2")),
        )  # fmt: skip
        assert set(told.secrets) == {SESSION_KEY, SIGNING_KEY, CLIENT + id_}
        assert told.secrets[CLIENT + id_].reveal() == SECRET
        assert balancer.signer is not None
        assert balancer.signer.name == s.balancer
        # A second one keeps the keys, and UseExistingClientSecret the secret.
        keys = told.secrets[SESSION_KEY], told.secrets[SIGNING_KEY], balancer.signer
        await w.elb.modify_listener(ListenerArn=s.https, DefaultActions=[signs_in(secret="another"), ANSWERED])
        keeps = signs_in(secret=None, UseExistingClientSecret=True, Scope="openid email")
        await w.elb.modify_rule(RuleArn=rule["RuleArn"], Actions=[keeps, ANSWERED])
        await w.elb.modify_listener(
            ListenerArn=s.https, DefaultActions=[signs_in(secret=None, UseExistingClientSecret=True), ANSWERED]
        )
        (told,) = w.told(s.balancer)
        assert (told.secrets[SESSION_KEY], told.secrets[SIGNING_KEY], w.wanted().balancers[0].signer) == keys
        assert sorted(each.reveal() for name, each in told.secrets.items() if name.startswith(CLIENT)) == [
            "another",
            SECRET,
        ]
        await w.settle()
        private = told.secrets[SIGNING_KEY].reveal().splitlines()[1].encode()
        written = all_of(tmp_path)
        assert written
        assert SECRET.encode() not in written
        assert private not in written
        await w.crash()
        (told,) = w.told(s.balancer)
        assert told.secrets[CLIENT + id_].reveal() == SECRET, "it opens again"


async def test_the_public_key_is_there_for_whoever_verifies_until_the_load_balancer_goes(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        s = await shop(w)
        await s.rule(signs_in(), ANSWERED)
        await w.settle()
        answer, (told,) = signing.public_keys(w.plane), w.told(s.balancer)
        signer = w.wanted().balancers[0].signer
        assert signer is not None

        async def get(path: str, method: str = "GET") -> tuple[int, bytes]:
            found = await answer(request(method, f"/_hatoba/elb-public-keys/{path}"))
            assert isinstance(found.body, bytes)
            return found.status, found.body

        status, pem = await get(f"{REGION}/{signer.key}")
        private: Any = load_pem_private_key(told.secrets[SIGNING_KEY].reveal().encode(), None)
        assert status == 200
        assert load_pem_public_key(pem) == private.public_key()
        for path in (f"eu-west-1/{signer.key}", f"{REGION}/{ACCOUNT}", REGION, "", signer.key):
            assert (await get(path))[0] == 404
        assert (await get(f"{REGION}/{signer.key}", "POST"))[0] == 405
        await w.elb.delete_load_balancer(LoadBalancerArn=s.balancer)
        await w.settle()
        assert (await get(f"{REGION}/{signer.key}"))[0] == 404
        assert w.store.all(signers) == []


BAD: list[tuple[tuple[dict[str, Any], ...], str, str]] = [
    ((signs_in(),), "InvalidLoadBalancerAction", "last action"),
    ((signs_in(), signs_in(2), ANSWERED), "TooManyActions", "one authenticate action"),
    ((signs_in(2), {**ANSWERED, "Order": 1}), "InvalidLoadBalancerAction", "lower order"),
    ((signs_in(2), ANSWERED), "InvalidLoadBalancerAction", "lower order"),
    ((signs_in(), {k: v for k, v in ANSWERED.items() if k != "Order"}), "ValidationError", "order"),
    (({"Type": "authenticate-oidc", "Order": 1}, ANSWERED), "ValidationError", "AuthenticateOidcConfig"),
    (({**signs_in(), "TargetGroupArn": "arn"}, ANSWERED), "ValidationError", "another type"),
    (({**ANSWERED, "AuthenticateOidcConfig": CONFIG},), "ValidationError", "can only be specified"),
    ((signs_in(secret=None), ANSWERED), "InvalidLoadBalancerAction", "client secret"),
    ((signs_in(UseExistingClientSecret=True), ANSWERED), "InvalidLoadBalancerAction", "cannot both"),
    ((signs_in(secret=None, UseExistingClientSecret=True), ANSWERED), "InvalidLoadBalancerAction", "no existing"),
    ((signs_in(SessionTimeout=0), ANSWERED), "ValidationError", "between 1 and 604800"),
    ((signs_in(SessionTimeout=604_801), ANSWERED), "ValidationError", "between 1 and 604800"),
    ((signs_in(SessionCookieName="a b"), ANSWERED), "ValidationError", "cookie name"),
    ((signs_in(Scope="a\nb"), ANSWERED), "ValidationError", "scope"),
    ((signs_in(ClientId=""), ANSWERED), "ValidationError", "client ID"),
    ((signs_in(secret="x" * 1025), ANSWERED), "ValidationError", "client secret"),
    ((signs_in(AuthenticationRequestExtraParams={"state": "mine"}), ANSWERED), "ValidationError", "'state'"),
    ((signs_in(AuthenticationRequestExtraParams={str(n): "" for n in range(11)}), ANSWERED), "ValidationError", "10"),
    *(
        ((signs_in(**{member: url}), ANSWERED), "ValidationError", member)
        for member, url in (
            ("Issuer", "http://idp.example/"), ("TokenEndpoint", "idp.example"), ("TokenEndpoint", "https://"),
            ("UserInfoEndpoint", "https://user@idp.example/"), ("UserInfoEndpoint", "https://idp.example:x/"),
            ("AuthorizationEndpoint", "https://idp.example/#here"), ("UserInfoEndpoint", "https://[::1/"),
            ("AuthorizationEndpoint", "https://idp.example/\r\nX: y"),
        )
    ),
    (({"Type": "authenticate-cognito", "Order": 1}, ANSWERED), "ValidationError", "authenticate-cognito"),
]  # fmt: skip


async def test_what_is_wrong_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        s = await shop(w)
        await w.settle()
        before = w.store.seq
        for actions, code, message in BAD:
            await refused(code, message, s.rule(*actions))
        wanted = [signs_in(), ANSWERED]
        await refused("InvalidLoadBalancerAction", "only on HTTPS", s.rule(*wanted, listener=s.http))
        await refused(
            "InvalidLoadBalancerAction",
            "only on HTTPS",
            w.elb.modify_listener(ListenerArn=s.http, DefaultActions=wanted),
        )
        assert w.store.seq == before
        await s.rule(*wanted)
        plain = w.elb.modify_listener(ListenerArn=s.https, Protocol="HTTP")
        await refused("InvalidLoadBalancerAction", "only on HTTPS", plain)
        network = await w.balancer("net", Type="network")
        flows = w.elb.create_listener(LoadBalancerArn=network, Protocol="TCP", Port=80, DefaultActions=wanted)
        await refused("InvalidLoadBalancerAction", "", flows)


@pytest.mark.parametrize("table", ["elbv2.listeners", "elbv2.rules"])
def test_records_of_before_are_read(table: str) -> None:
    """The field is new, and has a default."""
    (found,) = (each for each in tables() if each.name == table)
    assert next(each for each in msgspec.structs.fields(found.type) if each.name == "authentication").default is None
