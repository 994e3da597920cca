"""What a node asks the control plane about its own workloads, and never about another node's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hatoba.core.errors import AwsError, PortError
from tests.unit.fleet.connected import fleet, until


async def test_a_question_is_answered_for_the_nodes_own_workloads_only(tmp_path: Path) -> None:
    async with fleet(tmp_path, 2) as (control, (one, two)):
        await until(lambda: one.session.connected.is_set() and two.session.connected.is_set())
        control.want("w1", one.id)
        await control.store.durable()
        assert await one.session.ask("w1", "tags") == b"tags of w1"
        with pytest.raises(PortError, match="another node's") as refused:
            await two.session.ask("w1", "tags")
        assert refused.value.code == "gone"
        assert control.asked == [("w1", "tags")], "the stranger's question was not passed on"


async def test_a_refusal_is_told_by_its_code(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        await until(lambda: node.session.connected.is_set())
        control.want("w1", node.id)
        control.refuse = AwsError("not today", code="AccessDeniedException")
        with pytest.raises(PortError, match="not today") as refused:
            await node.session.ask("w1", "tags")
        assert refused.value.code == "AccessDeniedException"


async def test_questions_end_with_the_connection(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        await until(lambda: node.session.connected.is_set())
        control.want("w1", node.id)
        asking = [asyncio.ensure_future(node.session.ask("w1", "never")) for _ in range(3)]
        await until(lambda: len(control.asked) == 3)
        await control.stop()
        for question in asking:
            with pytest.raises(PortError, match="gone"):
                await question
        with pytest.raises(PortError, match="not connected"):
            await node.session.ask("w1", "tags")
        assert node.session._questions == {}
        await control.start()
        await until(lambda: node.session.connected.is_set())
        assert await node.session.ask("w1", "tags") == b"tags of w1", "and begin again with the next one"


async def test_an_older_control_plane_is_not_asked(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (_, (node,)):
        await until(lambda: node.session.connected.is_set())
        node.session._protocol = 1
        with pytest.raises(PortError, match="older") as refused:
            await node.session.ask("w1", "tags")
        assert refused.value.code == "too-old"
        assert node.session.connected.is_set(), "a message that it does not know would have ended the session"
