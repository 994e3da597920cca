"""Derived names fit where they have to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.network import names


@given(st.text(max_size=80), st.text(max_size=80))
def test_devices_have_names_that_the_kernel_takes(instance: str, other: str) -> None:
    for device in (names.host_uplink(instance, other), names.port(other)):
        assert len(device) == 15
        assert device.replace("-", "").isalnum()
    assert names.host_uplink(instance, other).startswith(names.host_prefix(instance))


def test_instances_and_vpcs_have_devices_of_their_own() -> None:
    uplinks = {names.host_uplink(instance, f"vpc-{number}") for instance in "ab" for number in range(1000)}
    assert len(uplinks) == 2000
    assert not names.host_prefix("a").startswith(names.host_prefix("b"))


def test_a_nodes_hardware_address_follows_from_its_own() -> None:
    assert names.node_mac("192.0.2.1") == "02:69:c0:00:02:01"


@pytest.mark.parametrize("wrong", ["", "../x", "a/b", "a b", "é", "-a", "a" * 65, "a\n"])
def test_what_could_leave_a_folder_or_a_rule_is_no_id(wrong: str) -> None:
    with pytest.raises(ValueError, match="is no id"):
        names.checked(wrong)
