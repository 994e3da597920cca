"""What goes together of the two families of addresses: of a load balancer, its listeners, and the groups behind it.

A group's targets are all of one family. Groups of IPv6 need a load balancer that has IPv6 addresses itself; datagrams
need one that has none.

Source: the user guides, "Target groups", "IP address type"; "Network Load Balancers", "IP address type".
"""

from __future__ import annotations

from hatoba.aws.shapes import elbv2 as t
from hatoba.core.errors import AwsError
from hatoba.services.elbv2.carried import groups_in_use
from hatoba.services.elbv2.model.balancer import IpType, LoadBalancer
from hatoba.services.elbv2.model.group import TargetGroup
from hatoba.services.elbv2.model.listener import listeners_of
from hatoba.store.store import View

_DATAGRAMS = ("UDP", "TCP_UDP")


def check_families(view: View, balancer: LoadBalancer, wanted: IpType) -> None:
    """Before it comes to have addresses of another type. Raises InvalidConfigurationRequest."""
    if wanted == "ipv4":
        for group in groups_in_use(view, balancer):
            check_group(group, wanted)
        return
    for listener in listeners_of(view, balancer):
        check_protocol(listener.protocol, wanted)


def check_group(group: TargetGroup, ip_type: IpType) -> None:
    """Raises InvalidConfigurationRequest."""
    if group.ip_type == "ipv6" and ip_type == "ipv4":
        raise _wrong(
            "You cannot associate an IPv6 target group with a load balancer that has an 'ipv4' IP address type"
        )


def check_protocol(protocol: str, ip_type: IpType) -> None:
    """Datagrams over IPv6 would need prefixes to send from (`EnablePrefixForIpv6SourceNat`). Raises
    InvalidConfigurationRequest."""
    if protocol in _DATAGRAMS and ip_type != "ipv4":
        raise _wrong(f"Listeners with the protocol '{protocol}' are not supported with the IP address type '{ip_type}'")


def _wrong(words: str) -> AwsError:
    return t.InvalidConfigurationRequestException(words)
