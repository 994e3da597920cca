"""What a machine that has joined may try, once somebody else's hands are on it: each node has its own tasks only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from unittest.mock import AsyncMock, Mock, patch

import pytest
from msgspec.msgpack import encode

from hatoba.app import output
from hatoba.core.errors import PortError, Refused
from hatoba.core.ids import SeededIds
from hatoba.core.records import replace
from hatoba.fleet import messages as msg
from hatoba.fleet import model as m
from hatoba.fleet.channels import Channels, Wanted
from hatoba.fleet.enrol import Token
from hatoba.fleet.reports import apply_reports
from hatoba.node.logs.batch import LogBatch
from tests.conformance.threats.disarm import without
from tests.unit.fleet.connected import HERE, Control, Node, fleet, put_interface, until

Attack = Callable[[Control, Node], Awaitable[bool]]


WEB = m.ContainerWanted(name="web", image=m.ImageWanted(name="web", repository="web", reference="1"))


def theirs(control: Control) -> m.Workload:
    """A task on the other node."""
    (other,) = [node for node in control.sessions.connected if control.node(node).name == "n"]
    return control.want("theirs", other, containers=(WEB,))


async def a_question_about_anothers_task(control: Control, rogue: Node) -> bool:
    theirs(control)
    await control.store.durable()
    try:
        return bool(await rogue.session.ask("theirs", "tags"))
    except PortError:
        return False


async def a_line_in_anothers_log(control: Control, rogue: Node) -> bool:
    theirs(control)
    kept = await control.sessions.incoming.lines(rogue.id, msg.Logs(number=1, workload="theirs", body=b""))
    return not kept.error


async def a_line_in_a_neighbours_stream(control: Control, rogue: Node) -> bool:
    """Of the same log group, into which a task of its own writes, too."""
    options = {"awslogs-group": "/ecs/web", "awslogs-stream-prefix": "app"}
    log_ = m.LogWanted(driver="awslogs", region="us-east-1", group="/ecs/web", options=options)
    own = m.Workload(key=m.workloads.key(HERE, "own"), node=rogue.id, containers=(replace(WEB, log=log_),))

    async def takes(stream: str, region: str | None = None) -> bool:
        there = LogBatch(
            container_id="own-web", group="/ecs/web", stream=stream, region=region, create_group=False, parts=()
        )
        with patch("hatoba.app.output.ingest", AsyncMock()) as taken:
            with suppress(PortError):
                await output.keep(AsyncMock(), own, msg.Logs(number=1, workload="own", body=encode(there)))
            return taken.called

    assert await takes("app/web/own")
    return await takes("app/web/theirs") or await takes("app/web/own", "eu-west-1")


async def a_state_of_anothers_task(control: Control, rogue: Node) -> bool:
    theirs(control)
    key = m.workload_statuses.key(HERE, "theirs")
    status = m.WorkloadStatus(key=key, node=rogue.id, state="stopped")
    apply_reports(control.store, rogue.id, [msg.WorkloadReport(id="theirs", report=9, status=status)])
    told = control.status("theirs")
    return told is not None and told.state == "stopped"


async def what_anothers_task_uses(control: Control, rogue: Node) -> bool:
    """By which services are scaled."""
    theirs(control)
    sample = msg.Sample(workload="theirs", container="web", at=0.0, cpu_ns=0, memory=0)
    control.sessions.incoming.figures(rogue.id, msg.Samples(samples=(sample,)))
    return ("theirs", "web") in control.sessions.incoming.samples


async def the_health_of_anothers_targets(control: Control, rogue: Node) -> bool:
    key = m.target_statuses.key(m.FLEET, "g|t")
    status = m.TargetStatus(key=key, group="g", target="t", state="unhealthy")
    apply_reports(control.store, rogue.id, [msg.TargetReport(id="g|t", report=1, status=status)])
    return bool(control.store.all(m.target_statuses))


async def the_other_end_of_a_shell(control: Control, rogue: Node) -> bool:
    """The channel of an `exec` on the other node, whose name it has guessed."""
    channels = Channels(SeededIds(1))
    sent: list[msg.Down] = []
    asking = asyncio.ensure_future(channels.ask(theirs(control), Wanted(container="web", args=("sh",)), sent.append))
    await until(lambda: sent)
    serving = asyncio.ensure_future(
        channels.serve(rogue.id, msg.Dialled(channel=sent[0].channel), asyncio.StreamReader(), Mock())
    )
    await asyncio.sleep(0)
    got = asking.done() or bool(channels._open)
    channels.close()
    for task in (asking, serving):
        task.cancel()
    await asyncio.gather(asking, serving, return_exceptions=True)
    return got


async def a_request_from_anothers_task(control: Control, rogue: Node) -> bool:
    """At a VPC endpoint, whose policy asks for the address that it comes from."""
    (other,) = [node for node in control.sessions.connected if control.node(node).name == "n"]
    put_interface(control, "eni", "v", "10.0.0.5")
    control.want("theirs", other, network="v", interface="eni")
    came: list[msg.Entered] = []

    async def enter(entered: msg.Entered, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(entered)

    control.sessions.let_in(enter)
    for network in ("v", "w"):
        reader, writer = await rogue.session.dial()
        said = msg.Entered(network=network, endpoint="10.0.0.8", client="10.0.0.5", port=4000)
        writer.write(msg.frame(said))
        assert await reader.read() == b"", "it is closed, or has been served"
        writer.close()
    return bool(came)


async def a_token_used_twice(control: Control, rogue: Node) -> bool:
    token = await control.enrolments.token("127.0.0.1", control.port)
    return await joins(control, rogue, token) and await joins(control, rogue, token)


async def a_token_whose_secret_is_guessed(control: Control, rogue: Node) -> bool:
    token = Token.parse(await control.enrolments.token("127.0.0.1", control.port))
    return await joins(control, rogue, token._replace(secret="0" * 32).text())


async def a_token_found_long_after(control: Control, rogue: Node) -> bool:
    return await joins(control, rogue, await control.enrolments.token("127.0.0.1", control.port, lifetime=-1.0))


async def joins(control: Control, rogue: Node, token: str) -> bool:
    try:
        await control.enrolments.join(token, rogue.identity.request("x"), "one")
    except Refused:
        return False
    return True


REPORTS = "hatoba.fleet.reports"
JOIN = "hatoba.fleet.enrol:Enrolments._use_up"
OWN = ("hatoba.fleet.incoming:Incoming._workload", "if w.node == node)", ")")
THREATS: list[tuple[Attack, tuple[str, str, str]]] = [
    (a_question_about_anothers_task, OWN),
    (a_line_in_anothers_log, OWN),
    (
        a_line_in_a_neighbours_stream,
        ("hatoba.app.output:_goes_there", "return asked == (own.group,", "return asked[:1] == (own.group,)\n    ("),
    ),
    (a_state_of_anothers_task, (f"{REPORTS}:_workload", "or workload.node != node", "")),
    (what_anothers_task_uses, OWN),
    (the_health_of_anothers_targets, (f"{REPORTS}:_target", "balancer.node == node for", "True for")),
    (the_other_end_of_a_shell, ("hatoba.fleet.channels:Channels.serve", "or awaited_of != node", "")),
    (
        a_request_from_anothers_task,
        ("hatoba.fleet.entering:speaks_for", "any(holder == node for holder, _ in", "any(True for _ in"),
    ),
    (a_token_used_twice, (JOIN, "tx.forget(m.enrolments, record.key)", "pass")),
    (
        a_token_whose_secret_is_guessed,
        (JOIN, "or not hmac.compare_digest(record.digest, digest)", ""),
    ),
    (a_token_found_long_after, (JOIN, "if record.expires <= self._clock.now():", "if False:")),
]


@pytest.mark.parametrize(("attack", "check"), THREATS, ids=[attack.__name__ for attack, _ in THREATS])
async def test_refused_by_a_check_that_is_needed(attack: Attack, check: tuple[str, str, str], tmp_path: Path) -> None:
    async with fleet(tmp_path, 2) as (control, (own, rogue)):
        await until(lambda: own.session.connected.is_set() and rogue.session.connected.is_set())
        key = m.balancers.key(HERE, "b")
        with control.store.tx() as tx:
            tx.put(m.balancers, m.Balancer(key=key, node=own.id, network="v", interfaces=(), groups=("g",)))
        assert not await attack(control, rogue)
        with without(*check):
            assert await attack(control, rogue), "it is not this check that refuses it"
