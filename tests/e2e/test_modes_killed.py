"""Tasks on the bridge and on the host's network, when the node's agent dies, and beside another instance."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_modes import SERVE, Started, asked, container
from tools.instance import Instance, eventually, free_port
from tools.traces import Traces

pytestmark = pytest.mark.real

ASKS = r"""
get() { printf "GET $1 HTTP/1.0\r\n\r\n" | nc -w 20 169.254.170.2 80 | tail -n 1; }
path=${ECS_CONTAINER_METADATA_URI_V4#http://169.254.170.2}
while :; do get $path/task | grep -q TaskARN && echo known; sleep 0.5; done
"""


@pytest.fixture
def own() -> Iterator[Instance]:
    """Of which nothing is left, whatever a test does to it."""
    with Instance() as instance:
        instance.push("modes")
        traces = Traces(instance.folder)
        yield instance
    # The first of processes that are shared is gone once somebody has noted the end of all the others.
    eventually(lambda: traces.left() == {})


def web(hatoba: Instance, said: str, static: int) -> Started:
    ports = [{"containerPort": 80}, {"containerPort": 80, "hostPort": static}]
    serves = container(hatoba, SERVE.format(said=said, port=80), portMappings=ports)
    return Started(hatoba, "bridge", serves, container(hatoba, ASKS, "asks"), pidMode="task", ipcMode="task")


def answers(*ports: int) -> set[str]:
    """The servers take one caller at a time, and are away for a moment after each."""
    return {eventually(lambda port=port: asked(port)) for port in ports}


def knows(task: Started, name: str) -> int:
    return task.said(name).count("known")


def test_what_runs_runs_on_and_is_known_again(own: Instance) -> None:
    static = free_port()
    task, on_host = web(own, "hello", static), Started(own, "host", container(own, ASKS, "asks"))
    dynamic = task.bindings()[0]["hostPort"]
    on_host.running()
    for each in (task, on_host):
        eventually(lambda each=each: knows(each, "asks"))
    own.kill("node")
    assert answers(static, dynamic) == {"hello"}, "nobody of ours looks after it"
    eventually(own.health_or_none)
    before = [knows(each, "asks") for each in (task, on_host)]
    for each, count in zip((task, on_host), before, strict=True):
        eventually(lambda each=each, count=count: knows(each, "asks") > count + 2)
    assert answers(static, dynamic) == {"hello"}
    assert task.bindings()[0]["hostPort"] == dynamic
    again = own.client("ecs").run_task(taskDefinition=task.running()["taskDefinitionArn"], launchType="EC2")
    assert [failure["reason"] for failure in again["failures"]] == ["RESOURCE:PORTS"]
    task.stop()
    task.stopped()
    assert {asked(static), asked(dynamic)} == {""}


def test_nothing_is_left_after_the_death_of_all(own: Instance) -> None:
    web(own, "hello", free_port()).running()
    Started(own, "host", container(own, ASKS)).running()
    for pid, line in Traces(own.folder).processes().items():
        if any(words in line for words in (" up --", " control --data", " node --data", "/pause -P")):
            os.kill(pid, signal.SIGKILL)


def test_the_bridges_block_can_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "hatoba.toml").write_text('bridge = "10.99.0.0/24"\n')
    with Instance(data=tmp_path) as chosen:
        chosen.push("modes")
        look = container(chosen, "ip -o -4 addr show eth0; ip route; echo done; sleep 60")
        lines = Started(chosen, "bridge", look).until("done")
        assert "inet 10.99.0.4/32" in lines[0]
        assert lines[1].startswith("default via 10.99.0.1 ")


def test_two_instances_have_a_bridge_each(own: Instance) -> None:
    with Instance() as other:
        other.push("modes")
        tasks = [web(own, "one", free_port()), web(other, "two", free_port())]
        on_host = [Started(each, "host", container(each, ASKS, "asks")) for each in (own, other)]
        ports = [task.bindings()[0]["hostPort"] for task in tasks]
        assert ports[0] != ports[1]
        assert [answers(port) for port in ports] == [{"one"}, {"two"}]
        for task in (*tasks, *on_host):
            eventually(lambda task=task: knows(task, "asks"))
        other.purge()
        assert (answers(ports[0]), asked(ports[1])) == ({"one"}, "")
        before = knows(on_host[0], "asks")
        eventually(lambda: knows(on_host[0], "asks") > before + 1)
