"""What goes together of the two families of addresses: of a load balancer, its listeners, and the groups behind it.

A group's targets are all of one family, and so are all groups of an action. Groups of IPv6 need a load balancer that
has IPv6 addresses itself, and so do rules of network load balancers. Datagrams need one that has none; or else prefixes
from which clients of IPv4 are spoken for, and targets of IPv6, but for what a rule has IPv4 clients' alone.

Source: the user guides, "Target groups", "IP address type"; "Network Load Balancers", "IP address type", "Create a
Network Load Balancer" and "Create a listener".
"""

from __future__ import annotations

from collections.abc import Sequence

from hatoba.aws.shapes import elbv2 as t
from hatoba.core.errors import AwsError
from hatoba.services.elbv2.carried import groups_in_use
from hatoba.services.elbv2.model.balancer import IpType, Kind, LoadBalancer
from hatoba.services.elbv2.model.group import TargetGroup, group_by_arn
from hatoba.services.elbv2.model.listener import Condition, groups_of, listeners_of, rules_of
from hatoba.services.elbv2.plan.conditions import family
from hatoba.store.store import View

_DATAGRAMS = ("UDP", "TCP_UDP")


def checked_prefixes(wanted: str | None, before: bool, kind: Kind, ip_type: IpType) -> bool:
    """Whether it is to have prefixes: as `EnablePrefixForIpv6SourceNat` says, else as it had. Raises
    InvalidConfigurationRequest."""
    if wanted is not None and kind != "network":
        raise _wrong(f"EnablePrefixForIpv6SourceNat is not supported for load balancers with type '{kind}'")
    if wanted == "on" and ip_type != "dualstack":
        raise _wrong(
            "EnablePrefixForIpv6SourceNat can be 'on' for load balancers with the IP address type 'dualstack' only, "
            f"but this one has '{ip_type}'"
        )
    return (wanted == "on" if wanted is not None else before) and ip_type == "dualstack"


def check_families(view: View, balancer: LoadBalancer, wanted: IpType, prefixes: bool) -> None:
    """Before it comes to have addresses of another type, or prefixes, or none. Raises InvalidConfigurationRequest."""
    _check_groups(groups_in_use(view, balancer), wanted)
    for listener in listeners_of(view, balancer):
        check_protocol(listener.protocol, wanted, prefixes)
        behind = (group_by_arn(view, arn) for arn in groups_of(listener.default))
        _check_datagrams(listener.protocol, wanted, [group for group in behind if group is not None])
        if balancer.kind == "network" and wanted == "ipv4" and rules_of(view, listener):
            raise _wrong("Network Load Balancers whose listeners have rules must have the IP address type 'dualstack'")


def check_behind(
    protocol: str, groups: Sequence[TargetGroup], balancer: LoadBalancer, conditions: Sequence[Condition]
) -> None:
    """Before a listener, or a rule of it with these conditions, forwards to these. Raises
    InvalidConfigurationRequest."""
    _check_groups(groups, balancer.ip_type)
    if len({group.ip_type for group in groups}) > 1:
        raise _wrong("All target groups of an action must have the same IP address type")
    if not any(family(condition) == "ipv4" for condition in conditions):
        _check_datagrams(protocol, balancer.ip_type, groups)


def _check_groups(groups: Sequence[TargetGroup], ip_type: IpType) -> None:
    if ip_type == "ipv4" and any(group.ip_type == "ipv6" for group in groups):
        raise _wrong(
            "You cannot associate an IPv6 target group with a load balancer that has an 'ipv4' IP address type"
        )


def _check_datagrams(protocol: str, ip_type: IpType, groups: Sequence[TargetGroup]) -> None:
    if protocol in _DATAGRAMS and ip_type != "ipv4" and any(group.ip_type == "ipv4" for group in groups):
        raise _wrong(
            f"You cannot use an IPv4 target group with a {protocol} listener for a load balancer that has a "
            f"'{ip_type}' IP address type"
        )


def check_protocol(protocol: str, ip_type: IpType, prefixes: bool) -> None:
    """Raises InvalidConfigurationRequest."""
    if protocol in _DATAGRAMS and ip_type != "ipv4" and not prefixes:
        raise _wrong(
            f"Listeners with the protocol '{protocol}' are not supported with the IP address type '{ip_type}' unless "
            "EnablePrefixForIpv6SourceNat is 'on'"
        )


def _wrong(words: str) -> AwsError:
    return t.InvalidConfigurationRequestException(words)
