"""The names that addresses of a VPC have by themselves."""

from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from hatoba.dns.base import Found
from hatoba.node.private_names import private_names

CIDRS = ("172.31.0.0/16", "10.1.2.0/25", "fd00::/56")


def values(found: Found | None) -> tuple[str, ...]:
    assert found is not None
    return found.values


def test_domains_of_regions() -> None:
    east, west = private_names(CIDRS, "us-east-1"), private_names(CIDRS, "eu-west-1")
    assert values(east.find("ip-172-31-0-5.ec2.internal", "A")) == ("172.31.0.5",)
    assert values(west.find("ip-172-31-0-5.eu-west-1.compute.internal", "A")) == ("172.31.0.5",)
    assert values(west.find("5.0.31.172.in-addr.arpa", "PTR")) == ("ip-172-31-0-5.eu-west-1.compute.internal.",)
    for foreign in ("ip-172-31-0-5.ec2.internal", "ip-172-31-0-5.us-west-2.compute.internal"):
        found = west.find(foreign, "A")
        assert found is not None
        assert not found.exists


def test_outside_of_the_network_there_are_no_names() -> None:
    zone = private_names(CIDRS, "us-east-1")
    for name in (
        "ip-10-1-2-128.ec2.internal",
        "ip-999-1-1-1.ec2.internal",
        "ip-010-1-2-3.ec2.internal",
        "x.ec2.internal",
    ):
        found = zone.find(name, "A")
        assert found is not None
        assert not found.exists
    assert zone.find("1.1.1.1.in-addr.arpa", "PTR") is None  # the host's resolvers may know
    assert zone.find("ip-172-31-0-5.example.com", "A") is None


def test_a_name_without_that_kind_exists() -> None:
    zone = private_names(CIDRS, "us-east-1")
    for name, kind in [("ip-172-31-0-5.ec2.internal", "AAAA"), ("5.0.31.172.in-addr.arpa", "A"), ("ec2.internal", "A")]:
        found = zone.find(name, kind)
        assert found is not None
        assert found.exists
        assert not found.values


@given(st.integers(int(IPv4Address("172.31.0.0")), int(IPv4Address("172.31.255.255"))).map(IPv4Address))
def test_there_and_back(address: IPv4Address) -> None:
    zone = private_names(CIDRS, "ap-northeast-1")
    name = values(zone.find(address.reverse_pointer, "PTR"))[0].rstrip(".")
    assert values(zone.find(name, "A")) == (str(address),)
