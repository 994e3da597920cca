"""For whom nodes may speak at VPC endpoints: who is theirs, in the network asked and in its peers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hatoba.core.records import replace
from hatoba.fleet import entering, model
from hatoba.fleet import messages as msg
from hatoba.fleet.entering import Entering, speaks_for
from tests.unit.fleet.connected import HERE, Control, put_interface


@pytest.fixture
async def control(tmp_path: Path) -> Control:
    made = Control(tmp_path / "authority")
    await made.start()
    put_interface(made, "eni-1", "v1", "10.0.0.5")
    made.want("t1", "n1", network="v1", interface="eni-1")
    put_interface(made, "eni-2", "v2", "10.2.0.5")
    return made


def came(network: str, client: str) -> msg.Entered:
    return msg.Entered(network=network, endpoint="10.0.0.8", client=client, port=4000)


async def test_those_that_it_holds(control: Control) -> None:
    store = control.store
    assert speaks_for(store, "n1", came("v1", "10.0.0.5"))
    assert not speaks_for(store, "n2", came("v1", "10.0.0.5"))
    assert not speaks_for(store, "n1", came("v2", "10.2.0.5")), "nobody holds it"
    assert not speaks_for(store, "n1", came("v2", "10.0.0.5")), "not a peered network"
    with store.tx() as tx:
        one = tx.get(model.interfaces, model.interfaces.key(HERE, "eni-1"))
        assert one is not None
        tx.put(model.interfaces, replace(one, further=("10.0.0.9",), blocks=("10.0.0.32/28",)))
    held = ("10.0.0.9", "10.0.0.32", "10.0.0.47")
    assert [speaks_for(store, "n1", came("v1", each)) for each in (*held, "10.0.0.48")] == [True, True, True, False]
    with store.tx() as tx:
        tx.put(model.peerings, model.Peering(key=model.peerings.key(HERE, "p"), networks=("v2", "v1")))
    assert speaks_for(store, "n1", came("v2", "10.0.0.5"))
    assert not speaks_for(store, "n1", came("v2", "10.2.0.5"))
    for client in ("", "10.0.0.6", "nonsense"):
        assert not speaks_for(store, "n1", came("v1", client))
    await control.stop()


async def test_so_many_of_one_node_at_a_time(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entering, "MOST", 2)
    served: list[asyncio.Event] = []

    async def enter(entered: msg.Entered, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.Event())
        await served[-1].wait()

    made = Entering(control.store, enter)

    def start() -> asyncio.Task[None]:
        nothing: asyncio.StreamWriter = None  # type: ignore[assignment]  # nobody writes
        return asyncio.create_task(made.serve("n1", came("v1", "10.0.0.5"), asyncio.StreamReader(), nothing))

    tasks = [start() for _ in range(3)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert [task.done() for task in tasks] == [False, False, True]
    served[0].set()
    await tasks[0]
    tasks.append(start())
    await asyncio.sleep(0)
    assert len(served) == 3
    for each in served:
        each.set()
    await asyncio.gather(*tasks)
    await control.stop()
