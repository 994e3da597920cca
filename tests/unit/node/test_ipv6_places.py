"""What a task with IPv6 finds around it, and one that has nothing else: names, metadata, credentials, the platform."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import msgspec

from hatoba.app.node import host_address6, network_settings
from hatoba.app.places import Places as Folders
from hatoba.core.clock import ManualClock
from hatoba.fleet.items import InterfaceItem, NetworkItem
from hatoba.fleet.model import Workload
from hatoba.network.base import Settings
from hatoba.network.simulated import SimulatedFabric
from hatoba.node.etc import etc_files
from hatoba.node.metadata import views
from hatoba.node.places import Places
from hatoba.node.resolver import OF_ROUTER, Resolver
from hatoba.node.services import RESOLVERS6
from hatoba.node.translate import Place, environment
from hatoba.node.wiring import Wiring
from tests.unit.node.machine import item, settings
from tests.unit.node.pieces import container, workload
from tests.unit.node.test_metadata_endpoint import PLACE, running, task

NET = "fd68:6174:6f00:100"
ONLY6 = InterfaceItem(
    network="v1",
    address="",
    mac="02:00:00:00:00:07",
    gateway="",
    prefix="",
    groups=("g1",),
    public=None,
    egress=False,
    balancer=False,
    address6=f"{NET}::7",
    prefix6=f"{NET}::/64",
    egress6="both",
)
DUAL = msgspec.structs.replace(ONLY6, address="10.0.0.7", gateway="10.0.0.1", prefix="10.0.0.0/24")
NETWORK = NetworkItem(cidrs=("10.0.0.0/16", f"{NET}::/56"), vni=7, resolver="10.0.0.2")


class Somewhere:
    """One network on a node, and where workloads are in it."""

    def __init__(self, folder: Path, interface: InterfaceItem, network: NetworkItem = NETWORK) -> None:
        self.fabric = SimulatedFabric(settings(folder))
        self.wiring = Wiring(self.fabric, ())
        self.wiring.changed([item("network", "v1", network), item("interface", "e-t1", interface)], ())
        endpoints = ("http://100.64.0.1:4566", "http://[fd68:6174:6f00::1]:4566")
        self.places = Places(self.wiring, folder, endpoints[0], endpoint6=endpoints[1], told_by_file=True)
        self.places.registry = "127.0.0.1:4566"

    async def place(self, wanted: Workload) -> Place:
        found = await self.places.of(wanted)
        await self.wiring.close()
        return found


async def test_a_task_without_ipv4(tmp_path: Path) -> None:
    somewhere = Somewhere(tmp_path, ONLY6)
    wanted = workload("t1", container("web"))
    place = await somewhere.place(wanted)
    assert (place.address, place.address6, place.prefix6) == ("", f"{NET}::7", f"{NET}::/64")
    files = etc_files(wanted, wanted.containers[0], place)
    assert files["resolv.conf"] == f"nameserver {RESOLVERS6}\n"
    assert f"\n{NET}::7 " in files["hosts"]
    told = environment(wanted, wanted.containers[0], place)
    assert told["AWS_ENDPOINT_URL"] == "http://[fd68:6174:6f00::1]:4566"
    assert told["ECS_CONTAINER_METADATA_URI_V4"].startswith("http://169.254.170.2/")
    assert place.local.startswith("169.254.17")
    assert somewhere.places.by_address("v1", place.local) == "t1", "what it asks is known to be its own"
    held = somewhere.fabric.vpcs["v1"].holders["e-t1"]
    assert (held.address, held.address6, held.egress6) == (None, f"{NET}::7", "both")


async def test_an_address_that_was_let_go_of_is_nobodys(tmp_path: Path) -> None:
    somewhere = Somewhere(tmp_path, ONLY6)
    wanted = workload("t1", container("web"))
    place = await somewhere.places.of(wanted)
    await somewhere.places.leave(wanted)
    assert somewhere.places.by_address("v1", place.local) is None
    await somewhere.wiring.close()


async def test_a_task_with_both(tmp_path: Path) -> None:
    wanted = workload("t1", container("web"))
    place = await Somewhere(tmp_path, DUAL).place(wanted)
    files = etc_files(wanted, wanted.containers[0], place)
    assert files["resolv.conf"] == "nameserver 10.0.0.2\n"
    assert "\n10.0.0.7 " in files["hosts"]
    assert f"\n{NET}::7 " in files["hosts"]
    assert place.endpoint == "http://100.64.0.1:4566"


async def test_other_name_servers_are_whom_the_network_says(tmp_path: Path) -> None:
    others = msgspec.structs.replace(NETWORK, servers=(NETWORK.resolver, "2001:db8::53"))
    found = (await Somewhere(tmp_path, ONLY6, others).place(workload("t1", container("web")))).servers
    assert found == (RESOLVERS6, "2001:db8::53"), "its resolver stands where it is reached"


def _network(place: Place, version: int) -> dict[str, Any]:
    shape = views.task(views.About(held=running(task("t1")), place=place), version)
    found: dict[str, Any] = shape["Containers"][0]["Networks"][0]
    return found


def test_metadata_tell_ipv6_addresses() -> None:
    six = {"address6": f"{NET}::7", "prefix6": f"{NET}::/64"}
    both, only = (
        msgspec.structs.replace(PLACE, **six),
        msgspec.structs.replace(PLACE, address="", gateway="", prefix="", **six),
    )
    assert _network(both, 4)["IPv6Addresses"] == [f"{NET}::7"]
    assert _network(both, 4)["IPv4Addresses"] == ["10.0.0.7"]
    assert _network(both, 4)["IPv6SubnetCIDRBlock"] == f"{NET}::/64"
    assert _network(both, 3) == {
        "NetworkMode": "awsvpc",
        "IPv4Addresses": ["10.0.0.7"],
        "IPv6Addresses": [f"{NET}::7"],
    }
    told = _network(only, 4)
    assert told["IPv6SubnetCIDRBlock"] == f"{NET}::/64"
    assert not {"IPv4Addresses", "IPv4SubnetCIDRBlock", "SubnetGatewayIpv4Address"} & told.keys()


async def test_a_network_that_is_given_ipv6_while_it_stands_is_served_by_it(tmp_path: Path) -> None:
    bound: list[tuple[str, int]] = []
    networks = {"v1": msgspec.structs.replace(NETWORK, cidrs=("10.0.0.0/16",))}
    resolver = Resolver(SimulatedFabric(settings(tmp_path)), lambda: networks, dict, None, ManualClock())  # type: ignore[arg-type]

    async def opened(network: str, kind: socket.SocketKind, address: str) -> socket.socket:
        bound.append((address, kind))
        made = socket.socket(socket.AF_INET, kind)
        made.setblocking(False)
        made.bind(("127.0.0.1", 0))
        return made

    resolver._bound = opened  # type: ignore[method-assign]
    await resolver.open("v1", tmp_path)
    assert {address for address, _ in bound} == {"10.0.0.2", "169.254.169.253", OF_ROUTER}
    networks["v1"] = NETWORK
    await resolver.refresh("v1", tmp_path)
    await resolver.refresh("v1", tmp_path)
    assert [address for address, _ in bound].count(RESOLVERS6) == 2, "by UDP and TCP, once"
    assert len(bound) == 8
    await resolver.close_all()


def test_hosts_have_addresses_of_their_own_in_what_no_vpc_is_given(tmp_path: Path) -> None:
    pool, pool6 = "100.64.0.0/16", "fd68:6174:6f00::/40"
    found = [host_address6(pool, f"100.64.{number}.0/24", pool6) for number in range(3)]
    assert found == ["fd68:6174:6f00::1", "fd68:6174:6f00::2", "fd68:6174:6f00::3"]
    assert host_address6(pool, "100.64.0.0/24", "") is None
    made: Settings = network_settings(Folders(data=tmp_path, instance="one"), pool, "100.64.1.0/24", pool6=pool6)
    assert (made.pool6, made.host_address6) == (pool6, found[1])
    assert network_settings(Folders(data=tmp_path, instance="one"), pool, "100.64.1.0/24").pool6 is None


def test_only_beside_the_control_plane_a_port_of_the_machine_is_open_to_tasks(tmp_path: Path) -> None:
    places, pool, transit = Folders(data=tmp_path, instance="one"), "100.64.0.0/16", "100.64.1.0/24"
    (service,) = network_settings(places, pool, transit, endpoint_port=4566).host_services
    assert (service.port, service.protocol) == (4566, "tcp")
    assert network_settings(places, pool, transit).host_services == ()
