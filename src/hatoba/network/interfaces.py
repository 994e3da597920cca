"""A task's interface: its namespace, the pair of devices, and what is written at both ends.

`build` makes the namespace with a complete `eth0`; `connect` opens the router's end, once the rules know the address.
The owner's mark on the router's end is the last step: a device without it is half made and is built again.

IPv6 addresses come and go while an interface stands, so none is its own: each is a way by a neighbour that nobody is.
Where there is no IPv4, a link-local address (`local`) leads to what the router serves, and nowhere else.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from hatoba.core.errors import PortError
from hatoba.network import further, messages, names, syscalls
from hatoba.network.base import InterfaceSpec
from hatoba.network.namespace import Namespace, sysctl, turn_on_ipv6
from hatoba.network.netlink import GETROUTE, Message, Netlink, Request, index, settle, settle_addresses

_LOOPBACK_INDEX = 1
_FAMILIES = {4: 2, 6: 10}
_MAIN_TABLE = 254
_EVERYTHING6 = "::/0"


def build(router: Namespace, spec: InterfaceSpec, netns: Path, mtu: int, local: str | None) -> None:
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
        if _has_blocks(spec):
            router.visit(netns, lambda: _let_bind(spec))
        # This end first: the one that comes up last sends at once, and here `connect` waits for the other.
        router.netlink.apply(messages.up(_port(spec.id)))
        inner.apply(*_inside(spec, local))
    finally:
        inner.close()
        os.close(descriptor)
    if _has_ipv6(spec):
        router.visit(netns, lambda: _settle(spec))


def _open() -> tuple[Netlink, int]:
    # No address of its own making: the interface has those of its subnet, and no router advertisements are awaited.
    sysctl("net/ipv6/conf/default/addr_gen_mode", "1")
    turn_on_ipv6()
    return Netlink(), syscalls.own_namespace()


def _inside(spec: InterfaceSpec, local: str | None) -> list[Request]:
    device = messages.INTERFACE_INDEX
    requests = [messages.up(_LOOPBACK_INDEX)]
    requests += [messages.address(device, address) for address in (spec.address, local) if address is not None]
    requests.append(messages.up(device))
    if spec.gateway is not None:
        requests += _gateway(spec.gateway, "0.0.0.0/0")
    elif local is not None:
        requests += _gateway(names.LOCAL_GATEWAY, names.LOCAL_SERVICES)
    return requests + _held(spec)


def _gateway(address: str, to: str) -> list[Request]:
    device = messages.INTERFACE_INDEX
    return [messages.neighbour(device, address, names.ROUTER_MAC), messages.route(to, device, via=address)]


def _held(spec: InterfaceSpec) -> list[Request]:
    """Further addresses stand on the device, blocks are the namespace's own: whoever listens on all addresses is
    reached at these, and whoever binds one sends from it. A container could not see to that itself."""
    requests = [
        messages.local(network, _LOOPBACK_INDEX)
        if "/" in network
        else messages.address(messages.INTERFACE_INDEX, network)
        for network in spec.networks
    ]
    return requests + (_gateway(spec.gateway6, _EVERYTHING6) if _has_ipv6(spec) else [])


def _settle(spec: InterfaceSpec) -> None:
    with Netlink() as netlink:
        settle_addresses(netlink, (network for network in spec.networks if "/" not in network))


def _has_blocks(spec: InterfaceSpec) -> bool:
    return any(":" in network and "/" in network for network in spec.networks)


def _let_bind(spec: InterfaceSpec) -> None:
    """Addresses of an IPv6 block can be bound by everybody, or none can: the kernel knows them by their way only."""
    sysctl("net/ipv6/ip_nonlocal_bind", "1" if _has_blocks(spec) else "0")


def _has_ipv6(spec: InterfaceSpec) -> bool:
    return any(":" in network for network in spec.networks)


def _let_go(networks: Collection[str], spec: InterfaceSpec) -> list[Request]:
    """Without any address of IPv6 there is no way by it, either."""
    last = any(":" in network for network in networks) and not _has_ipv6(spec)
    closed = [messages.no_route(_EVERYTHING6, index=messages.INTERFACE_INDEX)] if last else []
    return closed + [
        messages.no_route(network, index=_LOOPBACK_INDEX, table=messages.LOCAL_TABLE)
        if "/" in network
        else messages.no_address(messages.INTERFACE_INDEX, network)
        for network in networks
    ]


def connect(router: Namespace, spec: InterfaceSpec, local: str | None) -> None:
    port = _port(spec.id)
    settle(router.netlink, port)
    requests: list[Request] = []
    for address in (spec.address, local):
        if address is not None:
            requests += [messages.neighbour(port, address, spec.mac), messages.route(f"{address}/32", port)]
    router.netlink.apply(*requests, *_ways(spec, port), messages.mark(port, spec.id))


def _ways(spec: InterfaceSpec, port: int) -> list[Request]:
    """By a neighbour, the interface's own IPv4 address or what stands for it: so none has to be known for the rest."""
    known = [messages.neighbour(port, names.HOLDER6, spec.mac)] if _has_ipv6(spec) else []
    return known + [
        messages.route(further.block(network), port, via=names.HOLDER6 if ":" in network else spec.address)
        for network in spec.networks
    ]


def change(router: Namespace, spec: InterfaceSpec, netns: Path, gone: Collection[str]) -> None:
    """Gives a standing interface the IPv6 and further addresses of `spec`, and takes those from it that are `gone`.

    The way there is the last step: where it differs from what is wanted, the namespace may, too (`ways`).
    """

    def inside() -> None:
        _let_bind(spec)
        with Netlink() as netlink:
            netlink.apply(*_let_go(gone, spec), *_held(spec))
        _settle(spec)

    router.visit(netns, inside)
    port = _port(spec.id)
    # Whoever has been given one of them meanwhile has replaced the way: it is not this port's any more.
    lost = [messages.no_route(further.block(network), index=port) for network in gone]
    router.netlink.apply(*lost, *_ways(spec, port))


def ways(netlink: Netlink) -> dict[int, set[str]]:
    """Port → the networks that lead there by a neighbour: those that an interface holds besides its IPv4 address."""
    found: dict[int, set[str]] = {}
    for version, family in _FAMILIES.items():
        for route in netlink.dump(GETROUTE, messages.any_route(family)):
            length = route["dst_len"]
            of_holder = route["table"] == _MAIN_TABLE and route.get_attr("RTA_GATEWAY")
            if of_holder and further.is_route(version, length):
                single = length == (32 if version == 4 else 128)
                network = route.get_attr("RTA_DST") if single else f"{route.get_attr('RTA_DST')}/{length}"
                found.setdefault(route.get_attr("RTA_OIF"), set()).add(network)
    return found


def _port(interface: str) -> int:
    port = index(names.port(interface))
    if port is None:
        raise PortError("kernel", f"The router's end of {interface} is gone.")
    return port


def remove(router: Namespace, spec: InterfaceSpec, netns: Path, local: str | None) -> None:
    """Takes the way and the namespace's file. The devices go with the namespace, as soon as no process is in it.

    The kernel does that in the background, many at a time; asked for at once it takes 30 ms, and everybody waits.
    """
    port = index(names.port(spec.id))
    if port is not None:
        # The mark goes first: a port without its ways must not be taken for a complete one after a crash.
        own = (address for address in (spec.address, local) if address is not None)
        requests = [messages.mark(port, ""), *(messages.no_route(f"{address}/32", index=port) for address in own)]
        requests += [messages.no_route(further.block(network), index=port) for network in spec.networks]
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
    """Whether they differ in nothing but IPv6 and further addresses, and what rules and translation say."""
    return all(getattr(one, field) == getattr(other, field) for field in ("address", "mac", "gateway", "gateway6"))
