"""The instance's IPv6 pool: chosen once, kept, and refused in a sentence. And where other machines' tasks ask."""

from __future__ import annotations

from ipaddress import IPv6Network
from pathlib import Path

import pytest

from hatoba.app import pool
from hatoba.app.places import Places
from hatoba.app.settings import Settings
from hatoba.core.errors import Refused

NOWHERE = "0" * 32
ROUTES = f"""\
fd686174030000000000000000000000 28 {NOWHERE} 00 {NOWHERE} 00000400 00000001 00000000 00000001 eth0
{NOWHERE} 00 {NOWHERE} 00 {NOWHERE} ffffffff 00000001 00000000 00200200 lo
"""


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    routes = tmp_path / "ipv6_route"
    routes.write_text(ROUTES)
    monkeypatch.setattr(pool, "_ROUTES6", routes)
    found = Places(data=tmp_path, instance="one")
    found.control.mkdir(parents=True, exist_ok=True)
    return found


def test_it_is_chosen_beside_what_is_routed_and_kept(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool.zlib, "crc32", lambda _: 3)
    chosen = pool.ensure_pool6(places, "")
    assert chosen == "fd68:6174:400::/40", "the one before has a route"
    assert pool.ensure_pool6(places, "fd00::/40") == chosen


def test_a_host_without_ipv6_has_one_as_well(places: Places, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pool, "_ROUTES6", tmp_path / "nothing")
    assert IPv6Network(pool.ensure_pool6(places, "")).subnet_of(pool.WITHIN6)


@pytest.mark.parametrize("wanted", ["fd00::/49", "10.0.0.0/8", "fd00::1/40", "x"])
def test_what_is_no_pool_is_refused(places: Places, wanted: str) -> None:
    with pytest.raises(Refused, match="pool"):
        pool.ensure_pool6(places, wanted)
    assert not (places.control / "pool6").exists()


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.9", "192.0.2.9"),
        ("127.0.0.1", None),
        ("0.0.0.0", None),
        ("hatoba.example", None),
        ("2001:db8::1", None),
    ],
)
def test_where_tasks_of_other_machines_ask_is_told_where_that_is_an_address(host: str, address: str | None) -> None:
    assert Settings(node_host=host).address_for_nodes == address
