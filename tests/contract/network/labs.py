"""Where the contract is tried: two nodes, the world outside of them, and a way to ask who reaches whom.

The real lab is made of namespaces of its own: nothing of the machine's own network is touched. A bridge stands for the
network between the nodes; it leads to the world, which knows no IPv4 address of ours: only translated packets come
back. Our IPv6 blocks it takes to the first node, unless it is told that an address is at the second one. Both hosts
forward IPv6.

    world 198.51.100.1, 2001:db8::1 ─── bridge ─┬─ node 0 198.51.100.10, 2001:db8::10
                                                └─ node 1 198.51.100.11, 2001:db8::11
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from nftables import Nftables

from hatoba.network import syscalls
from hatoba.network.base import Fabric, HostService, Settings
from hatoba.network.fabric import KernelFabric
from hatoba.network.netlink import Netlink, index, settle, settle_addresses
from hatoba.network.simulated import SimulatedFabric, Underlay
from tools.waiting import heard

T = TypeVar("T")

WORLD, WORLD6 = "198.51.100.1", "2001:db8::1"
NODES = ("198.51.100.10", "198.51.100.11")
NODES6 = ("2001:db8::10", "2001:db8::11")
POOL6 = "fd68:6174:6f00::/40"
ENDPOINT = 4566  # the host service that tasks may reach
_MACS = ("02:00:00:00:ff:10", "02:00:00:00:ff:11", "02:00:00:00:ff:01")  # of the nodes, and of the world


def settings(folder: Path, node: int, instance: str) -> Settings:
    return Settings(
        instance=f"{instance}-{node}",
        run_dir=folder / f"run-{node}",
        shared_dir=folder / f"shared-{node}",
        pool="100.80.0.0/16",
        transit=f"100.80.{4 * node}.0/22",
        host_address=f"100.80.{4 * node}.1",
        pool6=POOL6,
        host_address6=f"fd68:6174:6f00::{node + 1}",
        host_services=(HostService(port=ENDPOINT),),
        underlay=NODES[node],
    )


def inside(namespace: Path, job: Callable[[], T]) -> T:
    """The job's result, from a thread in that network namespace."""

    def work() -> T:
        descriptor = syscalls.open_namespace(namespace)
        try:
            syscalls.enter(descriptor)
        finally:
            os.close(descriptor)
        return job()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def run(namespace: Path, command: str) -> str:
    """A command's output, from inside the namespace."""
    words = ["nsenter", f"--net={namespace}", "--", *command.split()]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def rules(namespace: Path, command: str = "list ruleset") -> str:
    """What libnftables answers to the command, inside the namespace."""
    code, output, error = inside(namespace, lambda: Nftables().cmd(command))
    assert code == 0, error
    return str(output)


def launch(namespace: Path, program: str, *through: str) -> subprocess.Popen[str]:
    """A Python program inside the namespace, as an agent would start a proxy there."""
    words = ["nsenter", f"--net={namespace}", "--", *through, sys.executable, "-c", program]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


class SimulatedLab:
    real = False

    def __init__(self, folder: Path) -> None:
        underlay = Underlay()
        self.settings = [settings(folder, node, "lab") for node in range(2)]
        self.fabrics: list[Fabric] = [SimulatedFabric(given, underlay) for given in self.settings]

    async def start(self) -> None:
        for fabric in self.fabrics:
            await fabric.start()

    async def listen(self, node: int, holder: str | None, address: str, port: int, protocol: str = "tcp") -> None:
        """Everything listens here."""

    async def reaches(
        self, node: int, source: str | None, address: str, port: int = 80, protocol: str = "tcp", own: str | None = None
    ) -> bool:
        fabric = self.fabrics[node]
        assert isinstance(fabric, SimulatedFabric)
        return fabric.can_reach(source, address, port, protocol, own)

    async def close(self) -> None:
        for fabric in self.fabrics:
            await fabric.teardown()


class RealLab:
    real = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sockets: list[socket.socket] = []
        self.settings = [settings(folder, node, uuid.uuid4().hex) for node in range(2)]
        self.hosts = [folder / f"host-{node}" for node in range(2)]
        self.world = folder / "world"
        for path in (self.world, *self.hosts):
            self._make(path)
        run(self.world, "ip link set lo up")
        run(self.world, f"ip link add br0 address {_MACS[-1]} type bridge")
        run(self.world, f"ip address add {WORLD}/24 dev br0")
        run(self.world, "ip link set br0 up")
        for node, path in enumerate(self.hosts):
            run(self.world, f"ip link add n{node} type veth peer name eth0 address {_MACS[node]} netns {path}")
            run(self.world, f"ip link set n{node} master br0 up")
            run(path, "ip link set lo up")
            run(path, f"ip address add {NODES[node]}/24 dev eth0")
            run(path, "ip link set eth0 addrgenmode none up")
            run(path, f"ip route add default via {WORLD}")
        self._connect_ipv6()
        inside(self.world, lambda: _settle(("n0", "n1", "br0"), WORLD6))
        for path, address6 in zip(self.hosts, NODES6, strict=True):
            inside(path, lambda address6=address6: _settle(("eth0",), address6))  # type: ignore[misc]
        for path in self.hosts:
            inside(path, lambda: Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1"))
        self.before = [self.state(node) for node in range(2)]
        self.fabrics: list[Fabric] = [
            KernelFabric(given, home) for given, home in zip(self.settings, self.hosts, strict=True)
        ]

    def _connect_ipv6(self) -> None:
        """Neighbours are written down: until they have found each other by multicast, a second may pass."""
        run(self.world, f"ip address add {WORLD6}/64 dev br0 nodad")
        for node, path in enumerate(self.hosts):
            run(self.world, f"ip neighbour add {NODES6[node]} lladdr {_MACS[node]} dev br0")
            run(path, f"ip address add {NODES6[node]}/64 dev eth0 nodad")
            run(path, f"ip neighbour add {WORLD6} lladdr {_MACS[-1]} dev eth0")
            run(path, f"ip route add default via {WORLD6}")
        run(self.world, f"ip route add {POOL6} via {NODES6[0]}")

    def tell_world(self, address6: str, node: int) -> None:
        """At which node it is: IPv6 is routed, and nobody translates it."""
        run(self.world, f"ip route replace {address6}/128 via {NODES6[node]}")

    def _make(self, path: Path) -> None:
        def work() -> None:
            syscalls.unshare()
            syscalls.pin(path)

        with ThreadPoolExecutor(1) as thread:
            thread.submit(work).result()

    async def start(self) -> None:
        for fabric in self.fabrics:
            await fabric.start()

    def namespace(self, node: int, holder: str | None) -> Path:
        """Of an interface or a VPC; None is the node's host, "world" the outside."""
        if holder is None:
            return self.hosts[node]
        return self.world if holder == "world" else self.settings[node].run_dir / "netns" / holder

    async def listen(
        self, node: int, holder: str | None, address: str, port: int, protocol: str = "tcp"
    ) -> socket.socket:
        def work() -> socket.socket:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            opened = socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((address, port))
            if protocol == "tcp":
                opened.listen(4096)  # nobody takes the connections that tests open
            opened.setblocking(False)
            return opened

        opened = inside(self.namespace(node, holder), work)
        self._sockets.append(opened)
        return opened

    async def reaches(
        self, node: int, source: str | None, address: str, port: int = 80, protocol: str = "tcp", own: str | None = None
    ) -> bool:
        """`own` is the address to connect from, and then `source` a VPC: for the router's addresses."""
        opened = await self.connect(node, source, address, port, own=own)
        if opened is not None:
            opened.close()
        return opened is not None

    async def connect(
        self, node: int, source: str | None, address: str, port: int, own: str | None = None
    ) -> socket.socket | None:
        def work() -> socket.socket:
            opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
            opened.setblocking(False)
            if own is not None:
                opened.bind((own, 0))
            return opened

        opened = inside(self.namespace(node, source), work)
        try:
            await heard(asyncio.get_running_loop().sock_connect(opened, (address, port)))
        except ConnectionRefusedError:
            opened.close()
            raise AssertionError(f"nobody listens at {address}:{port}, but it was reached") from None
        except OSError:  # silence, or no way there
            if not _is_connected(opened):  # on a busy machine the clock may be seen before the answer
                opened.close()
                return None
        return opened

    def state(self, node: int) -> dict[str, str]:
        """All of the host's network configuration that a fabric could have changed."""
        path = self.hosts[node]
        flags = inside(path, _interface_settings)
        return {
            "links": run(path, "ip -o link"),
            "addresses": run(path, "ip -o -4 address") + run(path, "ip -o -6 address"),
            "routes": run(path, "ip -4 route show table all"),
            "routes6": run(path, "ip -6 route show table all"),
            "ways": run(path, "ip rule") + run(path, "ip -6 rule"),
            "rules": rules(path),
            "settings": flags,
        }

    def restarted(self, node: int) -> KernelFabric:
        """A new process's fabric over what the present one leaves."""
        return KernelFabric(self.settings[node], self.hosts[node])

    async def close(self) -> None:
        for opened in self._sockets:
            opened.close()
        try:
            for fabric in self.fabrics:
                await fabric.teardown()
        finally:
            for path in (*self.hosts, self.world):
                syscalls.unpin(path)


def _settle(devices: Iterable[str], address6: str) -> None:
    """Until each of them sends packets itself, and the address is had."""
    with Netlink() as netlink:
        for device in devices:
            number = index(device)
            assert number is not None
            settle(netlink, number)
        settle_addresses(netlink, [address6])


def _is_connected(opened: socket.socket) -> bool:
    try:
        opened.getpeername()
    except OSError:
        return False
    return True


def _interface_settings() -> str:
    root, root6 = Path("/proc/sys/net/ipv4"), Path("/proc/sys/net/ipv6")
    files = [root / "ip_forward", *sorted((root / "conf").glob("*/*")), *sorted((root6 / "conf").glob("*/*"))]
    return "\n".join(
        f"{file}={file.read_text().strip()}"
        for file in files
        if os.access(file, os.R_OK) and file.name != "stable_secret"  # which is none, and cannot be read then
    )


Lab = SimulatedLab | RealLab
