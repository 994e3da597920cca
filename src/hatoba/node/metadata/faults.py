"""`$ECS_AGENT_URI/fault/v1/…`: a task whose definition allows it makes its own network fail, and mends it again.

    POST …/network-blackhole-port/{start,stop,status}    a port, one way
    POST …/network-latency/{start,stop,status}           what is sent to some networks is late
    POST …/network-packet-loss/{start,stop,status}       a part of it is lost

What is asked, what is refused and in which words follows the open ECS agent. All of it happens in the namespace of the
task's own interface, where it stays until it is stopped or the task ends, whatever happens to the agent.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from ipaddress import ip_network
from typing import Any, TypeVar

import msgspec

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError
from hatoba.network.base import Fabric
from hatoba.network.injection import NOT_HERE
from hatoba.network.trouble import Blackhole, Fault, Latency, Loss
from hatoba.node.held import Held
from hatoba.node.metadata.refusal import NotThere

log = logging.getLogger(__name__)
T = TypeVar("T")

KINDS = ("network-blackhole-port", "network-latency", "network-packet-loss")
VERBS = ("start", "stop", "status")

METADATA_ADDRESS, METADATA_PORT = "169.254.170.2", 80
PATIENCE = 5.0  # seconds for a request
PERIOD = 5.0  # seconds between two requests of a task to the same operation
_REMEMBERED = 4096  # requests, for the period's sake

_RUNNING = {
    "latency": "There is already one network latency fault running",
    "loss": "There is already one network packet loss fault running",
}


# --- what is asked ---------------------------------------------------------------------------------------------------


class _Asked(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    sources_to_filter: tuple[str, ...] | None = None

    @property
    def spared(self) -> tuple[str, ...]:
        return _networks(self.sources_to_filter or (), "SourcesToFilter")


class BlackholeAsked(_Asked, frozen=True, kw_only=True):
    port: int | None = None
    protocol: str | None = None
    traffic_type: str | None = None

    def fault(self) -> Fault:
        port = _needed(self.port, "Port")
        protocol = _one_of(_needed(self.protocol, "Protocol"), "Protocol", "tcp", "udp")
        direction = _one_of(_needed(self.traffic_type, "TrafficType"), "TrafficType", "ingress", "egress")
        if not 0 <= port < 1 << 16:
            raise _refused(f"invalid value {port} for parameter Port")
        lethal = direction == "egress" and port == METADATA_PORT
        spared = _mendable(self.spared) if lethal else self.spared
        return Blackhole(port=port, protocol=protocol, direction=direction, spared=spared)  # type: ignore[arg-type]


class _Sent(_Asked, frozen=True, kw_only=True):
    """About what is sent to `sources`."""

    sources: tuple[str, ...] | None = None
    flows_percent: int | None = None

    def _picked(self) -> dict[str, Any]:
        if not self.sources:
            raise _refused("required parameter Sources is missing")
        targets = _networks(self.sources, "Sources")
        flows = 100 if self.flows_percent is None else self.flows_percent
        return {"targets": targets, "spared": _mendable(self.spared), "flows": _percent(flows, "FlowsPercent")}


class LatencyAsked(_Sent, frozen=True, kw_only=True):
    delay_milliseconds: int | None = None
    jitter_milliseconds: int | None = None

    def fault(self) -> Fault:
        delay = _not_negative(_needed(self.delay_milliseconds, "DelayMilliseconds"), "DelayMilliseconds")
        jitter = _not_negative(_needed(self.jitter_milliseconds, "JitterMilliseconds"), "JitterMilliseconds")
        return Latency(delay=delay, jitter=jitter, **self._picked())


class LossAsked(_Sent, frozen=True, kw_only=True):
    loss_percent: int | None = None

    def fault(self) -> Fault:
        percent = _percent(_needed(self.loss_percent, "LossPercent"), "LossPercent")
        return Loss(percent=percent, **self._picked())


_SHAPES: dict[str, type[BlackholeAsked | LatencyAsked | LossAsked]] = {
    "network-blackhole-port": BlackholeAsked,
    "network-latency": LatencyAsked,
    "network-packet-loss": LossAsked,
}
_NAMES = {"network-latency": "latency", "network-packet-loss": "loss"}


def parse(kind: str, body: bytes) -> Fault:
    """Raises `NotThere` (400)."""
    if not body.strip():
        raise _refused("required request body is missing")
    try:
        return msgspec.json.decode(body, type=_SHAPES[kind]).fault()
    except (msgspec.DecodeError, RecursionError) as error:  # broken JSON, or valid JSON of another shape
        raise _refused(str(error)) from None


def _mendable(spared: tuple[str, ...]) -> tuple[str, ...]:
    """The task reaches this endpoint by the interface that is made to fail: it must be able to end what it began."""
    return spared if METADATA_ADDRESS in spared else (*spared, METADATA_ADDRESS)


def _refused(why: str, status: int = 400) -> NotThere:
    return NotThere(status, {"Error": why})


def _needed(value: T | None, name: str) -> T:
    if value is None or value == "":
        raise _refused(f"required parameter {name} is missing")
    return value


def _one_of(value: str, name: str, *known: str) -> str:
    if value not in known:
        raise _refused(f"invalid value {value} for parameter {name}")
    return value


def _not_negative(value: int, name: str) -> int:
    if value < 0:
        raise _refused(f"invalid value {value} for parameter {name}")
    return value


def _percent(value: int, name: str) -> int:
    if not 1 <= value <= 100:
        raise _refused(f"invalid value {value} for parameter {name}")
    return value


def _networks(given: tuple[str, ...], name: str) -> tuple[str, ...]:
    for network in given:
        try:
            ip_network(network, strict=False)
        except ValueError:
            raise _refused(f"invalid value {network} for parameter {name}") from None
    return given


# --- what is done ----------------------------------------------------------------------------------------------------


class Faults:
    def __init__(self, fabric: Fabric, clock: Clock) -> None:
        self._fabric = fabric
        self._clock = clock
        self._asked: OrderedDict[tuple[str, str, str], float] = OrderedDict()  # the oldest first

    async def ask(self, held: Held, kind: str, verb: str, body: bytes) -> dict[str, str]:
        """Raises `NotThere`."""
        self._not_too_often(held.workload.id, kind, verb)
        # Stopping and looking need no details where there can be one only.
        wanted = parse(kind, body) if verb == "start" or kind not in _NAMES else None
        network, interface = _place(held)
        name = wanted.name if wanted is not None else _NAMES[kind]
        try:
            async with asyncio.timeout(PATIENCE):
                return {"Status": await self._carry_out(network, interface, verb, name, wanted)}
        except TimeoutError:
            words = "check status" if verb == "status" else verb
            raise _refused(f"{words} {kind}: request timed out", 500) from None
        except PortError as error:
            log.warning("%s of %s: %s", verb, name, error)
            why = "" if error.code != NOT_HERE else f": the kernel of this node cannot do it ({error.message})"
            raise _refused(f"internal error{why}", 500) from None

    async def _carry_out(self, network: str, interface: str, verb: str, name: str, wanted: Fault | None) -> str:
        if verb == "status":
            return "running" if name in await self._fabric.faults(network, interface) else "not-running"
        if verb == "stop" or wanted is None:
            await self._fabric.stop_fault(network, interface, name)
            return "stopped"
        if name in _RUNNING:
            running = await self._fabric.faults(network, interface)
            for other in (name, *_RUNNING):
                if other in running:
                    raise _refused(_RUNNING[other], 409)
        await self._fabric.start_fault(network, interface, wanted)
        return "running"

    def _not_too_often(self, workload: str, kind: str, verb: str) -> None:
        now, place = self._clock.monotonic(), (workload, kind, verb)
        while self._asked and (len(self._asked) > _REMEMBERED or now - next(iter(self._asked.values())) >= PERIOD):
            self._asked.popitem(last=False)
        if place in self._asked:
            raise _refused("You have reached maximum request limit.", 429)
        self._asked[place] = now


def _place(held: Held) -> tuple[str, str]:
    """The network and interface that are made to fail. Raises `NotThere`."""
    workload = held.workload
    if workload.metadata.get("FaultInjectionEnabled") != "true":
        arn = workload.metadata.get("TaskARN", workload.id)
        raise _refused(f"enableFaultInjection is not enabled for task: {arn}")
    if workload.network is None or workload.interface is None:
        mode = workload.network_mode or "host"
        if mode == "host":  # where all others would fail with it
            raise _refused("host mode is not supported. Please use awsvpc mode.")
        raise _refused(f"{mode} mode is not supported. Please use either host or awsvpc mode.")
    return workload.network, workload.interface
