"""The control plane's process: store, rooms, gateway, controllers and the nodes' sessions, put together.

Everything is made here and handed to those who need it; nothing else knows who works with whom. It takes requests once
every part has started, and lets go of them in the opposite order.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import hatoba
from hatoba.app import admin, output, process, questions
from hatoba.app.certificates import Certificates
from hatoba.app.credentials import AnyOf, ensure_root
from hatoba.app.entrances import Entrances
from hatoba.app.lines import lines
from hatoba.app.masterkey import open_sealer
from hatoba.app.names import HostNames
from hatoba.app.nodes import Nodes, Spot
from hatoba.app.places import Places
from hatoba.app.pool import ensure_pool, ensure_pool6
from hatoba.app.reset import reset
from hatoba.app.rooms import ROOMS, tables
from hatoba.app.settings import Settings
from hatoba.app.stories import PAGES, stories
from hatoba.app.tls import EndpointTls
from hatoba.core.clock import SystemClock
from hatoba.core.errors import Refused
from hatoba.core.files import write_file
from hatoba.core.ids import RandomIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.tasks import TaskGroup
from hatoba.core.verdicts import Verdicts
from hatoba.fleet.channels import Channels, Executor
from hatoba.fleet.enrol import Authority, Enrolments, transits
from hatoba.fleet.incoming import Incoming
from hatoba.fleet.reports import StatusSweeper
from hatoba.fleet.session import Sessions
from hatoba.gateway import access, http
from hatoba.gateway.access import Authorizer, EverythingPasses, Identities, KnownKeys, SamlKeys, SecondFactors
from hatoba.gateway.direct import by_entrance, by_ipv6
from hatoba.gateway.entrance import entrance
from hatoba.gateway.front import front
from hatoba.gateway.idempotency import forget_expired
from hatoba.gateway.membership import Memberships
from hatoba.gateway.own import AUTHORITY, Own, shown
from hatoba.gateway.path import Settings as PathSettings
from hatoba.gateway.plane import ControlPlane
from hatoba.network.addresses import router as first_address
from hatoba.objects.files import Files
from hatoba.reconcile import Runner
from hatoba.registry.mount import mount
from hatoba.services import ecs as ecs_room
from hatoba.services.cloudtrail.recorder import Recorder
from hatoba.services.ec2.entrances import endpoint_at, names_at
from hatoba.services.ec2.gates import gate_of, guest_at, renew_gates
from hatoba.services.ec2.model.interface import PublicPool
from hatoba.services.ecr.naming import Naming
from hatoba.services.ecr.registry import Registry, open_registry
from hatoba.services.elbv2 import deliveries, handed, signing
from hatoba.services.elbv2.metrics import collector as load_balancers
from hatoba.services.iam.authorizer import PolicyAuthorizer
from hatoba.services.iam.factors import Devices
from hatoba.services.iam.identities import UserKeys
from hatoba.services.iam.unwrapping import Unwrapping
from hatoba.services.iam.usage import Usage
from hatoba.services.organizations.identities import OfOpenAccounts
from hatoba.services.organizations.places import AccountPlaces
from hatoba.services.s3.bodies import open_bodies
from hatoba.services.ssm import activating
from hatoba.services.ssm.session.endpoint import PREFIX as DATA_CHANNELS
from hatoba.services.ssm.session.endpoint import DataChannels
from hatoba.services.ssm.session.talk import Side
from hatoba.services.sts.identities import Sessions as StsSessions
from hatoba.services.sts.oidc import Keys
from hatoba.store import Store
from hatoba.store.sqlite import SqliteJournal
from hatoba.streams.engine import DiskStreams
from hatoba.streams.port import Streams
from hatoba.trail.disk import DiskTrail

log = logging.getLogger(__name__)

LOCAL_TOKEN_SECONDS = 3600.0


class Control:
    """One control plane. `start` raises `Refused` when something is missing or taken."""

    def __init__(self, settings: Settings, places: Places) -> None:
        self._settings = settings
        self._places = places
        self._clock, self._ids = SystemClock(), RandomIds()
        journal = SqliteJournal(places.control / "journal.db")
        self._sealer = open_sealer(places.control, new=not journal.written())
        self._verdicts = Verdicts(self._sealer)
        self._pool = ensure_pool(places, settings.pool)
        self._pool6 = ensure_pool6(places, settings.pool6)
        self.store = Store(journal, tables(), self._sealer)
        self._authority = Authority(places.control / "authority")
        self._memberships = AccountPlaces(self.store)
        self._tasks = TaskGroup("control")
        admit = functools.partial(activating.admit, self._clock, self._ids)
        pools = (self._pool, self._pool6)
        self._enrolments = Enrolments(self.store, self._authority, self._clock, self._ids, pools, admit)

    # --- assembling

    def _audit(self) -> Recorder:
        return Recorder(
            self.store,
            self._clock,
            DiskTrail(self._places.control / "audit.db"),
            kept=self._settings.audit_kept,
            most_bytes=self._settings.audit_bytes,
            tell=lines(self._places.log_file("audit")),
        )

    def _authorizer(self) -> Authorizer:
        if self._settings.auth == "off":
            return EverythingPasses()
        return PolicyAuthorizer(self.store, self._verdicts.encode, self._memberships)

    def _plane(self) -> ControlPlane:
        settings = self._settings
        self._recorder = self._audit()
        root = ensure_root(self._places.credentials, settings.account)
        keys = AnyOf(KnownKeys(root), StsSessions(self.store), UserKeys(self.store))
        self._identities = OfOpenAccounts(self.store, keys)
        plane = ControlPlane(
            store=self.store,
            clock=self._clock,
            ids=self._ids,
            pager=Pager(self._sealer),
            rooms=[room.service for room in ROOMS],
            identities=self._identities,
            authorizer=self._authorizer(),
            auditor=Usage(self.store, self._clock, self._recorder),
            settings=PathSettings(auth=settings.auth == "on", account=settings.account, region=settings.region),
        )
        plane.provide(Recorder, self._recorder)
        hosts = tuple(f"{name}:{settings.port}" for name in ("localhost", "127.0.0.1", settings.host))
        plane.provide(
            ecs_room.Settings,
            ecs_room.Settings(registry_hosts=hosts, stopped_tasks_kept=settings.stopped_tasks_kept),
        )
        where, transit = settings.address_for_nodes, str(transits(self._pool))
        pool = PublicPool(network=self._pool, transit=transit, network6=self._pool6, control=where)
        plane.provide(PublicPool, pool)
        plane.provide(Identities, self._identities)  # type: ignore[type-abstract]
        plane.provide(SecondFactors, Devices(self.store, self._clock))  # type: ignore[type-abstract]
        plane.provide(SamlKeys, Unwrapping(self.store))  # type: ignore[type-abstract]
        plane.provide(Verdicts, self._verdicts)
        plane.provide(Memberships, self._memberships)  # type: ignore[type-abstract]
        plane.provide(Keys, Keys(self._clock, loopback=settings.oidc_loopback == "on"))
        return plane

    def _open_registry(self, plane: ControlPlane) -> Registry:
        settings = self._settings
        default = Scope("aws", settings.account, settings.region)
        naming = Naming(endpoint=f"localhost:{settings.port}", default=default, style=settings.ecr_uri_style)
        anyone = access.root("aws", settings.account) if settings.auth == "off" else None
        return open_registry(self._places.registry, plane, self._sealer, naming, self._identities, open_to=anyone)

    # --- running

    async def start(self) -> None:
        self.store.open()
        forget_expired(self.store, self._clock.now())
        renew_gates(self.store)
        StatusSweeper(self.store).sweep()
        plane = self._plane()
        await self._recorder.start()
        self._registry = self._open_registry(plane)
        plane.provide(Registry, self._registry)
        await self._registry.engine.prepare()
        self._objects = open_bodies(self._places.objects, self.store, self._sealer, self._ids)
        await self._objects.prepare()
        plane.provide(Files, self._objects)
        self._streams = await DiskStreams.open(self._places.logs, self._clock)
        plane.provide(Streams, self._streams)  # type: ignore[type-abstract]
        await self._meet_nodes(plane)
        controllers = [controller for room in ROOMS for controller in room.controllers(plane)]
        published = [told for room in ROOMS for told in room.published]
        self.runner = Runner(self.store, self._clock, controllers, published=published)
        self.runner.start()
        await self._serve(plane)
        names = HostNames(self.store, self._places.instance, self._places.control / "names-installed")
        names.refresh()
        nodes = Nodes(self.store)
        acts = {
            "node-token": self._node_token,
            "node-list": nodes.list,
            "node-cordon": nodes.cordon,
            "node-uncordon": nodes.uncordon,
            "node-remove": nodes.remove,
            "interrupt": Spot(self.store, self._clock).interrupt,
            "names-install": names.install,
            "names-remove": names.remove,
        }
        self._admin = await admin.serve(self._places.admin_socket, acts)
        self._tasks.start(self._registry.keep_collecting(), "registry's collection")
        self._tasks.start(self._objects.sweep(), "objects that nobody wants")
        self._tasks.start(self._forget_daily(), "expired client tokens")
        self.own.status = "ready"

    async def _serve(self, plane: ControlPlane) -> None:
        settings = self._settings
        self.own = Own(
            version=hatoba.__version__,
            components=self._components,
            reset=self._reset if settings.auth == "off" else None,
            pages={
                AUTHORITY: shown(self._authority.pem),
                PAGES: stories(self.store, plane.visitors),
                handed.PAGES: handed.files(plane),
                signing.PAGES: signing.public_keys(plane),
            },
        )
        self._channels = self._data_channels(plane)
        self._front = front(
            aws=plane.path,
            registry=mount(self._registry.engine),
            own_paths=self.own,
            others={DATA_CHANNELS: self._channels},
        )
        self._server = http.Server(self._front, clock=self._clock)
        # By IPv6 tasks are known by their addresses, so those that come to the one for them are looked at.
        six = by_ipv6(functools.partial(gate_of, self.store), self._front)
        self._server6 = http.Server(six, clock=self._clock)
        self.own.collect(plane.metrics.collect)
        self.own.collect(self._server.collect)
        self.own.collect(self._recorder.collect)
        self.own.collect(self._channels.collect)
        self.own.collect(load_balancers(self.store, self.sessions.incoming.traffic))
        await self._server.listen(settings.host, settings.port)
        if settings.endpoint_for_nodes != settings.host:
            await self._server.listen(settings.endpoint_for_nodes, settings.port)
        if settings.tls_port:
            await self._serve_by_tls()
        if settings.auth == "on":
            for listener in self._for_tasks():
                server = self._server6 if listener.family == socket.AF_INET6 else self._server
                await server.serve(listener)
            self._entrances = self._endpoints(plane)
            self._entrances.start()
            self.sessions.let_in(self._entrances.enter)

    def _endpoints(self, plane: ControlPlane) -> Entrances:
        """VPC endpoints: whom they ask, and what they show."""
        places = frozenset((str(first_address(transits_of_first(self._pool))), self._settings.endpoint_for_nodes))

        def through(network: str) -> http.Handler:
            return entrance(
                network,
                functools.partial(endpoint_at, self.store),
                aws=plane.path,
                registry=mount(self._registry.engine),
                authority=shown(self._authority.pem),
                direct=by_entrance(network, functools.partial(guest_at, self.store), self._front),
                places=places,
            )

        shows = Certificates(self._authority, self._clock, functools.partial(names_at, self.store))
        return Entrances(self._places.entrances, through, shows.of, self._clock)

    async def _serve_by_tls(self) -> None:
        settings = self._settings
        tls = EndpointTls(settings, self._places, self._authority, self._clock)
        tls.load()
        await self._server.listen(settings.tls_host, settings.tls_port, tls.context)
        self._tasks.start(tls.keep(), "the endpoint's certificate")

    def _data_channels(self, plane: ControlPlane) -> DataChannels:
        settings = self._settings
        plane.provide(Executor, self.sessions)  # type: ignore[type-abstract]
        channels = DataChannels(
            plane,
            Side(clock=self._clock, ids=self._ids, executor=self.sessions),
            self._identities,
            endpoint=f"localhost:{settings.port}",
            auth=settings.auth == "on",
        )
        channels.start()
        plane.provide(DataChannels, channels)
        return channels

    async def _reset(self) -> None:
        await reset(self.store)

    async def _forget_daily(self) -> None:
        while True:
            await asyncio.sleep(24 * 3600.0)
            forget_expired(self.store, self._clock.now())

    async def _node_token(self, _: str = "") -> str:
        host = self._settings.node_host
        if host in ("127.0.0.1", "localhost"):
            raise Refused("Nodes on other machines cannot reach 127.0.0.1: start Hatoba with --node-host ADDRESS.")
        return await self._enrolments.token(host, self._node_port)

    async def _meet_nodes(self, plane: ControlPlane) -> None:
        settings = self._settings
        incoming = Incoming(
            self.store,
            functools.partial(output.keep, plane),
            answer=functools.partial(questions.answer, plane),
            deliver=functools.partial(deliveries.keep, plane),
        )
        self.sessions = Sessions(
            self.store,
            self._clock,
            self._enrolments,
            incoming,
            region=settings.region,
            registry=f"{settings.endpoint_for_nodes}:{settings.port}",
            lease=settings.node_lease,
            channels=Channels(self._ids),
        )
        file = self._places.control / "node-port"
        known = int(file.read_text()) if file.exists() else 0
        port = await self.sessions.start(
            self._settings.node_host, self._settings.node_port or known, self._authority.server_context()
        )
        self._node_port = port
        self._enrolments.where = (self._settings.node_host, port)
        plane.provide(Enrolments, self._enrolments)
        if port != known:
            write_file(file, f"{port}\n".encode())
        if not (self._places.node / "identity" / "node.pem").exists():
            host = "127.0.0.1" if self._settings.node_host == "0.0.0.0" else self._settings.node_host
            token = await self._enrolments.token(host, port, LOCAL_TOKEN_SECONDS)
            write_file(self._places.local_token, token.encode())

    def _for_tasks(self) -> Iterator[socket.socket]:
        """The endpoint as tasks on this machine reach it: at addresses of the pools that appear with the first VPC that
        has such ones. On a machine without IPv6 there is one."""
        addresses = [str(first_address(transits_of_first(self._pool)))]
        if Path("/proc/sys/net/ipv6").is_dir():
            addresses.append(str(IPv6Network(self._pool6)[1]))
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listener = socket.socket(family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
            listener.setblocking(False)
            listener.bind((address, self._settings.port))
            yield listener

    def _components(self) -> Mapping[str, str]:
        failing = {name: r["failing"] for name, r in self.runner.report().items() if r["failing"]}
        return {
            "store": "ok",
            "nodes": "ok" if self.sessions.connected else "no node is connected",
            "controllers": f"failing: {failing}" if failing else "ok",
        }

    async def close(self) -> None:
        self.own.status = "stopping"
        await self._channels.close()
        if self._settings.auth == "on":
            await self._entrances.close()
        await asyncio.gather(self._server.close(grace=5.0), self._server6.close(grace=5.0))
        await self._admin.close(grace=0.0)
        await self._tasks.close()
        await self.runner.close()
        await self.sessions.close()
        self._registry.engine.close()
        self._objects.close()
        await self._streams.close()
        await self._recorder.close()
        await self.store.durable()
        self.store.close()


_IP_FREEBIND = 15  # <linux/in.h>


def transits_of_first(pool: str) -> IPv4Network:
    """The first node's part of the pool; its first address is the host's own."""
    return next(transits(pool).subnets(new_prefix=24))


def main(settings: Settings, places: Places) -> int:
    async def serve(stop: asyncio.Event) -> None:
        control = Control(settings, places)
        await control.start()
        log.info("ready on %s:%d", settings.host, settings.port)
        await stop.wait()
        await control.close()

    return process.run(serve, log_level=settings.log_level, pid_file=places.pid_file("control"))
