"""Files of load balancers' logs on the session: delivered, put off, refused, and given back when somebody dies."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hatoba.core.errors import AwsError, PortError
from hatoba.fleet import messages as msg
from tests.unit.fleet.connected import fleet, until


async def test_a_file_is_delivered_under_the_name_of_the_node_that_brings_it(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        await until(lambda: node.session.connected.is_set())
        kept = await node.session.log_file("one", b"bytes")
        assert (kept.error, control.delivered) == ("", [(node.id, "one", b"bytes")])


async def test_what_cannot_be_delivered_now_is_told_from_what_never_can(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        await until(lambda: node.session.connected.is_set())
        control.away = PortError("NoSuchBucket", "logs: it is not there")
        kept = await node.session.log_file("one", b"")
        assert (kept.error, kept.detail) == (msg.LATER, "logs: it is not there")
        control.away, control.refuse = None, AwsError("not yours", code="gone")
        assert (await node.session.log_file("one", b"")).error == "gone"
        assert node.session.connected.is_set(), "neither ends the session"


async def test_a_file_under_way_is_given_back_when_the_connection_ends(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        await until(lambda: node.session.connected.is_set())
        sending = asyncio.ensure_future(node.session.log_file("never", b""))
        await asyncio.sleep(0)
        await control.stop()
        with pytest.raises(PortError, match="gone"):
            await sending
        with pytest.raises(PortError, match="not connected"):
            await node.session.log_file("one", b"")
        await control.start()
        await until(lambda: node.session.connected.is_set())
        assert (await node.session.log_file("one", b"")).error == ""
        assert node.session._files == {}


async def test_a_control_plane_that_fails_at_a_file_says_so(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        await until(lambda: node.session.connected.is_set())
        for _ in range(3):  # more than are taken at a time
            assert (await node.session.log_file("broken", b"")).error == msg.LATER
        assert (await node.session.log_file("one", b"")).error == ""
        assert [name for _, name, _ in control.delivered] == ["one"]


async def test_nobody_waits_for_ever_for_what_a_control_plane_does_with_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hatoba.node.session.FILE_ANSWER", 0.05)
    async with fleet(tmp_path) as (_, (node,)):
        await until(lambda: node.session.connected.is_set())
        with pytest.raises(PortError, match="in time"):
            await node.session.log_file("never", b"")


async def test_an_older_control_plane_gets_no_file(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (_, (node,)):
        await until(lambda: node.session.connected.is_set())
        node.session._protocol = 2
        with pytest.raises(PortError, match="older") as refused:
            await node.session.log_file("one", b"")
        assert refused.value.code == "too-old"
        assert node.session.connected.is_set(), "a message that it does not know would have ended the session"
