"""What an interface is given besides its own address: secondary private addresses, and delegated prefixes (/28).

They stand at the fleet's interface, so the nodes hear of them in the same transaction. An elastic address goes with the
secondary address that it stands for: when that moves to another interface, and when it is given back.

Source: the EC2 user guide, "Secondary IP addresses for your EC2 instances", "Assign prefixes to network interfaces".
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network

import msgspec

from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.network import addresses
from hatoba.services.ec2.model.address import disassociate
from hatoba.services.ec2.model.errors import invalid
from hatoba.services.ec2.model.interface import Eni, of_fleet, only_ipv6, put_eni, the_eni, users_own
from hatoba.services.ec2.model.network import DELEGATED, Subnet, TakenAddresses, holder_of, subnets, the_subnet
from hatoba.store import Tx

LIMIT = 50  # of each family, as of AWS's largest machines: its own address counts, and a prefix counts as one


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """These addresses and prefixes, and so many more."""

    addresses: tuple[str, ...] = ()
    count: int = 0
    prefixes: tuple[str, ...] = ()
    prefix_count: int = 0

    def __bool__(self) -> bool:
        return bool(self.addresses or self.count or self.prefixes or self.prefix_count)


class Given(msgspec.Struct, frozen=True, kw_only=True):
    addresses: tuple[str, ...]
    prefixes: tuple[str, ...]


def assign(tx: Tx, eni: Eni, wish: Wish, *, move: bool = False) -> Given:
    """What the interface has been given; what it has already stays as it is.

    `move`: secondary addresses of other interfaces may be taken from them. Raises PrivateIpAddressLimitExceeded,
    InsufficientFreeAddressesInSubnet, InsufficientCidrBlocks, InvalidIPAddress.InUse, Resource.AlreadyAssigned,
    InvalidParameterValue.
    """
    if not wish:
        return Given(addresses=(), prefixes=())
    before, subnet = of_fleet(tx, eni), the_subnet(tx, eni.scope, eni.subnet)
    if subnet.only6:
        raise only_ipv6(subnet)
    asked, blocks = dict.fromkeys(map(_address, wish.addresses)), dict.fromkeys(map(_prefix, wish.prefixes))
    wanted = [address for address in asked if address not in before.further]
    prefixes = [prefix for prefix in blocks if prefix not in before.blocks]
    _refuse_over_limit(before, len(wanted) + wish.count + len(prefixes) + wish.prefix_count)
    for address in wanted:
        _free(tx, subnet, eni, address, move)
    _give(tx, eni, further=wanted)
    _give(tx, eni, further=_choose(tx, subnet, wish.count))
    for prefix in prefixes:
        _refuse_taken(tx, subnet, IPv4Network(prefix))
        _give(tx, eni, blocks=[prefix])
    for _ in range(wish.prefix_count):
        _give(tx, eni, blocks=[_choose_prefix(tx, the_subnet(tx, eni.scope, eni.subnet))])
    after = of_fleet(tx, eni)
    come = dict.fromkeys(address for address in after.further if address not in before.further)
    delegated = dict.fromkeys(block for block in after.blocks if block not in before.blocks)
    return Given(addresses=tuple(asked | come), prefixes=tuple(blocks | delegated))


def unassign(tx: Tx, eni: Eni, gone: Iterable[str], prefixes: Iterable[str]) -> None:
    """Raises InvalidParameterValue when the interface does not have one of them: then it keeps all."""
    interface, lost, blocks = of_fleet(tx, eni), set(map(_address, gone)), set(map(_prefix, prefixes))
    if interface.address in lost:
        raise invalid(f"The primary private address {interface.address} of {eni.id} cannot be unassigned.")
    if not lost <= set(interface.further):
        raise invalid(f"Some of the specified addresses are not assigned to interface {eni.id}")
    if not blocks <= set(interface.blocks):
        raise invalid(f"Some of the specified prefixes are not assigned to interface {eni.id}")
    for private in lost & {each.private for each in eni.further}:
        eni = disassociate(tx, eni, private)
    _take(tx, eni, lost, blocks)


def _refuse_over_limit(interface: fleet.Interface, more: int) -> None:
    if sum(":" not in held for held in interface.held) + more > LIMIT:
        raise invalid("Number of private addresses will exceed limit.", "PrivateIpAddressLimitExceeded")


def _address(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except AddressValueError:
        raise invalid(f"Value ({text}) for parameter address is invalid. Invalid IP address.") from None


def _prefix(text: str) -> str:
    try:
        network = IPv4Network(text)
    except ValueError:
        raise invalid(f"Value ({text}) for parameter ipv4Prefix is invalid. This is not a valid CIDR block.") from None
    if network.prefixlen != DELEGATED:
        raise invalid(f"Value ({text}) for parameter ipv4Prefix is invalid. The prefix length must be /{DELEGATED}.")
    return str(network)


def _free(tx: Tx, subnet: Subnet, eni: Eni, address: str, move: bool) -> None:
    """The address may be given now: it is nobody's, or has been taken from whoever had it."""
    network, wanted = subnet.network, IPv4Address(address)
    if not addresses.is_usable(network, wanted):
        raise invalid("Address does not fall within the subnet's address range")
    if wanted not in TakenAddresses(tx, subnet):
        return
    there = holder_of(tx, subnet, address)
    if there is None or there.address == address:  # of a prefix, or somebody's own
        raise invalid(f"Address {address} is in use.", "InvalidIPAddress.InUse")
    if not move:
        raise invalid(
            f"The private IP address {address} is already assigned to {there.id}: unassign it first, or allow its "
            "reassignment.",
            "Resource.AlreadyAssigned",
        )
    other = users_own(the_eni(tx, eni.scope, there.id))
    _take(tx, other, (address,))
    along = next((each for each in other.further if each.private == address), None)
    if along is not None:
        put_eni(tx, replace(other, further=tuple(each for each in other.further if each != along)))
        mine = the_eni(tx, eni.scope, eni.id)
        put_eni(tx, replace(mine, further=(*mine.further, along)))


def _choose(tx: Tx, subnet: Subnet, count: int) -> list[str]:
    """The next free ones."""
    network, taken = subnet.network, _Besides(TakenAddresses(tx, subnet))
    last = IPv4Address(subnet.cursor) if subnet.cursor else None
    for _ in range(count):
        last = addresses.next_free(network, taken, last)
        if last is None:
            raise invalid(
                "The specified subnet does not have enough free addresses to satisfy the request.",
                "InsufficientFreeAddressesInSubnet",
            )
        taken.chosen.append(last)
    if count:
        tx.put(subnets, replace(subnet, cursor=str(last)))
    return [str(address) for address in taken.chosen]


class _Besides:
    """What is taken, and what has been chosen since."""

    def __init__(self, taken: TakenAddresses) -> None:
        self._taken = taken
        self.chosen: list[IPv4Address] = []

    def __contains__(self, address: object) -> bool:
        return address in self.chosen or address in self._taken

    def __len__(self) -> int:
        return len(self._taken) + len(self.chosen)

    def __iter__(self) -> Iterator[IPv4Address]:
        yield from self._taken
        yield from self.chosen


def _choose_prefix(tx: Tx, subnet: Subnet) -> str:
    last = IPv4Network(subnet.block_cursor) if subnet.block_cursor else None
    found = addresses.next_block(subnet.network, TakenAddresses(tx, subnet), last, DELEGATED)
    if found is None:
        raise invalid(
            "The specified subnet does not have enough free cidr blocks to satisfy the request.",
            "InsufficientCidrBlocks",
        )
    tx.put(subnets, replace(subnet, block_cursor=str(found)))
    return str(found)


def _refuse_taken(tx: Tx, subnet: Subnet, prefix: IPv4Network) -> None:
    network, taken = subnet.network, TakenAddresses(tx, subnet)
    if not all(addresses.is_usable(network, address) for address in prefix):
        raise invalid(f"The prefix {prefix} does not fall within the subnet's address range")
    if any(address in taken for address in prefix):
        raise invalid(f"Addresses of the prefix {prefix} are in use.", "InvalidIPAddress.InUse")


def _give(tx: Tx, eni: Eni, *, further: Iterable[str] = (), blocks: Iterable[str] = ()) -> None:
    known = of_fleet(tx, eni)
    new = replace(known, further=(*known.further, *further), blocks=(*known.blocks, *blocks))
    if new != known:
        tx.put(fleet.interfaces, new)


def _take(tx: Tx, eni: Eni, further: Container[str], blocks: Container[str] = ()) -> None:
    known = of_fleet(tx, eni)
    kept = tuple(address for address in known.further if address not in further)
    tx.put(fleet.interfaces, replace(known, further=kept, blocks=tuple(b for b in known.blocks if b not in blocks)))
