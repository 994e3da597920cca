"""Faults that may be made in an interface's namespace, in the words of the port (`base`): see `faults` for how."""

from __future__ import annotations

from typing import Literal

import msgspec


class Blackhole(msgspec.Struct, frozen=True, kw_only=True):
    """A fault: what comes in to a port of the interface's own ("ingress"), or goes out to one, is dropped."""

    port: int
    protocol: Literal["tcp", "udp"]
    direction: Literal["ingress", "egress"]
    spared: tuple[str, ...] = ()  # far addresses and networks that are let through

    @property
    def name(self) -> str:
        return f"{self.direction}-{self.protocol}-{self.port}"


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """A fault: a part of what is sent to these networks does not arrive."""

    percent: int
    targets: tuple[str, ...]
    spared: tuple[str, ...] = ()
    flows: int = 100  # percent of the flows that are concerned

    @property
    def name(self) -> str:
        return "loss"


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """A fault: what is sent to these networks is late, by milliseconds."""

    delay: int
    jitter: int
    targets: tuple[str, ...]
    spared: tuple[str, ...] = ()
    flows: int = 100

    @property
    def name(self) -> str:
        return "latency"


Fault = Blackhole | Loss | Latency
