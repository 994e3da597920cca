"""What a node has been told, delta by delta, is always what a fresh snapshot would say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.core.keys import Scope
from hatoba.core.records import Record, replace
from hatoba.core.secret import Sealer, Secret
from hatoba.fleet import model as m
from hatoba.fleet.assemble import Holding, NodeItems
from hatoba.fleet.changes import Touched, touched
from hatoba.fleet.items import BalancerItem, InterfaceItem, NetworkItem, PeerItem
from hatoba.fleet.messages import Item, decoder
from hatoba.fleet.needed import Ref, needed
from hatoba.store import Store, Table, Tx
from hatoba.store.memory import MemoryDisk, MemoryJournal

HERE = Scope("aws", "123456789012", "us-east-1")
NODES = ("n1", "n2", "n3")
NETWORKS = ("v1", "v2", "v3")  # the last one is used by nobody, and may be peered all the same


def network_of(number: int) -> str:
    return NETWORKS[number % 2]


def workload(number: int, pick: Any) -> m.Workload:
    placed = pick % 4 != 0
    return m.Workload(
        key=m.workloads.key(HERE, f"w{number}"),
        node=NODES[pick % 3],
        want="running" if pick % 5 else "stopped",
        network=network_of(number) if placed else None,
        interface=f"e{number}" if placed else None,
    )


def balancer(number: int, pick: Any) -> m.Balancer:
    return m.Balancer(
        key=m.balancers.key(HERE, f"b{number}"),
        node=NODES[pick % 3],
        network=network_of(number),
        interfaces=tuple(f"f{number + 2 * n}" for n in range(pick % 3)),
        spec=b"%d" % (pick % 2),
        open=pick % 4 == 0,
        fronting=pick % 3 == 0,
        inside=pick % 5 == 0,
        targets=NODES[: pick % 4],
        entries=tuple(
            m.Entry(node=node, balancer="10.0.0.9", port=80 + pick % 2) for node in NODES[: max(0, pick % 4 - 1)]
        ),
    )


def interface(id_: str, number: int, pick: Any) -> m.Interface:
    return m.Interface(
        key=m.interfaces.key(HERE, id_),
        network=network_of(number),
        subnet="s",
        address=f"10.0.{ord(id_[0])}.{number}",
        mac="02:00:00:00:00:01",
        gateway="10.0.0.1",
        prefix="10.0.0.0/16",
        groups=("g1",) if pick % 2 else (),
        public=f"100.64.0.{number}" if pick % 3 == 0 else None,
        further=(f"10.0.{ord(id_[0])}.{100 + number}",) if pick % 4 == 1 else (),
        blocks=("10.0.0.64/28",) if pick % 5 == 1 else (),
        publics=((f"10.0.{ord(id_[0])}.{100 + number}", f"100.64.1.{number}"),) if pick % 8 == 5 else (),
    )


def credential(number: int, pick: Any) -> m.Credential:
    return m.Credential(
        key=m.credentials.key(HERE, f"c{number}"),
        workload=f"w{number}",
        node=NODES[pick % 3],
        role="r",
        access_key="A",
        secret_key=Secret("s"),
        token=Secret("t"),
        expires=float(pick),
    )


MAKE: dict[str, tuple[Any, Any]] = {
    "workload": (m.workloads, workload),
    "balancer": (m.balancers, balancer),
    "own interface": (m.interfaces, lambda n, pick: interface(f"e{n}", n, pick)),
    "balancer's interface": (m.interfaces, lambda n, pick: interface(f"f{n}", n, pick)),
    "credential": (m.credentials, credential),
    "network": (
        m.networks,
        lambda n, pick: m.Network(
            key=m.networks.key(HERE, NETWORKS[n % 3]), cidrs=("10.0.0.0/16",), vni=pick, resolver="10.0.0.2"
        ),
    ),
    "policy": (
        m.policy_sets,
        lambda n, pick: m.PolicySet(
            key=m.policy_sets.key(HERE, f"g{n}"), network=network_of(n), ingress=(m.Rule(protocol=str(pick % 2)),)
        ),
    ),
    "gateway": (
        m.gateways,
        lambda n, pick: m.Gateway(
            key=m.gateways.key(HERE, f"nat{n}"), node=NODES[pick % 3], network=network_of(n), interface=f"f{n}"
        ),
    ),
    "peering": (
        m.peerings,
        lambda n, pick: m.Peering(key=m.peerings.key(HERE, f"pcx{n}"), networks=(NETWORKS[n % 3], NETWORKS[n % 3 - 1])),
    ),
    "zone": (
        m.zones,
        lambda n, pick: m.Zone(
            key=m.zones.key(HERE, f"z{n}"), network=("", "v1", "v2")[pick % 3], addresses=(str(pick % 2),)
        ),
    ),
}


def opened() -> Store:
    store = Store(MemoryJournal(MemoryDisk()), m.TABLES, Sealer(b"k" * 32))
    store.open()
    return store


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    store = opened()
    yield store
    store.close()


def node(id_: str, address: str, number: int = 1) -> m.Node:
    return m.Node(key=m.nodes.key(m.FLEET, id_), name=id_, number=number, address=address, cpu=1, memory=1)


def put_nodes(tx: Tx, *ids: str) -> None:
    for number, id_ in enumerate(ids):
        tx.put(m.nodes, node(id_, f"192.0.2.{number + 1}", number))


def put(tx: Tx, name: str, number: int, pick: int, **fields: object) -> Record:
    """One of `MAKE`."""
    table, make = MAKE[name]
    made: Record = tx.put(table, replace(make(number, pick), **fields))
    return made


def change_balancer(store: Store, **fields: object) -> None:
    with store.tx() as tx:
        balancer = tx.get(m.balancers, m.balancers.key(HERE, "b0"))
        assert balancer is not None
        tx.put(m.balancers, replace(balancer, **fields))


def told(store: Store, id_: str, table: Table[Any]) -> NodeItems:
    """The items of a node that knows them all, and hears of what changes in a table."""
    items = NodeItems(store, id_, 1)
    items.snapshot()
    store.feed.subscribe(table, lambda change: items.touch(touched(store, change)))
    return items


def news(items: NodeItems) -> tuple[Item, ...]:
    delta = items.delta()
    assert delta is not None
    return delta.put


change = st.tuples(st.sampled_from(sorted(MAKE)), st.integers(0, 3), st.integers(0, 59), st.booleans())
steps = st.lists(
    st.tuples(st.lists(change, min_size=1, max_size=4), st.sets(st.sampled_from(NODES))), min_size=1, max_size=25
)


@given(script=steps)
@settings(max_examples=250, deadline=None)
def test_snapshot_and_deltas_equal_a_fresh_snapshot(script: Any) -> None:
    asyncio.run(play(script))


async def play(script: Any) -> None:
    store = opened()
    with store.tx() as tx:
        put_nodes(tx, *NODES)
    await store.durable()
    items = {node: NodeItems(store, node, store.epoch) for node in NODES}
    known = {node: {(i.kind, i.id): i.body for i in items[node].snapshot().items} for node in NODES}
    for table in m.TABLES:
        store.feed.subscribe(table, lambda change: [each.touch(touched(store, change)) for each in items.values()])

    def tell(node: str) -> None:
        before = items[node].generation
        delta = items[node].delta()
        if delta is None:
            assert items[node].generation == before
            return
        assert (delta.base, delta.generation) == (before, before + 1)
        assert not {(i.kind, i.id) for i in delta.put} & {(g.kind, g.id) for g in delta.gone}
        known[node].update({(i.kind, i.id): i.body for i in delta.put})
        for gone in delta.gone:
            del known[node][gone.kind, gone.id]

    for changes, listeners in script:
        with store.tx() as tx:
            for name, number, pick, forget in changes:
                table, make = MAKE[name]
                record = make(number, pick)
                stored = tx.get(table, record.key)
                if forget:
                    tx.forget(table, record.key)
                else:
                    tx.put(table, replace(record, version=stored.version if stored else 0))
        await store.durable()
        for node in sorted(listeners):
            tell(node)
    for node in NODES:
        tell(node)
        fresh = {(i.kind, i.id): i.body for i in NodeItems(store, node, store.epoch).snapshot().items}
        # A balancer's item carries the version of its record: a write that changes nothing else is told, too.
        assert known[node] == fresh
        assert items[node].delta() is None
    store.close()


async def test_a_change_concerns_no_more_nodes_than_have_a_part_in_it(store: Store) -> None:
    """However many nodes there are: those of the network, and all of them for a public address only."""
    holding = Holding()
    with store.tx() as tx:
        put_nodes(tx, *NODES)
        put(tx, "network", 0, 0)
        put(tx, "own interface", 0, 1)
        put(tx, "workload", 0, 9)
    for id_ in NODES:
        NodeItems(store, id_, 1, holding=holding).snapshot()
    assert set(holding.of("v1")) == {"n1"}
    seen: list[Touched] = []
    store.feed.subscribe(m.interfaces, lambda change: seen.extend(touched(store, change)))

    async def concerned(pick: int) -> set[str | None]:
        seen.clear()
        with store.tx() as tx:
            before = tx.get(m.interfaces, m.interfaces.key(HERE, "e0"))
            assert before is not None
            tx.put(m.interfaces, replace(interface("e0", 0, pick), version=before.version))
        await store.durable()
        return {node for each in seen for node in (holding.of(each.network) if each.network else [each.node])}

    assert await concerned(2) == {"n1"}
    assert await concerned(3) == {"n1", None}


BALANCER = m.Balancer(key=m.balancers.key(HERE, "b0"), node="n1", network="v1", interfaces=("f0",))


async def test_what_the_interfaces_of_a_balancer_say_follows_it(store: Store) -> None:
    with store.tx() as tx:
        put(tx, "network", 0, 0)
        put(tx, "balancer's interface", 0, 0)
        tx.put(m.balancers, BALANCER)
    items = told(store, "n1", m.balancers)
    change_balancer(store, open=True)
    await store.durable()
    assert {item.kind for item in news(items)} == {"balancer", "interface"}


async def test_other_nodes_know_who_speaks_for_its_clients(store: Store) -> None:
    with store.tx() as tx:
        put_nodes(tx, "n1", "n2")
        put(tx, "network", 0, 0)
        put(tx, "balancer's interface", 0, 0)
        put(tx, "workload", 0, 1, node="n2", network="v1")
        tx.put(m.balancers, BALANCER)
    items = told(store, "n2", m.balancers)
    change_balancer(store, fronting=True)
    await store.durable()
    (peer,) = (item for item in news(items) if item.kind == "peer")
    assert msgspec.msgpack.decode(peer.body, type=PeerItem).fronting


async def test_a_balancer_that_is_to_be_reached_from_inside_only_is_no_more_from_outside(store: Store) -> None:
    with store.tx() as tx:
        put(tx, "balancer's interface", 0, 0, egress6="both")
        tx.put(m.balancers, BALANCER)
    items = told(store, "n1", m.balancers)
    for inside, way in ((True, "none"), (False, "both")):
        change_balancer(store, inside=inside)
        await store.durable()
        (interface,) = (item for item in news(items) if item.kind == "interface")
        assert msgspec.msgpack.decode(interface.body, type=InterfaceItem).egress6 == way


async def test_who_carries_a_balancer_knows_where_the_nodes_are_that_are_its_targets(store: Store) -> None:
    with store.tx() as tx:
        for each in (node("n1", "192.0.2.1"), node("n2", "192.0.2.2"), node("bare", "")):
            tx.put(m.nodes, each)
        tx.put(m.balancers, replace(BALANCER, interfaces=(), targets=("n1", "n2", "bare", "gone")))
    items = told(store, "n1", m.nodes)

    def nodes() -> dict[str, str]:
        body = needed(store, "n1", Ref("balancer", HERE, "b0"))
        assert body is not None
        return decoder(BalancerItem).decode(body).nodes

    assert nodes() == {"n1": "", "n2": "192.0.2.2"}, "one without an address is reached from itself only"
    with store.tx() as tx:
        tx.put(m.nodes, node("gone", "192.0.2.3"))
        tx.forget(m.nodes, m.nodes.key(m.FLEET, "n2"))
    await store.durable()
    assert [item.kind for item in news(items)] == ["balancer"]
    assert nodes() == {"n1": "", "gone": "192.0.2.3"}


async def test_a_node_is_told_nothing_of_others(store: Store) -> None:
    """Least knowledge: another node's workloads, secrets and networks never reach it."""
    with store.tx() as tx:
        put_nodes(tx, *NODES)
        put(tx, "network", 0, 0)
        put(tx, "policy", 0, 0)
        put(tx, "own interface", 0, 1)
        put(tx, "credential", 0, 3)
        put(tx, "workload", 0, 9)  # on n1
    kinds = {id_: {i.kind for i in NodeItems(store, id_, 1).snapshot().items} for id_ in NODES}
    assert kinds["n1"] == {"network", "policy", "interface", "workload", "credential"}
    assert kinds["n2"] == kinds["n3"] == set()


async def test_who_has_a_network_hears_of_its_endpoints(store: Store) -> None:
    endpoint = m.Endpoint(addresses=("10.0.0.7",), groups=("g1",), names=(m.Name(name="a.b", addresses=("10.0.0.7",)),))
    with store.tx() as tx:
        network = put(tx, "network", 0, 0, endpoints=(endpoint,))
        put(tx, "workload", 0, 9)
    ref = Ref("network", HERE, network.id)
    body = needed(store, "n1", ref)
    assert body is not None
    assert decoder(NetworkItem).decode(body).endpoints == (endpoint,)
    assert needed(store, "n2", ref) is None
