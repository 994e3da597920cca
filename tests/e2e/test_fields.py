"""What a container definition says reaches the real container: one task, read back from inside.

tests/unit/services/ecs/test_ecs_fields.py has the list of all members, and where the effect of each is shown.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.images import busybox_files
from tools.instance import Instance, eventually

pytestmark = pytest.mark.real

ULIMITS = {  # name as the kernel has it in /proc/self/limits → (ulimit, soft, hard)
    "Max core file size": ("core", 0, 0),
    "Max cpu time": ("cpu", 1000, 2000),
    "Max data size": ("data", 1 << 29, 1 << 30),
    "Max file size": ("fsize", 1 << 29, 1 << 30),
    "Max file locks": ("locks", 500, 600),
    "Max locked memory": ("memlock", 4096, 8192),
    "Max msgqueue size": ("msgqueue", 8192, 16384),
    "Max nice priority": ("nice", 0, 0),
    "Max open files": ("nofile", 100, 200),
    "Max processes": ("nproc", 300, 400),
    "Max resident set": ("rss", 1 << 28, 1 << 29),
    "Max realtime priority": ("rtprio", 0, 0),
    "Max realtime timeout": ("rttime", 1000, 2000),
    "Max pending signals": ("sigpending", 64, 128),
    "Max stack size": ("stack", 1 << 20, 1 << 21),
}
SAY = r"""
say() { printf '%s %s\n' "$1" "$(eval "$2" 2>&1 | tr '\n' ';')"; }
echo "args $0 $*"
say id 'id -u; id -g'
say cwd pwd
say env 'echo $COLOUR'
say caps 'grep -E "^Cap(Bnd|Eff)|NoNewPrivs" /proc/self/status | tr "\t" " "'
say root 'touch /x'
say tmpfs 'grep " /scratch " /proc/mounts'
say exec 'cp /bin/true /scratch/true && /scratch/true && echo ran'
say shm 'grep " /dev/shm " /proc/mounts'
say sysctl 'cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max'
say init 'cat /proc/1/comm'
cd /sys/fs/cgroup
if [ -d memory ]; then
    say memory 'cat memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes'
    say swap 'cat memory/memory.memsw.limit_in_bytes memory/memory.swappiness'
    say shares 'cat cpu/cpu.shares'
else
    say memory 'cat memory.max memory.low'
    say swap 'cat memory.swap.max'
    say shares 'cat cpu.weight'
fi
say stdin 'timeout 0.2 cat; echo $?'
say terminal 'test -t 1 && echo yes'
while read -r line; do echo "LIMIT $line"; done < /proc/self/limits
echo END
"""
PRIVILEGED = r"""
echo "caps $(grep CapEff /proc/self/status | tr '\t' ' ')"
echo "sys $(grep -c ' /sys sysfs rw' /proc/mounts)"
echo "devices $(ls /dev/loop-control)"
echo "seccomp $(grep '^Seccomp:' /proc/self/status | tr '\t' ' ')"
echo "stdin $(timeout 0.2 cat; echo $?)"
test -t 1 && echo "terminal yes"
echo END
"""
METADATA = (
    "printf 'GET %s HTTP/1.0\\r\\n\\r\\n' ${ECS_CONTAINER_METADATA_URI_V4#http://169.254.170.2} | nc 169.254.170.2 80"
)


def full(image: str) -> dict[str, Any]:
    return {
        "name": "full",
        "image": image,
        "cpu": 128,
        "memory": 128,
        "memoryReservation": 64,
        "entryPoint": ["sh", "-c", SAY],
        "command": ["first", "second"],
        "workingDirectory": "/srv/here",
        "user": "nobody:nogroup",
        "environment": [{"name": "COLOUR", "value": "blue"}],
        "readonlyRootFilesystem": True,
        "interactive": True,
        "dockerSecurityOptions": ["no-new-privileges"],
        "ulimits": [{"name": n, "softLimit": soft, "hardLimit": hard} for n, soft, hard in ULIMITS.values()],
        "systemControls": [
            {"namespace": "net.core.somaxconn", "value": "123"},
            {"namespace": "kernel.msgmax", "value": "9000"},
            {"namespace": "fs.mqueue.msg_max", "value": "20"},
        ],
        "linuxParameters": {
            "capabilities": {"add": ["NET_ADMIN"], "drop": ["MKNOD", "NET_RAW"]},
            "initProcessEnabled": True,
            "sharedMemorySize": 8,
            "swappiness": 30,
            "maxSwap": 16,
            "tmpfs": [
                {"containerPath": "/scratch", "size": 2, "mountOptions": ["mode=700", "uid=65534", "nr_inodes=50"]}
            ],
        },
    }


def privileged(image: str) -> dict[str, Any]:
    return {
        "name": "privileged",
        "image": image,
        "memory": 64,
        "command": ["sh", "-c", PRIVILEGED],
        "privileged": True,
        "pseudoTerminal": True,
    }


def rooted(image: str) -> dict[str, Any]:
    device = "ls -l /dev/ours; (: < /dev/ours) && echo read; (: > /dev/ours) 2>&1 && echo written"
    return {
        "name": "rooted",
        "image": image,
        "memory": 64,
        "command": ["sh", "-c", f"{METADATA} | tail -n 1; echo; {device}; echo END"],
        "dockerLabels": {"a": "b"},
        "linuxParameters": {
            "devices": [{"hostPath": "/dev/fuse", "containerPath": "/dev/ours", "permissions": ["read"]}]
        },
    }


@pytest.fixture(scope="module")
def said(hatoba: Instance) -> dict[str, list[str]]:
    """What each container wrote."""
    ecs, logs = hatoba.client("ecs"), hatoba.client("logs")
    image = hatoba.push("fields", busybox_files({"srv/here/.keep": ""}))
    options = {"awslogs-group": "/fields", "awslogs-region": "us-east-1", "awslogs-create-group": "true"}
    log = {"logDriver": "awslogs", "options": {**options, "awslogs-stream-prefix": "f"}}
    containers = [full(image), privileged(image), rooted(image)]
    ecs.register_task_definition(
        family="fields",
        networkMode="awsvpc",
        requiresCompatibilities=["EC2"],
        executionRoleArn=hatoba.task_role("fields"),
        containerDefinitions=[
            {**container, "essential": False, "logConfiguration": log} for container in containers[1:]
        ]
        + [{**containers[0], "logConfiguration": log}],
    )
    answer = ecs.run_task(taskDefinition="fields", launchType="EC2", networkConfiguration=hatoba.network())
    assert answer["failures"] == []
    arn = answer["tasks"][0]["taskArn"]

    def lines(name: str) -> list[str] | None:
        stream = f"f/{name}/{arn.rpartition('/')[2]}"
        try:
            events = logs.get_log_events(logGroupName="/fields", logStreamName=stream, startFromHead=True)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return None
        found = [event["message"].rstrip("\r") for event in events]
        return found if found and found[-1] == "END" else None

    return {c["name"]: eventually(lambda name=c["name"]: lines(name)) or [] for c in containers}


def test_a_container_is_as_its_definition_says(said: dict[str, list[str]]) -> None:
    found = dict(line.partition(" ")[::2] for line in said["full"] if not line.startswith("LIMIT"))
    assert found["args"] == "first second"
    assert found["id"] == "65534;65534;"
    assert found["cwd"] == "/srv/here;"
    assert found["env"] == "blue;"
    assert "CapEff: 0000000000000000" in found["caps"]  # not root
    bounding = int(found["caps"].partition("CapBnd: ")[2].partition(";")[0], 16)
    assert bounding >> 12 & 1  # NET_ADMIN
    assert not bounding >> 13 & 1  # NET_RAW
    assert not bounding >> 27 & 1  # MKNOD
    assert "NoNewPrivs: 1" in found["caps"]
    assert "Read-only file system" in found["root"]
    for word in ("size=2048k", "nr_inodes=50", "mode=700", "uid=65534", "nosuid", "nodev", "noexec"):
        assert word in found["tmpfs"]
    assert "ran" not in found["exec"]  # as docker: a tmpfs does not run programs unless told to
    assert "size=8192k" in found["shm"]
    assert found["sysctl"] == "123;9000;20;"
    assert found["init"] == "docker-init;"
    assert found["memory"] == f"{128 << 20};{64 << 20};"
    if "No such file" not in found["swap"]:  # a kernel that does not count swap
        assert found["swap"] in (f"{144 << 20};30;", f"{16 << 20};")  # version 1 counts it with the memory
    assert found["shares"] in ("128;", "5;")  # a weight of version 2
    assert found["stdin"].endswith("143;")  # it was still waiting when it was ended
    assert found["terminal"] == ""


def test_all_limits_are_set(said: dict[str, list[str]]) -> None:
    rows = {line.removeprefix("LIMIT ")[:25].strip(): line.removeprefix("LIMIT ")[25:].split() for line in said["full"]}
    for name, (_, soft, hard) in ULIMITS.items():
        assert rows[name][:2] == [str(soft), str(hard)], name


def test_a_privileged_container_may_do_what_the_machine_may(said: dict[str, list[str]]) -> None:
    found = dict(line.partition(" ")[::2] for line in said["privileged"])
    status = Path("/proc/self/status").read_text().splitlines()
    own = next(line.split()[1] for line in status if line.startswith("CapBnd"))
    assert found["caps"] == f"CapEff: {own}"
    assert found["sys"] == "1"
    assert found["devices"] == "/dev/loop-control"
    assert found["seccomp"] == "Seccomp: 0"
    assert found["terminal"] == "yes"


def test_labels_are_told_beside_those_of_the_platform(said: dict[str, list[str]]) -> None:
    labels = json.loads(said["rooted"][0])["Labels"]
    assert labels["a"] == "b"
    assert labels["com.amazonaws.ecs.container-name"] == "rooted"


def test_a_device_may_be_used_as_it_is_permitted(said: dict[str, list[str]]) -> None:
    listed, *done = said["rooted"][1:-1]
    assert listed.startswith("c")
    assert done[0] == "read"
    assert "Operation not permitted" in done[1]
    assert "written" not in done
