"""A task's interface: its namespace, the pair of devices, and what is written at both ends.

`build` makes the namespace with a complete `eth0`; `connect` opens the router's end, once the rules know the address.
The owner's mark on the router's end is the last step: a device without it is half made and is built again.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from hatoba.core.errors import PortError
from hatoba.network import further, messages, names, syscalls
from hatoba.network.base import InterfaceSpec
from hatoba.network.namespace import Namespace, sysctl
from hatoba.network.netlink import GETROUTE, Message, Netlink, Request, index, settle

_LOOPBACK_INDEX = 1
_IPV4 = 2
_MAIN_TABLE = 254


def build(router: Namespace, spec: InterfaceSpec, netns: Path, mtu: int) -> None:
    """From nothing, whatever an interrupted attempt has left."""
    clear(router, spec.id, netns)
    inner, descriptor = router.spawn(netns, _open)
    try:
        router.netlink.apply(
            messages.veth(
                names.port(spec.id),
                names.ROUTER_MAC,
                mtu,
                peer=names.INTERFACE,
                peer_mac=spec.mac,
                peer_index=messages.INTERFACE_INDEX,
                peer_netns=descriptor,
            )
        )
        # This end first: the one that comes up last sends at once, and here `connect` waits for the other.
        router.netlink.apply(messages.up(_port(spec.id)))
        inner.apply(*_inside(spec))
    finally:
        inner.close()
        os.close(descriptor)


def _open() -> tuple[Netlink, int]:
    # No address of its own making: the interface has those of its subnet, and no router advertisements are awaited.
    sysctl("net/ipv6/conf/default/addr_gen_mode", "1")
    return Netlink(), syscalls.own_namespace()


def _inside(spec: InterfaceSpec) -> list[Request]:
    device = messages.INTERFACE_INDEX
    requests = [
        messages.up(_LOOPBACK_INDEX),
        messages.address(device, spec.address),
        messages.up(device),
        messages.neighbour(device, spec.gateway, names.ROUTER_MAC),
        messages.route("0.0.0.0/0", device, via=spec.gateway),
    ]
    if spec.address6 is not None:
        requests += [
            messages.address(device, spec.address6),
            messages.neighbour(device, spec.gateway6, names.ROUTER_MAC),
            messages.route("::/0", device, via=spec.gateway6),
        ]
    return requests + _held(spec.networks)


def _held(networks: Iterable[str]) -> list[Request]:
    """Further addresses stand on the device, blocks are the namespace's own: whoever listens on all addresses is
    reached at these, and whoever binds one sends from it. A container could not see to that itself."""
    return [
        messages.local(network, _LOOPBACK_INDEX)
        if "/" in network
        else messages.address(messages.INTERFACE_INDEX, network)
        for network in networks
    ]


def _let_go(networks: Iterable[str]) -> list[Request]:
    return [
        messages.no_route(network, index=_LOOPBACK_INDEX, table=messages.LOCAL_TABLE)
        if "/" in network
        else messages.no_address(messages.INTERFACE_INDEX, network)
        for network in networks
    ]


def connect(router: Namespace, spec: InterfaceSpec) -> None:
    port = _port(spec.id)
    settle(router.netlink, port)
    requests = [
        messages.neighbour(port, spec.address, spec.mac),
        messages.route(f"{spec.address}/32", port),
    ]
    if spec.address6 is not None:
        requests += [
            messages.neighbour(port, spec.address6, spec.mac),
            messages.route(f"{spec.address6}/128", port),
        ]
    router.netlink.apply(*requests, *_ways(spec, port), messages.mark(port, spec.id))


def _ways(spec: InterfaceSpec, port: int) -> list[Request]:
    """By the interface's own address, which is a neighbour: so none has to be known for the others."""
    return [messages.route(further.block(network), port, via=spec.address) for network in spec.networks]


def change(router: Namespace, spec: InterfaceSpec, netns: Path, gone: Collection[str]) -> None:
    """Gives a standing interface the further addresses of `spec`, and takes those from it that are `gone`.

    The way there is the last step: where it differs from what is wanted, the namespace may, too (`ways`).
    """

    def inside() -> None:
        with Netlink() as netlink:
            netlink.apply(*_let_go(gone), *_held(spec.networks))

    router.visit(netns, inside)
    port = _port(spec.id)
    # Whoever has been given one of them meanwhile has replaced the way: it is not this port's any more.
    lost = [messages.no_route(further.block(network), index=port) for network in gone]
    router.netlink.apply(*lost, *_ways(spec, port))


def ways(netlink: Netlink) -> dict[int, set[str]]:
    """Port → the IPv4 networks that lead there by an interface's own address: those that it holds besides."""
    found: dict[int, set[str]] = {}
    for route in netlink.dump(GETROUTE, messages.any_route(family=_IPV4)):
        if route["table"] == _MAIN_TABLE and route.get_attr("RTA_GATEWAY") and route["dst_len"] >= further.LARGEST:
            network = f"{route.get_attr('RTA_DST')}/{route['dst_len']}".removesuffix("/32")
            found.setdefault(route.get_attr("RTA_OIF"), set()).add(network)
    return found


def _port(interface: str) -> int:
    port = index(names.port(interface))
    if port is None:
        raise PortError("kernel", f"The router's end of {interface} is gone.")
    return port


def remove(router: Namespace, spec: InterfaceSpec, netns: Path) -> None:
    """Takes the way and the namespace's file. The devices go with the namespace, as soon as no process is in it.

    The kernel does that in the background, many at a time; asked for at once it takes 30 ms, and everybody waits.
    """
    port = index(names.port(spec.id))
    if port is not None:
        # The mark goes first: a port without its ways must not be taken for a complete one after a crash.
        requests = [messages.mark(port, ""), messages.no_route(f"{spec.address}/32", index=port)]
        requests += [messages.no_route(further.block(network), index=port) for network in spec.networks]
        if spec.address6 is not None:
            requests.append(messages.no_route(f"{spec.address6}/128", index=port))
        router.netlink.apply(*requests)
    syscalls.unpin(netns)


def clear(router: Namespace, interface: str, netns: Path) -> None:
    """Removes at once what an interrupted attempt, or a namespace that is still going, has left under the same name."""
    port = index(names.port(interface))
    if port is not None:
        router.netlink.apply(messages.unlink(port))
    syscalls.unpin(netns)


def is_complete(links: dict[str, Message], interface: str, netns: Path) -> bool:
    link = links.get(names.port(interface))
    return link is not None and link.get_attr("IFLA_IFALIAS") == interface and syscalls.is_pinned(netns)


def same_wire(one: InterfaceSpec, other: InterfaceSpec) -> bool:
    """Whether they differ in nothing but further addresses, and what rules and translation say."""
    return all(
        getattr(one, field) == getattr(other, field) for field in ("address", "address6", "mac", "gateway", "gateway6")
    )
