"""Faults in one interface's namespace: what they take, what they spare, and that they end."""

from __future__ import annotations

import pytest

from hatoba.core.errors import PortError
from hatoba.network.trouble import Blackhole, Latency, Loss
from tests.contract.network.labs import Lab, RealLab
from tests.contract.network.specs import OPEN, task, vpc

OUT = Blackhole(port=80, protocol="tcp", direction="egress")
IN = Blackhole(port=80, protocol="tcp", direction="ingress")
EVERYWHERE = ("0.0.0.0/0",)


async def three_tasks(lab: Lab) -> None:
    """`a`, `b` and `c` at 10.0.0.10 to 12, which listen on ports 80 and 81."""
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(vpc())
    await fabric.set_policies("vpc-1", (OPEN,))
    for number, name in enumerate("abc"):
        await fabric.ensure_interface(task(name, f"10.0.0.{10 + number}", "sg-open"))
        for port in (80, 81):
            await lab.listen(0, name, "0.0.0.0", port)


async def test_a_blackhole_takes_one_port_one_way_and_nobody_elses(lab: Lab) -> None:
    await three_tasks(lab)
    fabric = lab.fabrics[0]
    await fabric.start_fault("vpc-1", "a", OUT)
    assert not await lab.reaches(0, "a", "10.0.0.11")
    assert await lab.reaches(0, "a", "10.0.0.11", 81)
    assert await lab.reaches(0, "b", "10.0.0.10"), "what comes in is not concerned"
    assert await lab.reaches(0, "b", "10.0.0.12"), "nor is anybody else"
    await fabric.stop_fault("vpc-1", "a", OUT.name)
    assert await lab.reaches(0, "a", "10.0.0.11")


async def test_what_comes_in_is_taken_but_for_whom_is_spared(lab: Lab) -> None:
    await three_tasks(lab)
    fabric = lab.fabrics[0]
    spared = Blackhole(port=80, protocol="tcp", direction="ingress", spared=("10.0.0.12",))
    await fabric.start_fault("vpc-1", "a", spared)
    assert not await lab.reaches(0, "b", "10.0.0.10")
    assert await lab.reaches(0, "c", "10.0.0.10")
    assert await lab.reaches(0, "a", "10.0.0.11"), "what goes out is not concerned"


async def test_what_goes_out_is_taken_but_to_whom_is_spared(lab: Lab) -> None:
    await three_tasks(lab)
    fabric = lab.fabrics[0]
    spared = ("10.0.0.8/30",)  # 10.0.0.11 is in it, 10.0.0.12 is not
    await fabric.start_fault("vpc-1", "a", Blackhole(port=80, protocol="tcp", direction="egress", spared=spared))
    assert await lab.reaches(0, "a", "10.0.0.11")
    assert not await lab.reaches(0, "a", "10.0.0.12")


async def test_what_runs_is_known_and_starting_or_stopping_twice_is_once(lab: Lab) -> None:
    await three_tasks(lab)
    fabric = lab.fabrics[0]
    assert await fabric.faults("vpc-1", "a") == frozenset()
    for fault in (OUT, IN, OUT, Loss(percent=50, targets=EVERYWHERE)):
        await fabric.start_fault("vpc-1", "a", fault)
    assert await fabric.faults("vpc-1", "a") == {"egress-tcp-80", "ingress-tcp-80", "loss"}
    assert await fabric.faults("vpc-1", "b") == frozenset()
    for name in ("egress-tcp-80", "loss", "egress-tcp-80", "latency"):
        await fabric.stop_fault("vpc-1", "a", name)
    assert await fabric.faults("vpc-1", "a") == {"ingress-tcp-80"}
    assert await lab.reaches(0, "a", "10.0.0.11")
    assert not await lab.reaches(0, "b", "10.0.0.10")


async def test_faults_go_with_the_interface(lab: Lab) -> None:
    await three_tasks(lab)
    fabric = lab.fabrics[0]
    await fabric.start_fault("vpc-1", "a", OUT)
    await fabric.remove_interface("vpc-1", "a")
    with pytest.raises(PortError, match="not on this node"):
        await fabric.start_fault("vpc-1", "a", OUT)
    await fabric.ensure_interface(task("a", "10.0.0.10", "sg-open"))
    assert await fabric.faults("vpc-1", "a") == frozenset()


@pytest.mark.parametrize(
    "fault",
    [
        Blackhole(port=65536, protocol="tcp", direction="egress"),
        Blackhole(port=1, protocol="tcp", direction="egress", spared=("here",)),
        Loss(percent=0, targets=EVERYWHERE),
        Loss(percent=1, targets=()),
        Latency(delay=1, jitter=0, targets=EVERYWHERE, flows=0),
        Latency(delay=1, jitter=0, targets=("10.0.0.0/33",)),
    ],
)
async def test_wrong_values_are_refused_before_anything_is_done(lab: Lab, fault: Loss) -> None:
    await three_tasks(lab)
    with pytest.raises(ValueError, match=r"port|percent|networks|does not appear"):
        await lab.fabrics[0].start_fault("vpc-1", "a", fault)


async def test_what_an_interface_received_and_sent_is_counted(lab: Lab) -> None:
    await three_tasks(lab)
    assert await lab.fabrics[0].traffic("vpc-1", "nobody") is None
    before = await lab.fabrics[0].traffic("vpc-1", "a")
    assert before is not None
    if lab.real:
        assert await lab.reaches(0, "a", "10.0.0.11")
        after = await lab.fabrics[0].traffic("vpc-1", "a")
        assert after is not None
        # It sends one packet more than it receives: it answers the answer.
        assert after.tx_packets - before.tx_packets > after.rx_packets - before.rx_packets > 0
        assert after.tx_bytes > before.tx_bytes


@pytest.mark.real
async def test_all_is_lost_then_nothing(real: RealLab) -> None:
    await three_tasks(real)
    fabric = real.fabrics[0]
    await fabric.start_fault("vpc-1", "a", Loss(percent=100, targets=("10.0.0.11/32",)))
    assert not await real.reaches(0, "a", "10.0.0.11")
    assert await real.reaches(0, "a", "10.0.0.12"), "not a target"
    await fabric.stop_fault("vpc-1", "a", "loss")
    assert await real.reaches(0, "a", "10.0.0.11")


@pytest.mark.real
async def test_faults_outlive_the_fabrics_process(real: RealLab) -> None:
    await three_tasks(real)
    await real.fabrics[0].start_fault("vpc-1", "a", OUT)
    await real.fabrics[0].close()
    real.fabrics[0] = real.restarted(0)
    await real.fabrics[0].start()
    assert await real.fabrics[0].faults("vpc-1", "a") == {OUT.name}
    await real.fabrics[0].stop_fault("vpc-1", "a", OUT.name)
    assert await real.reaches(0, "a", "10.0.0.11")


@pytest.mark.real
async def test_latency_delays_or_the_kernel_cannot(real: RealLab) -> None:
    """Either way nothing stays behind. (Kernels without netem say so; what they would be told is a golden file.)"""
    await three_tasks(real)
    fabric = real.fabrics[0]
    refused = ""
    try:
        await fabric.start_fault("vpc-1", "a", Latency(delay=150, jitter=0, targets=EVERYWHERE))
    except PortError as error:
        refused = error.code
    assert await fabric.faults("vpc-1", "a") == (frozenset() if refused else {"latency"})
    assert refused in ("", "unsupported")
    await fabric.stop_fault("vpc-1", "a", "latency")
    assert await real.reaches(0, "a", "10.0.0.11")
