"""DHCP options. What they say of names reaches tasks that are started from then on."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, ip_address

from hatoba.aws.shapes import ec2 as t
from hatoba.core.errors import AwsError
from hatoba.core.ids import resource_id
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2.api.room import ec2, own_tags, paged, tag_new
from hatoba.services.ec2.defaults import ensure_default
from hatoba.services.ec2.filters import matching
from hatoba.services.ec2.model.arns import arn
from hatoba.services.ec2.model.dhcp import (
    NONE,
    PROVIDED,
    DhcpOptions,
    Option,
    default_options,
    dhcp_options,
    the_options,
)
from hatoba.services.ec2.model.errors import dependency, invalid
from hatoba.services.ec2.model.network import put_vpc, the_vpc, vpcs
from hatoba.services.ec2.views import dhcp as views

_NODE_TYPES = ("1", "2", "4", "8")
_LEASE = range(140, 2147483648)  # seconds
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?")
_MOST = 4  # servers of a kind


@ec2.operation
async def create_dhcp_options(req: t.CreateDhcpOptionsRequest, call: Call) -> t.CreateDhcpOptionsResult:
    options = tuple(_option(given) for given in req["DhcpConfigurations"])
    if not options:
        raise invalid("The request must contain the parameter dhcpConfiguration", "MissingParameter")
    if len({option.key for option in options}) < len(options):
        raise invalid("An option of DHCP may be given once.")
    with call.tx() as tx:
        key = dhcp_options.key(call.scope, resource_id(call.ids, "dopt"))
        made = tx.put(dhcp_options, DhcpOptions(key=key, options=options))
        tag_new(tx, call, made.id, req)
    return {"DhcpOptions": views.dhcp_options(made, own_tags(call, made.id))}


def _option(given: t.NewDhcpConfiguration) -> Option:
    key, values = given.get("Key", ""), tuple(given.get("Values", ()))
    if not values:
        raise _wrong(key, "")
    match key:
        case "domain-name":
            fine = len(values) == 1 and all(_DOMAIN.fullmatch(word) for word in values[0].split(" "))
        case "domain-name-servers":
            fine = len(values) <= _MOST and (values == (PROVIDED,) or all(map(_is_address, values)))
        case "ntp-servers":
            fine = len(values) <= _MOST and all(map(_is_address, values))
        case "netbios-name-servers":
            fine = len(values) <= _MOST and all(_is_address(value) and ":" not in value for value in values)
        case "netbios-node-type":
            fine = len(values) == 1 and values[0] in _NODE_TYPES
        case "ipv6-address-preferred-lease-time":
            fine = len(values) == 1 and values[0].isdecimal() and int(values[0]) in _LEASE
        case _:
            raise invalid(f"Value ({key}) for parameter key is invalid. Unknown DHCP option")
    if not fine:
        raise _wrong(key, ", ".join(values))
    return Option(key=key, values=values)


def _wrong(key: str, values: str) -> AwsError:
    return invalid(f"Value ({values}) for parameter value is invalid. Invalid DHCP option value for {key}.")


def _is_address(text: str) -> bool:
    try:
        return isinstance(ip_address(text), IPv4Address) or True
    except (ValueError, AddressValueError):
        return False


@ec2.operation
async def describe_dhcp_options(req: t.DescribeDhcpOptionsRequest, call: Call) -> t.DescribeDhcpOptionsResult:
    ensure_default(call)
    if ids := req.get("DhcpOptionsIds"):
        found = [the_options(call.store, call.scope, id_) for id_ in dict.fromkeys(ids)]
    else:
        found = [default_options(call.scope), *call.store.scan(dhcp_options, call.scope)]
    found = matching(
        found,
        req.get("Filters", []),
        {
            "dhcp-options-id": lambda each: (each.id,),
            "key": lambda each: (option.key for option in each.options),
            "value": lambda each: (value for option in each.options for value in option.values),
            "owner-id": lambda each: (each.key.account,),
        },
        lambda each: own_tags(call, each.id),
    )
    page, token = paged(call, req, found, order=lambda each: each.id, ids="DhcpOptionsIds")
    return {"DhcpOptions": [views.dhcp_options(each, own_tags(call, each.id)) for each in page], **next_token(token)}


@ec2.operation
async def associate_dhcp_options(req: t.AssociateDhcpOptionsRequest, call: Call) -> None:
    ensure_default(call)
    with call.tx() as tx:
        vpc = the_vpc(tx, call.scope, req["VpcId"])
        wanted: str | None = req["DhcpOptionsId"]
        if wanted != NONE:
            wanted = the_options(tx, call.scope, wanted or "").id
        put_vpc(tx, replace(vpc, dhcp=None if wanted == default_options(call.scope).id else wanted))


@ec2.operation
async def delete_dhcp_options(req: t.DeleteDhcpOptionsRequest, call: Call) -> None:
    with call.tx() as tx:
        options = the_options(tx, call.scope, req["DhcpOptionsId"])
        if options.id == default_options(call.scope).id or tx.count(vpcs, "dhcp", options.id):
            raise dependency(f"The dhcpOptions '{options.id}'")
        tx.forget(dhcp_options, options.key)
        forget_tags(tx, call.scope, arn(call.scope, options.id))
