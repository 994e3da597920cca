"""What a reset forgets, and what stays."""

from __future__ import annotations

from hatoba.app.reset import reset
from hatoba.app.rooms import tables
from hatoba.core.secret import Sealer
from hatoba.fleet import model as fleet
from hatoba.services.ssm import model as ssm
from hatoba.store import Store
from hatoba.store.memory import MemoryDisk, MemoryJournal
from tests.unit.services.keeping.world import SCOPE


async def test_nodes_stay_but_for_those_of_an_activation() -> None:
    store = Store(MemoryJournal(MemoryDisk()), tables(), Sealer(bytes(32)))
    store.open()
    with store.tx() as tx:
        for number, (id_, account) in enumerate((("node-ours", ""), ("node-theirs", SCOPE.account))):
            key = fleet.nodes.key(fleet.FLEET, id_)
            tx.put(
                fleet.nodes,
                fleet.Node(key=key, name=id_, number=number, address="", cpu=1, memory=1, account=account),
            )
        tx.put(
            ssm.managed,
            ssm.Managed(key=ssm.managed.key(SCOPE, "mi-1"), node="node-theirs", activation="a", role="r", registered=0),
        )
    await reset(store)
    assert [node.id for node in store.all(fleet.nodes)] == ["node-ours"]
    assert store.all(ssm.managed) == []
    store.close()
