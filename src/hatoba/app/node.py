"""The node agent's process: runtime, network, proxies, logs and the session, put together.

What it manages outlives it: containers, networks and proxies stay as they are when it ends, and its successor finds
them again, with or without a control plane.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import socket
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TypeVar

import msgspec

import hatoba
from hatoba.app import process
from hatoba.app.places import Places
from hatoba.core.clock import SystemClock
from hatoba.core.errors import Refused
from hatoba.core.ids import RandomIds
from hatoba.core.tasks import TaskGroup
from hatoba.dns.forward import Forwarder, HostResolvers
from hatoba.fleet import messages as msg
from hatoba.fleet.items import BalancerItem, NetworkItem, ZoneItem
from hatoba.network.addresses import router as first_address
from hatoba.network.base import BRIDGE, HostService
from hatoba.network.base import Settings as NetworkSettings
from hatoba.network.beyond import Gate
from hatoba.network.fabric import KernelFabric
from hatoba.node import bridge
from hatoba.node.agent import Agent
from hatoba.node.balancer_logs import RETRY, BalancerLogs
from hatoba.node.balancers import Balancers, opening
from hatoba.node.entrances import Brought, Entrances, HandedOver
from hatoba.node.executions import Executions
from hatoba.node.logs.node_logs import NodeLogs
from hatoba.node.memory import Memory
from hatoba.node.metadata.endpoint import MetadataEndpoint
from hatoba.node.metadata.hostside import HostEndpoint
from hatoba.node.output import ShippedOutput, sender
from hatoba.node.places import REGISTRY
from hatoba.node.resolver import OF_ROUTER, Resolver
from hatoba.node.session import Identity, Session, join, parse_pass
from hatoba.node.wiring import Wiring
from hatoba.node.worker import Worker
from hatoba.proxy import launches, tracer
from hatoba.proxy.base import OnHealth
from hatoba.proxy.engine import EnvoyProxy
from hatoba.proxy.server import ConfigServer
from hatoba.runtime import cgroups
from hatoba.runtime.containerd.runtime import ContainerdRuntime
from hatoba.runtime.containerd.settings import Settings as RuntimeSettings
from hatoba.runtime.machine import this_platform

log = logging.getLogger(__name__)
T = TypeVar("T")


TOKEN_SECONDS = 60.0
CGROUPS = "/sys/fs/cgroup"  # where packet rules look for them


def _text(path: Path) -> str:
    """The file's text, "" while it is not there."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`address` is this node's for the other nodes; "" when it is the only one."""

    name: str
    address: str = ""
    token: str = ""  # to join with; of an activation, its code
    activation: str = ""
    token_file: Path | None = None  # where a control plane on this machine is about to leave one
    local: bool = False  # the control plane is on this machine, in the same data directory
    endpoint_port: int = 4566
    task_endpoint: bool = True  # tasks find the endpoint in their environment
    entrances: bool = False  # tasks may ask the control plane, since it asks who calls: also by VPC endpoints
    bridge: str = "172.17.0.0/16"
    metadata_file: bool = False  # containers on instances find a file about themselves
    elb_log_period: float = 300.0  # seconds after which what load balancers have noted becomes files
    log_level: str = "INFO"
    attributes: dict[str, str] = {}  # what the owner says of it: custom attributes of the container instance


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Where the control plane is, kept from the join on."""

    host: str
    port: int


class Node:
    """One agent. `start` raises `Refused` when something is missing."""

    def __init__(self, settings: NodeSettings, places: Places) -> None:
        self._settings = settings
        self._places = places
        self._clock = SystemClock()
        self._identity = Identity(places.node / "identity")
        self._where_file = places.node / "control"
        self._tasks = TaskGroup("node")

    async def start(self, stop: asyncio.Event) -> None:
        where = await self._join(stop)
        places, clock = self._places, self._clock
        pool, transit = self._identity.addresses
        self.fabric = KernelFabric(
            network_settings(
                places,
                pool,
                transit,
                pool6=self._identity.pool6,
                address=self._settings.address,
                endpoint_port=self._settings.endpoint_port if self._is_beside else 0,
                bridge=self._settings.bridge,
            )
        )
        await self.fabric.start()
        self.runtime = await ContainerdRuntime.open(runtime_settings(places), clock, RandomIds())
        self.memory = Memory(places.node)
        self.memory.open()
        self._config = ConfigServer(places.run / "proxy" / "config.sock")
        await self._config.start()
        self._assemble(where)
        self.agent.recall()
        await self.logs.start()
        await self.balancer_logs.start()
        await self.worker.start()
        await self.agent.start()
        await self._serve_host()
        if without := tracer.missing():
            log.warning("a script writes the trace headers of load balancers, which costs: %s", without)
        for container in self.logs.containers:
            if self.agent.workload_of(container) is None:  # nobody will ask for it any more
                self._tasks.start(self.logs.drain(container), f"drain {container}")

    async def _serve_host(self) -> None:
        """For tasks on the host's network: packet rules know them by their cgroup in the version 2 tree."""
        tree = cgroups.detect().version2
        if not tree.startswith(CGROUPS):
            log.warning("there is no cgroup tree of version 2: tasks on the host's network have no metadata")
            return
        parent = runtime_settings(self._places).cgroup_parent
        await self.host_metadata.start(parent.strip("/"), tree.removeprefix(CGROUPS).strip("/"))

    async def _join(self, stop: asyncio.Event) -> Where:
        token = await self._token(stop)
        if not self._identity.exists:
            if not token:
                raise Refused("This node has not joined anything yet: give it a token (`hatoba node --join TOKEN`).")
            await join(self._identity, token, self._settings.name, self._settings.activation)
        if token:
            given = parse_pass(token, self._settings.activation)
            self._where_file.write_bytes(msgspec.json.encode(Where(host=given.host, port=given.port)))
        return msgspec.json.decode(self._where_file.read_bytes(), type=Where)

    async def _token(self, stop: asyncio.Event) -> str:
        """The token given, or the one that the control plane, which starts at the same time, leaves in a file."""
        file = self._settings.token_file
        if file is None or self._identity.exists:
            return self._settings.token
        deadline = self._clock.monotonic() + TOKEN_SECONDS
        while not (token := _text(file)):  # another process makes the file
            if stop.is_set() or self._clock.monotonic() > deadline:
                raise Refused(f"The control plane has left no join token in {file}.")
            await asyncio.sleep(0.01)
        return token

    def _assemble(self, where: Where) -> None:
        """The agent and its parts. They know of each other: each asks for another only once all are there."""
        self.agent = Agent(self.memory, self.runtime, self._clock)
        self._assemble_session(where)
        self.wiring = self._assemble_networks()
        self._assemble_work()
        self.agent.bind(self.worker, self.wiring, self.session)

    def _assemble_session(self, where: Where) -> None:
        name = f"exec-{int(self._clock.now() * 1000)}"
        self.executions = Executions(self.runtime, lambda: self.session.dial(), self.agent.enterable, name)
        self.session = Session(
            self.memory,
            self.agent,
            self._hello,
            host=where.host,
            port=where.port,
            context=self._identity.context(),
            execute=self.executions.execute,
        )

    def _assemble_networks(self) -> Wiring:
        """With all that serves inside of them."""
        clock, places, port = self._clock, self._places, self._settings.endpoint_port
        self.balancers = Balancers(
            self._wanted_balancers, self._proxy, self.session.report, clock, opening(self.fabric), self._here
        )
        self.balancers.start(self.session.traffic)
        self.balancer_logs = BalancerLogs(
            places.node / "elb",
            lambda: self.session,
            lambda network: not launches.found(places.run / "proxy" / network),
            clock,
            min(RETRY, self._settings.elb_log_period),
        )
        self.metadata = MetadataEndpoint(self.fabric, self.agent, self.runtime, clock)
        self.host_metadata = HostEndpoint(self.fabric, self.agent, self.runtime, clock)
        self._forwarder = Forwarder(HostResolvers(clock), clock)
        self.resolver = Resolver(
            self.fabric,
            lambda: {**self.wiring.items("network", NetworkItem), BRIDGE: bridge.NETWORK},
            lambda: self.wiring.items("zone", ZoneItem),
            self._forwarder,
            clock,
        )
        serves = HandedOver(places.entrances) if self._settings.local else Brought(lambda: self.session.dial())
        self.entrances = Entrances(self.fabric, port, serves)
        serving = (self.metadata, self.resolver, self.balancers)
        if self._settings.entrances:
            direct = Gate(address=self._here, port=port) if self._settings.local else None
            return Wiring(self.fabric, (*serving, self.entrances), port, direct)
        return Wiring(self.fabric, serving)

    def _assemble_work(self) -> None:
        places = self._places
        own = sender(lambda: self.session, self.agent.workload_of)
        self.logs = NodeLogs(places.node / "output", own, places.node / "state.key")
        self.worker = Worker(
            self.runtime,
            self.wiring,
            ShippedOutput(self.logs, places.node / "tasks", places.node / "log-files"),
            places.node / "tasks",
            self._clock,
            this_platform(),
            self.agent.emit,
            self._task_endpoint(),
            self._task_endpoint6(),
            told_by_file=self._settings.metadata_file,
        )

    def _task_endpoint(self) -> str:
        """Beside the control plane it is at the host's end of every router's uplink; else where the registry is."""
        if not self._settings.task_endpoint:
            return ""
        if not self._settings.local:
            return REGISTRY
        return f"http://{self._here}:{self._settings.endpoint_port}"

    def _task_endpoint6(self) -> str:
        """Likewise for tasks that have IPv6 only; other machines' nodes know no such way."""
        pool, transit = self._identity.addresses
        there = host_address6(pool, transit, self._identity.pool6)
        if not self._settings.task_endpoint or not self._settings.local or there is None:
            return ""
        return f"http://[{there}]:{self._settings.endpoint_port}"

    @property
    def _is_beside(self) -> bool:
        """The control plane is on this machine, and tasks may ask it."""
        return self._settings.local and self._settings.entrances

    @property
    def _here(self) -> str:
        """The host's end of every router's uplink."""
        _, transit = self._identity.addresses
        return str(first_address(IPv4Network(transit)))

    def _wanted_balancers(self) -> dict[str, BalancerItem]:
        return self.wiring.items("balancer", BalancerItem)

    def _proxy(self, network: str, netns: Path, on_health: OnHealth) -> EnvoyProxy:
        return EnvoyProxy(
            name=network,
            directory=self._places.run / "proxy" / network,
            server=self._config,
            clock=self._clock,
            on_health=on_health,
            netns=str(netns),
            opener=functools.partial(self._open_socket, network),
            logs=self._places.node / "elb" / network,
            log_period=self._settings.elb_log_period,
            on_files=self.balancer_logs.made,
            resolver=OF_ROUTER,
            tracer=tracer.module(),
        )

    async def _open_socket(self, network: str, family: socket.AddressFamily) -> socket.socket:
        return await self.fabric.open_socket(network, family, socket.SOCK_STREAM)

    def _hello(self, epoch: int, generation: int) -> msg.Hello:
        return msg.Hello(
            protocol=msg.PROTOCOL,
            name=self._settings.name,
            address=self._settings.address,
            cpu=(os.cpu_count() or 1) * 1024,
            memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            architecture=os.uname().machine,
            attributes={
                "ecs.os-type": "linux",
                "ecs.cpu-architecture": os.uname().machine,
                **self._settings.attributes,
            },
            agent=hatoba.__version__,
            epoch=epoch,
            generation=generation,
        )

    async def close(self) -> None:
        """Lets go of everything: containers, networks and proxies stay as they are."""
        await self._tasks.close()
        await self.balancer_logs.close()
        await self.executions.close()
        await self.agent.close()
        await self.logs.close()
        await self.metadata.close_all()
        await self.entrances.close_all()
        await self.host_metadata.close()
        await self.resolver.close_all()
        await self._forwarder.close()
        await self.balancers.release()
        await self._config.close()
        await self.runtime.close()
        await self.fabric.close()
        self.memory.close()


def network_settings(
    places: Places,
    pool: str,
    transit: str,
    *,
    pool6: str = "",
    address: str = "",
    endpoint_port: int = 0,
    bridge: str = "172.17.0.0/16",
) -> NetworkSettings:
    """`endpoint_port`: at which tasks reach the endpoint on this machine; 0: whatever listens here is not theirs."""
    return NetworkSettings(
        instance=places.instance,
        run_dir=places.run / "net",
        host_address=str(first_address(IPv4Network(transit))),
        transit=transit,
        pool=pool,
        pool6=pool6 or None,
        host_address6=host_address6(pool, transit, pool6),
        host_services=(HostService(port=endpoint_port),) if endpoint_port else (),
        underlay=address or None,
        bridge=bridge,
    )


def host_address6(pool: str, transit: str, pool6: str) -> str | None:
    """The host's: in the first /56, which no VPC is given, at the number that its node's part of the pool has there."""
    if not pool6:
        return None
    part = IPv4Network(transit)
    number = (int(part.network_address) - int(IPv4Network(pool).network_address)) // part.num_addresses
    return str(IPv6Network(pool6)[number + 1])


def runtime_settings(places: Places) -> RuntimeSettings:
    return RuntimeSettings(
        data=places.node / "containerd",
        run=places.run / "containerd",
        cgroup_parent=f"/hatoba-{places.instance}",
    )


def main(settings: NodeSettings, places: Places, ready: Callable[[], None] = lambda: None) -> int:
    async def serve(stop: asyncio.Event) -> None:
        node = Node(settings, places)
        await node.start(stop)
        ready()
        log.info("node %s runs", settings.name)
        await stop.wait()
        await node.close()

    return process.run(serve, log_level=settings.log_level, pid_file=places.pid_file("node"))
