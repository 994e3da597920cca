"""Load balancers with addresses of both families, target groups of IPv6, and what goes with what."""

from __future__ import annotations

from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import AwsError
from hatoba.fleet import model as fleet
from tests.conformance.elbv2.world import World, world


async def dual(w: World, count: int = 2) -> tuple[str, list[str], list[str]]:
    """A VPC of both families with an internet gateway that both leave by: its id, its subnets, their IPv6 blocks."""
    made = (await w.ec2.create_vpc(CidrBlock="10.1.0.0/16", AmazonProvidedIpv6CidrBlock=True))["Vpc"]
    vpc, block = made["VpcId"], made["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    blocks = [str(part) for part in IPv6Network(block).subnets(new_prefix=64)][: count + 1]
    igw = (await w.ec2.create_internet_gateway())["InternetGateway"]["InternetGatewayId"]
    await w.ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    (table,) = (await w.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}]))["RouteTables"]
    to = {"RouteTableId": table["RouteTableId"], "GatewayId": igw}
    await w.ec2.create_route(DestinationCidrBlock="0.0.0.0/0", **to)
    await w.ec2.create_route(DestinationIpv6CidrBlock="::/0", **to)
    subnets = []
    for number, zone in enumerate("abc"[:count]):
        subnet = await w.ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.1.{number}.0/24",
            Ipv6CidrBlock=blocks[number],
            AvailabilityZone=f"us-east-1{zone}",
        )
        subnets.append(subnet["Subnet"]["SubnetId"])
    return vpc, subnets, blocks


async def shown(w: World, arn: str) -> Any:
    (found,) = (await w.elb.describe_load_balancers(LoadBalancerArns=[arn]))["LoadBalancers"]
    return found


async def named(w: World, arn: str) -> tuple[str, ...]:
    """What its name leads to."""
    name = (await shown(w, arn))["DNSName"].lower()
    (zone,) = (zone for zone in w.store.all(fleet.zones) if zone.id == name)
    return zone.addresses


def listens(w: World) -> list[tuple[str, str]]:
    (carried,) = w.wanted().balancers
    return list(zip(carried.addresses, carried.zones, strict=True))


async def interfaces(w: World, arn: str) -> list[Any]:
    """By subnet."""
    filters = [{"Name": "description", "Values": [f"ELB {arn.partition('loadbalancer/')[2]}"]}]
    found = (await w.ec2.describe_network_interfaces(Filters=filters))["NetworkInterfaces"]
    return sorted(found, key=lambda each: str(each["SubnetId"]))


@pytest.mark.parametrize("kind", ["application", "network"])
async def test_a_load_balancer_has_both(tmp_path: Path, kind: str) -> None:
    async with world(tmp_path) as w:
        _, subnets, blocks = await dual(w)
        arn = await w.balancer("both", Type=kind, Subnets=subnets, IpAddressType="dualstack")
        await w.settle()
        described = await shown(w, arn)
        assert (described["IpAddressType"], described["State"]["Code"]) == ("dualstack", "active")
        found = await interfaces(w, arn)
        four, six = ([each[name] for each in found] for name in ("PrivateIpAddress", "Ipv6Address"))
        zones = [each["AvailabilityZone"] for each in found]
        assert {str(IPv6Network(f"{address}/64", strict=False)) for address in six} == set(blocks[:2])
        assert listens(w) == [*zip(four, zones, strict=True), *zip(six, zones, strict=True)]
        assert await named(w, arn) == (*(each["Association"]["PublicIp"] for each in found), *six)


DENY = "ipv6.deny_all_igw_traffic"


async def denied(w: World, arn: str, change: str = "") -> tuple[str, bool]:
    """What its attribute says, and what the node is told."""
    if change:
        wanted = [{"Key": DENY, "Value": change}]
        await w.elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=wanted)
    found = (await w.elb.describe_load_balancer_attributes(LoadBalancerArn=arn))["Attributes"]
    (carried,) = w.carried()
    return next(each["Value"] for each in found if each["Key"] == DENY), carried.inside


@pytest.mark.parametrize("kind", ["application", "network"])
async def test_an_internal_one_has_both_and_is_not_reached_through_an_internet_gateway(
    tmp_path: Path, kind: str
) -> None:
    async with world(tmp_path) as w:
        _, subnets, _ = await dual(w)
        arn = await w.balancer("inner", Type=kind, Subnets=subnets, Scheme="internal", IpAddressType="dualstack")
        await w.settle()
        assert (await shown(w, arn))["State"]["Code"] == "active"
        found = await interfaces(w, arn)
        addresses = [each[name] for name in ("PrivateIpAddress", "Ipv6Address") for each in found]
        assert [address for address, _ in listens(w)] == addresses
        assert await named(w, arn) == tuple(addresses)
        assert await denied(w, arn) == ("true", True)
        assert await denied(w, arn, "false") == ("false", False), "unless that is said"
        with pytest.raises(AwsError, match=DENY):
            await denied(w, arn, "no")
        await w.elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="ipv4")
        await w.settle()
        assert len(listens(w)) == 2


async def test_one_that_faces_the_internet_may_deny_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _, subnets, _ = await dual(w)
        arn = await w.balancer(Subnets=subnets, IpAddressType="dualstack")
        await w.settle()
        assert await denied(w, arn) == ("false", False)
        assert await denied(w, arn, "true") == ("true", True)


async def test_one_without_public_ipv4_is_found_by_ipv6(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _, subnets, _ = await dual(w)
        arn = await w.balancer(Subnets=subnets, IpAddressType="dualstack-without-public-ipv4")
        await w.settle()
        found = await interfaces(w, arn)
        assert not any("Association" in each for each in found)
        assert await named(w, arn) == tuple(each["Ipv6Address"] for each in found)
        assert len(listens(w)) == 4, "by IPv4 it reaches its targets"


async def test_the_type_changes_while_it_stands(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _, subnets, _ = await dual(w)
        arn = await w.balancer(Subnets=subnets)
        await w.settle()
        four = listens(w)
        ids = [each["NetworkInterfaceId"] for each in await interfaces(w, arn)]
        for kind, names, addresses in (
            ("dualstack", 4, 4),
            ("dualstack-without-public-ipv4", 2, 4),
            ("ipv4", 2, 2),
            ("dualstack", 4, 4),
        ):
            assert await w.elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType=kind) == {"IpAddressType": kind}
            await w.settle()
            assert (await shown(w, arn))["IpAddressType"] == kind
            assert (len(await named(w, arn)), len(listens(w))) == (names, addresses), kind
            assert [each["NetworkInterfaceId"] for each in await interfaces(w, arn)] == ids, "the same interfaces"
        await w.elb.set_subnets(LoadBalancerArn=arn, Subnets=subnets, IpAddressType="ipv4")
        await w.settle()
        assert listens(w) == four
        answer = await w.elb.set_subnets(LoadBalancerArn=arn, Subnets=subnets)
        assert answer["IpAddressType"] == "ipv4", "it stays, where nothing is said"


async def test_a_network_load_balancer_may_be_given_its_address(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _, (first, second), blocks = await dual(w)
        address = str(IPv6Network(blocks[0])[0x99])
        mapping = {"SubnetId": first, "IPv6Address": address.upper()}
        asked: dict[str, Any] = {"Type": "network", "Subnets": [], "IpAddressType": "dualstack"}
        arn = await w.balancer("static", SubnetMappings=[mapping], **asked)
        await w.settle()
        assert listens(w)[1][0] == address
        (zone,) = (await shown(w, arn))["AvailabilityZones"]
        assert zone["LoadBalancerAddresses"] == [{"IPv6Address": address}]
        assert await w.balancer("static", SubnetMappings=[mapping], **asked) == arn, "the same again is the same"
        for why, params in (
            ("not within the block", {"SubnetMappings": [{"SubnetId": second, "IPv6Address": address}]}),
            ("not within the block", {"SubnetMappings": [{"SubnetId": second, "IPv6Address": "10.1.1.9"}]}),
            ("not within the block", {"SubnetMappings": [{"SubnetId": second, "IPv6Address": "six"}]}),
            ("not within the block", {"SubnetMappings": [{"SubnetId": first, "IPv6Address": f"{address}%eth0"}]}),
            ("IP address type 'ipv4'", {"SubnetMappings": [mapping], "IpAddressType": "ipv4"}),
        ):
            with pytest.raises(AwsError, match=why):
                await w.balancer("other", **{**asked, **params})


async def test_what_cannot_have_both(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        vpc, subnets, blocks = await dual(w)
        only6 = await w.ec2.create_subnet(
            VpcId=vpc, Ipv6CidrBlock=blocks[2], Ipv6Native=True, AvailabilityZone="us-east-1c"
        )
        without = {"Type": "network", "IpAddressType": "dualstack-without-public-ipv4"}
        wrong: list[tuple[str, str, dict[str, Any]]] = [
            (
                "InvalidConfigurationRequest",
                "scheme 'internal'",
                {**without, "Type": "application", "Scheme": "internal"},
            ),
            ("InvalidConfigurationRequest", "type 'network'", without),
            ("ValidationError", "associated IPv6 CIDR block", {"Subnets": (await w.subnets())[:2]}),
            ("InvalidSubnet", "IPv6 only", {"Subnets": [subnets[0], only6["Subnet"]["SubnetId"]]}),
        ]
        for code, why, params in wrong:
            with pytest.raises(AwsError, match=why) as caught:
                await w.balancer(**{"Subnets": subnets, "IpAddressType": "dualstack", **params})
            assert caught.value.code == code
        plain = await w.balancer("plain")
        for kind in ("dualstack", "dualstack-without-public-ipv4"):
            with pytest.raises(AwsError, match="associated IPv6 CIDR block"):
                await w.elb.set_ip_address_type(LoadBalancerArn=plain, IpAddressType=kind)


async def test_a_group_of_ipv6(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        vpc, subnets, blocks = await dual(w)
        group = await w.group("six", VpcId=vpc, IpAddressType="ipv6")
        (described,) = (await w.elb.describe_target_groups(TargetGroupArns=[group]))["TargetGroups"]
        assert described["IpAddressType"] == "ipv6"
        target = str(IPv6Network(blocks[1])[0x77AB])

        async def register(address: str) -> None:
            await w.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address}])

        for wrong in ("10.1.0.9", target.upper(), f"{target}%eth0", "six"):
            with pytest.raises(AwsError, match="not a valid IPv6 address"):
                await register(wrong)
        with pytest.raises(AwsError, match="not within a subnet"):
            await register("2001:db8::1")
        plain = await w.balancer("plain", Subnets=subnets)
        with pytest.raises(AwsError, match="cannot associate an IPv6 target group") as caught:
            await w.listener(plain, group)
        assert caught.value.code == "InvalidConfigurationRequest"
        await w.elb.set_ip_address_type(LoadBalancerArn=plain, IpAddressType="dualstack")
        await w.listener(plain, group)
        await register(target)
        await w.settle()
        (carried,) = w.wanted().groups
        assert [(each.address, each.zone) for each in carried.targets] == [(target, "us-east-1b")]
        (health,) = (await w.elb.describe_target_health(TargetGroupArn=group))["TargetHealthDescriptions"]
        assert (health["Target"]["Id"], health["TargetHealth"]["State"]) == (target, "healthy")
        with pytest.raises(AwsError, match="cannot associate an IPv6 target group"):
            await w.elb.set_ip_address_type(LoadBalancerArn=plain, IpAddressType="ipv4")
        with pytest.raises(AwsError, match="cannot associate an IPv6 target group"):
            await w.elb.set_subnets(LoadBalancerArn=plain, Subnets=subnets, IpAddressType="ipv4")
        await w.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": target}])
        four = await w.group("four", VpcId=vpc)
        with pytest.raises(AwsError, match="not a valid IPv4 address"):
            await w.elb.register_targets(TargetGroupArn=four, Targets=[{"Id": target}])


async def test_what_groups_of_ipv6_there_are_not(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.group("known")
        for name, why, params in (
            ("a", "not implemented", {"TargetType": "instance"}),
            ("b", "cannot have the IP address type 'ipv6'", {"Protocol": "GENEVE", "Port": 6081}),
            ("known", "different settings", {}),
        ):
            with pytest.raises(AwsError, match=why):
                await w.group(name, IpAddressType="ipv6", **params)


async def test_targets_in_ipv6_only_subnets_have_a_zone(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        vpc, subnets, blocks = await dual(w)
        await w.ec2.create_subnet(VpcId=vpc, Ipv6CidrBlock=blocks[2], Ipv6Native=True, AvailabilityZone="us-east-1b")
        group = await w.group("six", VpcId=vpc, IpAddressType="ipv6", Protocol="TCP")
        balancer = await w.balancer("flow", Type="network", Subnets=subnets, IpAddressType="dualstack")
        actions = [{"Type": "forward", "TargetGroupArn": group}]
        await w.elb.create_listener(LoadBalancerArn=balancer, Protocol="TCP", Port=80, DefaultActions=actions)
        address = str(IPv6Network(blocks[2])[9])
        await w.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address}])
        await w.settle()
        (carried,) = w.wanted().groups
        assert [(each.address, each.zone) for each in carried.targets] == [(address, "us-east-1b")]
        assert not carried.attributes.preserve_source
        preserve = [{"Key": "preserve_client_ip.enabled", "Value": "true"}]
        await w.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=preserve)
        (carried,) = w.wanted().groups
        assert (carried.six, carried.attributes.preserve_source) == (True, True)


async def test_interfaces_are_taken_up_again_after_a_crash(tmp_path: Path) -> None:
    """None is made twice, none is left without what it needs."""
    async with world(tmp_path) as w:
        _, subnets, _ = await dual(w)
        arn = await w.balancer(Subnets=subnets, IpAddressType="dualstack")
        await w.crash()
        await w.settle()
        first = await interfaces(w, arn)
        assert all(each["Ipv6Address"] for each in first)
        await w.elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="ipv4")
        await w.crash()
        await w.settle()
        after = await interfaces(w, arn)
        assert [each["NetworkInterfaceId"] for each in after] == [each["NetworkInterfaceId"] for each in first]
        assert not any("Ipv6Address" in each for each in after)
