"""Files of load balancers' logs on the node: sent once, kept while nobody takes them, none in another's way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hatoba.core.clock import SystemClock
from hatoba.core.errors import PortError
from hatoba.fleet import messages as msg
from hatoba.node.balancer_logs import BalancerLogs
from hatoba.proxy import delivery
from hatoba.proxy.logfiles import stem
from tests.unit.fleet.connected import until

WEB = stem("access", "123456789012", "eu-west-1", "app/web/50dc6c495c0c9188")
API = stem("access", "123456789012", "eu-west-1", "app/api/60dc6c495c0c9188")
NOW = 1_700_000_000.0
LINE = b'{"began": "1700000000.25", "balancer": "app/web/1", "status": 200}\n'


class Control:
    """The session, as far as it matters here."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.puts = 0
        self.away: set[str] = set()  # load balancers whose bucket is away
        self.refused: set[str] = set()
        self.dies = False  # after it has delivered, before it can say so

    async def log_file(self, name: str, body: bytes) -> msg.LogsKept:
        if any(each in name for each in self.away):
            return msg.LogsKept(number=1, error=msg.LATER, detail="no such bucket")
        if any(each in name for each in self.refused):
            return msg.LogsKept(number=1, error="gone", detail="not yours")
        self.puts += 1
        self.objects[name] = body
        if self.dies:
            raise PortError("disconnected", "the control plane has gone")
        return msg.LogsKept(number=1)


def logs(folder: Path, control: Control, *, deserted: bool = True) -> BalancerLogs:
    return BalancerLogs(folder, lambda: control, lambda network: deserted, SystemClock())


def made(folder: Path, stem_: str, at: float = NOW, network: str = "vpc-1") -> None:
    own = folder / network
    delivery.prepare(own)
    place = delivery.place(own, stem_)
    assert place is not None
    place.write_bytes(LINE)
    delivery.settle(own, at, {stem_: "10.0.0.5"})


def left(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


async def test_a_file_goes_once_it_is_delivered_and_its_folders_with_it(tmp_path: Path) -> None:
    made(tmp_path, WEB)
    control = Control()
    assert not await logs(tmp_path, control).deliver()
    (name,) = control.objects
    assert name.startswith(f"{WEB}_20231114T2213Z_10.0.0.5_")
    assert left(tmp_path) == []
    assert not (tmp_path / "vpc-1" / "AWSLogs").exists()


async def test_what_waits_holds_up_nobody_else_and_arrives_in_the_end(tmp_path: Path) -> None:
    for second in range(3):
        made(tmp_path, WEB, NOW + second)
    made(tmp_path, API)
    control = Control()
    control.away.add("web")
    sending = logs(tmp_path, control)
    assert await sending.deliver(), "something is left"
    assert [API in name for name in control.objects] == [True]
    control.away.clear()
    assert not await sending.deliver()
    assert len(control.objects) == 4


async def test_delivered_twice_it_is_one_object(tmp_path: Path) -> None:
    made(tmp_path, WEB)
    control = Control()
    control.dies = True
    await logs(tmp_path, control).deliver()
    control.dies = False
    await logs(tmp_path, control).deliver()
    assert (control.puts, len(control.objects)) == (2, 1)


async def test_what_is_not_ours_to_bring_is_dropped(tmp_path: Path) -> None:
    made(tmp_path, WEB)
    control = Control()
    control.refused.add("web")
    assert not await logs(tmp_path, control).deliver()
    assert left(tmp_path) == []


@pytest.mark.parametrize("deserted", [True, False])
async def test_what_a_dead_agents_proxy_has_left_is_delivered_unless_it_still_writes(
    tmp_path: Path, deserted: bool
) -> None:
    delivery.prepare(tmp_path / "vpc-1")
    place = delivery.place(tmp_path / "vpc-1", WEB)
    assert place is not None
    place.write_bytes(LINE)
    control = Control()
    sending = logs(tmp_path, control, deserted=deserted)
    await sending.start()
    try:
        if deserted:
            await until(lambda: control.objects)
            assert not place.exists()
        else:
            made(tmp_path, API, network="vpc-2")
            sending.made()
            await until(lambda: control.objects)
            await asyncio.sleep(0)
            assert place.read_bytes() == LINE
    finally:
        await sending.close()
