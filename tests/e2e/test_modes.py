"""Network, pid and ipc modes on a real node: who reaches whom, what is shared, and what is left of it."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tools.instance import Instance, eventually, free_port
from tools.traces import Traces

pytestmark = pytest.mark.real

LISTENS = "0A"  # a state in /proc/net/tcp
SERVE = "while :; do echo {said} | nc -l -p {port} >/dev/null; done"


def container(hatoba: Instance, script: str, name: str = "main", **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "image": f"localhost:{hatoba.port}/modes:latest",
        "command": ["sh", "-c", script],
        "memory": 64,
        "stopTimeout": 2,
        "linuxParameters": {"initProcessEnabled": True},  # signals end a shell that is not the first process
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": "/ecs/modes",
                "awslogs-region": "us-east-1",
                "awslogs-stream-prefix": "m",
                "awslogs-create-group": "true",
            },
        },
        **fields,
    }


class Started:
    """A task of a definition of its own."""

    def __init__(self, hatoba: Instance, mode: str, *containers: dict[str, Any], **fields: Any) -> None:
        self.hatoba = hatoba
        self.ecs = hatoba.client("ecs")
        family = f"modes-{uuid.uuid4().hex[:8]}"
        self.ecs.register_task_definition(
            family=family, networkMode=mode, containerDefinitions=list(containers), **fields
        )
        answer = self.ecs.run_task(taskDefinition=family, launchType="EC2")
        assert not answer["failures"], answer["failures"]
        self.arn: str = answer["tasks"][0]["taskArn"]
        self.id = self.arn.rpartition("/")[2]

    def running(self) -> dict[str, Any]:
        return self.hatoba.wait_task(self.arn, "RUNNING")

    def stopped(self) -> dict[str, Any]:
        return self.hatoba.wait_task(self.arn, "STOPPED")

    def said(self, container: str = "main") -> list[str]:
        logs = self.hatoba.client("logs")
        where = {"logGroupName": "/ecs/modes", "logStreamName": f"m/{container}/{self.id}"}
        try:
            events = logs.get_log_events(**where, startFromHead=True)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in events]

    def until(self, word: str, container: str = "main") -> list[str]:
        """What was said once a line begins so."""

        def there() -> list[str]:
            lines = self.said(container)
            return lines if any(line.startswith(word) for line in lines) else []

        return eventually(there)

    def bindings(self, container: str = "main") -> list[dict[str, Any]]:
        task = self.running()
        found: list[dict[str, Any]] = next(c for c in task["containers"] if c["name"] == container)["networkBindings"]
        return found

    def stop(self) -> None:
        self.ecs.stop_task(task=self.arn)


@pytest.fixture(scope="module", autouse=True)
def image(hatoba: Instance) -> str:
    return hatoba.push("modes")


@pytest.fixture
def run(hatoba: Instance) -> Iterator[Any]:
    """Starts tasks, and stops them in the end."""
    started: list[Started] = []

    def start(mode: str, *containers: dict[str, Any], **fields: Any) -> Started:
        started.append(Started(hatoba, mode, *containers, **fields))
        return started[-1]

    yield start
    for task in started:
        task.stop()
    for task in started:
        task.stopped()


def asked(port: int, address: str = "127.0.0.1") -> str:
    """What a server at the port says; "" when there is none."""
    try:
        with socket.create_connection((address, port), timeout=20) as opened:
            opened.shutdown(socket.SHUT_WR)
            return opened.makefile().readline().strip()
    except OSError:
        return ""


# --- bridge


def test_two_containers_that_are_linked(hatoba: Instance, run: Any) -> None:
    db = container(hatoba, SERVE.format(said="from-db", port=5432), "db")
    ask = "until nc database 5432 </dev/null; do sleep 0.1; done; cat /etc/hosts; ip -o -4 addr show eth0; sleep 60"
    task = run("bridge", container(hatoba, ask, links=["db:database"]), db)
    lines = task.until("2: eth0")
    assert lines[0] == "from-db"
    assert any(line.startswith("172.17.") and line.split()[1] == "database" for line in lines)
    assert task.bindings() == task.bindings("db") == []


def test_dynamic_and_static_ports_are_answered_on_the_host(hatoba: Instance, run: Any) -> None:
    static = free_port()
    mappings = [{"containerPort": 80}, {"containerPort": 80, "hostPort": static}]
    serve = SERVE.format(said="hello", port=80)
    tasks = [run("bridge", container(hatoba, serve, portMappings=mappings[:1])) for _ in range(2)]
    tasks.append(run("bridge", container(hatoba, serve, portMappings=mappings)))
    ports = [binding["hostPort"] for task in tasks for binding in task.bindings()]
    assert len(set(ports)) == 4
    assert static in ports
    for port in ports:
        assert eventually(lambda port=port: asked(port)) == "hello"
    assert f":{ports[0]} " in hatoba.hatoba("ps")
    addresses = [str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    for address in addresses:
        assert eventually(lambda a=address: asked(ports[0], a)) == "hello"
    tasks[0].stop()
    tasks[0].stopped()
    assert asked(ports[0]) == ""


def test_a_port_that_the_host_has_taken_is_told(hatoba: Instance, run: Any) -> None:
    with socket.create_server(("0.0.0.0", 0)) as theirs:
        port = theirs.getsockname()[1]
        mappings = [{"containerPort": 80, "hostPort": port}]
        task = run("bridge", container(hatoba, "sleep 60", portMappings=mappings)).stopped()
    assert task["stopCode"] == "TaskFailedToStart"
    words = f"Bind for 0.0.0.0:{port} failed: port is already allocated"
    assert task["stoppedReason"] == f"CannotStartContainerError: {words}"


def test_a_port_that_a_task_has_is_refused_by_the_scheduler(hatoba: Instance, run: Any) -> None:
    port = free_port()
    one = container(hatoba, "sleep 60", portMappings=[{"containerPort": 80, "hostPort": port}])
    task = run("bridge", one)
    task.running()
    family = task.running()["taskDefinitionArn"]
    answer = hatoba.client("ecs").run_task(taskDefinition=family, launchType="EC2")
    assert [failure["reason"] for failure in answer["failures"]] == ["RESOURCE:PORTS"]


# --- host and none


def test_on_the_hosts_network(hatoba: Instance, run: Any) -> None:
    port = free_port()
    serve = f"hostname; ip -o link | wc -l; echo up; {SERVE.format(said='hello', port=port)}"
    task = run("host", container(hatoba, serve, portMappings=[{"containerPort": port}]))
    lines = task.until("up")
    assert lines[0] == socket.gethostname()
    assert int(lines[1]) >= len([name for _, name in socket.if_nameindex() if not name.startswith("hat")])
    assert task.bindings() == [{"bindIP": "0.0.0.0", "containerPort": port, "hostPort": port, "protocol": "tcp"}]
    assert eventually(lambda: asked(port)) == "hello"


def test_without_a_network(hatoba: Instance, run: Any) -> None:
    look = "ip -o link | cut -d: -f2; ip route | wc -l; cat /etc/resolv.conf | wc -l; echo done; sleep 60"
    lines = run("none", container(hatoba, look)).until("done")
    assert [line.strip() for line in lines] == ["lo", "0", "0", "done"]


def test_a_container_without_a_network_beside_one_that_has_it(hatoba: Instance, run: Any) -> None:
    look = "ip -o link | cut -d: -f2; echo done; sleep 60"
    off = container(hatoba, look, "off", disableNetworking=True)
    task = run("bridge", container(hatoba, look), off)
    assert [line.strip() for line in task.until("done", "off")] == ["lo", "done"]
    assert [line.strip().partition("@")[0] for line in task.until("done")] == ["lo", "eth0", "done"]


# --- processes and memory


def test_processes_are_shared(hatoba: Instance, run: Any) -> None:
    side = container(hatoba, "exec sleep 4711", "side")
    look = "until ps | grep -q '[s]leep 4711'; do sleep 0.1; done; ps; echo done; sleep 60"
    lines = run("none", container(hatoba, look), side, pidMode="task").until("done")
    assert any("sleep 4711" in line for line in lines)
    assert lines[1].split()[0] == "1"
    assert "/pause" in lines[1]


def test_an_essential_container_that_ends_ends_who_shares_its_processes(hatoba: Instance, run: Any) -> None:
    side = container(hatoba, "exec sleep 60", "side")
    task = run("none", container(hatoba, "sleep 1; exit 3"), side, pidMode="task").stopped()
    codes = {found["name"]: found["exitCode"] for found in task["containers"]}
    assert codes == {"main": 3, "side": 143}, "it is not the first process, so the signal ends it"


def test_processes_are_shared_on_fargate_too(hatoba: Instance) -> None:
    look = "until ps | grep -q '[s]leep 4712'; do sleep 0.1; done; exit 7"
    plain = {"portMappings": []}
    containers = [container(hatoba, look, **plain), container(hatoba, "exec sleep 4712", "side", **plain)]
    for each in containers:
        del each["logConfiguration"]
    hatoba.client("ecs").register_task_definition(
        family="shared-on-fargate",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        pidMode="task",
        containerDefinitions=containers,
    )
    answer = hatoba.client("ecs").run_task(
        taskDefinition="shared-on-fargate", launchType="FARGATE", networkConfiguration=hatoba.network()
    )
    task = hatoba.wait_task(answer["tasks"][0]["taskArn"], "STOPPED")
    codes = {found["name"]: found.get("exitCode") for found in task["containers"]}
    assert codes["main"] == 7, task


def test_the_hosts_processes(hatoba: Instance, run: Any) -> None:
    lines = run("none", container(hatoba, "ps | grep -c containerd; echo done; sleep 60"), pidMode="host").until("done")
    assert int(lines[0]) >= 2


@pytest.mark.parametrize(("mode", "shared"), [("task", True), (None, False), ("none", False)])
def test_memory_is_shared(hatoba: Instance, run: Any, mode: str | None, shared: bool) -> None:
    both = {"mountPoints": [{"sourceVolume": "told", "containerPath": "/told"}]}
    write = "mkdir -p /dev/shm; echo word > /dev/shm/said; touch /told/so; sleep 60"
    look = "until [ -e /told/so ]; do sleep 0.1; done; cat /dev/shm/said 2>/dev/null; echo done; sleep 60"
    containers = container(hatoba, write, "writes", **both), container(hatoba, look, **both)
    more = {"ipcMode": mode} if mode else {}
    lines = run("bridge", *containers, volumes=[{"name": "told"}], **more).until("done")
    assert lines == (["word", "done"] if shared else ["done"])


# --- who may ask for what

TELL = r"""
get() { printf "GET $1 HTTP/1.0\r\n\r\n" | nc -w 20 169.254.170.2 80 | tail -n 1; echo; }
path=${ECS_CONTAINER_METADATA_URI_V4#http://169.254.170.2}
echo "PATH $path"
echo "ROLE $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
echo "CREDENTIALS $(get $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI)"
echo "SELF $(get $path)"
echo "TASK $(get $path/task)"
echo "THEIRS $(get $THEIR_ROLE)"
echo "THEM $(get $THEIR_PATH)"
echo done
sleep 60
"""


@pytest.mark.parametrize("mode", ["bridge", "host"])
def test_a_task_finds_its_own_credentials_and_metadata_and_no_others(hatoba: Instance, run: Any, mode: str) -> None:
    role = hatoba.task_role("modes")
    mappings = [{"containerPort": free_port()}]

    def teller(**environment: str) -> tuple[Started, dict[str, str]]:
        pairs = [{"name": name, "value": value} for name, value in environment.items()]
        task = run(mode, container(hatoba, TELL, environment=pairs, portMappings=mappings), taskRoleArn=role)
        return task, dict(line.split(" ", 1) for line in task.until("done") if " " in line)

    first, told = teller()
    assert json.loads(told["CREDENTIALS"])["RoleArn"] == role
    about, task = json.loads(told["SELF"]), json.loads(told["TASK"])
    assert task["TaskARN"] == first.arn
    assert about["Networks"][0]["NetworkMode"] == mode
    (binding,) = first.bindings()
    assert about["Ports"] == [
        {
            "ContainerPort": binding["containerPort"],
            "Protocol": "tcp",
            "HostPort": binding["hostPort"],
            "HostIp": "0.0.0.0",
        }
    ]
    assert ("IPv4Addresses" in about["Networks"][0]) == (mode == "bridge")
    mappings[0] = {"containerPort": free_port()}
    _, other = teller(THEIR_ROLE=told["ROLE"], THEIR_PATH=told["PATH"])
    assert json.loads(other["CREDENTIALS"])["RoleArn"] == role
    for answer in (other["THEIRS"], other["THEM"]):
        assert "AccessKeyId" not in answer
        assert first.id not in answer.replace(told["PATH"].rpartition("/")[2], "")


def test_what_the_host_itself_sends_there_is_left_alone(hatoba: Instance, run: Any) -> None:
    run("host", container(hatoba, "sleep 60")).running()
    assert asked(80, "169.254.170.2") == ""


def test_a_task_on_the_bridge_reaches_nothing_of_the_hosts_but_the_endpoint(hatoba: Instance, run: Any) -> None:
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ports = {int(fields[1].rpartition(":")[2], 16) for fields in sockets if fields[3] == LISTENS}
    pool = ip_network((hatoba.folder / "control" / "pool").read_text().strip())
    addresses = [str(pool[1]), "172.17.0.1", socket.gethostbyname(socket.gethostname())]
    tries = " ".join(f"{address}:{port}" for address in addresses for port in sorted(ports))
    ask = "(nc -w 4 ${at%:*} ${at#*:} </dev/null >/dev/null 2>&1 && echo reached $at) &"
    script = f"for at in {tries}; do {ask} done; wait; echo done; sleep 60"
    assert sorted(run("bridge", container(hatoba, script)).until("done")) == [
        "done",
        f"reached {pool[1]}:{hatoba.port}",
    ]


def test_nothing_of_these_is_left(hatoba: Instance) -> None:
    """All tasks of this module have stopped: no seat, no namespace, no process that held one."""

    def left() -> list[str]:
        lines = Traces(hatoba.folder).processes().values()
        return [line for line in lines if line.startswith("/pause")]

    eventually(lambda: not left())
