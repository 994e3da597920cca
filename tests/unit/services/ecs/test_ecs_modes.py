"""Network, pid and ipc modes: what is refused, what the node is told, and what clients see of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.aws.shapes import ecs as t
from hatoba.fleet import model as fleet
from hatoba.fleet.model import DependsOn, PortBinding, PortWanted
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.plan.definition.check import register
from hatoba.services.ecs.plan.definition.network import span_of
from tests.unit.services.ecs.world import World, container, definition, world

MODES = ("awsvpc", "bridge", "host", "none")


def on_ec2(mode: str | None, *containers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    made = definition(
        requiresCompatibilities=["EC2"], networkMode=mode, containerDefinitions=list(containers), **fields
    )
    return {name: value for name, value in made.items() if value is not None}


def ports(*mappings: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return container(portMappings=list(mappings), **fields)


def registered(mode: str | None, *containers: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = register(on_ec2(mode, *containers, **fields)).content["containerDefinitions"]  # type: ignore[arg-type]
    return made


def refusal(mode: str | None, *containers: dict[str, Any], **fields: Any) -> str:
    with pytest.raises(t.ClientException) as refused:
        register(on_ec2(mode, *containers, **fields))  # type: ignore[arg-type]
    return refused.value.message


# --- ports


@pytest.mark.parametrize(
    ("mode", "given", "host"),
    [
        ("awsvpc", {}, 80),
        ("awsvpc", {"hostPort": 80}, 80),
        ("host", {}, 80),
        ("host", {"hostPort": 80}, 80),
        ("bridge", {}, 0),
        ("bridge", {"hostPort": 0}, 0),
        ("bridge", {"hostPort": 80}, 80),
        ("bridge", {"hostPort": 8080}, 8080),
        (None, {"hostPort": 8080}, 8080),
    ],
)
def test_a_host_port(mode: str | None, given: dict[str, int], host: int) -> None:
    (one,) = registered(mode, ports({"containerPort": 80, **given}))
    assert one["portMappings"] == [{"containerPort": 80, "hostPort": host, "protocol": "tcp"}]


@pytest.mark.parametrize("mode", ["awsvpc", "host"])
@pytest.mark.parametrize("host", [0, 8080])
def test_where_the_network_is_shared_the_host_port_is_the_containers(mode: str, host: int) -> None:
    said = refusal(mode, ports({"containerPort": 80, "hostPort": host}))
    assert said == f"When networkMode={mode}, the host ports and container ports in port mappings must match."


def test_without_a_network_there_are_no_ports() -> None:
    assert refusal("none", ports({"containerPort": 80})) == "Port mappings are not supported when networkMode=none."
    assert registered("none", ports())[0]["portMappings"] == []


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"containerPort": 0}, "Container port must be between 1 and 65535."),
        ({"containerPort": 70000}, "Container port must be between 1 and 65535."),
        ({"containerPort": 80, "hostPort": -1}, "Host port must be between 0 and 65535."),
        ({"containerPort": 80, "hostPort": 70000}, "Host port must be between 0 and 65535."),
        ({"protocol": "tcp"}, "Container port must be specified in port mappings."),
        ({"containerPort": 80, "containerPortRange": "1-2"}, "cannot specify both single port and port range"),
        ({"hostPort": 80, "containerPortRange": "1-2"}, "cannot specify both single port and port range"),
        ({"containerPortRange": "2-1"}, "the lower first"),
        ({"containerPortRange": "80-80"}, "the lower first"),
        ({"containerPortRange": "80"}, "the lower first"),
        ({"containerPortRange": "0-10"}, "the lower first"),
        ({"containerPortRange": "10-65536"}, "the lower first"),
        ({"containerPort": 80, "appProtocol": "http"}, "must have a name"),
        ({"containerPort": 80, "name": "-a"}, "contains invalid characters"),
    ],
)
def test_ports_that_cannot_be(mapping: dict[str, Any], said: str) -> None:
    assert said in refusal("bridge", ports(mapping))


def test_what_is_no_known_protocol_means_tcp() -> None:
    (one,) = registered(
        "bridge", ports({"containerPort": 80, "protocol": "sctp"}, {"containerPort": 53, "protocol": "udp"})
    )
    assert [port["protocol"] for port in one["portMappings"]] == ["tcp", "udp"]


def test_ranges_of_ports() -> None:
    (one,) = registered("bridge", ports({"containerPortRange": "8000-8500"}, {"containerPort": 80}))
    assert one["portMappings"][0] == {"containerPortRange": "8000-8500", "protocol": "tcp"}
    assert "containerPortRange is not supported" in refusal("host", ports({"containerPortRange": "8000-8010"}))
    for other in ({"containerPort": 8005}, {"containerPortRange": "7990-8000"}, {"containerPortRange": "8010-8020"}):
        assert "overlap" in refusal("bridge", ports(other, {"containerPortRange": "8000-8010"}))
        assert "overlap" in refusal("bridge", ports({"containerPortRange": "8000-8010"}, other))
    many = [{"containerPortRange": f"{first}-{first + 1}"} for first in range(1000, 1202, 2)]
    assert len(registered("bridge", ports(*many[:100]))[0]["portMappings"]) == 100
    assert "at most 100 port ranges" in refusal("bridge", ports(*many))


@given(st.integers(-5, 70000), st.integers(-5, 70000))
def test_a_range_is_two_ports_the_lower_first(first: int, last: int) -> None:
    found = span_of(f"{first}-{last}")
    assert (found is not None) == (1 <= first < last <= 65535)


@pytest.mark.parametrize(
    ("mode", "one", "other", "clash"),
    [
        ("bridge", {"containerPort": 80}, {"containerPort": 80}, False),
        ("bridge", {"containerPort": 80, "hostPort": 8080}, {"containerPort": 81, "hostPort": 8080}, True),
        (
            "bridge",
            {"containerPort": 80, "hostPort": 8080},
            {"containerPort": 81, "hostPort": 8080, "protocol": "udp"},
            False,
        ),
        ("bridge", {"containerPortRange": "80-90"}, {"containerPortRange": "80-90"}, False),
        ("host", {"containerPort": 80}, {"containerPort": 80}, True),
        ("awsvpc", {"containerPort": 80}, {"containerPort": 80}, True),
        ("awsvpc", {"containerPort": 85}, {"containerPortRange": "80-90"}, True),
    ],
)
def test_two_containers_with_one_port(mode: str, one: dict[str, Any], other: dict[str, Any], clash: bool) -> None:
    both = (ports(one), ports(other, name="b"))
    if clash:
        assert "is mapped more than once" in refusal(mode, *both)
    else:
        registered(mode, *both)


# --- links, names and the kernel's settings


def linked(*links: str, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return ports(links=list(links)), ports(name="db", **fields)


@pytest.mark.parametrize("mode", [None, *MODES])
def test_links_are_the_bridges(mode: str | None) -> None:
    if mode in (None, "bridge"):
        registered(mode, *linked("db:database"))
    else:
        assert refusal(mode, *linked("db:database")) == f"Links are not supported when networkMode={mode}."


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("x", "Invalid 'links' setting. Unknown container: 'x'."),
        ("db:", "is not name or name:alias"),
        ("db:a b", "is not name or name:alias"),
        ("web:me", "cannot be linked to itself"),
    ],
)
def test_links_that_lead_nowhere(link: str, said: str) -> None:
    assert said in refusal("bridge", *linked(link))


def test_links_in_a_circle() -> None:
    assert "A container dependency cycle was found among: db, web." in refusal("bridge", *linked("db", links=["web"]))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("hostname", "front", "hostname is not supported on container when networkMode=awsvpc."),
        ("extraHosts", [{"hostname": "a", "ipAddress": "10.0.0.1"}], "Extra hosts are not supported"),
        ("dnsServers", ["9.9.9.9"], "DNS servers are not supported"),
        ("dnsSearchDomains", ["a.b"], "DNS search domains are not supported"),
        ("disableNetworking", True, "Disable Networking is not supported"),
    ],
)
def test_what_an_interface_of_its_own_rules_out(mode: str, member: str, value: Any, words: str) -> None:
    wanted = ports(**{member: value})
    if mode == "awsvpc":
        assert words in refusal(mode, wanted)
    else:
        assert registered(mode, wanted)[0][member] == value


@pytest.mark.parametrize("network", MODES)
@pytest.mark.parametrize("ipc", [None, "task", "none", "host"])
@pytest.mark.parametrize("setting", ["net.core.somaxconn", "kernel.shmmax", "fs.mqueue.msg_max"])
def test_a_setting_of_the_nodes_own_namespace_is_refused(network: str, ipc: str | None, setting: str) -> None:
    wanted = ports(systemControls=[{"namespace": setting, "value": "1"}])
    of_network = setting.startswith("net.")
    if network == "host" and of_network:
        assert "is not supported when networkMode=host" in refusal(network, wanted, ipcMode=ipc)
    elif ipc == "host" and not of_network:
        assert "is not supported when ipcMode=host" in refusal(network, wanted, ipcMode=ipc)
    else:
        registered(network, wanted, ipcMode=ipc)


@pytest.mark.parametrize(
    ("control", "said"),
    [
        ({"namespace": "vm.swappiness", "value": "1"}, "'vm.swappiness' is not in a separate kernel namespace."),
        ({"namespace": "net.core.somaxconn"}, "must have a namespace and a value."),
        ({"value": "1"}, "must have a namespace and a value."),
    ],
)
def test_settings_that_are_none(control: dict[str, str], said: str) -> None:
    assert said in refusal("bridge", ports(systemControls=[control]))


@pytest.mark.parametrize("network", MODES)
@pytest.mark.parametrize("pid", [None, "task", "host"])
@pytest.mark.parametrize("ipc", [None, "task", "host", "none"])
def test_fargate_has_one_of_each(network: str, pid: str | None, ipc: str | None) -> None:
    found = register(on_ec2(network, ports(), pidMode=pid, ipcMode=ipc))  # type: ignore[arg-type]
    assert ("FARGATE" in found.compatibilities) == (network == "awsvpc" and pid != "host" and ipc is None)
    assert ("EXTERNAL" in found.compatibilities) == (network != "awsvpc")
    assert ("ecs.capability.pid-ipc-namespace-sharing" in found.requires) == bool(pid or ipc)


def test_fargate_says_why() -> None:
    with pytest.raises(t.ClientException, match=r"do not support pidMode 'host'\. The supported value for pidMode is"):
        register(definition(pidMode="host"))  # type: ignore[arg-type]
    with pytest.raises(t.ClientException, match=r"Tasks using the Fargate launch type do not support ipcMode\."):
        register(definition(ipcMode="task"))  # type: ignore[arg-type]


# --- what the node is told, and what it tells


async def started(w: World, mode: str, *containers: dict[str, Any], count: int = 1, **fields: Any) -> list[str]:
    await w.ecs.register_task_definition(**on_ec2(mode, *containers, **fields))
    network = {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}}} if mode == "awsvpc" else {}
    answer = await w.ecs.run_task(taskDefinition="web", launchType="EC2", count=count, **network)
    assert not answer["failures"], answer["failures"]
    await w.settle()
    return [task["taskArn"].rpartition("/")[2] for task in answer["tasks"]]


def wanted(w: World, task: str) -> fleet.Workload:
    found = w.store.find(fleet.workloads, tasks_scope(w), task)
    assert found is not None
    return found


def tasks_scope(w: World) -> Any:
    (scope, *_) = {task.scope for task in w.store.all(tasks)}
    return scope


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("pid", "ipc"), [(None, None), ("task", "task"), ("host", "none"), ("host", "host")])
async def test_the_modes_are_the_workloads(tmp_path: Path, mode: str, pid: str | None, ipc: str | None) -> None:
    async with world(tmp_path) as w:
        (task,) = await started(w, mode, ports(), pidMode=pid, ipcMode=ipc)
        made = wanted(w, task)
        assert (made.network_mode, made.pid_mode, made.ipc_mode) == (mode, pid or "", ipc or "")
        assert (made.interface is not None) == (mode == "awsvpc")


async def test_ports_and_links_are_the_containers(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        web = ports(
            {"containerPort": 80},
            {"containerPort": 53, "hostPort": 5353, "protocol": "udp"},
            {"containerPortRange": "8000-8009"},
            links=["db:database", "db"],
        )
        mail = ports(name="mail", links=["db"], dependsOn=[{"containerName": "db", "condition": "HEALTHY"}])
        db = ports(name="db", healthCheck={"command": ["CMD", "true"]})
        off = ports({"containerPort": 90}, name="off", disableNetworking=True)
        (task,) = await started(w, "bridge", web, mail, db, off)
        front, post, _, alone = wanted(w, task).containers
        assert front.publish == (
            PortWanted(container=80),
            PortWanted(container=53, host=5353, protocol="udp"),
            PortWanted(container=8000, count=10),
        )
        assert front.links == (("db", "database"), ("db", "db"))
        assert front.depends_on == (DependsOn(container="db", condition="START"),)
        assert post.depends_on == (DependsOn(container="db", condition="HEALTHY"),)
        assert (alone.offline, alone.publish) == (True, ())


async def test_bindings_are_what_the_node_says(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.auto = False
        (task,) = await started(w, "bridge", ports({"containerPort": 80}, {"containerPortRange": "8000-8009"}))

        async def bindings() -> Any:
            (found,) = (await w.ecs.describe_tasks(tasks=[task]))["tasks"][0]["containers"]
            assert found["networkInterfaces"] == []
            return found["networkBindings"]

        given = (PortBinding(container=80, host=32770), PortBinding(container=8000, host=40000, count=10))
        w.report(task, "running", bindings=given)
        await w.settle()
        assert await bindings() == [
            {"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": 32770, "protocol": "tcp"},
            {
                "bindIP": "0.0.0.0",
                "containerPortRange": "8000-8009",
                "hostPortRange": "40000-40009",
                "protocol": "tcp",
            },
        ]
        w.report(task, "stopped", bindings=given)
        await w.settle()
        assert await bindings() == []


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("host", [{"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": 80, "protocol": "tcp"}]),
        ("awsvpc", []),
    ],
)
async def test_bindings_where_the_node_has_no_choice(tmp_path: Path, mode: str, expected: Any) -> None:
    async with world(tmp_path) as w:
        (task,) = await started(w, mode, ports({"containerPort": 80}))
        (found,) = (await w.ecs.describe_tasks(tasks=[task]))["tasks"][0]["containers"]
        assert found["networkBindings"] == expected


@pytest.mark.parametrize(
    ("mode", "mapping", "placed"),
    [
        ("host", {"containerPort": 80}, 1),
        ("bridge", {"containerPort": 80, "hostPort": 80}, 1),
        ("bridge", {"containerPort": 80}, 2),
        ("bridge", {"containerPortRange": "80-90"}, 2),
    ],
)
async def test_a_port_of_a_node_is_one_tasks(tmp_path: Path, mode: str, mapping: dict[str, Any], placed: int) -> None:
    async with world(tmp_path) as w:
        await w.ecs.register_task_definition(**on_ec2(mode, ports(mapping)))
        answer = await w.ecs.run_task(taskDefinition="web", launchType="EC2", count=2)
        assert len(answer["tasks"]) == placed
        assert [failure["reason"] for failure in answer["failures"]] == ["RESOURCE:PORTS"] * (2 - placed)
        w.add_node("node-2")
        again = await w.ecs.run_task(taskDefinition="web", launchType="EC2")
        assert len(again["tasks"]) == 1


async def test_a_port_that_somebody_else_has_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.auto = False
        (task,) = await started(w, "bridge", ports({"containerPort": 80, "hostPort": 8080}))
        with w.store.tx() as tx:
            key = fleet.workload_statuses.key(tasks_scope(w), task)
            words = "Bind for 0.0.0.0:8080 failed: port is already allocated"
            failed = fleet.WorkloadStatus(key=key, node="node-1", state="stopped", error="port_taken", detail=words)
            tx.put(fleet.workload_statuses, failed)
        await w.settle()
        found = (await w.ecs.describe_tasks(tasks=[task]))["tasks"][0]
        assert (found["lastStatus"], found["stopCode"]) == ("STOPPED", "TaskFailedToStart")
        assert found["stoppedReason"] == f"CannotStartContainerError: {words}"
