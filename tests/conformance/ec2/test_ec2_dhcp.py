"""DHCP options and the DNS attributes of VPCs: what is kept, and what the nodes are told."""

from __future__ import annotations

from typing import Any

import pytest

from hatoba.core.keys import Scope
from hatoba.fleet import model as fleet
from tests.conformance.ec2.networks import Platform, by
from tests.conformance.serving import ACCOUNT, refused


def made(ec2: Any, **options: list[str]) -> str:
    pairs = [{"Key": key.replace("_", "-"), "Values": values} for key, values in options.items()]
    id_: str = ec2.create_dhcp_options(DhcpConfigurations=pairs)["DhcpOptions"]["DhcpOptionsId"]
    return id_


def network(platform: Platform, region: str, vpc: str) -> fleet.Network:
    found = platform.store.find(fleet.networks, Scope("aws", ACCOUNT, region), vpc)
    assert found is not None
    return found


def test_a_set_is_kept_as_it_was_given(ec2: Any) -> None:
    pairs = [
        {"Key": "domain-name", "Values": ["corp.example"]},
        {"Key": "domain-name-servers", "Values": ["10.0.0.5", "2001:db8::53"]},
        {"Key": "ntp-servers", "Values": ["10.0.0.6"]},
        {"Key": "netbios-name-servers", "Values": ["10.0.0.7"]},
        {"Key": "netbios-node-type", "Values": ["2"]},
        {"Key": "ipv6-address-preferred-lease-time", "Values": ["300"]},
    ]
    tags = [{"ResourceType": "dhcp-options", "Tags": [{"Key": "Name", "Value": "corp"}]}]
    options = ec2.create_dhcp_options(DhcpConfigurations=pairs, TagSpecifications=tags)["DhcpOptions"]
    assert [(c["Key"], [v["Value"] for v in c["Values"]]) for c in options["DhcpConfigurations"]] == [
        (pair["Key"], pair["Values"]) for pair in pairs
    ]
    for wanted in (by("value", "corp.example"), by("tag:Name", "corp"), by("key", "ntp-servers")):
        assert ec2.describe_dhcp_options(Filters=wanted)["DhcpOptions"] == [options]
    assert len(ec2.describe_dhcp_options(Filters=by("key", "domain-name"))["DhcpOptions"]) == 2, "and the default set"


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("domain-nam", ["x"]),
        ("", ["x"]),
        ("domain-name", ["-x"]),
        ("domain-name", ["a b\nnameserver 192.0.2.1"]),
        ("domain-name", ["a", "b"]),
        ("domain-name-servers", ["nobody"]),
        ("domain-name-servers", ["AmazonProvidedDNS", "10.0.0.5"]),
        ("domain-name-servers", [f"10.0.0.{n}" for n in range(5)]),
        ("ntp-servers", ["time.example"]),
        ("netbios-name-servers", ["::1"]),
        ("netbios-node-type", ["3"]),
        ("ipv6-address-preferred-lease-time", ["139"]),
        ("domain-name", []),
    ],
)
def test_what_options_cannot_be(ec2: Any, key: str, values: list[str]) -> None:
    refused("InvalidParameterValue", ec2.create_dhcp_options, DhcpConfigurations=[{"Key": key, "Values": values}])
    assert len(ec2.describe_dhcp_options()["DhcpOptions"]) == 1


def test_an_option_is_given_once(ec2: Any) -> None:
    pair = {"Key": "domain-name", "Values": ["a.example"]}
    refused("InvalidParameterValue", ec2.create_dhcp_options, DhcpConfigurations=[pair, pair])


def test_a_vpc_follows_its_set(platform: Platform, ec2: Any, region: str, vpc: str) -> None:
    before = network(platform, region, vpc)
    assert (before.domain, before.servers) == (f"{region}.compute.internal", ("10.0.0.2",))
    mine = made(ec2, domain_name=["corp.example"], domain_name_servers=["10.0.0.5", "10.0.0.6"])
    ec2.associate_dhcp_options(DhcpOptionsId=mine, VpcId=vpc)
    after = network(platform, region, vpc)
    assert (after.domain, after.servers) == ("corp.example", ("10.0.0.5", "10.0.0.6"))
    assert ec2.describe_vpcs(Filters=by("dhcp-options-id", mine))["Vpcs"][0]["VpcId"] == vpc
    refused("DependencyViolation", ec2.delete_dhcp_options, DhcpOptionsId=mine)

    own = made(ec2, domain_name=["other.example"], domain_name_servers=["AmazonProvidedDNS"])
    ec2.associate_dhcp_options(DhcpOptionsId=own, VpcId=vpc)
    after = network(platform, region, vpc)
    assert (after.domain, after.servers) == ("other.example", ("10.0.0.2",))
    ec2.delete_dhcp_options(DhcpOptionsId=mine)

    ec2.associate_dhcp_options(DhcpOptionsId="default", VpcId=vpc)
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["DhcpOptionsId"] == "default"
    after = network(platform, region, vpc)
    assert (after.domain, after.servers) == ("", ())


def test_back_to_the_default_set(platform: Platform, ec2: Any, region: str, vpc: str) -> None:
    first = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["DhcpOptionsId"]
    before = network(platform, region, vpc)
    ec2.associate_dhcp_options(DhcpOptionsId=made(ec2, ntp_servers=["10.0.0.5"]), VpcId=vpc)
    assert network(platform, region, vpc).servers == ()
    ec2.associate_dhcp_options(DhcpOptionsId=first, VpcId=vpc)
    after = network(platform, region, vpc)
    assert (after.domain, after.servers) == (before.domain, before.servers)
    refused("DependencyViolation", ec2.delete_dhcp_options, DhcpOptionsId=first)


def test_what_is_not_there(ec2: Any, vpc: str) -> None:
    nobody = "dopt-0123456789abcdef0"
    refused("InvalidDhcpOptionID.NotFound", ec2.associate_dhcp_options, DhcpOptionsId=nobody, VpcId=vpc)
    refused("InvalidDhcpOptionID.NotFound", ec2.delete_dhcp_options, DhcpOptionsId=nobody)
    mine = made(ec2, domain_name=["corp.example"])
    absent = "vpc-0123456789abcdef0"
    refused("InvalidVpcID.NotFound", ec2.associate_dhcp_options, DhcpOptionsId=mine, VpcId=absent)


def test_the_attributes_of_names_reach_the_nodes(platform: Platform, ec2: Any, region: str, vpc: str) -> None:
    assert (network(platform, region, vpc).dns, network(platform, region, vpc).hostnames) == (True, False)
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    assert network(platform, region, vpc).hostnames
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": False})
    assert (network(platform, region, vpc).dns, network(platform, region, vpc).hostnames) == (False, False)
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": True})
    assert network(platform, region, vpc).hostnames, "it was kept"


def test_one_attribute_at_a_time(ec2: Any, vpc: str) -> None:
    both = {"EnableDnsHostnames": {"Value": True}, "EnableDnsSupport": {"Value": False}}
    refused("InvalidParameterCombination", ec2.modify_vpc_attribute, VpcId=vpc, **both)
    refused("InvalidParameterCombination", ec2.modify_vpc_attribute, VpcId=vpc)
    assert ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsSupport")["EnableDnsSupport"]["Value"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableNetworkAddressUsageMetrics={"Value": True})
    asked = ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableNetworkAddressUsageMetrics")
    assert asked["EnableNetworkAddressUsageMetrics"] == {"Value": True}
