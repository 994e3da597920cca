"""The router's way to the other nodes: a vxlan whose every entry is written, none learned.

A peer is a route and a neighbour (its node's hardware address, known from the underlay address); a node is one
forwarding entry. The device itself is made by `host`, with its outer end in the host's namespace.
"""

from __future__ import annotations

from hatoba.core.errors import PortError
from hatoba.network import messages, names
from hatoba.network.base import Peer
from hatoba.network.netlink import GETROUTE, Netlink, Request, index

_MAIN_TABLE = 254


def converge(netlink: Netlink, peers: tuple[Peer, ...], underlay: str | None) -> None:
    """From whatever is there."""
    device = index(names.TUNNEL)
    if device is None:
        _refuse_without(device, peers, underlay)
        return
    wanted = {address for peer in peers for address in _addresses(peer)}
    strays = []
    for route in netlink.dump(GETROUTE, messages.any_route()):
        single = route["dst_len"] in (32, 128) and route["table"] == _MAIN_TABLE
        address = route.get_attr("RTA_DST")
        if single and route.get_attr("RTA_OIF") == device and address not in wanted:
            strays += _forget(device, address)
    netlink.apply(messages.up(device), *strays)
    change(netlink, (), peers, underlay)


def change(netlink: Netlink, old: tuple[Peer, ...], new: tuple[Peer, ...], underlay: str | None) -> None:
    if old == new:
        return
    device = index(names.TUNNEL)
    _refuse_without(device, new, underlay)
    if device is None:
        return
    before = {address: peer.node for peer in old for address in _addresses(peer)}
    after = {address: peer.node for peer in new for address in _addresses(peer)}
    nodes_before, nodes_after = set(before.values()), set(after.values())
    requests: list[Request] = []
    for address in before.keys() - after.keys():
        requests += _forget(device, address)
    requests += [messages.no_forwarding(device, node) for node in nodes_before - nodes_after]
    requests += [messages.forwarding(device, node) for node in nodes_after - nodes_before]
    for address, node in after.items():
        if before.get(address) != node:
            requests += _remember(device, address, node)
    netlink.apply(*requests)


def _refuse_without(device: int | None, peers: tuple[Peer, ...], underlay: str | None) -> None:
    if device is None and peers:
        reason = "it has no underlay address" if underlay is None else "its tunnel is missing"
        raise PortError("kernel", f"This node cannot reach peers on other nodes: {reason}.")


def _remember(device: int, address: str, node: str) -> list[Request]:
    return [messages.neighbour(device, address, names.node_mac(node)), messages.route(_single(address), device)]


def _forget(device: int, address: str) -> list[Request]:
    return [messages.no_route(_single(address), index=device), messages.no_neighbour(device, address)]


def _single(address: str) -> str:
    return f"{address}/{128 if ':' in address else 32}"


def _addresses(peer: Peer) -> list[str]:
    return [address for address in (peer.address, peer.address6) if address is not None]
