"""IPv6 addresses, prefixes and blocks: what is free, what is reserved, what goes round."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network

from hatoba.network import addresses6 as a
from hatoba.network.addresses import choose_pool

SUBNET = IPv6Network("fd00:0:0:7::/64")
POOL = IPv6Network("fd00::/54")  # four blocks


def test_a_subnet_reserves_its_first_four_addresses_and_its_last_one() -> None:
    ends = ["fd00:0:0:7::3", "fd00:0:0:7::4", "fd00:0:0:7:ffff:ffff:ffff:fffe", "fd00:0:0:7:ffff:ffff:ffff:ffff"]
    assert [a.is_usable(SUBNET, IPv6Address(end)) for end in ends] == [False, True, True, False]
    assert not a.is_usable(SUBNET, IPv6Address("fd00:0:0:8::4"))


def test_addresses_go_up_and_round_within_the_first_prefix() -> None:
    first, last = IPv6Address("fd00:0:0:7::4"), IPv6Address("fd00:0:0:7:0:ffff:ffff:ffff")
    assert a.next_free(SUBNET, set()) == first
    assert a.next_free(SUBNET, {first}) == first + 1
    assert a.next_free(SUBNET, {first + 2}, first + 1) == first + 3
    assert a.next_free(SUBNET, set(), last) == first, "the next prefix is somebody else's"
    assert a.next_free(SUBNET, {first}, last) == first + 1
    assert a.next_free(SUBNET, set(), IPv6Address("fd00:0:0:9::9")) == first, "of another subnet"


def test_prefixes_go_down_and_round_and_touch_nothing_reserved() -> None:
    first, lowest = IPv6Network("fd00:0:0:7:fffe::/80"), IPv6Network("fd00:0:0:7:1::/80")
    assert a.next_prefix(SUBNET, set()) == first
    assert a.next_prefix(SUBNET, {IPv6Network("fd00:0:0:7:fffd::/80")}, first) == IPv6Network("fd00:0:0:7:fffc::/80")
    assert a.next_prefix(SUBNET, set(), lowest) == first
    for wrong in ("fd00:0:0:7::/80", "fd00:0:0:7:ffff::/80", "fd00:0:0:8:1::/80", "fd00:0:0:7:1::/81"):
        assert not a.is_delegable(SUBNET, IPv6Network(wrong)), wrong
    assert a.is_delegable(SUBNET, first)
    assert a.is_delegable(SUBNET, lowest)


def test_every_part_of_a_pool_is_given_once_and_then_none() -> None:
    taken: set[IPv6Network] = set()
    last = None
    while (part := a.next_part(POOL, 56, taken, last)) is not None:
        taken.add(part)
        last = part
    first, *others = POOL.subnets(new_prefix=56)
    assert taken == set(others), "the first one is where hosts and routers have their addresses"
    assert first not in taken
    back = IPv6Network("fd00:0:0:100::/56")
    assert a.next_part(POOL, 56, taken - {back}, last) == back


def test_a_pool_touches_nothing_that_is_routed() -> None:
    within = IPv6Network("fd68:6174::/32")
    routed = [IPv6Network("fd68:6174:300::/56"), IPv6Network("::/1")]
    assert choose_pool(within, routed[:1], 40, start=3) == IPv6Network("fd68:6174:400::/40")
    assert choose_pool(within, routed[:1], 40, start=255) == IPv6Network("fd68:6174:ff00::/40")
    assert choose_pool(within, [within], 40, start=9) is None
