"""Who may open a data channel."""

from __future__ import annotations

import asyncio
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from hatoba.services.ssm.session.model import KEPT_SECONDS, find, forget_old, sessions
from tests.unit.services.ssm.talking import HERE, opened, talking
from tools.plugin import Closed, Plugin

run = asyncio.to_thread


async def refusal(session: dict[str, str], **more: Any) -> tuple[int, str]:
    def attempt() -> None:
        with Plugin(session, **more) as plugin:
            plugin.step()

    with pytest.raises(Closed) as closed:
        await run(attempt)
    return closed.value.args[0], closed.value.args[1]


def signed(url: str, key: str, secret: str = "s", service: str = "ssmmessages") -> dict[str, str]:
    request = botocore.awsrequest.AWSRequest("GET", url.replace("ws://", "http://"))
    botocore.auth.SigV4Auth(botocore.credentials.Credentials(key, secret), service, "us-east-1").add_auth(request)
    return dict(request.headers)


async def test_tokens_are_for_one_session_once_and_soon() -> None:
    async with talking() as world:
        one, two = world.session(), world.session()
        assert "not this session's" in (await refusal(two | {"tokenValue": one["tokenValue"]}))[1]
        await opened(world, two)
        assert "used before" in (await refusal(two))[1]
        late = world.session(token_until=world.clock.now() - 1)
        assert "expired" in (await refusal(late))[1]
        nowhere = one | {"streamUrl": one["streamUrl"].replace("command-", "command-0")}
        assert (await refusal(nowhere))[0] == 404
        assert world.channels.refused == 4
        assert 'hatoba_sessions_total{outcome="refused"} 4' in "\n".join(world.channels.collect())


async def test_who_starts_a_session_by_tls_is_led_to_it_by_tls() -> None:
    async with talking() as world:
        assert world.channels.url("s", "here:1").startswith("ws://here:1/v1/data-channel/s?")
        assert world.channels.url("s", "here:2", secure=True).startswith("wss://here:2/v1/data-channel/s?")


async def test_two_that_come_at_once_do_not_both_get_in() -> None:
    async with talking() as world:
        session = world.session()
        outcomes = await asyncio.gather(*(opened(world, session) for _ in range(5)), return_exceptions=True)
        assert sum(isinstance(outcome, Plugin) for outcome in outcomes) == 1


async def test_a_signature_has_to_be_right_and_the_owners() -> None:
    async with talking() as world:
        session = world.session()
        url = session["streamUrl"]
        for headers in (
            signed(url, "OTHER"),
            signed(url, "ROOT", "x"),
            signed(url, "NOBODY"),
            signed(url, "ROOT", service="s3"),
        ):
            assert (await refusal(session, headers=headers))[0] == 403
        await opened(world, session, headers=signed(url, "ROOT"))


async def test_without_auth_signatures_are_not_looked_at_but_tokens_are() -> None:
    async with talking(auth=False) as world:
        session = world.session()
        headers = signed(session["streamUrl"], "NOBODY")
        assert (await refusal(session | {"tokenValue": "x"}, headers=headers))[0] == 1008
        await opened(world, session, headers=headers)


async def test_a_start_ends_what_an_earlier_control_plane_held() -> None:
    async with talking() as world:
        held, offered = world.session(state="connected", token=None), world.session()
        world.channels.start()
        assert world.stored(held).state == "ended"
        assert world.stored(offered).state == "offered"


async def test_old_sessions_are_forgotten() -> None:
    async with talking() as world:
        now = world.clock.now()
        old = [
            world.session(state="ended", ended=now - KEPT_SECONDS - 1, token=None),
            world.session(token_until=now - KEPT_SECONDS - 1),
        ]
        new = [world.session(), world.session(state="ended", ended=now), world.session(state="connected", token=None)]
        with world.store.tx() as tx:
            forget_old(tx, HERE, now, "")
        assert [find(world.store, each["sessionId"]) for each in old] == [None, None]
        assert all(find(world.store, each["sessionId"]) for each in new)
        assert len(world.store.all(sessions)) == 3
