"""Names, tokens, tag mutability: ECR's decisions in values."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.core.clock import ManualClock
from hatoba.core.keys import Scope
from hatoba.core.secret import Sealer
from hatoba.gateway import access
from hatoba.gateway.access import KnownKeys
from hatoba.services.ecr import model
from hatoba.services.ecr.distribution import address, place
from hatoba.services.ecr.naming import Naming, is_prefixed
from hatoba.services.ecr.plan.tag import may_move
from hatoba.services.ecr.tokens import TICKET_SECONDS, TOKEN_SECONDS, Ticket, Tokens

HERE = Scope("aws", "123456789012", "us-east-1")
LOCAL = Naming(endpoint="localhost:4566", default=HERE)
AWS = Naming(endpoint="localhost:4566", default=HERE, style="aws")
ROOT = access.root("aws", "123456789012")

scopes = st.builds(
    lambda account, region: Scope("aws-cn" if region.startswith("cn-") else "aws", account, region),
    st.from_regex(r"[0-9]{12}", fullmatch=True),
    st.sampled_from(["us-east-1", "eu-west-1", "ap-southeast-2", "cn-north-1"]),
) | st.just(HERE)
repository_names = st.from_regex(r"[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,3}", fullmatch=True).filter(
    lambda name: not is_prefixed(name)
)


@given(scopes, repository_names, st.sampled_from([LOCAL, AWS]))
def test_what_is_told_is_understood(scope: Scope, name: str, naming: Naming) -> None:
    host, _, path = naming.uri(scope, name).partition("/")
    assert naming.resolve(host, path) == (scope, name)
    assert place(address(scope, name)) == (scope, name)


def test_uris() -> None:
    other = Scope("aws", "210987654321", "eu-west-1")
    assert LOCAL.uri(HERE, "team/app") == "localhost:4566/team/app"
    assert LOCAL.uri(other, "app") == "localhost:4566/210987654321/eu-west-1/app"
    assert AWS.uri(other, "app") == "210987654321.dkr.ecr.eu-west-1.amazonaws.com/app"
    assert LOCAL.resolve("210987654321.dkr.ecr.eu-west-1.amazonaws.com:4566", "app") == (other, "app")
    assert LOCAL.proxy_endpoint(HERE) == "http://localhost:4566"
    assert AWS.proxy_endpoint(HERE) == "https://123456789012.dkr.ecr.us-east-1.amazonaws.com"
    assert not is_prefixed("123456789012/app")
    assert is_prefixed("123456789012/us-east-1/app")


def password(token: str) -> tuple[str, str]:
    user, _, secret = base64.b64decode(token).decode().partition(":")
    return user, secret


async def test_tokens_outlive_a_restart_and_not_their_time() -> None:
    clock = ManualClock()
    token, expires = Tokens(Sealer(bytes(32)), clock, KnownKeys()).token(ROOT)
    assert expires == clock.now() + TOKEN_SECONDS
    later = Tokens(Sealer(bytes(32)), clock, KnownKeys())
    assert await later.verify(*password(token)) == ROOT
    assert later.anonymous() is None
    clock.advance(TOKEN_SECONDS)
    assert await later.verify(*password(token)) is None


async def test_nothing_else_opens() -> None:
    clock = ManualClock()
    tokens = Tokens(Sealer(bytes(32)), clock, KnownKeys())
    user, secret = password(tokens.token(ROOT)[0])
    ticket = tokens.link_ticket("/v2/app/blobs/x")
    for wrong in (secret[:-4], secret.swapcase(), "", "é", ticket):
        assert await tokens.verify(user, wrong) is None
    assert await tokens.verify("aws", secret) is None
    assert await Tokens(Sealer(b"1" * 32), clock, KnownKeys()).verify(user, secret) is None
    assert tokens.ticket("/v2/app/blobs/x", ticket) == Ticket()
    assert tokens.ticket("/v2/app/blobs/y", ticket) is None
    assert tokens.ticket("/v2/app/blobs/x", secret) is None
    clock.advance(TICKET_SECONDS)
    assert tokens.ticket("/v2/app/blobs/x", ticket) is None


async def test_without_authentication_any_login_will_do() -> None:
    tokens = Tokens(Sealer(bytes(32)), ManualClock(), KnownKeys(), open_to=ROOT)
    assert tokens.anonymous() == ROOT
    assert await tokens.verify("me", "whatever") == ROOT
    other = access.root("aws", "210987654321")
    assert await tokens.verify(*password(tokens.token(other)[0])) == other


@pytest.mark.parametrize(
    ("mutability", "exclusions", "moving"),
    [
        ("MUTABLE", (), ["v1", "latest"]),
        ("IMMUTABLE", (), []),
        ("IMMUTABLE_WITH_EXCLUSION", ("latest*", "dev"), ["latest", "latest-2", "dev"]),
        ("MUTABLE_WITH_EXCLUSION", ("v*",), ["latest", "latest-2", "dev", "dev2"]),
    ],
)
def test_which_tags_may_move(mutability: model.Mutability, exclusions: tuple[str, ...], moving: list[str]) -> None:
    record = model.Repository(
        key=model.repositories.key(HERE, "app"), created=0, mutability=mutability, exclusions=exclusions
    )
    tags = ["v1", "latest", "latest-2", "dev", "dev2"] if exclusions else ["v1", "latest"]
    assert [tag for tag in tags if may_move(record, tag)] == moving
