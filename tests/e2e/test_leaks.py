"""Nothing stays behind: whatever was running, and whatever of it was killed before, `down --purge` leaves no trace.

And what `down` alone keeps is all that `up` needs to make everything as it was.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.instance import Instance, eventually
from tools.load import Load
from tools.traces import Traces
from tools.web import Web, page

pytestmark = pytest.mark.real

SYSCTLS = ("ipv4/ip_forward", "ipv4/conf/all/forwarding", "ipv4/conf/default/forwarding", "ipv6/conf/all/forwarding")


def settings_of_the_host() -> dict[str, str]:
    return {name: Path("/proc/sys/net", name).read_text().strip() for name in SYSCTLS}


@pytest.fixture
def hatoba() -> Iterator[Instance]:
    """That leaves nothing, whatever a test does to it."""
    sysctls = settings_of_the_host()
    instance = Instance()
    with instance:
        yield instance
        traces = Traces(instance.folder)
        sockets = traces.shim_sockets()
    eventually(lambda: traces.left() == {})
    assert settings_of_the_host() == sysctls
    assert [path for path in sockets if path.exists()] == []


def served(hatoba: Instance) -> Web:
    web = Web(hatoba, "shop", count=2)
    web.create("v1")
    web.steady()
    assert eventually(lambda: page(web.address)) == "v1"
    return web


def of(hatoba: Instance, words: str) -> list[int]:
    """The instance's processes whose command line has these words in it."""
    return [pid for pid, line in Traces(hatoba.folder).processes().items() if words in line]


def kill(hatoba: Instance, *words: str) -> None:
    pids = [pid for each in words for pid in of(hatoba, each)]
    assert len(pids) >= len(words)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_up_and_down(hatoba: Instance) -> None:
    assert hatoba.health()["status"] == "ready"


OURS = (" up --", " control --data", " node --data")


@pytest.mark.parametrize(
    "victims",
    [(), OURS, ("containerd --config",), ("envoy/_bin/envoy",), ("logs.spooler",), ("containerd-shim",)],
    ids=["nothing", "all three of ours", "containerd", "Envoy", "spooler", "shims"],
)
def test_nothing_is_left_of_a_service_after_the_death_of(hatoba: Instance, victims: tuple[str, ...]) -> None:
    served(hatoba)
    kill(hatoba, *victims)


def test_a_supervisor_that_was_killed_is_followed_by_another(hatoba: Instance) -> None:
    """Its processes are found, the tasks run on, and nobody who asks the service notices."""
    web = served(hatoba)
    ecs = hatoba.client("ecs")
    # Each container's first process: httpd itself has a child for a moment with every health check.
    before, containers = sorted(ecs.list_tasks()["taskArns"]), sorted(of(hatoba, "-- httpd"))
    assert len(containers) == 2
    with Load(web.address, rate=100) as load:
        kill(hatoba, " up --")
        hatoba.up()
        seen = load.count
        eventually(lambda: load.count > seen + 100)
    assert load.failures == []
    assert sorted(hatoba.client("ecs").list_tasks()["taskArns"]) == before
    assert sorted(of(hatoba, "-- httpd")) == containers
    assert len(of(hatoba, " control --data")) == len(of(hatoba, " node --data")) == 1


def test_up_after_down_brings_back_what_was_there(hatoba: Instance) -> None:
    web = served(hatoba)
    alone = hatoba.client("ecs").run_task(  # which nobody replaces, and nobody checks
        taskDefinition="shop", launchType="FARGATE", networkConfiguration=hatoba.network()
    )
    hatoba.wait_task(alone["tasks"][0]["taskArn"], "RUNNING")
    before, address = kept(hatoba), web.address
    tasks = set(hatoba.client("ecs").list_tasks()["taskArns"])
    traces = Traces(hatoba.folder)
    hatoba.down()
    eventually(lambda: set(traces.left()) == {"data"})
    hatoba.up()
    web.steady()
    assert eventually(lambda: page(address)) == "v1"
    assert kept(hatoba) == before
    assert not tasks & set(hatoba.client("ecs").list_tasks()["taskArns"]), "tasks ended with `down`, and were replaced"
    for arn in tasks:
        assert hatoba.wait_task(arn, "STOPPED")["stoppedReason"]


def kept(hatoba: Instance) -> dict[str, Any]:
    """What a user has made, as the API tells it."""
    ec2, ecs, elb = hatoba.client("ec2"), hatoba.client("ecs"), hatoba.client("elbv2")
    asked: dict[str, Callable[[], dict[str, Any]]] = {
        "vpcs": ec2.describe_vpcs,
        "subnets": lambda: {"ids": sorted(hatoba.subnets())},
        "groups": ec2.describe_security_groups,
        "definitions": ecs.list_task_definitions,
        "clusters": ecs.list_clusters,
        "services": ecs.list_services,
        "balancers": elb.describe_load_balancers,
        "target groups": elb.describe_target_groups,
        "repositories": hatoba.client("ecr").describe_repositories,
        "images": lambda: hatoba.client("ecr").list_images(repositoryName="shop"),
    }
    return {name: {k: v for k, v in ask().items() if k != "ResponseMetadata"} for name, ask in asked.items()}


def test_two_instances_do_not_disturb_each_other(hatoba: Instance) -> None:
    """The same VPC block, the same names, other folders and ports; one goes, the other serves on."""
    web = served(hatoba)
    with Instance() as other:
        traces = Traces(other.folder)
        beside = served(other)
        assert beside.address != web.address
        vpcs = [i.client("ec2").describe_vpcs()["Vpcs"][0]["CidrBlock"] for i in (hatoba, other)]
        assert vpcs[0] == vpcs[1]
        with Load(web.address, rate=100) as load:
            other.purge()
            seen = load.count
            eventually(lambda: load.count > seen + 100)
        assert load.failures == []
        eventually(lambda: traces.left() == {})
    assert page(web.address) == "v1"
