"""Faults carried into an interface's namespace and found there again; its counters. Jobs for its router's thread.

The kernel is the only memory: after a restart what runs is read from the namespace itself.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from hatoba.core.errors import PortError
from hatoba.network import faults, messages, names
from hatoba.network.base import Traffic
from hatoba.network.namespace import Namespace, one_off_rules
from hatoba.network.netlink import Netlink
from hatoba.network.trouble import Fault, Latency

NOT_HERE = "unsupported"  # `PortError.code`: the kernel lacks what the fault needs

_decode = msgspec.json.Decoder(dict[str, list[dict[str, object]]]).decode


def start(router: Namespace, netns: Path, fault: Fault) -> None:
    """Nothing to do when one of its name runs. Raises `PortError`."""

    def job() -> None:
        if fault.name in _running():
            return
        if isinstance(fault, Latency):
            with Netlink() as netlink:
                netlink.apply(faults.plain_queue(messages.INTERFACE_INDEX))  # half made before a crash
                try:
                    netlink.apply(*faults.slow_queue(fault, messages.INTERFACE_INDEX))
                except PortError as error:
                    netlink.apply(faults.plain_queue(messages.INTERFACE_INDEX))
                    raise PortError(NOT_HERE, error.message) from error
        one_off_rules(faults.start_rules(fault, names.INTERFACE))

    router.visit(netns, job)


def stop(router: Namespace, netns: Path, name: str) -> None:
    """Nothing to do when none of that name runs. Raises `PortError`."""

    def job() -> None:
        if name not in _running():
            return
        one_off_rules(faults.stop_rules(name))
        if name == faults.LATENCY:
            with Netlink() as netlink:
                netlink.apply(faults.plain_queue(messages.INTERFACE_INDEX))

    router.visit(netns, job)


def running(router: Namespace, netns: Path) -> frozenset[str]:
    return router.visit(netns, _running)


def traffic(interface: str) -> Traffic | None:
    """From the router's end of the pair, where what the task sends comes in."""
    device = names.port(interface)
    for line in Path("/proc/thread-self/net/dev").read_text().splitlines():
        name, _, counters = line.partition(":")
        if name.strip() == device:
            there = [int(word) for word in counters.split()]
            return Traffic(
                rx_bytes=there[8],
                rx_packets=there[9],
                rx_errors=there[10],
                rx_dropped=there[11],
                tx_bytes=there[0],
                tx_packets=there[1],
                tx_errors=there[2],
                tx_dropped=there[3],
            )
    return None


def _running() -> frozenset[str]:
    return faults.running(_decode(one_off_rules("list chains", json=True)))
