"""IPv6 between the host and the routers: routed as it is, and never translated.

Each uplink whose VPC has blocks within the instance's own (`Settings.pool6`) gets the host's address, and the host
routes those blocks there; the rest of them is claimed, so that what nobody holds is refused at once. No setting of the
host's own is touched: IPv6 is turned on for our devices only. Whether packets go on to other machines, and from one VPC
to another without a peering, is therefore the host's decision: `net.ipv6.conf.all.forwarding`. A host without IPv6
keeps none of this, and IPv6 stays within the VPCs.

Works in the thread of the host's namespace.
"""

from __future__ import annotations

import logging
from ipaddress import IPv6Network, ip_network
from pathlib import Path

from hatoba.core.errors import Refused
from hatoba.network import messages, names
from hatoba.network.base import Settings, VpcSpec
from hatoba.network.hostroutes import routes_of
from hatoba.network.namespace import sysctl
from hatoba.network.netlink import Netlink, index

log = logging.getLogger(__name__)

_FAMILY = 10
_ROOT = Path("/proc/sys/net/ipv6/conf")


def is_there() -> bool:
    """Whether this namespace has IPv6: not when the kernel has none, and not when it was turned off for all devices."""
    try:
        return (_ROOT / "all" / "disable_ipv6").read_text().strip() == "0"
    except OSError:
        return False


def refuse_collisions(netlink: Netlink, settings: Settings, claimed: bool) -> None:
    """As `Host.refuse_collisions`, of IPv6."""
    if settings.pool6 is None:
        return
    pool = IPv6Network(settings.pool6)
    for network, device, _, origin in routes_of(netlink, _FAMILY):
        if claimed and origin == messages.OURS:
            continue
        if pool.overlaps(IPv6Network(network)) and not device.startswith(names.host_prefix(settings.instance)):
            by = f" by {device}" if device else ""
            raise Refused(f"The IPv6 pool {pool} collides with the host's route to {network}{by}: choose another one.")


def claim(netlink: Netlink, settings: Settings) -> None:
    if settings.pool6 is None:
        return
    if not is_there():
        log.warning("this host has IPv6 turned off: the IPv6 addresses of tasks are reached within their VPC only")
        return
    netlink.apply(messages.unreachable(settings.pool6, origin=messages.OURS))


def lead(netlink: Netlink, settings: Settings, spec: VpcSpec) -> None:
    """The VPC's blocks lead to its router, from whatever is there."""
    device = names.host_uplink(settings.instance, spec.id)
    pool, own, link = settings.pool6, settings.host_address6, index(device)
    if pool is None or own is None or link is None or not is_there():
        return
    wanted = _within(spec, IPv6Network(pool))
    ours = (route for route in routes_of(netlink, _FAMILY) if route.origin == messages.OURS)
    present = {str(route.network) for route in ours if route.device == device}
    if wanted:
        for name, value in (("accept_ra", "0"), ("addr_gen_mode", "1"), ("disable_ipv6", "0")):
            sysctl(f"net/ipv6/conf/{device}/{name}", value)
        netlink.apply(messages.address(link, own), messages.neighbour(link, names.UPLINK6, names.UPLINK_MAC))
    ways = [messages.route(n, link, via=names.UPLINK6, source=own, origin=messages.OURS) for n in sorted(wanted)]
    gone = [messages.no_route(n, index=link, origin=messages.OURS) for n in sorted(present - wanted)]
    netlink.apply(*ways, *gone)


def _within(spec: VpcSpec, pool: IPv6Network) -> set[str]:
    networks = (ip_network(cidr) for cidr in spec.cidrs)
    return {str(network) for network in networks if isinstance(network, IPv6Network) and network.subnet_of(pool)}


def release(netlink: Netlink, settings: Settings) -> None:
    """The claim; the rest goes with the uplinks."""
    if settings.pool6 is not None and _ROOT.is_dir():
        netlink.apply(messages.no_route(settings.pool6, origin=messages.OURS))
