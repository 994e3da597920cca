"""Faults that are injected into one interface's namespace, as nftables commands and traffic control messages. Pure.

A blackhole drops what comes to a port, or goes to one. Loss and latency concern what is sent to some networks: nftables
picks the packets; it drops a part of them itself, and sends those that are to be late into a band of the device's queue
that holds them back (netem, which not every kernel has). What runs is known by the names of the chains, so it outlives
whoever made it and goes with the namespace.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

from hatoba.network.netlink import CREATE, Request
from hatoba.network.trouble import Blackhole, Fault, Latency, Loss

LOSS, LATENCY = "loss", "latency"
TABLE = "faults"


# --- rules ---------------------------------------------------------------------------------------------------------


def start_rules(fault: Fault, device: str) -> str:
    """One transaction that begins it. Must not be running."""
    match fault:
        case Blackhole():
            return _text(_blackhole(fault))
        case Loss():
            return _text(_picked(fault, device, f"numgen random mod 100 <= {fault.percent - 1} drop"))
        case Latency():
            return _text(_picked(fault, device, f"meta priority set {_SLOW_BAND}"))


def stop_rules(name: str) -> str:
    """One transaction that ends what runs under this name."""
    if name in (LOSS, LATENCY):
        return _text((f"delete chain netdev {TABLE} {name}",))
    direction, protocol, port = name.split("-")
    return _text(
        (
            f"delete element inet {TABLE} {direction} {{ {protocol} . {port} }}",
            f"flush chain inet {TABLE} {name}",
            f"delete chain inet {TABLE} {name}",
        )
    )


def running(ruleset: dict[str, Any]) -> frozenset[str]:
    """The names of what runs, from the JSON of `list chains`."""
    chains = (thing["chain"] for thing in ruleset.get("nftables", ()) if "chain" in thing)
    return frozenset(chain["name"] for chain in chains if chain["table"] == TABLE and chain["name"] not in _HOOKS)


_HOOKS = {"ingress": "input", "egress": "output"}
_SLOW_BAND = "1:1"
_SIDE = {"ingress": "saddr", "egress": "daddr"}


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _family(network: str) -> str:
    return "ip" if ip_network(network, strict=False).version == 4 else "ip6"


def _network(network: str) -> str:
    return str(ip_network(network, strict=False))


def _blackhole(fault: Blackhole) -> Iterable[str]:
    yield f"add table inet {TABLE}"
    for direction, hook in _HOOKS.items():
        yield f"add map inet {TABLE} {direction} {{ type inet_proto . inet_service : verdict; }}"
        yield f"add chain inet {TABLE} {direction} {{ type filter hook {hook} priority filter; policy accept; }}"
        # Stated anew each time: a rule that is added twice is there twice.
        yield f"flush chain inet {TABLE} {direction}"
        yield f"add rule inet {TABLE} {direction} meta l4proto . th dport vmap @{direction}"
    yield f"add chain inet {TABLE} {fault.name}"
    for network in fault.spared:
        far = f"{_family(network)} {_SIDE[fault.direction]} {_network(network)}"
        yield f"add rule inet {TABLE} {fault.name} {far} return"
    yield f"add rule inet {TABLE} {fault.name} drop"
    yield f"add element inet {TABLE} {fault.direction} {{ {fault.protocol} . {fault.port} : jump {fault.name} }}"


def _picked(fault: Loss | Latency, device: str, verdict: str) -> Iterable[str]:
    """At the device's very end: what is dropped there is lost in silence, as it would be on the way."""
    chain = f"netdev {TABLE} {fault.name}"
    yield f"add table netdev {TABLE}"
    yield f'add chain {chain} {{ type filter hook egress device "{device}" priority filter; policy accept; }}'
    for network in fault.spared:
        yield f"add rule {chain} {_family(network)} daddr {_network(network)} return"
    for network in fault.targets:
        family = _family(network)
        picked = f"add rule {chain} {family} daddr {_network(network)}"
        if fault.flows >= 100:
            yield f"{picked} {verdict}"
            continue
        flow = f"jhash {family} saddr . {family} daddr . th sport . th dport mod 100 < {fault.flows}"
        yield f"{picked} meta l4proto {{ tcp, udp }} {flow} {verdict}"
        rest = f"jhash {family} saddr . {family} daddr mod 100 < {fault.flows}"
        yield f"{picked} meta l4proto != {{ tcp, udp }} {rest} {verdict}"


# --- queues --------------------------------------------------------------------------------------------------------

NEWQDISC, DELQDISC = 36, 37
_ROOT = 0xFFFFFFFF
_PRIO, _SLOW, _NETEM = 0x00010000, 0x00010001, 0x00100000  # 1:, 1:1, 10:
_FAMILY_HEADER = struct.Struct("=BxxxiIII")  # family, device, handle, parent, info
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_KIND, _OPTIONS = 1, 2
_LATENCY64, _JITTER64 = 10, 11
_LIMIT = 1000  # packets that may wait
_THIRD_BAND = 2


class TrafficControl:
    """A message about a queue, as `Netlink` sends messages."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._parts = {"header": {"type": 0, "flags": 0, "sequence_number": 0}}
        self.data = b""

    def __getitem__(self, part: str) -> dict[str, int]:
        return self._parts[part]

    def encode(self) -> None:
        head = self._parts["header"]
        size = _HEADER.size + len(self._body)
        self.data = _HEADER.pack(size, head["type"], head["flags"], head["sequence_number"], 0) + self._body


def _attribute(number: int, data: bytes) -> bytes:
    padding = -len(data) % 4
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(data), number) + data + bytes(padding)


def _queue(device: int, handle: int, parent: int, kind: bytes, options: bytes) -> TrafficControl:
    head = _FAMILY_HEADER.pack(0, device, handle, parent, 0)
    return TrafficControl(head + _attribute(_KIND, kind + b"\0") + _attribute(_OPTIONS, options))


def slow_queue(fault: Latency, device: int) -> list[Request]:
    """Three bands, of which the third takes everything, but for the packets that rules send to the first."""
    bands = struct.pack("=i16B", 3, *[_THIRD_BAND] * 16)
    # Delay and jitter in nanoseconds are attributes; the older fields, in ticks of the kernel, stay 0.
    late = struct.pack("=6I", 0, _LIMIT, 0, 0, 0, 0)
    late += _attribute(_LATENCY64, struct.pack("=q", fault.delay * 1_000_000))
    late += _attribute(_JITTER64, struct.pack("=q", fault.jitter * 1_000_000))
    return [
        Request(
            what="add a queue with bands",
            type=NEWQDISC,
            message=_queue(device, _PRIO, _ROOT, b"prio", bands),
            flags=CREATE,
        ),
        Request(
            what="add a queue that delays (netem)",
            type=NEWQDISC,
            message=_queue(device, _NETEM, _SLOW, b"netem", late),
            flags=CREATE,
        ),
    ]


def plain_queue(device: int) -> Request:
    """Back to the queue that the device had."""
    head = _FAMILY_HEADER.pack(0, device, _PRIO, _ROOT, 0)
    return Request(what="remove a queue", type=DELQDISC, message=TrafficControl(head), ignore=_NOTHING_THERE)


_NOTHING_THERE = frozenset({2, 22})  # ENOENT, EINVAL: what is there is the device's own
