"""The router's way to the other nodes: a vxlan whose every entry is written, none learned.

A peer is a route and a neighbour (its node's hardware address, known from the underlay address), and a route by that
neighbour for each further address or block; a node is one forwarding entry, and one neighbour, by which all IPv6
addresses go. The device itself is made by `host`, with its outer end in the host's namespace.
"""

from __future__ import annotations

from typing import NamedTuple

from hatoba.core.errors import PortError
from hatoba.network import further, messages, names
from hatoba.network.base import Peer
from hatoba.network.netlink import GETROUTE, Netlink, Request, index

_MAIN_TABLE = 254
_IPV6 = 10


class _Way(NamedTuple):
    """To a peer's node; `via` the peer's own IPv4 address, or the node's neighbour, for what it holds besides."""

    node: str
    via: str | None = None


def converge(netlink: Netlink, peers: tuple[Peer, ...], underlay: str | None) -> None:
    """From whatever is there."""
    device = index(names.TUNNEL)
    if device is None:
        _refuse_without(device, peers, underlay)
        return
    wanted = _ways(peers)
    strays = []
    for route in netlink.dump(GETROUTE, messages.any_route()):
        of_peer = route["table"] == _MAIN_TABLE and further.is_route(
            6 if route["family"] == _IPV6 else 4, route["dst_len"]
        )
        network = f"{route.get_attr('RTA_DST')}/{route['dst_len']}"
        if of_peer and route.get_attr("RTA_OIF") == device and network not in wanted:
            strays += _forget(device, network, _Way("", route.get_attr("RTA_GATEWAY")))
    netlink.apply(messages.up(device), *strays)
    change(netlink, (), peers, underlay)


def change(netlink: Netlink, old: tuple[Peer, ...], new: tuple[Peer, ...], underlay: str | None) -> None:
    if old == new:
        return
    device = index(names.TUNNEL)
    _refuse_without(device, new, underlay)
    if device is None:
        return
    before, after = _ways(old), _ways(new)
    nodes_before, nodes_after = ({peer.node for peer in peers} for peers in (old, new))
    requests: list[Request] = []
    for network in before.keys() - after.keys():
        requests += _forget(device, network, before[network])
    for node in nodes_before - nodes_after:
        requests += [messages.no_forwarding(device, node), messages.no_neighbour(device, names.node6(node))]
    for node in nodes_after - nodes_before:
        requests.append(messages.forwarding(device, node))
    met = {way.node for network, way in after.items() if ":" in network}
    met -= {way.node for network, way in before.items() if ":" in network}
    requests += [messages.neighbour(device, names.node6(node), names.node_mac(node)) for node in met]
    for network, way in after.items():
        if before.get(network) != way:
            requests += _remember(device, network, way)
    netlink.apply(*requests)


def _refuse_without(device: int | None, peers: tuple[Peer, ...], underlay: str | None) -> None:
    if device is None and peers:
        reason = "it has no underlay address" if underlay is None else "its tunnel is missing"
        raise PortError("kernel", f"This node cannot reach peers on other nodes: {reason}.")


def _remember(device: int, network: str, way: _Way) -> list[Request]:
    if way.via is not None:
        return [messages.route(network, device, via=way.via), messages.no_neighbour(device, _first(network))]
    return [messages.neighbour(device, _first(network), names.node_mac(way.node)), messages.route(network, device)]


def _forget(device: int, network: str, way: _Way) -> list[Request]:
    neighbour = [messages.no_neighbour(device, _first(network))] if way.via is None else []
    return [messages.no_route(network, index=device), *neighbour]


def _first(network: str) -> str:
    """The address, of a network of one."""
    return network.partition("/")[0]


def _ways(peers: tuple[Peer, ...]) -> dict[str, _Way]:
    found: dict[str, _Way] = {}
    for peer in peers:
        if peer.address is not None:
            found[f"{peer.address}/32"] = _Way(peer.node)
        for network in peer.networks:
            via = names.node6(peer.node) if ":" in network else peer.address
            found[further.block(network)] = _Way(peer.node, via)
    return found
