"""The OCI configs, as golden files: what changes there, changes for every container.

`HATOBA_GOLDEN=write` writes them anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatoba.runtime import oci, seccomp
from hatoba.runtime.base import ContainerSpec, ExecSpec, Mount, Resources, Stdio, Ulimit
from hatoba.runtime.machine import Machine
from hatoba.runtime.oci import DeviceNode
from hatoba.runtime.users import User

GOLDEN = Path(__file__).parent / "golden"
PROFILE = seccomp.Profile(
    default_errno_ret=38,
    syscalls=(
        seccomp.Rule(names=("read", "write", "mount", "clone", "keyctl"), action="SCMP_ACT_ALLOW"),
        seccomp.Rule(names=("chroot",), action="SCMP_ACT_ALLOW", includes=seccomp.Condition(caps=("CAP_SYS_CHROOT",))),
    ),
)
PLAIN = ContainerSpec(id="0123456789abcdef", image="sha256:x", args=("nginx",), env=("PATH=/bin",))
FULL = ContainerSpec(
    id="web",
    image="sha256:x",
    args=("/bin/app", "--serve"),
    env=("PATH=/bin", "HOME=/data", "A=b"),
    cwd="/srv",
    group="task-1",
    netns="/run/netns/eni-1",
    pidns="/proc/7/ns/pid",
    ipcns="host",
    hostname="web-1",
    mounts=(
        Mount(target="/data/inner", kind="tmpfs", size=1024, options=("noexec",)),
        Mount(target="/data", source="/var/lib/volumes/data"),
        Mount(target="/etc/hosts", source="/run/hosts", read_only=True),
        Mount(target="/shared", source="/srv/shared", options=("rshared",)),
    ),
    stdio=Stdio(stdout="/run/out", terminal=True),
    resources=Resources(
        cpu_shares=1,
        cpu_quota=50_000,
        cpuset="0-1",
        memory=64 << 20,
        memory_reservation=32 << 20,
        swappiness=0,
        pids=50,
    ),
    ulimits=(Ulimit(name="nofile", soft=4096, hard=-1), Ulimit(name="memlock", soft=-1, hard=-1)),
    sysctls={"net.core.somaxconn": "1024"},
    cap_add=("NET_ADMIN",),
    cap_drop=("MKNOD", "CAP_SYS_CHROOT"),
    no_new_privileges=True,
    read_only_root=True,
    init=True,
)


def machine(layout: str, **more: Any) -> Machine:
    return Machine(layout=layout, cgroup_parent="/hatoba-main", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("plain-v1", lambda: oci.config(PLAIN, machine("v1"), User(), PROFILE)),
        ("plain-v2", lambda: oci.config(PLAIN, machine("v2"), User(), PROFILE)),
        (
            "full-hybrid",
            lambda: oci.config(
                FULL,
                machine("hybrid", swap=False, rlimits={"nofile": 20_000}),
                User(uid=1000, gid=1000, groups=(1001,), home="/home/web"),
                PROFILE,
                "/proc/1/root/run/netns/eni-1",
                [DeviceNode(path="/dev/fuse", type="c", major=10, minor=229, mode=0o666, permissions="rw")],
            ),
        ),
    ],
)
def test_config(name: str, made: Any) -> None:
    text = json.dumps(made(), indent=1) + "\n"
    file = GOLDEN / f"{name}.json"
    if os.environ.get("HATOBA_GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


def test_hybrid_limits_are_those_of_v1() -> None:
    assert oci.config(PLAIN, machine("hybrid"), User(), PROFILE) == oci.config(PLAIN, machine("v1"), User(), PROFILE)


@pytest.mark.parametrize(
    ("pidns", "args"),
    [
        ("", [oci.INIT, "--", "app"]),
        ("/proc/7/ns/pid", [oci.INIT, "-s", "--", "app"]),
        ("host", [oci.INIT, "-s", "--", "app"]),
    ],
)
def test_an_init_process_asks_for_orphans_where_it_is_not_the_first(pidns: str, args: list[str]) -> None:
    spec = msgspec.structs.replace(PLAIN, args=("app",), pidns=pidns, init=True)
    assert oci.config(spec, machine("v1"), User(), PROFILE)["process"]["args"] == args


@pytest.mark.parametrize(
    ("more", "mounted"),
    [({}, "shm"), ({"ipcns": "/proc/7/ns/ipc"}, "shm"), ({"ipcns": "host"}, "/dev/shm"), ({"shm_size": 0}, None)],
)
def test_shared_memory(more: dict[str, Any], mounted: str | None) -> None:
    config = oci.config(msgspec.structs.replace(PLAIN, **more), machine("v1"), User(), PROFILE)
    found = [mount["source"] for mount in config["mounts"] if mount["destination"] == "/dev/shm"]
    assert found == ([mounted] if mounted else [])


@pytest.mark.parametrize("kind", ["pid", "ipc", "network"])
@pytest.mark.parametrize(("path", "expected"), [("", [{}]), ("/proc/7/ns/x", [{"path": "/proc/7/ns/x"}]), ("host", [])])
def test_namespaces(kind: str, path: str, expected: list[dict[str, str]]) -> None:
    field = {"pid": "pidns", "ipc": "ipcns", "network": "netns"}[kind]
    config = oci.config(msgspec.structs.replace(PLAIN, **{field: path}), machine("v1"), User(), PROFILE)
    found = [space for space in config["linux"]["namespaces"] if space["type"] == kind]
    assert found == [{"type": kind, **more} for more in expected]


def test_privileged_has_neither_filter_nor_masks() -> None:
    spec = ContainerSpec(id="p", image="x", args=("sh",), privileged=True)
    config = oci.config(spec, machine("v1"), User(), PROFILE)
    assert not {"seccomp", "maskedPaths", "readonlyPaths"} & set(config["linux"])
    assert config["linux"]["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    assert len(config["process"]["capabilities"]["effective"]) == 41


def test_nothing_is_passed_on_that_we_do_not_have() -> None:
    poor = machine("v1", capabilities=("CAP_CHOWN",), rlimits={"nofile": 100, "core": 0})
    spec = ContainerSpec(
        id="p", image="x", args=("sh",), privileged=True, ulimits=(Ulimit(name="core", soft=-1, hard=-1),)
    )
    process = oci.config(spec, poor, User(), PROFILE)["process"]
    assert process["capabilities"]["bounding"] == ["CAP_CHOWN"]
    assert process["rlimits"] == [
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
        {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 100},
    ]


def test_a_mount_over_a_default_one_replaces_it() -> None:
    spec = ContainerSpec(id="p", image="x", args=("sh",), mounts=(Mount(target="/dev/shm", source="/srv/shm"),))
    mounts = oci.config(spec, machine("v1"), User(), PROFILE)["mounts"]
    assert [mount["source"] for mount in mounts if mount["destination"] == "/dev/shm"] == ["/srv/shm"]


def test_swap_is_none_unless_asked_for() -> None:
    def memory(**more: Any) -> Any:
        return oci.resources(Resources(memory=100, **more), machine("v1"))["memory"]

    assert memory() == {"limit": 100, "swap": 100}
    assert memory(memory_swap=300) == {"limit": 100, "swap": 300}
    assert memory(memory_swap=-1) == {"limit": 100, "swap": -1}
    assert oci.resources(Resources(memory=100, swappiness=5), machine("v2", swap=False))["memory"] == {"limit": 100}


def test_exec_takes_over_what_it_does_not_say() -> None:
    base = oci.config(FULL, machine("v1"), User(uid=1000, gid=1000), PROFILE)["process"]
    process = oci.exec_process(base, ExecSpec(id="e", args=("sh",), env=("A=c", "B=d")), None)
    assert process["env"] == ["PATH=/bin", "HOME=/data", "A=c", "TERM=xterm", "B=d"]
    assert (process["cwd"], process["user"]["uid"], process["args"]) == ("/srv", 1000, ["sh"])
    assert "terminal" not in process
    other = oci.exec_process(base, ExecSpec(id="e", args=("sh",), cwd="/", terminal=True, columns=9, rows=8), User())
    assert (other["cwd"], other["user"]["uid"], other["terminal"]) == ("/", 0, True)
    assert other["consoleSize"] == {"width": 9, "height": 8}
