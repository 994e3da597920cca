"""Which blocks may stand beside which in a VPC: the table of the VPC user guide."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from hatoba.services.ec2.model.ranges import restricted


@pytest.mark.parametrize(
    ("blocks", "new", "refused"),
    [
        ("10.2.0.0/16", "10.3.0.0/16", False),
        ("10.2.0.0/16", "10.0.0.0/16", False),
        ("10.1.0.0/16", "10.0.0.0/16", True),
        ("10.1.0.0/16", "10.2.0.0/16", False),
        ("10.2.0.0/16 10.1.0.0/16", "10.0.64.0/20", True),
        ("10.2.0.0/16", "172.16.0.0/16", True),
        ("10.2.0.0/16", "192.168.0.0/24", True),
        ("10.2.0.0/16", "198.19.0.0/24", True),
        ("10.2.0.0/16", "100.100.0.0/16", False),
        ("10.2.0.0/16", "52.0.0.0/16", False),
        ("10.2.0.0/16 100.100.0.0/16", "10.3.0.0/16", False),
        ("172.20.0.0/16", "172.21.0.0/16", False),
        ("172.20.0.0/16", "172.31.0.0/20", True),
        ("172.20.0.0/16", "10.0.0.0/16", True),
        ("192.168.0.0/20", "192.168.64.0/20", False),
        ("192.168.0.0/20", "172.16.0.0/16", True),
        ("198.19.0.0/20", "198.19.64.0/20", False),
        ("198.19.0.0/20", "10.0.0.0/16", True),
        ("52.0.0.0/16", "52.1.0.0/16", False),
        ("52.0.0.0/16", "10.0.0.0/16", True),
        ("52.0.0.0/16", "198.19.0.0/16", True),
    ],
)
def test_which_blocks_are_restricted(blocks: str, new: str, refused: bool) -> None:
    assert restricted([IPv4Network(block) for block in blocks.split()], IPv4Network(new)) == refused
