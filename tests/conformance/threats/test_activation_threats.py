"""What somebody may try who wants a machine of theirs to be an instance of an account's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from hatoba.core.errors import Refused
from hatoba.core.records import replace
from hatoba.fleet import model as m
from hatoba.fleet.enrol import Code
from hatoba.node.session import Identity, join
from hatoba.services.ecs.model.instance import offered
from tests.conformance.threats.disarm import without
from tests.unit.services.keeping.test_keeping_machines import Control
from tests.unit.services.keeping.world import SCOPE

Attack = Callable[[Control], Awaitable[bool]]
ADMIT = "hatoba.services.ssm.activating:admit"


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[Control]:
    made = Control(tmp_path)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def joins(control: Control, id_: str, code: str) -> bool:
    identity = Identity(control.folder / f"machine-{len(list(control.folder.iterdir()))}")
    try:
        await join(identity, code, "rogue", id_)
    except Refused:
        return False
    return True


async def a_code_that_is_guessed(control: Control) -> bool:
    id_, code = await control.activate()
    return await joins(control, id_, Code.parse(code)._replace(secret=bytes(16)).text())


async def a_code_found_long_after(control: Control) -> bool:
    id_, code = await control.activate(ExpirationDate=control.clock.now() + 60)
    with patch.object(control.clock, "ahead", 61):
        return await joins(control, id_, code)


async def a_code_used_again(control: Control) -> bool:
    id_, code = await control.activate(RegistrationLimit=1)
    return await joins(control, id_, code) and await joins(control, id_, code)


async def another_accounts_instance(control: Control) -> bool:
    """The machine would take that account's tasks, with their secrets."""
    assert await joins(control, *await control.activate())
    node = control.store.all(m.nodes)[-1]
    with control.store.tx() as tx:
        known = tx.get(m.nodes, node.key)
        assert known is not None
        seen = tx.put(m.nodes, replace(known, seen_at=1.0))
    return offered(seen, SCOPE._replace(account="999999999999"))


THREATS: list[tuple[Attack, tuple[str, str, str]]] = [
    (a_code_that_is_guessed, (ADMIT, "or not known", "")),
    (a_code_found_long_after, (ADMIT, "if found.expires <= clock.now():", "if False:")),
    (a_code_used_again, (ADMIT, "if found.registrations >= found.limit:", "if False:")),
    (
        another_accounts_instance,
        ("hatoba.services.ecs.model.instance:offered", 'and node.account in ("", scope.account)', ""),
    ),
]


@pytest.mark.parametrize(("attack", "check"), THREATS, ids=[attack.__name__ for attack, _ in THREATS])
async def test_refused_by_a_check_that_is_needed(attack: Attack, check: tuple[str, str, str], control: Control) -> None:
    assert not await attack(control)
    with without(*check):
        assert await attack(control), "it is not this check that refuses it"
