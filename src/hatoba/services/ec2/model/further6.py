"""An interface's IPv6 addresses and delegated prefixes (/80).

They stand at the fleet's interface, so the nodes hear of them in the same transaction: the first address is
`address6`, the others are among the further ones. Addresses come from the subnet's first /80 and prefixes from its end
(`addresses6`); what was given back comes again only after all the others.

Source: the EC2 user guide, "Manage the IPv6 addresses for your EC2 instances", "Assign prefixes to network interfaces".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import AddressValueError, IPv6Address, IPv6Network

from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.network import addresses6
from hatoba.services.ec2.model.errors import invalid
from hatoba.services.ec2.model.further import LIMIT, Given, Wish
from hatoba.services.ec2.model.interface import Eni, of_fleet
from hatoba.services.ec2.model.network import Subnet, holder_of, subnets, the_subnet
from hatoba.store import Tx
from hatoba.store.store import View


def addresses_of(interface: fleet.Interface) -> list[str]:
    """Its IPv6 addresses, the first one first."""
    first = [] if interface.address6 is None else [interface.address6]
    return first + [address for address in interface.further if ":" in address]


def prefixes_of(interface: fleet.Interface) -> list[str]:
    return [block for block in interface.blocks if ":" in block]


class _Taken:
    """Addresses and prefixes of a subnet that are in use, asked one by one."""

    def __init__(self, view: View, subnet: Subnet) -> None:
        self._view = view
        self._subnet = subnet

    def __contains__(self, asked: object) -> bool:
        if isinstance(asked, IPv6Network):
            return self._view.count(fleet.interfaces, "block6", (self._subnet.id, str(asked))) > 0
        block = IPv6Network((str(asked), addresses6.DELEGATED), strict=False)
        return any(holder_of(self._view, self._subnet, held) is not None for held in (str(asked), str(block)))


def assign6(tx: Tx, eni: Eni, wish: Wish) -> Given:
    """What the interface has been given besides what it had; that stays as it is.

    Raises PrivateIpAddressLimitExceeded, InsufficientFreeAddressesInSubnet, InsufficientCidrBlocks,
    InvalidIPAddress.InUse, InvalidParameterValue.
    """
    if not wish:
        return Given(addresses=(), prefixes=())
    before, subnet = of_fleet(tx, eni), the_subnet(tx, eni.scope, eni.subnet)
    network = subnet.network6
    if network is None:
        raise invalid(f"The subnet '{subnet.id}' does not have an IPv6 CIDR block associated with it.")
    held, blocks = addresses_of(before), prefixes_of(before)
    wanted = [address for address in dict.fromkeys(map(_address, wish.addresses)) if address not in held]
    prefixes = [prefix for prefix in dict.fromkeys(map(_prefix, wish.prefixes)) if prefix not in blocks]
    more = len(wanted) + wish.count + len(prefixes) + wish.prefix_count
    if len(held) + len(blocks) + more > LIMIT:
        raise invalid("Number of IPv6 addresses will exceed limit.", "PrivateIpAddressLimitExceeded")
    for address in wanted:
        _refuse_taken(tx, subnet, network, address)
        _give(tx, eni, [address])
    for _ in range(wish.count):
        _give(tx, eni, [_next_address(tx, eni)])
    for prefix in prefixes:
        _refuse_prefix(tx, subnet, network, IPv6Network(prefix))
        _give(tx, eni, blocks=[prefix])
    for _ in range(wish.prefix_count):
        _give(tx, eni, blocks=[_next_prefix(tx, eni)])
    after = of_fleet(tx, eni)
    return Given(
        addresses=tuple(address for address in addresses_of(after) if address not in held),
        prefixes=tuple(prefix for prefix in prefixes_of(after) if prefix not in blocks),
    )


def unassign6(tx: Tx, eni: Eni, gone: Iterable[str], prefixes: Iterable[str]) -> Given:
    """Raises InvalidParameterValue when the interface does not have one of them, or may not lose it: then it keeps
    all."""
    interface = of_fleet(tx, eni)
    lost, blocks = dict.fromkeys(map(_address, gone)), dict.fromkeys(map(_prefix, prefixes))
    held = addresses_of(interface)
    if not lost.keys() <= set(held):
        raise invalid(f"Some of the specified addresses are not assigned to interface {eni.id}")
    if not blocks.keys() <= set(interface.blocks):
        raise invalid(f"Some of the specified prefixes are not assigned to interface {eni.id}")
    if eni.primary6 and interface.address6 in lost:
        raise invalid(f"The primary IPv6 address {interface.address6} of {eni.id} cannot be unassigned.")
    left = [address for address in held if address not in lost]
    if not interface.address and not left:
        raise invalid(f"{eni.id} is in an IPv6-only subnet: it needs an IPv6 address.")
    _put(tx, interface, left, tuple(block for block in interface.blocks if block not in blocks))
    return Given(addresses=tuple(lost), prefixes=tuple(blocks))


def holds6(view: View, subnet: Subnet) -> bool:
    """Any interface of the subnet has an IPv6 address or prefix."""
    inside = view.index(fleet.interfaces, "subnet", subnet.id)
    return any(addresses_of(interface) or prefixes_of(interface) for interface in inside)


def _address(text: str) -> str:
    try:
        if "%" in text:  # a device of somebody's
            raise AddressValueError(text)
        return str(IPv6Address(text))
    except AddressValueError:
        raise invalid(f"Value ({text}) for parameter ipv6Address is invalid. Invalid IPv6 address.") from None


def _prefix(text: str) -> str:
    try:
        if "%" in text:
            raise ValueError(text)
        network = IPv6Network(text)
    except ValueError:
        raise invalid(f"Value ({text}) for parameter ipv6Prefix is invalid. This is not a valid CIDR block.") from None
    if network.prefixlen != addresses6.DELEGATED:
        raise invalid(
            f"Value ({text}) for parameter ipv6Prefix is invalid. The prefix length must be /{addresses6.DELEGATED}."
        )
    return str(network)


def _refuse_taken(tx: Tx, subnet: Subnet, network: IPv6Network, address: str) -> None:
    if not addresses6.is_usable(network, IPv6Address(address)):
        raise invalid("Address does not fall within the subnet's address range")
    if IPv6Address(address) in _Taken(tx, subnet):
        raise invalid(f"Address {address} is in use.", "InvalidIPAddress.InUse")


def _refuse_prefix(tx: Tx, subnet: Subnet, network: IPv6Network, prefix: IPv6Network) -> None:
    if not addresses6.is_delegable(network, prefix):
        raise invalid(f"The prefix {prefix} does not fall within the subnet's address range")
    if prefix in _Taken(tx, subnet):
        raise invalid(f"Addresses of the prefix {prefix} are in use.", "InvalidIPAddress.InUse")


def _next_address(tx: Tx, eni: Eni) -> str:
    subnet = the_subnet(tx, eni.scope, eni.subnet)  # afresh: the address before this one has moved its cursor
    assert subnet.network6 is not None
    after = IPv6Address(subnet.cursor6) if subnet.cursor6 else None
    found = addresses6.next_free(subnet.network6, _Taken(tx, subnet), after)
    if found is None:
        raise invalid(
            "The specified subnet does not have enough free addresses to satisfy the request.",
            "InsufficientFreeAddressesInSubnet",
        )
    tx.put(subnets, replace(subnet, cursor6=str(found)))
    return str(found)


def _next_prefix(tx: Tx, eni: Eni) -> str:
    subnet = the_subnet(tx, eni.scope, eni.subnet)
    assert subnet.network6 is not None
    last = IPv6Network(subnet.block_cursor6) if subnet.block_cursor6 else None
    found = addresses6.next_prefix(subnet.network6, _Taken(tx, subnet), last)
    if found is None:
        raise invalid(
            "The specified subnet does not have enough free cidr blocks to satisfy the request.",
            "InsufficientCidrBlocks",
        )
    tx.put(subnets, replace(subnet, block_cursor6=str(found)))
    return str(found)


def _give(tx: Tx, eni: Eni, further: Sequence[str] = (), blocks: Sequence[str] = ()) -> None:
    known = of_fleet(tx, eni)
    _put(tx, known, [*addresses_of(known), *further], (*known.blocks, *blocks))


def _put(tx: Tx, known: fleet.Interface, sixes: Sequence[str], blocks: tuple[str, ...]) -> None:
    four = tuple(address for address in known.further if ":" not in address)
    new = replace(known, address6=next(iter(sixes), None), further=(*four, *sixes[1:]), blocks=blocks)
    if new != known:
        tx.put(fleet.interfaces, new)
