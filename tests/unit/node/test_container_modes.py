"""Network, pid and ipc modes: what a container is told, and what is written below its /etc."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.fleet.model import ContainerWanted, VolumeWanted, Workload
from hatoba.node import translate
from hatoba.node.etc import etc_files, host_files
from hatoba.node.translate import Host, Place, Seat
from hatoba.runtime.base import ContainerSpec, ImageConfig, Mount, Shared, Stdio
from tests.unit.node.pieces import container, workload

TASK = "a" * 32
LOCAL = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
SHARED = Shared(pidns="/proc/7/ns/pid", ipcns="/proc/7/ns/ipc")
HOST = Host(
    name="machine", hosts="127.0.0.1 localhost\n10.1.1.1 ldap", resolv="search corp\nnameserver 10.1.1.53\noptions x"
)
SEATS = {
    "web": Seat(netns="/run/net/web", address="172.17.0.4"),
    "db": Seat(netns="/run/net/db", address="172.17.0.5"),
}


def place(**fields: Any) -> Place:
    known = {"netns": "host", "address": "", "files": Path("/tasks/t1"), "registry": "localhost:4566"}
    return Place(**(known | fields))


def task(*containers: ContainerWanted, **fields: Any) -> Workload:
    return workload(TASK, *containers, **({"interface": None, "network": None} | fields))


def spec(task: Workload, wanted: ContainerWanted, where: Place, shared: Shared | None = None) -> ContainerSpec:
    return translate.container_spec(task, wanted, ImageConfig(), "sha256:1", where, Stdio(), shared)


# --- network


@pytest.mark.parametrize(
    ("wanted", "where", "netns"),
    [
        (container(), place(), "host"),
        (container(), place(netns=""), ""),
        (container(), place(netns="", seats=SEATS), "/run/net/web"),
        (container("db"), place(netns="", seats=SEATS), "/run/net/db"),
        (container(offline=True), place(netns="", seats=SEATS), ""),
    ],
)
def test_the_network_namespace(wanted: ContainerWanted, where: Place, netns: str) -> None:
    assert spec(task(wanted), wanted, where).netns == netns


def test_on_the_bridge_each_has_its_own_name_and_those_it_is_linked_to() -> None:
    web = container(links=(("db", "database"), ("db", "db")), extra_hosts={"api": "10.9.9.9"})
    db = container("db", hostname="postgres")
    where = place(netns="", servers=("169.254.169.253",), seats=SEATS)
    both = task(web, db, network_mode="bridge")
    files = etc_files(both, web, where)
    assert files["hosts"] == (
        f"{LOCAL}172.17.0.4 {'a' * 12}\n172.17.0.5 database postgres db\n172.17.0.5 db postgres\n10.9.9.9 api\n"
    )
    assert files["resolv.conf"] == "nameserver 169.254.169.253\n"
    assert files["hostname"] == f"{'a' * 12}\n"
    assert etc_files(both, db, where)["hosts"] == f"{LOCAL}172.17.0.5 postgres\n"


def test_a_link_to_who_has_no_seat_is_left_out() -> None:
    web = container(links=(("db", "database"), ("nobody", "x")))
    files = etc_files(task(web, container("db", offline=True)), web, place(seats={"web": SEATS["web"]}))
    assert files["hosts"] == f"{LOCAL}172.17.0.4 {'a' * 12}\n"


def test_on_the_hosts_network_its_own_files_are_there() -> None:
    wanted = container(extra_hosts={"api": "10.9.9.9"})
    files = etc_files(task(wanted, network_mode="host"), wanted, place(host=HOST))
    assert files["hosts"] == "127.0.0.1 localhost\n10.1.1.1 ldap\n10.9.9.9 api\n"
    assert files["resolv.conf"] == "search corp\nnameserver 10.1.1.53\noptions x\n"
    assert files["hostname"] == "machine\n"


@pytest.mark.parametrize(
    ("wanted", "resolv"),
    [
        (container(dns_servers=("9.9.9.9",)), "search corp\noptions x\nnameserver 9.9.9.9\n"),
        (container(dns_search=("a", "b")), "search a b\nnameserver 10.1.1.53\noptions x\n"),
    ],
)
def test_what_a_container_says_of_names_replaces_what_the_host_says(wanted: ContainerWanted, resolv: str) -> None:
    assert etc_files(task(wanted), wanted, place(host=HOST))["resolv.conf"] == resolv


def test_without_a_network_there_are_no_names_but_its_own() -> None:
    wanted = container()
    files = etc_files(task(wanted, network_mode="none"), wanted, place(netns=""))
    assert (files["hosts"], files["resolv.conf"]) == (LOCAL, "")


def test_the_hosts_files_are_read_as_they_are() -> None:
    assert host_files().hosts == Path("/etc/hosts").read_text()
    assert host_files().name


# --- processes and shared memory


@pytest.mark.parametrize(("mode", "pidns"), [("", ""), ("task", "/proc/7/ns/pid"), ("host", "host")])
def test_whose_processes_it_sees(mode: Any, pidns: str) -> None:
    made = spec(task(container(), pid_mode=mode), container(), place(), SHARED)
    assert (made.pidns, made.ipcns) == (pidns, "")


@pytest.mark.parametrize(
    ("mode", "ipcns", "size"),
    [("", "", 64 << 20), ("task", "/proc/7/ns/ipc", 64 << 20), ("host", "host", 64 << 20), ("none", "", 0)],
)
def test_whose_memory_it_shares(mode: Any, ipcns: str, size: int) -> None:
    made = spec(task(container(), ipc_mode=mode), container(), place(), SHARED)
    assert (made.pidns, made.ipcns, made.shm_size) == ("", ipcns, size)


def test_the_containers_of_a_task_share_one_memory_of_the_largest_size() -> None:
    small, large = container("a"), container("b", shm_size=128 << 20)
    both = task(small, large, ipc_mode="task")
    (volume,) = translate.volumes(both, small, ImageConfig())
    assert volume == VolumeWanted(
        name="dev.shm", filesystem="tmpfs", device="tmpfs", options="mode=1777,size=134217728"
    )
    made = [mount for mount in spec(both, small, place(), SHARED).mounts if mount.target == "/dev/shm"]
    assert made == [Mount(target="/dev/shm", kind="volume", source="dev.shm", options=("nosuid", "nodev", "noexec"))]
    assert not translate.volumes(task(small, large), small, ImageConfig())
