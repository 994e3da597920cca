"""Client tokens, and page tokens as a call hands them out."""

from __future__ import annotations

from typing import Any

import pytest

from hatoba.core.clock import ManualClock
from hatoba.core.errors import AwsError
from hatoba.gateway import access
from hatoba.gateway.call import Call
from hatoba.gateway.idempotency import SECONDS, forget_expired, idempotent
from hatoba.gateway.plane import ControlPlane
from tests.unit.gateway.plane import SCOPE, plane, things, write
from tests.unit.gateway.wire import on_uvloop


class Mismatch(AwsError):
    pass


def call(made: ControlPlane, operation: str = "RunTask", scope: Any = SCOPE) -> Call:
    return Call(
        made,
        scope=scope,
        service="ecs",
        operation=operation,
        principal=access.root("aws", scope.account),
        request_id="r",
    )


def run(made: ControlPlane, token: str | None, count: int = 1, **where: Any) -> dict[str, Any]:
    """An operation that does something each time, unless it did it already."""
    req = {"count": count, "clientToken": token}
    this = call(made, **where)
    with this.tx() as tx:
        before = this.earlier(tx, req, token, mismatch=Mismatch)
        if before is not None:
            return dict(before)
        answer = {"tasks": [this.ids.hex()], "blob": b"\0"}
        return this.remember(tx, req, token, answer)


@on_uvloop
async def test_the_same_request_is_answered_as_before() -> None:
    with plane() as (made, _):
        assert run(made, "a") == run(made, "a")
        assert run(made, "a") != run(made, "b")
        assert run(made, None) != run(made, None)


@on_uvloop
async def test_another_request_with_the_same_token_is_refused() -> None:
    with plane() as (made, _):
        run(made, "a", 1)
        with pytest.raises(Mismatch):
            run(made, "a", 2)


@on_uvloop
async def test_a_token_belongs_to_its_operation_and_scope() -> None:
    with plane() as (made, _):
        first = run(made, "a")
        assert run(made, "a", operation="CreateService") != first
        assert run(made, "a", scope=SCOPE._replace(region="eu-west-2")) != first
        assert run(made, "a", scope=SCOPE._replace(account="210987654321")) != first


@on_uvloop
async def test_a_token_is_forgotten_after_a_day_and_can_be_used_again() -> None:
    with plane() as (made, _):
        assert isinstance(made.clock, ManualClock)
        first = run(made, "a")
        made.clock.advance(SECONDS - 1)
        assert run(made, "a") == first
        made.clock.advance(2)
        second = run(made, "a", 2)
        assert second != first
        assert run(made, "a", 2) == second


@on_uvloop
async def test_expired_answers_are_cleared_away_by_those_that_follow() -> None:
    with plane() as (made, _):
        assert isinstance(made.clock, ManualClock)
        for number in range(10):
            run(made, f"old-{number}")
        made.clock.advance(SECONDS + 3600)
        for number in range(3):
            run(made, f"new-{number}")
        assert len(made.store.all(idempotent)) == 3


@on_uvloop
async def test_what_quiet_hours_left_is_cleared_away_at_the_start() -> None:
    with plane() as (made, _):
        assert isinstance(made.clock, ManualClock)
        run(made, "old")
        made.clock.advance(SECONDS + 10 * 3600)
        run(made, "new")
        assert forget_expired(made.store, made.clock.now()) == 1
        assert [record.id for record in made.store.all(idempotent)] == ["ecs:RunTask:new"]


@on_uvloop
async def test_a_transaction_that_fails_remembers_nothing() -> None:
    with plane() as (made, _):
        this = call(made)

        def fail() -> None:
            with this.tx() as tx:
                this.remember(tx, {}, "a", {"done": True})
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()
        assert made.store.all(idempotent) == []


@on_uvloop
async def test_pages_go_on_where_the_last_one_ended_and_refuse_tokens_of_others() -> None:
    with plane() as (made, _):
        this = call(made, "ListThings")
        for number in range(5):
            write(this, f"thing-{number}")

        def page(token: str | None, **filters: Any) -> tuple[list[str], str | None]:
            rows = made.store.scan(things, SCOPE)
            found, more = this.page(rows, order=lambda row: row.id, token=token, limit=2, filters=filters)
            return [row.id for row in found], more

        first, token = page(None)
        write(this, "thing-0a")  # behind what was shown already: it does not come, and nothing comes twice
        second, token = page(token)
        third, end = page(token)
        assert first + second + third == [f"thing-{number}" for number in range(5)]
        assert end is None
        for stranger in ("nonsense", token):
            with pytest.raises(AwsError, match="nextToken is invalid"):
                page(stranger, other="filters")
