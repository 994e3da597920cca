"""What is wanted → what the runtime is told, compared with golden files that reviewers read.

`UPDATE_GOLDEN=1` writes them anew.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatoba.core.secret import Secret
from hatoba.fleet.model import (
    ContainerWanted,
    DependsOn,
    DeviceWanted,
    ImageWanted,
    Limit,
    LogWanted,
    MountWanted,
    RouterWanted,
    container_id,
)
from hatoba.node import translate
from hatoba.node.etc import etc_files
from hatoba.node.router import router_socket, write_router
from hatoba.node.translate import Place
from hatoba.runtime import merge
from hatoba.runtime.base import ImageConfig, Stdio
from tests.unit.node.pieces import container, workload

GOLDEN = Path(__file__).parent / "golden"
PLACE = Place(
    netns="/run/net/e-t1", address="10.0.0.7", servers=("10.0.0.2",), files=Path("/tasks/t1"), registry="localhost:4566"
)
IMAGE = ImageConfig(
    entrypoint=("/entry",), cmd=("serve", "--port=80"), env=("PATH=/bin", "LEVEL=info"), user="app", cwd="/srv"
)
FULL = ContainerWanted(
    name="web",
    image=ImageWanted(name="web:1", repository="web", reference="1"),
    command=("run",),
    environment={"LEVEL": "debug", "AWS_REGION": "mine"},
    secrets={"TOKEN": Secret("s3cret")},
    cwd="/work",
    user="1000:1000",
    hostname="front",
    cpu=256,
    memory=512 << 20,
    memory_reservation=128 << 20,
    swap=64 << 20,
    pids=100,
    shm_size=128 << 20,
    ulimits=(Limit(name="nofile", soft=2048, hard=4096),),
    sysctls={"net.core.somaxconn": "1024"},
    cap_add=("NET_ADMIN",),
    cap_drop=("MKNOD",),
    devices=(DeviceWanted(host_path="/dev/fuse"),),
    read_only_root=True,
    init=True,
    mounts=(
        MountWanted(target="/data", volume="scratch"),
        MountWanted(target="/conf", source="/srv/conf", read_only=True),
        MountWanted(target="/cache", tmpfs=True, size=1 << 20, options=("noexec",)),
        MountWanted(target="/etc/hosts", source="/srv/hosts"),
    ),
    labels={"team": "blue"},
    depends_on=(DependsOn(container="db", condition="START"),),
    log=LogWanted(driver="awslogs"),
)


def golden(name: str, value: object) -> None:
    encoded = msgspec.json.encode(value, order="sorted", enc_hook=repr)  # a secret says that it is one
    text = msgspec.json.format(encoded, indent=1).decode() + "\n"
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize(("name", "wanted"), [("plain", container()), ("full", FULL)])
def test_container_specs(name: str, wanted: ContainerWanted) -> None:
    task = workload(
        "t1",
        wanted,
        cpu=512,
        memory=1 << 30,
        hostname="ip-10-0-0-7",
        credential="c1",
        volumes=("scratch",),
        metadata={"LaunchType": "FARGATE"},
    )
    spec = translate.container_spec(task, wanted, IMAGE, "sha256:1", PLACE, Stdio(stdout="/fifo"))
    golden(f"{name}.json", {"spec": spec, "group": translate.task_resources(task)})


def test_names_that_the_user_set_are_left_alone() -> None:
    given = translate.environment(workload("t1", FULL, credential="c1"), FULL, PLACE)
    assert given["AWS_REGION"] == "mine"
    assert given["AWS_DEFAULT_REGION"] == "us-east-1"
    assert "TOKEN" not in given, "secrets go their own way"
    assert given["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] == "/v2/credentials/c1"


def test_without_a_role_there_is_no_path_to_credentials() -> None:
    assert "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" not in translate.environment(workload("t1", FULL), FULL, PLACE)


def test_ids_follow_from_the_task_and_fit() -> None:
    task = "a" * 32
    assert container_id(task, "web") == f"{task}-web"
    long = [container_id(task, "x" * 255), translate.container_id(task, "x" * 254)]
    assert len(set(long)) == 2
    assert max(map(len, long)) <= 76
    assert container_id(task, "x" * 255) == long[0]
    assert translate.endpoint_id(task, "web") != translate.endpoint_id(task, "app")


def test_our_own_registry_is_found_wherever_the_node_reaches_it() -> None:
    name = "localhost:4566/web:1"
    ours = ImageWanted(name=name, repository="web", reference="1", username="AWS", password=Secret("p"))
    source = translate.image_source(ours, "192.0.2.1:4566")
    assert (source.host, source.scheme) == ("192.0.2.1:4566", "http")
    assert source.credentials is not None
    theirs = ImageWanted(name="quay.io/x:1", host="quay.io", repository="x", reference="1")
    source = translate.image_source(theirs, "192.0.2.1:4566")
    assert (source.host, source.scheme, source.credentials) == ("quay.io", "https", None)


@pytest.mark.parametrize(
    ("wanted", "hostname", "place", "hosts", "resolv"),
    [
        (container(), "h", PLACE, "10.0.0.7 h\n", "nameserver 10.0.0.2\n"),
        (
            container(),
            "h",
            msgspec.structs.replace(PLACE, servers=("10.9.9.9", "10.9.9.10"), domain="corp.example"),
            "10.0.0.7 h\n",
            "search corp.example\nnameserver 10.9.9.9\nnameserver 10.9.9.10\n",
        ),
        (
            container(extra_hosts={"db": "10.9.9.9"}, dns_servers=("9.9.9.9",), dns_search=("a.b",)),
            "h",
            msgspec.structs.replace(PLACE, domain="corp.example"),
            "10.0.0.7 h\n10.9.9.9 db\n",
            "search a.b\nnameserver 9.9.9.9\n",
        ),
    ],
)
def test_files_below_etc(wanted: ContainerWanted, hostname: str, place: Place, hosts: str, resolv: str) -> None:
    files = etc_files(workload("t1", wanted, hostname=hostname), wanted, place)
    loopback = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
    assert files["hosts"] == loopback + hosts
    assert files["resolv.conf"] == resolv
    assert files["hostname"] == hostname + "\n"


def told(place: Place, **fields: Any) -> dict[str, str]:
    """The environment of a container whose logs a router takes."""
    routed = container("web", log=LogWanted(driver="fluentd", router="router"))
    task = workload("t1", container("router"), routed, **fields)
    spec = translate.container_spec(task, routed, IMAGE, "sha256:1", place, Stdio())
    return merge.split(spec.env)


def test_a_container_is_told_where_the_router_of_its_logs_listens() -> None:
    assert told(PLACE)["FLUENT_HOST"] == "127.0.0.1", "they share an interface"
    seats = {
        name: translate.Seat(netns=f"/{name}", address=f"172.17.0.{n}") for n, name in enumerate(("router", "web"))
    }
    bridged = msgspec.structs.replace(PLACE, netns="", seats=seats)
    assert told(bridged, interface=None, network_mode="bridge")["FLUENT_HOST"] == "172.17.0.0"
    assert told(bridged, interface=None, network_mode="bridge")["FLUENT_PORT"] == "24224"
    assert "FLUENT_HOST" not in told(PLACE, interface=None, network_mode="host"), "a port of the host may be anybody's"


def test_a_router_finds_its_files_and_a_folder_for_its_socket(tmp_path: Path) -> None:
    wanted = RouterWanted(files={"/fluent-bit/etc/fluent-bit.conf": "[INPUT]"}, sealed={"/x.conf": Secret("[OUTPUT]")})
    place = msgspec.structs.replace(PLACE, files=tmp_path)
    spec = translate.container_spec(workload(), container(router=wanted), IMAGE, "sha256:1", place, Stdio())
    write_router(wanted, tmp_path)
    mounts = {mount.target: mount for mount in spec.mounts}
    assert Path(mounts["/fluent-bit/etc/fluent-bit.conf"].source).read_text() == "[INPUT]"
    assert Path(mounts["/x.conf"].source).read_text() == "[OUTPUT]"
    assert mounts["/x.conf"].read_only
    assert Path(mounts["/var/run"].source) == router_socket(tmp_path).parent
    assert not mounts["/var/run"].read_only
    assert stat.S_IMODE(router_socket(tmp_path).parent.stat().st_mode) == 0o777, "the router may be any user"
