"""What a node is told of networks, in the words of its fabric. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.fleet import items as i
from hatoba.fleet.model import AclRule, Rule
from hatoba.network import base as net
from hatoba.network.further import Further


def rules(given: Iterable[Rule]) -> tuple[net.Rule, ...]:
    return tuple(
        net.Rule(protocol=r.protocol, from_port=r.from_port, to_port=r.to_port, cidrs=r.cidrs, groups=r.groups)
        for r in given
    )


def acls(item: i.NetworkItem) -> tuple[net.Acl, ...]:
    return tuple(
        net.Acl(
            id=acl.id,
            borders=tuple(net.Border(subnet=border.subnet, cidrs=border.cidrs) for border in acl.borders),
            ingress=_acl_rules(acl.ingress),
            egress=_acl_rules(acl.egress),
        )
        for acl in item.acls
    )


def _acl_rules(rules: Iterable[AclRule]) -> tuple[net.AclRule, ...]:
    return tuple(
        net.AclRule(protocol=r.protocol, from_port=r.from_port, to_port=r.to_port, cidrs=r.cidrs, allow=r.allow)
        for r in rules
    )


def of_interface(id_: str, item: i.InterfaceItem) -> net.InterfaceSpec:
    publics = dict(item.publics)
    return net.InterfaceSpec(
        id=id_,
        vpc=item.network,
        address=item.address or None,
        mac=item.mac,
        gateway=item.gateway or None,
        groups=item.groups,
        address6=item.address6,
        egress6=item.egress6,
        public=item.public,
        egress=item.egress,
        further=tuple(Further(network=each, public=publics.get(each)) for each in item.further),
    )


def of_address(id_: str, item: i.InterfaceItem) -> net.AddressSpec:
    return net.AddressSpec(
        id=id_,
        vpc=item.network,
        address=item.address or None,
        address6=item.address6,
        groups=item.groups,
        public=item.public,
        egress=item.egress,
        egress6=item.egress6,
        open=item.open,
    )
