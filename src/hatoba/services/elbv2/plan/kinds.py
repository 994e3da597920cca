"""The kinds of load balancers: which protocols each speaks, and what may stand behind what.

Sources: CreateListener, CreateTargetGroup, "Listeners for your Network Load Balancers", "Gateway Load Balancer
listeners".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from hatoba.aws.shapes import elbv2 as t
from hatoba.services.elbv2.model.balancer import LoadBalancer
from hatoba.services.elbv2.model.group import TargetGroup

Kind = Literal["application", "network", "gateway"]

NOUNS: Mapping[str, str] = {
    "application": "Application Load Balancers",
    "network": "Network Load Balancers",
    "gateway": "Gateway Load Balancers",
}

# Listener's protocol → protocols of the groups that it may forward to.
_BEHIND: Mapping[str, tuple[str, ...]] = {
    "HTTP": ("HTTP", "HTTPS"),
    "HTTPS": ("HTTP", "HTTPS"),
    "TCP": ("TCP", "TCP_UDP"),
    "TLS": ("TCP", "TLS"),
    "UDP": ("UDP", "TCP_UDP"),
    "TCP_UDP": ("TCP_UDP",),
    "GENEVE": ("GENEVE",),
}
_OF_GROUP: Mapping[str, Kind] = {
    "HTTP": "application",
    "HTTPS": "application",
    "TCP": "network",
    "TLS": "network",
    "UDP": "network",
    "TCP_UDP": "network",
    "GENEVE": "gateway",
}

# What a TLS listener offers its clients. Source: "ALPN policies" in the user guide for Network Load Balancers.
ALPN: Mapping[str, tuple[str, ...]] = {
    "None": (),
    "HTTP1Only": ("http/1.1", "http/1.0"),
    "HTTP2Only": ("h2",),
    "HTTP2Optional": ("http/1.1", "http/1.0", "h2"),
    "HTTP2Preferred": ("h2", "http/1.1", "http/1.0"),
}


def of_group(protocol: str) -> Kind:
    """The kind of load balancer that a target group is for."""
    return _OF_GROUP[protocol]


def check_behind(protocol: str, group: TargetGroup) -> None:
    """May a listener with this protocol forward to the group? Raises IncompatibleProtocols."""
    if group.protocol not in _BEHIND[protocol]:
        raise t.IncompatibleProtocolsException(
            f"Listener protocol '{protocol}' is not supported with a target group with the protocol '{group.protocol}'"
        )
    if group.kind == "alb" and protocol != "TCP":
        raise t.IncompatibleProtocolsException(
            f"Listener protocol '{protocol}' is not supported with a target group with the target-type 'ALB'"
        )


def check_rules(balancer: LoadBalancer) -> None:
    """Rules beside the default one are for application load balancers, and network ones with addresses of both
    families. Raises UnsupportedProtocol."""
    if balancer.kind == "network" and balancer.ip_type != "dualstack":
        raise t.UnsupportedProtocolException(
            f"Rules are not supported for Network Load Balancers with the IP address type '{balancer.ip_type}'"
        )
    if balancer.kind == "gateway":
        raise t.UnsupportedProtocolException(f"Rules are not supported for {NOUNS[balancer.kind]}")
