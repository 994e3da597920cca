"""Addresses: what is free, what is reserved, what goes round."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network

from hypothesis import given
from hypothesis import strategies as st

from hatoba.network import addresses

SUBNET = IPv4Network("10.0.1.0/28")
subnets = st.builds(
    lambda base, prefix: IPv4Network((base >> (32 - prefix) << (32 - prefix), prefix)),
    st.integers(0, 2**32 - 1),
    st.integers(16, 28),
)


def test_a_subnet_reserves_its_first_four_addresses_and_its_last_one() -> None:
    usable = [address for address in SUBNET if addresses.is_usable(SUBNET, address)]
    assert str(usable[0]) == "10.0.1.4"
    assert str(usable[-1]) == "10.0.1.14"
    assert addresses.available(SUBNET, set()) == 11


def test_every_address_is_given_out_once_and_then_none() -> None:
    taken: set[IPv4Address] = set()
    last = None
    while (address := addresses.next_free(SUBNET, taken, last)) is not None:
        assert address not in taken
        taken.add(address)
        last = address
    assert len(taken) == 11
    assert addresses.available(SUBNET, taken) == 0


def test_a_released_address_rests_until_the_others_were_used() -> None:
    first = addresses.next_free(SUBNET, set())
    assert first is not None
    assert addresses.next_free(SUBNET, set(), after=first) == first + 1


def test_after_the_last_address_comes_the_first_free_one() -> None:
    last = IPv4Address("10.0.1.14")
    assert addresses.next_free(SUBNET, {IPv4Address("10.0.1.4")}, after=last) == IPv4Address("10.0.1.5")


@given(subnets, st.data())
def test_the_next_free_address_is_usable_and_free(subnet: IPv4Network, data: st.DataObject) -> None:
    hosts = addresses.usable(subnet)
    taken = {IPv4Address(n) for n in data.draw(st.sets(st.sampled_from(hosts), max_size=40))}
    after = data.draw(st.none() | st.integers(0, 2**32 - 1).map(IPv4Address) | st.sampled_from(hosts).map(IPv4Address))
    chosen = addresses.next_free(subnet, taken, after)
    if chosen is None:
        assert len(taken) == len(hosts)
    else:
        assert chosen not in taken
        assert addresses.is_usable(subnet, chosen)
        assert addresses.available(subnet, taken) == len(hosts) - len(taken)


@given(subnets, st.data())
def test_the_next_free_block_is_whole_and_goes_round(subnet: IPv4Network, data: st.DataObject) -> None:
    hosts = addresses.usable(subnet)
    taken = {IPv4Address(data.draw(st.integers(hosts.start, hosts.stop - 1))) for _ in range(5)} if hosts else set()
    first = addresses.next_block(subnet, taken)
    if first is None:
        assert subnet.prefixlen > 24, "five addresses fill no larger one"
        return
    assert first.prefixlen == 28
    assert all(addresses.is_usable(subnet, address) and address not in taken for address in first)
    second = addresses.next_block(subnet, taken | set(first), first)
    assert second is None or not set(second) & (taken | set(first))


def test_blocks_are_given_out_from_the_end_and_then_from_the_end_again() -> None:
    subnet, last, given = IPv4Network("10.0.1.0/26"), None, []
    for _ in range(3):
        last = addresses.next_block(subnet, set(), last)
        given.append(str(last))
    assert given == ["10.0.1.32/28", "10.0.1.16/28", "10.0.1.32/28"], (
        "neither the first nor the last, which are reserved"
    )
    assert addresses.next_block(SUBNET, set()) is None


def test_a_pool_keeps_its_part_for_transit() -> None:
    pool, transit = IPv4Network("100.64.0.0/16"), IPv4Network("100.64.0.0/22")
    assert addresses.next_public(pool, set(), excluded=transit) == IPv4Address("100.64.4.0")


def test_the_resolver_and_the_router_have_their_fixed_places() -> None:
    assert str(addresses.resolver(IPv4Network("172.31.0.0/16"))) == "172.31.0.2"
    assert str(addresses.router(IPv4Network("172.31.16.0/20"))) == "172.31.16.1"


@given(st.lists(st.integers(0, 2**32 - 1), unique=True, max_size=50))
def test_hardware_addresses_are_local_unicast_and_differ(numbers: list[int]) -> None:
    macs = [addresses.mac(IPv4Address(number)) for number in numbers]
    assert len(set(macs)) == len(macs)
    assert all(int(mac[:2], 16) & 0b11 == 0b10 for mac in macs)


def test_the_ipv6_address_follows_the_ipv4_one() -> None:
    network = IPv6Network("2001:db8:1:2::/64")
    assert str(addresses.address6(network, IPv4Address("10.0.0.5"))) == "2001:db8:1:2::a00:5"


@given(st.lists(subnets, max_size=8), st.integers(0, 63))
def test_a_chosen_pool_touches_nothing_occupied(occupied: list[IPv4Network], start: int) -> None:
    within = IPv4Network("100.64.0.0/10")
    pool = addresses.choose_pool(within, occupied, 16, start)
    assert pool is not None
    assert pool.subnet_of(within)
    assert not any(pool.overlaps(network) for network in occupied)


def test_no_pool_is_chosen_when_all_are_occupied() -> None:
    assert addresses.choose_pool(IPv4Network("100.64.0.0/10"), [IPv4Network("100.0.0.0/8")], 16) is None
