"""Faults as text and as messages: golden files for what reviewers read. `UPDATE_GOLDEN=1 pytest …` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.network import faults
from hatoba.network.netlink import Request
from hatoba.network.trouble import Blackhole, Fault, Latency, Loss

GOLDEN = Path(__file__).parent / "golden"
FAULTS: dict[str, Fault] = {
    "fault-egress": Blackhole(port=5432, protocol="tcp", direction="egress", spared=("169.254.170.2", "fd00::/8")),
    "fault-ingress": Blackhole(port=53, protocol="udp", direction="ingress", spared=("10.0.0.7/16",)),
    "fault-loss": Loss(percent=30, targets=("10.0.0.0/16", "fd00::5"), spared=("10.0.0.9",)),
    "fault-some-flows": Loss(percent=100, targets=("0.0.0.0/0",), flows=25),
    "fault-latency": Latency(delay=200, jitter=10, targets=("0.0.0.0/0", "::/0"), spared=("169.254.170.2",)),
}


def check(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.nft"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def sent(request: Request) -> str:
    """A message as it goes to the kernel, four bytes to a group."""
    message = request.message
    message["header"].update(type=request.type, flags=request.flags, sequence_number=1)
    message.encode()
    data = message.data
    assert int.from_bytes(data[:4], "little") == len(data), "the kernel goes by the length"
    return f"{request.what}: {data.hex(' ', 4)}\n"


@pytest.mark.parametrize("name", FAULTS)
def test_how_a_fault_begins_and_ends(name: str) -> None:
    fault = FAULTS[name]
    text = faults.start_rules(fault, "eth0") + "\n" + faults.stop_rules(fault.name)
    if isinstance(fault, Latency):
        text += "\n" + "".join(map(sent, [*faults.slow_queue(fault, 2), faults.plain_queue(2)]))
    check(name, text)


def test_what_runs_is_read_from_the_chains() -> None:
    def chain(table: str, name: str) -> dict[str, object]:
        return {"chain": {"family": "inet", "table": table, "name": name}}

    listed = [{"metainfo": {}}, chain("faults", "egress"), chain("faults", "egress-tcp-80"), chain("else", "loss")]
    assert faults.running({"nftables": listed}) == {"egress-tcp-80"}
    assert faults.running({}) == frozenset()


@given(st.integers(0, 65535), st.sampled_from(["tcp", "udp"]), st.sampled_from(["ingress", "egress"]))
def test_a_name_leads_back_to_what_was_started(port: int, protocol: str, direction: str) -> None:
    fault = Blackhole(port=port, protocol=protocol, direction=direction)  # type: ignore[arg-type]
    started, stopped = faults.start_rules(fault, "eth0"), faults.stop_rules(fault.name)
    element = f"{{ {protocol} . {port}"
    assert f"add element inet faults {direction} {element} :" in started
    assert f"delete element inet faults {direction} {element} }}" in stopped
    assert f"delete chain inet faults {fault.name}" in stopped
