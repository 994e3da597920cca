"""Both ends of the node's session together: what is wanted goes down, facts come up, whatever breaks in between."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.fleet import messages as msg
from hatoba.fleet import model as m
from hatoba.fleet.session import Session as ControlSession
from tests.unit.fleet.connected import HERE, Heard, Node, fleet, until


async def test_a_snapshot_then_deltas(tmp_path: Path) -> None:
    async with fleet(tmp_path, 2) as (control, (one, two)):
        await until(lambda: one.heard.batches)
        assert one.heard.welcomes == 1, "a node that joins disturbs no other"
        before = len(one.heard.batches)
        control.want("w1", one.id)
        control.want("w2", two.id)
        await until(lambda: "w1" in one.heard.has)
        assert one.heard.batches[before:] == [(1, 0)]
        await until(lambda: "w2" in two.heard.has)
        assert set(one.heard.has) == {"w1"}
        assert set(two.heard.has) == {"w2"}
        control.forget("w1")
        await until(lambda: not one.heard.has)
        assert one.memory.position == (control.store.epoch, control.sessions._sessions[one.id].generation)


async def test_reports_are_kept_until_they_are_acknowledged(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        control.want("w", node.id)
        await control.store.durable()
        await control.stop()
        await until(lambda: not node.session.connected.is_set())
        for number, state in ((1, "pending"), (2, "starting"), (3, "running")):
            node.say("w", number, state)
        await control.start()
        await until(lambda: (s := control.status("w")) is not None and s.report == 3)
        await until(lambda: ("workload", "w", 3) in node.heard.acknowledgements)
        assert node.session._reports == {}
        node.say("w", 4, "stopped")
        await until(lambda: control.status("w").state == "stopped")  # type: ignore[union-attr]


async def test_an_agent_that_restarts_is_told_what_changed_meanwhile(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        control.want("stays", node.id)
        control.want("goes", node.id)
        await until(lambda: set(node.heard.has) == {"stays", "goes"})
        await node.stop()
        control.forget("goes")
        control.want("comes", node.id)
        has, node.heard = node.heard.has, Heard()
        node.heard.has = has
        node.start(control)
        await until(lambda: set(node.heard.has) == {"stays", "comes"})
        assert node.heard.batches == [(1, 1)], "only the difference is acted upon"


async def test_a_control_plane_that_restarts_has_a_higher_epoch_and_is_believed(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        for n in range(5):
            control.want(f"w{n}", node.id)
            await until(lambda n=n: f"w{n}" in node.heard.has)
        epoch, generation = node.memory.position
        assert generation > 5
        await control.stop()
        await control.start()
        await until(lambda: node.heard.welcomes == 2)
        await until(lambda: node.memory.position[0] == epoch + 1)
        assert len(node.heard.has) == 5
        control.forget("w0")
        await until(lambda: len(node.heard.has) == 4)


async def test_the_node_refuses_what_is_older_than_what_it_holds(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        control.want("w", node.id)
        await until(lambda: "w" in node.heard.has)
        epoch, generation = held = node.memory.position
        snapshot = {"epoch": epoch, "generation": generation, "items": ()}
        delta = {"epoch": epoch, "base": generation, "generation": generation + 1, "put": (), "gone": ()}
        for wrong in (
            msg.Snapshot(**snapshot | {"generation": generation - 1}),
            msg.Snapshot(**snapshot | {"epoch": epoch - 1, "generation": generation + 50}),
            msg.Delta(**delta | {"base": generation - 1, "generation": generation}),
            msg.Delta(**delta | {"base": generation + 1, "generation": generation + 2}),
            msg.Delta(**delta | {"epoch": epoch + 1}),
        ):
            with pytest.raises(msg.Broken):
                node.session._hear(wrong)
            assert node.memory.position == held
        assert set(node.heard.has) == {"w"}


async def test_a_delta_that_does_not_fit_brings_a_new_snapshot(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        control.want("w", node.id)
        await until(lambda: "w" in node.heard.has)
        session = control.sessions._sessions[node.id]
        session._items.generation += 7  # type: ignore[union-attr]  # as if messages had been lost
        control.want("x", node.id)
        await until(lambda: node.heard.welcomes == 2)
        await until(lambda: set(node.heard.has) == {"w", "x"})


async def test_a_node_may_only_report_on_its_own(tmp_path: Path) -> None:
    async with fleet(tmp_path, 2) as (control, (one, two)):
        image = m.ImageWanted(name="c", repository="c", reference="1")
        control.want("w", one.id, containers=(m.ContainerWanted(name="c", image=image),))
        two.say("w", 9, "stopped")
        await until(lambda: ("workload", "w", 9) in two.heard.acknowledgements)  # it ends there, and changes nothing
        assert control.status("w") is None
        sample = msg.Sample(workload="w", container="c", at=1.0, cpu_ns=1, memory=1)
        two.session.samples((sample,))
        one.session.samples((replace(sample, memory=2), replace(sample, container="none of it")))
        await until(lambda: control.sessions.incoming.samples)
        two.say("w", 10, "stopped")
        await until(lambda: ("workload", "w", 10) in two.heard.acknowledgements)
        assert [(of, sample.memory) for of, sample in control.sessions.incoming.samples.items()] == [(("w", "c"), 2)]


async def test_log_batches_are_kept_or_refused_for_good(tmp_path: Path) -> None:
    async with fleet(tmp_path, 2) as (control, (one, two)):
        control.want("w", one.id)
        assert (await one.session.logs("w", b"first")).error == ""
        assert control.kept == [("w", b"first")]
        assert (await two.session.logs("w", b"not mine")).error == "gone"
        control.refuse = AwsError("The specified log group does not exist.", code="ResourceNotFoundException")
        answer = await one.session.logs("w", b"second")
        assert (answer.error, answer.detail) == (
            "ResourceNotFoundException",
            "The specified log group does not exist.",
        )
        assert control.kept == [("w", b"first")]


async def test_a_log_batch_under_way_is_sent_again_after_a_restart(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        control.want("w", node.id)
        await control.store.durable()
        await control.stop()
        await until(lambda: not node.session.connected.is_set())
        batch = asyncio.create_task(node.session.logs("w", b"line"))
        await asyncio.sleep(0)
        await control.start()
        assert (await asyncio.wait_for(batch, 10)).error == ""
        assert control.kept == [("w", b"line")]


async def test_a_silent_node_is_lost_and_welcome_again(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        control.want("w", node.id)
        await until(lambda: "w" in node.heard.has)
        node.say("w", 1, "running")
        await until(lambda: control.status("w") is not None)
        await node.stop()
        control.sessions._lease = 0.05
        control.sessions.alive(node.id)
        await until(lambda: control.node(node.id).state == "lost")
        assert control.status("w").state == "lost"  # type: ignore[union-attr]
        assert control.sessions.connected == []
        control.sessions._lease = 20.0
        node.start(control)
        await until(lambda: control.node(node.id).state == "ready")
        node.say("w", 1, "running")
        await until(lambda: control.status("w").state == "running")  # type: ignore[union-attr]


async def test_a_node_has_a_leases_time_to_come_back_after_our_restart(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        await node.stop()
        await control.stop()
        control.lease = 0.1
        await control.start()
        assert control.node(node.id).state == "ready"
        await until(lambda: control.node(node.id).state == "lost")
        control.lease = 20.0
        node.start(control)
        await until(lambda: control.node(node.id).state == "ready")


async def test_of_two_connections_the_later_one_stays(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        twin = Node(node.folder, node.name)
        twin.heard = node.heard
        first: ControlSession = control.sessions._sessions[node.id]
        _, writer = await asyncio.open_connection(
            "127.0.0.1", control.port, ssl=node.identity.context(), server_hostname="hatoba-control"
        )
        writer.write(msg.frame(node.hello(0, 0)))
        await until(lambda: control.sessions._sessions.get(node.id) not in (None, first))
        assert first._closed
        writer.close()
        await until(lambda: node.session.connected.is_set() and control.sessions.connected == [node.id])
        control.want("w", node.id)
        await until(lambda: "w" in node.heard.has)


async def test_a_node_that_was_removed_is_refused_and_does_not_hammer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        with control.store.tx() as tx:
            tx.forget(m.nodes, m.nodes.key(m.FLEET, node.id))
        control.sessions._sessions[node.id].close()
        await until(lambda: "was removed" in caplog.text)
        await asyncio.sleep(0.5)
        assert caplog.text.count("was removed") == 1


async def test_a_protocol_that_is_too_old_is_told_so(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", control.port, ssl=node.identity.context(), server_hostname="hatoba-control"
        )
        writer.write(msg.frame(replace(node.hello(0, 0), protocol=0)))
        answer = await msg.read_down(reader)
        assert isinstance(answer, msg.Refusal)
        assert "too old" in answer.text
        writer.close()


async def test_secrets_travel_and_are_sealed_at_rest(tmp_path: Path) -> None:
    from hatoba.core.secret import Secret

    async with fleet(tmp_path) as (control, (node,)):
        secret = m.Credential(
            key=m.credentials.key(HERE, "c"),
            workload="w",
            node=node.id,
            role="r",
            access_key="AKIA",
            secret_key=Secret("open sesame"),
            token=Secret("token"),
            expires=0.0,
        )
        with control.store.tx() as tx:
            tx.put(m.credentials, secret)
        await until(lambda: "c" in node.heard.has)
        assert b"open sesame" in node.heard.has["c"]
        await node.memory.durable()
        assert not any(b"sesame" in path.read_bytes() for path in node.folder.glob("state.*"))


async def test_the_connection_is_tls_1_3(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        context = node.identity.context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", control.port, ssl=context, server_hostname="hatoba-control")
