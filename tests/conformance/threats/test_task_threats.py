"""What a task may try on the platform: others' credentials, the favours of the machine, a page that asks for it.

The platform's traffic to and from tasks, and what of the machine a task can reach, is tested with packets in
`tests/contract/network` and `tests/e2e`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hatoba.gateway.own import Own
from tests.conformance.threats.disarm import without
from tests.unit.gateway.test_gateway_own import request
from tests.unit.node.test_metadata_endpoint import Asking


async def credentials_of_another(folder: Path) -> bool:
    """With their id, which it may have from a log."""
    status, body = await Asking(folder)("/v2/credentials/c2")
    return status == 200 and "SecretAccessKey" in body


async def credentials_from_nowhere(folder: Path) -> bool:
    """From an address of the network that no task has."""
    status, _ = await Asking(folder)("/v2/credentials/c1", peer="10.0.0.99")
    return status == 200


async def credentials_that_have_expired(folder: Path) -> bool:
    status, _ = await Asking(folder)("/v2/credentials/old")
    return status == 200


async def reset(peer: str = "127.0.0.1", *, auth: bool = False, **headers: str) -> bool:
    done: list[bool] = []

    async def forget() -> None:
        done.append(True)

    own = Own(version="1", components=dict, reset=None if auth else forget)
    await own(request("POST", "/_hatoba/reset", peer, **headers))
    return bool(done)


async def a_reset_from_a_task(folder: Path) -> bool:
    """By the address at which tasks find the endpoint: it comes from the task's own."""
    return await reset("100.64.0.9")


async def a_reset_that_says_it_is_local(folder: Path) -> bool:
    return await reset("100.64.0.9", x_forwarded_for="127.0.0.1", host="localhost", forwarded="for=127.0.0.1")


async def a_reset_by_a_page_in_a_browser(folder: Path) -> bool:
    return await reset(origin="https://evil.example")


Attack = Callable[[Path], Awaitable[bool]]
OWN = "hatoba.gateway.own:Own._forget"
LOCAL = (OWN, "if not _loopback(request.peer):", "if False:")
TOLD = "hatoba.node.metadata.credentials:told"
THREATS: list[tuple[Attack, tuple[str, str, str]]] = [
    (credentials_of_another, (TOLD, "or item.workload != workload", "")),
    (credentials_that_have_expired, (TOLD, "item.expires <= now", "False")),
    (a_reset_from_a_task, LOCAL),
    (a_reset_that_says_it_is_local, LOCAL),
    (a_reset_by_a_page_in_a_browser, (OWN, "if foreign_page(request.headers):", "if False:")),
]


@pytest.mark.parametrize(("attack", "check"), THREATS, ids=[attack.__name__ for attack, _ in THREATS])
async def test_refused_by_a_check_that_is_needed(attack: Attack, check: tuple[str, str, str], tmp_path: Path) -> None:
    assert not await attack(tmp_path)
    with without(*check):
        assert await attack(tmp_path), "it is not this check that refuses it"


async def test_who_asks_is_who_holds_the_address(tmp_path: Path) -> None:
    assert not await credentials_from_nowhere(tmp_path)


async def test_nothing_is_reset_with_signatures_on() -> None:
    assert not await reset(auth=True)
    assert await reset()
