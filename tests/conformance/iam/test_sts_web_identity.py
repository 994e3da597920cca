"""AssumeRoleWithWebIdentity: a token is believed if the provider's own key signed it, asked at its own place."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from hatoba.core.clock import ManualClock
from hatoba.services.sts import oidc
from hatoba.services.sts.model import EVERYWHERE, sessions
from tests.conformance.ec2.networks import Platform
from tests.conformance.iam.provider import STRANGE, WELL_KNOWN, Provider, jwks, provided, token
from tests.conformance.serving import refused

_names = itertools.count(1)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with provided(tmp_path_factory.mktemp("provider")) as provider:
        yield provider


class World:
    """An account that trusts an issuer of its own, in a role for `sub` = me."""

    def __init__(self, platform: Platform, iam: Any, provider: Provider, account: str) -> None:
        self.platform, self.iam, self.provider, self.account = platform, iam, provider, account
        self.name = f"id{next(_names)}"
        self.url = provider.issuer(self.name)
        self.arn = f"arn:aws:iam::{account}:oidc-provider/{self.url.removeprefix('https://')}"
        self.asks = platform.client("sts").assume_role_with_web_identity

    def register(self, **changed: Any) -> str:
        asked = {"Url": self.url, "ClientIDList": ["us"], "ThumbprintList": [self.provider.thumbprint], **changed}
        arn: str = self.iam.create_open_id_connect_provider(**asked)["OpenIDConnectProviderArn"]
        assert arn == self.arn
        return arn

    def role(self, *actions: str, **changed: Any) -> str:
        issuer = self.url.removeprefix("https://")
        condition = {"StringEquals": {f"{issuer}:aud": "us", f"{issuer}:sub": "me"}}
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": self.arn},
            "Action": ["sts:AssumeRoleWithWebIdentity", *actions],
            "Condition": condition,
            **changed,
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        arn: str = self.iam.create_role(RoleName="Outside", AssumeRolePolicyDocument=document)["Role"]["Arn"]
        return arn

    def token(self, *, key: Any = None, kid: str = "one", **claims: Any) -> str:
        now = int(self.platform.clock.now())
        said = {"iss": self.url, "sub": "me", "aud": "us", "iat": now, "exp": now + 300, **claims}
        said = {name: value for name, value in said.items() if value is not None}
        return token(said, kid=kid) if key is None else token(said, key, kid)

    def ask(self, sent: str, **rest: Any) -> Any:
        role = f"arn:aws:iam::{self.account}:role/Outside"
        return self.asks(RoleArn=role, RoleSessionName="one", WebIdentityToken=sent, **rest)

    def refused(self, code: str, sent: str) -> str:
        return refused(code, lambda: self.ask(sent))

    def fetched(self) -> list[str]:
        return [path.removeprefix(f"/{self.name}") for path in self.provider.asked if path.startswith(f"/{self.name}/")]


@pytest.fixture
def world(platform: Platform, iam: Any, provider: Provider, account: str) -> World:
    return World(platform, iam, provider, account)


def test_who_has_a_token_of_the_provider_gets_a_session(world: World) -> None:
    world.register()
    role = world.role("sts:TagSession", "sts:SetSourceIdentity")
    tags = {"principal_tags": {"team": ["a"]}, "transitive_tag_keys": ["team"]}
    sent = world.token(
        **{"https://aws.amazon.com/tags": tags, "https://aws.amazon.com/source_identity": "ann"},
        nbf=int(world.platform.clock.now()),
    )
    answer = world.ask(sent, DurationSeconds=1800)
    assert answer["SubjectFromWebIdentityToken"] == "me"
    assert (answer["Audience"], answer["Provider"], answer["SourceIdentity"]) == ("us", world.arn, "ann")
    arn = f"arn:aws:sts::{world.account}:assumed-role/Outside/one"
    assert answer["AssumedRoleUser"]["Arn"] == arn
    given = answer["Credentials"]
    own = world.platform.client(
        "sts", key=(given["AccessKeyId"], given["SecretAccessKey"]), token=given["SessionToken"]
    )
    assert own.get_caller_identity()["Arn"] == arn
    session = world.platform.store.find(sessions, EVERYWHERE, given["AccessKeyId"])
    assert session is not None
    assert session.principal.role == role
    held = session.principal.session
    assert held is not None
    assert (held.provider, held.tags, held.transitive) == (world.arn, (("team", "a"),), ("team",))
    issuer = world.url.removeprefix("https://")
    assert dict(held.claims) == {f"{issuer}:aud": "us", f"{issuer}:sub": "me", f"{issuer}:oaud": "us"}


def test_the_audit_says_who_it_was(world: World) -> None:
    """In the account of the role."""
    world.register()
    world.role()
    world.ask(world.token())
    trail = world.platform.client("cloudtrail", account=world.account)
    (event,) = trail.lookup_events(LookupAttributes=[{"AttributeKey": "Username", "AttributeValue": "me"}])["Events"]
    issuer = world.url.removeprefix("https://")
    assert json.loads(event["CloudTrailEvent"])["userIdentity"] == {
        "type": "WebIdentityUser",
        "principalId": f"{issuer}:us:me",
        "userName": "me",
        "identityProvider": issuer,
    }


def test_the_provider_is_asked_once(world: World) -> None:
    world.register()
    world.role()
    for _ in range(3):
        world.ask(world.token())
    assert world.fetched() == [WELL_KNOWN, "/keys"]
    # A key that is not there does not make it be asked again at once: strangers choose what keys tokens name.
    for kid in ("two", "three"):
        words = world.refused("InvalidIdentityToken", world.token(kid=kid))
        assert words.startswith("Couldn't retrieve verification key")
    assert world.fetched() == [WELL_KNOWN, "/keys"]


MUST_SAY: list[tuple[dict[str, Any], str, str]] = [
    ({"exp": 1}, "ExpiredTokenException", "Token expired: current date/time"),
    ({"exp": None}, "InvalidIdentityToken", "Missing a required claim: exp"),
    ({"exp": "x"}, "InvalidIdentityToken", "The claim exp is not a time"),
    ({"nbf": 9e9, "exp": 9.1e9}, "InvalidIdentityToken", "The token is not valid yet"),
    ({"aud": "them"}, "InvalidIdentityToken", "Incorrect token audience"),
    ({"aud": ["us", "them"]}, "InvalidIdentityToken", "A token with several audiences"),
    ({"aud": ["us", "them"], "azp": "them"}, "InvalidIdentityToken", "Incorrect token audience"),
    ({"aud": None}, "InvalidIdentityToken", "Missing a required claim: aud"),
    ({"sub": None}, "InvalidIdentityToken", "Missing a required claim: sub"),
    ({"sub": "you"}, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"),
    ({"iss": "https://elsewhere.test"}, "InvalidIdentityToken", "No OpenIDConnect provider found in your account"),
    ({"iss": "http://localhost/x"}, "InvalidIdentityToken", "Issuer must be a valid HTTPS URL"),
    ({"https://aws.amazon.com/tags": {"principal_tags": {"a": ["b"]}}}, "AccessDenied", "Not authorized"),
    ({"https://aws.amazon.com/source_identity": "ann"}, "AccessDenied", "Not authorized"),
]


def test_what_a_token_must_say(world: World) -> None:
    world.register()
    world.role()
    for claims, code, words in MUST_SAY:
        assert world.refused(code, world.token(**claims)).startswith(words), claims


def test_a_token_that_is_nested_deeper_than_anybody_reads(world: World) -> None:
    """Strangers send it: it is their mistake, and none of ours."""
    deep = base64.urlsafe_b64encode(b"[" * 14_000).decode().rstrip("=")
    world.role()
    assert world.refused("InvalidIdentityToken", f"{deep}.e30.x")


def test_only_the_providers_key_counts(world: World) -> None:
    world.register()
    world.role()
    assert world.refused("InvalidIdentityToken", world.token(key=STRANGE)) == "The token's signature is not valid"
    assert "not a valid JWT" in world.refused("InvalidIdentityToken", "some-access-token")


def test_a_role_that_trusts_another_provider(world: World) -> None:
    world.register()
    world.role(Principal={"Federated": "arn:aws:iam::123456789012:oidc-provider/id.test"})
    world.refused("AccessDenied", world.token())
    absent = {"RoleArn": f"arn:aws:iam::{world.account}:role/Absent", "RoleSessionName": "one"}
    words = refused("AccessDenied", world.asks, **absent, WebIdentityToken=world.token())
    assert words == "Not authorized to perform sts:AssumeRoleWithWebIdentity"


# --- the provider's server


# What is wrong with a provider stands in the operator's log. Who asks is told no more than AWS tells: who may register
# providers would otherwise learn what answers at the platform's private addresses.
NO_KEY = (
    "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity "
    "documentation for requirements"
)


def test_a_certificate_that_nobody_vouches_for(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.register(ThumbprintList=["0" * 40])
    world.role()
    assert world.refused("IDPCommunicationError", world.token()) == NO_KEY
    assert "known thumbprint" in caplog.text
    assert world.fetched() == []
    # Another thumbprint is another answer, without waiting.
    world.iam.update_open_id_connect_provider_thumbprint(
        OpenIDConnectProviderArn=world.arn, ThumbprintList=[world.provider.thumbprint.upper()]
    )
    assert world.ask(world.token())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": 302, "location": "https://localhost/"}, "answers 302"),
        ({"status": 500}, "answers 500"),
        ({"body": b"[]"}, "without a JSON object"),
        ({"body": b"{"}, ""),
        ({"body": b" " * (1 << 21) + b"{}"}, "too long"),
        ({"body": json.dumps({"issuer": "https://id.test", "jwks_uri": "https://id.test/keys"}).encode()}, "its own"),
    ],
)
def test_a_provider_that_misbehaves(
    world: World, caplog: pytest.LogCaptureFixture, answer: dict[str, Any], words: str
) -> None:
    world.register()
    world.role()
    body = answer.pop("body", b"{}")
    world.provider.answer(f"/{world.name}{WELL_KNOWN}", body, **answer)
    for _ in range(2):
        assert world.refused("IDPCommunicationError", world.token()) == NO_KEY
    assert words in caplog.text
    assert world.fetched() == [WELL_KNOWN]  # and is left alone for a while


@pytest.mark.parametrize(
    "where",
    [
        "http://localhost/keys",
        "https://169.254.169.254/latest/meta-data/",
        "https://169.254.170.2/v2/credentials",
        "https://[::ffff:169.254.169.254]/",
        "https://0.0.0.0/",
        "file:///etc/passwd",
        "https:///keys",
        7,
    ],
)
def test_keys_that_are_where_nobody_may_ask(world: World, where: Any) -> None:
    world.provider.issuer(world.name, jwks_uri=where)
    world.register()
    world.role()
    assert world.refused("IDPCommunicationError", world.token()) == NO_KEY
    assert world.fetched() == [WELL_KNOWN]


async def test_this_machine_is_asked_only_if_it_is_set(provider: Provider) -> None:
    url = provider.issuer("loopback")
    for _ in range(2):
        with pytest.raises(oidc.Unreachable, match="no address that may be asked"):
            await oidc.Keys(ManualClock()).of(url, [provider.thumbprint], None)
    assert not any(path.startswith("/loopback/") for path in provider.asked)
    assert await oidc.Keys(ManualClock(), loopback=True).of(url, [provider.thumbprint], None)


async def test_keys_are_asked_for_again_in_time(provider: Provider) -> None:
    url, clock = provider.issuer("rolls"), ManualClock()
    keys = oidc.Keys(clock, loopback=True)

    def times() -> int:
        return provider.asked.count("/rolls/keys")

    async def known(kid: str) -> bool:
        return any(key["kid"] == kid for key in await keys.of(url, [provider.thumbprint], kid))

    found = await asyncio.gather(*(known("one") for _ in range(5)))
    assert (found, times()) == ([True] * 5, 1)  # once for all who wait
    provider.answer("/rolls/keys", json.dumps(jwks("two")).encode())
    assert not await known("two")
    clock.advance(oidc.AGAIN + 1)
    assert await known("two")
    assert times() == 2
    clock.advance(oidc.KEPT)
    assert await known("two")
    assert times() == 3


async def test_a_provider_that_does_not_answer(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hears(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(oidc, "PATIENCE", 0.05)
    server = await asyncio.start_server(hears, "localhost", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(oidc.Unreachable):
            await oidc.Keys(ManualClock(), loopback=True).of(f"https://localhost:{port}", [], None)
