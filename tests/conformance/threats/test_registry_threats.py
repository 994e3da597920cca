"""Registry tokens of those who are gone: a token is worth no more than the access key that it was got with.

Each is tried with a key, a user, a session or a task that has ended; then without the check that stops it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from hatoba.app.credentials import AnyOf
from hatoba.core.keys import Scope
from hatoba.core.secret import Secret
from hatoba.fleet import model as fleet
from hatoba.gateway.call import Principal
from hatoba.services.iam import model as iam
from hatoba.services.iam.identities import UserKeys
from hatoba.services.sts import model as sts
from hatoba.services.sts.identities import Sessions
from hatoba.store import Tx
from tests.conformance.threats.disarm import without
from tests.unit.services.ecr.registries import CI, SCOPE, World, make, unmake

EVERYWHERE = Scope(SCOPE.partition, SCOPE.account, "")
TASK = "a" * 32
HOUR = 3600.0
ANN = Principal(
    kind="user", account=SCOPE.account, arn=f"arn:aws:iam::{SCOPE.account}:user/ann", id="AIDAANN", access_key="AKIAANN"
)
IN_TASK = replace(CI, access_key="ASIATASK")


def begin(tx: Tx, now: float) -> None:
    """A user with a key, and a task with a session of an hour."""
    ann = iam.User(key=iam.users.key(EVERYWHERE, "ann"), name="ann", path="/", unique=ANN.id, created=now, inline={})
    tx.put(iam.users, ann)
    key = iam.access_keys.key(EVERYWHERE, "AKIAANN")
    tx.put(iam.access_keys, iam.AccessKey(key=key, user="ann", secret=Secret("s"), created=now))
    task = fleet.Workload(key=fleet.workloads.key(SCOPE, TASK), node="n", containers=())
    tx.put(fleet.workloads, task)
    session = sts.Session(
        key=sts.sessions.key(sts.EVERYWHERE, "ASIATASK"),
        principal=IN_TASK,
        secret=Secret("s"),
        token=Secret("t"),
        expires=now + HOUR,
        workload=task.key,
    )
    tx.put(sts.sessions, session)


def switched_off(tx: Tx, world: World) -> None:
    key = tx.find(iam.access_keys, EVERYWHERE, "AKIAANN")
    assert key is not None
    tx.put(iam.access_keys, replace(key, status="Inactive"))


def deleted(tx: Tx, world: World) -> None:
    tx.forget(iam.access_keys, iam.access_keys.key(EVERYWHERE, "AKIAANN"))


def without_a_user(tx: Tx, world: World) -> None:
    tx.forget(iam.users, iam.users.key(EVERYWHERE, "ann"))


def of_another_with_that_name(tx: Tx, world: World) -> None:
    ann = tx.find(iam.users, EVERYWHERE, "ann")
    assert ann is not None
    tx.put(iam.users, replace(ann, unique="AIDAOTHER"))


def stopped(tx: Tx, world: World) -> None:
    tx.forget(fleet.workloads, fleet.workloads.key(SCOPE, TASK))


def over(tx: Tx, world: World) -> None:
    world.clock.advance(HOUR + 1)


STILL = "hatoba.services.ecr.tokens:Tokens._still"
UNASKED = (STILL, "who.access_key is None or not self.checked", "True")
ENDS = (
    "hatoba.services.ecr.tokens:Tokens.token",
    "known.expires if known is not None and self.checked else None",
    "None",
)
ENDED: list[tuple[Principal, Callable[[Tx, World], None], tuple[str, str, str]]] = [
    (ANN, switched_off, UNASKED),
    (ANN, deleted, UNASKED),
    (ANN, without_a_user, UNASKED),
    (ANN, of_another_with_that_name, (STILL, "now.id == who.id", "True")),
    (IN_TASK, stopped, UNASKED),
    (IN_TASK, over, ENDS),
]


@pytest.mark.parametrize(("who", "ends", "check"), ENDED, ids=lambda each: getattr(each, "__name__", ""))
@pytest.mark.parametrize("armed", [True, False], ids=["refused", "without the check"])
async def test_a_token_ends_with_what_it_was_got_with(
    tmp_path: Path, who: Principal, ends: Callable[[Tx, World], None], check: tuple[str, str, str], armed: bool
) -> None:
    if armed:
        assert not await opens(tmp_path, who, ends)
        return
    with without(*check):
        assert await opens(tmp_path, who, ends)


async def opens(folder: Path, who: Principal, ends: Callable[[Tx, World], None]) -> bool:
    """Whether the registry lets in whoever has the token of somebody who has ended."""
    tables = (*iam.TABLES, *sts.TABLES, *fleet.TABLES)
    world = await make(folder, tables, lambda store: AnyOf(Sessions(store), UserKeys(store)))
    try:
        with world.store.tx() as tx:
            begin(tx, world.clock.now())
        client = world.client(who)
        world.judge.allowed = {"ListImages", "DescribeRepositories"}
        assert (await client("GET", "/v2/app/tags/list")).status == 200
        assert world.judge.asked[-1][0] == who  # session, tags and all
        with world.store.tx() as tx:
            ends(tx, world)
        asked = len(world.judge.asked)
        answer = await client("GET", "/v2/app/tags/list")
        if answer.status == 401:
            assert len(world.judge.asked) == asked
            return False
        return answer.status == 200
    finally:
        await unmake(world)


async def test_a_token_says_when_it_ends(tmp_path: Path) -> None:
    tables = (*iam.TABLES, *sts.TABLES, *fleet.TABLES)
    world = await make(tmp_path, tables, lambda store: AnyOf(Sessions(store), UserKeys(store)))
    try:
        with world.store.tx() as tx:
            begin(tx, world.clock.now())
        token, now = world.registry.tokens.token, world.clock.now()
        assert token(ANN)[1] == now + 12 * HOUR
        assert token(IN_TASK)[1] == now + HOUR
    finally:
        await unmake(world)


async def test_who_got_another_name_goes_on(tmp_path: Path) -> None:
    """And is asked for under the new one, whose policies are theirs."""
    tables = (*iam.TABLES, *sts.TABLES, *fleet.TABLES)
    world = await make(tmp_path, tables, lambda store: AnyOf(Sessions(store), UserKeys(store)))
    try:
        with world.store.tx() as tx:
            begin(tx, world.clock.now())
        client = world.client(ANN)
        with world.store.tx() as tx:
            ann = tx.find(iam.users, EVERYWHERE, "ann")
            assert ann is not None
            tx.put(iam.users, replace(ann, path="/staff/"))
        world.judge.allowed = {"ListImages"}
        assert (await client("GET", "/v2/app/tags/list")).status == 200
        assert world.judge.asked[-1][0].arn == f"arn:aws:iam::{SCOPE.account}:user/staff/ann"
    finally:
        await unmake(world)
