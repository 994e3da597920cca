"""DHCP options: what machines of a VPC are told when they come up. Here: whom tasks ask for names, and where.

Every account has a set of its own in every region from the beginning, which nobody has to make and which new VPCs
follow; it is not stored.
"""

from __future__ import annotations

import hashlib

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.services.ec2.model.errors import not_found
from hatoba.store import Table
from hatoba.store.store import View

PROVIDED = "AmazonProvidedDNS"  # as a name server: the VPC's own resolver
NONE = "default"  # in the place of an id: no options at all
DOMAIN, SERVERS = "domain-name", "domain-name-servers"


class Option(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    values: tuple[str, ...]


class DhcpOptions(Record, frozen=True, kw_only=True):
    options: tuple[Option, ...]

    def of(self, key: str) -> tuple[str, ...]:
        return next((option.values for option in self.options if option.key == key), ())


dhcp_options = Table("ec2.dhcp_options", DhcpOptions)


def domain_of(region: str) -> str:
    return "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"


def default_options(scope: Scope) -> DhcpOptions:
    """The set that is there by itself."""
    digest = hashlib.blake2b(f"{scope.account} {scope.region}".encode(), digest_size=8).hexdigest()
    return DhcpOptions(
        key=dhcp_options.key(scope, f"dopt-0{digest}"),
        options=(
            Option(key=DOMAIN, values=(domain_of(scope.region),)),
            Option(key=SERVERS, values=(PROVIDED,)),
        ),
    )


def options_of(view: View, scope: Scope, id_: str | None) -> DhcpOptions | None:
    """What a VPC follows: by id, the default set (None), or nothing ("default")."""
    if id_ is None:
        return default_options(scope)
    return None if id_ == NONE else the_options(view, scope, id_)


def the_options(view: View, scope: Scope, id_: str) -> DhcpOptions:
    default = default_options(scope)
    found = default if id_ == default.id else view.find(dhcp_options, scope, id_)
    if found is None:
        raise not_found(id_, "dopt")
    return found
