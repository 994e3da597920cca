"""Target health states and reasons, word for word the model's, each from a real check of a real socket.

What a target does → what the node's checker finds → what DescribeTargetHealth says. Every member of the model's two
enumerations is in a row, or beside the reason why it cannot be told.
"""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from botocore.session import Session
from msgspec.structs import replace

from hatoba.core.clock import SystemClock
from hatoba.fleet import model as fleet
from hatoba.proxy import base as proxy
from hatoba.proxy.ask import ask, open_socket
from hatoba.proxy.checker import Checker
from hatoba.services.elbv2.plan import health
from tests.unit.services.elbv2.records import target

CHECK = proxy.HealthCheck(interval=5.0, timeout=0.3, unhealthy_threshold=1)
ZONES = ("eu-west-1a",)

ANSWERS: dict[str, bytes | None] = {
    "serving": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "broken": b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    "silent": None,
    "babbling": b"220 mail.example ESMTP\r\n",
}


class Row(NamedTuple):
    does: str  # a key of ANSWERS, or "absent": nobody listens
    state: str
    reason: str | None = None
    description: str | None = None
    check: proxy.HealthCheck = CHECK
    first: bool = False  # what is told first of all counts, not what is found out


SEEN = (
    Row("serving", "healthy"),
    Row("serving", "healthy", check=replace(CHECK, protocol="TCP")),
    Row("serving", "initial", "Elb.RegistrationInProgress", "Target registration is in progress", first=True),
    Row(
        "broken",
        "initial",
        "Elb.InitialHealthChecking",
        "Initial health checks in progress",
        check=replace(CHECK, unhealthy_threshold=2),
    ),
    Row("broken", "unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [502]"),
    Row("silent", "unhealthy", "Target.Timeout", "Request timed out"),
    Row("babbling", "unhealthy", "Target.FailedHealthChecks", "Health checks failed"),
    Row("absent", "unhealthy", "Target.FailedHealthChecks", "Health checks failed"),
    Row(
        "serving",
        "unavailable",
        "Target.HealthCheckDisabled",
        "Health checks are disabled for this target",
        check=replace(CHECK, enabled=False),
    ),
)

# Of these no check tells: what they follow from is in the control plane's own records.
KNOWN = (
    (target("10.0.0.5", zone="eu-west-1a", draining_until=1.0), ZONES, "draining", "Target.DeregistrationInProgress"),
    (target("10.0.0.5", zone="eu-west-1a"), None, "unused", "Target.NotInUse"),
    (target("10.0.0.5", zone="eu-west-1c"), ZONES, "unused", "Target.NotInUse"),
)

NEVER = {
    "unhealthy.draining": "the draining interval of unhealthy targets is refused when it is not 0",
    "Target.InvalidState": "a stopped instance: instances of EC2 are not there",
    "Target.IpUnusable": "an address of a load balancer itself is not told from others",
}


@asynccontextmanager
async def place(does: str) -> AsyncIterator[int]:
    """A port of loopback at which somebody does that."""
    answer, waiting = ANSWERS.get(does), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (waiting.wait() if answer is None else reader.read(1))
        writer.write(answer or b"")
        writer.close()

    if does == "absent":
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))  # and does not listen
            yield unused.getsockname()[1]
        return
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        waiting.set()
        server.close()


async def found(row: Row) -> proxy.Health:
    """What the checker tells once it has asked; or before."""
    facts: asyncio.Queue[proxy.HealthFact] = asyncio.Queue()
    checker = Checker(ask=functools.partial(ask, opener=open_socket), clock=SystemClock(), on_health=facts.put_nowait)
    async with place(row.does) as port:
        ends = (proxy.Target(id="t", address="127.0.0.1", port=port),)
        group = proxy.TargetGroup(id="g", targets=ends, health_check=row.check)
        try:
            checker.set_groups({"g": (group, lambda _: None)})
            fact = await facts.get()
            while not row.first and fact.health.reason == "registering":
                fact = await facts.get()
            return fact.health
        finally:
            await checker.close()


def said(known: proxy.Health) -> fleet.TargetStatus:
    """As the node reports it."""
    return fleet.TargetStatus(
        key=fleet.target_statuses.key(fleet.FLEET, "g|t"),
        group="g",
        target="t",
        state=known.state,
        reason=known.reason,
        text=known.text,
    )


@pytest.mark.parametrize("row", SEEN, ids=lambda row: f"{row.does}-{row.reason}")
async def test_what_a_target_does_is_told_in_the_models_words(row: Row) -> None:
    told = health.health(target("10.0.0.5", zone="eu-west-1a"), ZONES, said(await found(row)))
    assert (told.state, told.reason, told.description or None) == (row.state, row.reason, row.description)


@pytest.mark.parametrize(("record", "zones", "state", "reason"), KNOWN)
def test_what_is_known_without_asking(record: Any, zones: Any, state: str, reason: str) -> None:
    well = said(proxy.Health(state="healthy"))
    told = health.health(record, zones, well)
    assert (told.state, told.reason) == (state, reason), "whatever its health is"


def test_nothing_of_a_target_is_told_before_a_node_has_said_something() -> None:
    told = health.health(target("10.0.0.5", zone="eu-west-1a"), ZONES, None)
    assert (told.state, told.reason) == ("initial", "Elb.RegistrationInProgress")


def test_every_word_of_the_model_is_in_a_row_or_explained() -> None:
    shapes = Session().get_service_model("elbv2")
    words = {*shapes.shape_for("TargetHealthStateEnum").enum, *shapes.shape_for("TargetHealthReasonEnum").enum}
    told = {word for row in SEEN for word in (row.state, row.reason) if word}
    told |= {word for *_, state, reason in KNOWN for word in (state, reason)}
    told |= {str(each) for each in (*health.UNKNOWN[:2], *health.BROKEN[:2])}  # not registered; a node that says more
    assert told | set(NEVER) == words
    assert not told & set(NEVER)
