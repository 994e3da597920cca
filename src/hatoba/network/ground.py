"""What a router stands on, whoever its VPC's members are: brought from whatever is there to what is wanted.

The settings of its namespace, its own addresses, the blocks of its VPC, and its end of the way to the host. All of it
is run in the thread of that namespace.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_network

from hatoba.core.errors import PortError
from hatoba.network import messages, names
from hatoba.network.namespace import has_ipv6, sysctl, turn_on_ipv6
from hatoba.network.netlink import GETADDR, GETROUTE, Netlink, index, settle_addresses

LOOPBACK = 1  # the device's index
_LINK_SCOPE = 253
_BLACKHOLE = 6
_MAIN_TABLE = 254
_SETTINGS = {
    "net/ipv4/conf/all/forwarding": "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv4/conf/all/send_redirects": "0",
    # Balancers speak under addresses of tasks, whose own connections begin at other ports than these.
    "net/ipv4/ip_local_port_range": "10240 32767",
    "net/ipv4/conf/all/rp_filter": "0",  # the larger of this one and a device's own would count
    # What a new device begins with: it answers for everybody, and takes from a task only its own address.
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv4/conf/default/proxy_arp": "1",
    "net/ipv4/conf/default/rp_filter": "1",
    "net/ipv6/conf/default/addr_gen_mode": "1",
    "net/ipv6/conf/default/accept_ra": "0",
}


def prepare() -> None:
    """The settings."""
    turn_on_ipv6()
    for name, value in _SETTINGS.items():
        sysctl(name, value)


def hold(netlink: Netlink, wanted: Collection[str], served: Collection[str]) -> None:
    """The router's own addresses are on lo: there they can be bound, and are reached through every device. `served`:
    those of them that only its VPC asks."""
    netlink.apply(messages.up(LOOPBACK))
    wanted, served = set(wanted), set(served)
    present = {
        message.get_attr("IFA_ADDRESS")
        for message in netlink.dump(GETADDR, messages.any_address())
        if message["index"] == LOOPBACK and message["prefixlen"] in (32, 128)
    } - {"::1"}
    netlink.apply(
        *(messages.no_address(LOOPBACK, address) for address in sorted(present - wanted)),
        *(messages.address(LOOPBACK, address, scope=_LINK_SCOPE) for address in sorted(served - present)),
        *(messages.address(LOOPBACK, address) for address in sorted(wanted - served - present)),
    )
    settle_addresses(netlink, wanted - present)


def enclose(netlink: Netlink, blocks: Collection[str]) -> None:
    """What is inside of the VPC and held by nobody ends here, instead of leaving by the uplink."""
    wanted = {str(ip_network(block)) for block in blocks}
    present = {
        f"{message.get_attr('RTA_DST')}/{message['dst_len']}"
        for message in netlink.dump(GETROUTE, messages.any_route())
        if message["type"] == _BLACKHOLE and message["table"] == _MAIN_TABLE  # the others are of `ways`
    }
    netlink.apply(
        *(messages.no_route(network) for network in sorted(present - wanted)),
        *(messages.blackhole(network) for network in sorted(wanted)),
    )


def open_uplink(netlink: Netlink, vpc: str, host: str, own6: str | None) -> None:
    """To the host's address. `own6`: the router's, where IPv6 goes there."""
    device = index(names.UPLINK)
    if device is None:
        raise PortError("kernel", f"The router of {vpc} has no uplink.")
    # The transit address is translated to and routed, but nobody's: what comes back from a public address of the
    # same VPC would otherwise be taken for the router's own.
    netlink.apply(messages.up(device), messages.neighbour(device, host, names.HOST_MAC))
    if own6 is not None and has_ipv6():
        # What it says of itself (a packet is too large) has to have a sender that the host lets pass.
        netlink.apply(messages.address(device, own6))
