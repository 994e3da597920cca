"""Network and gateway load balancers, as boto3's shapes and the nodes see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import msgpack

from hatoba.core.errors import AwsError
from hatoba.fleet import model as fleet
from hatoba.proxy.base import GroupAttributes, Wanted
from tests.conformance.elbv2.test_elbv2_api import refused
from tests.conformance.elbv2.test_elbv2_tls import certificate
from tests.conformance.elbv2.world import SCOPE, World, world


def forward(group: str) -> list[dict[str, Any]]:
    return [{"Type": "forward", "TargetGroupArn": group}]


async def flows(w: World, protocol: str = "TCP", behind: str = "TCP", **params: Any) -> tuple[str, str, str]:
    """Load balancer, target group and listener on port 53."""
    arn = await w.balancer("flows", Type="network", **params)
    group = await w.group("behind", Protocol=behind, Port=5353)
    made = await w.elb.create_listener(LoadBalancerArn=arn, Protocol=protocol, Port=53, DefaultActions=forward(group))
    await w.settle()
    return arn, group, made["Listeners"][0]["ListenerArn"]


async def name(w: World, arn: str) -> tuple[str, ...]:
    (shown,) = (await w.elb.describe_load_balancers(LoadBalancerArns=[arn]))["LoadBalancers"]
    zone = w.store.find(fleet.zones, SCOPE, shown["DNSName"].lower())
    assert zone is not None
    return zone.addresses


async def test_what_a_network_load_balancer_is(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        arn, group, listener = await flows(w)
        assert ":loadbalancer/net/flows/" in arn
        assert ":listener/net/flows/" in listener
        own = arn.rpartition("/")[2]
        (shown,) = (await w.elb.describe_load_balancers(Names=["flows"]))["LoadBalancers"]
        assert shown["DNSName"] == f"flows-{own}.elb.us-east-1.amazonaws.com"
        assert (shown["Type"], shown["CanonicalHostedZoneId"]) == ("network", "Z26RNL4JYFTOTI")
        assert shown["State"] == {"Code": "active"}
        assert "SecurityGroups" not in shown
        (told,) = (await w.elb.describe_target_groups(TargetGroupArns=[group]))["TargetGroups"]
        assert (told["HealthCheckProtocol"], told["HealthCheckTimeoutSeconds"]) == ("TCP", 10)
        assert not {"ProtocolVersion", "HealthCheckPath", "Matcher"} & told.keys()
        (carried,) = w.wanted().balancers
        assert (carried.kind, carried.zones) == ("network", ("us-east-1a", "us-east-1b"))
        assert len(carried.addresses) == 2
        assert w.carried()[0].open


async def test_its_groups_guard_it_when_it_was_made_with_some(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        vpc = await w.vpc()
        group = (await w.ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc))["GroupId"]
        guarded = await w.balancer("guarded", Type="network", SecurityGroups=[group])
        await w.settle()
        assert not w.carried()[0].open
        enforced = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"
        for given, told in (({enforced: "off"}, "off"), ({}, "off"), ({enforced: "on"}, "on")):
            answer = await w.elb.set_security_groups(LoadBalancerArn=guarded, SecurityGroups=[group], **given)
            (shown,) = (await w.elb.describe_load_balancers(LoadBalancerArns=[guarded]))["LoadBalancers"]
            assert answer[enforced] == shown[enforced] == told
        bare = await w.balancer("bare", Type="network")
        await refused(
            "InvalidConfigurationRequest",
            "created without any",
            w.elb.set_security_groups(LoadBalancerArn=bare, SecurityGroups=[group]),
        )


async def test_one_subnet_is_enough_and_addresses_may_be_given(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        first, second, *_ = await w.subnets()
        given = await w.ec2.allocate_address(Domain="vpc")
        mapping = {"SubnetId": first, "AllocationId": given["AllocationId"]}
        arn = await w.balancer("static", Type="network", Subnets=[], SubnetMappings=[mapping])
        await w.settle()
        assert await name(w, arn) == (given["PublicIp"],)
        (shown,) = (await w.elb.describe_load_balancers(LoadBalancerArns=[arn]))["LoadBalancers"]
        assert shown["AvailabilityZones"][0]["LoadBalancerAddresses"] == [
            {"AllocationId": given["AllocationId"], "IpAddress": given["PublicIp"]}
        ]
        inside = [{"SubnetId": second, "PrivateIPv4Address": "172.31.16.99"}]
        private = await w.balancer("inner", Type="network", Scheme="internal", Subnets=[], SubnetMappings=inside)
        await w.settle()
        assert await name(w, private) == ("172.31.16.99",)
        for why, params in (
            ("are in use", {"SubnetMappings": [mapping]}),
            ("not supported for internet-facing", {"SubnetMappings": inside}),
            ("not supported for internal", {"SubnetMappings": [mapping], "Scheme": "internal"}),
            (
                "not within the block",
                {"SubnetMappings": [{"SubnetId": first, "PrivateIPv4Address": "10.9.9.9"}], "Scheme": "internal"},
            ),
            ("not found", {"SubnetMappings": [{"SubnetId": first, "AllocationId": "eipalloc-0123456789abcdef0"}]}),
            ("IP address type 'ipv4'", {"SubnetMappings": [{"SubnetId": first, "IPv6Address": "2001:db8::1"}]}),
        ):
            with pytest.raises(AwsError, match=why):
                await w.balancer("other", Type="network", Subnets=[], **params)
        # It is the owner's again once the load balancer is gone.
        await w.elb.delete_load_balancer(LoadBalancerArn=arn)
        await w.settle()
        (left,) = (await w.ec2.describe_addresses())["Addresses"]
        assert "AssociationId" not in left


@pytest.mark.parametrize(
    ("listener", "group", "fits"),
    [
        ("TCP", "TCP", True),
        ("TCP", "TCP_UDP", True),
        ("TCP", "UDP", False),
        ("TCP", "TLS", False),
        ("TCP", "HTTP", False),
        ("UDP", "UDP", True),
        ("UDP", "TCP_UDP", True),
        ("UDP", "TCP", False),
        ("TCP_UDP", "TCP_UDP", True),
        ("TCP_UDP", "TCP", False),
        ("TCP_UDP", "UDP", False),
    ],
)
async def test_what_may_stand_behind_what(tmp_path: Path, listener: str, group: str, fits: bool) -> None:
    async with world(tmp_path) as w:
        if fits:
            await flows(w, listener, group)
        else:
            with pytest.raises(AwsError, match="is not supported with a target group with the protocol") as error:
                await flows(w, listener, group)
            assert error.value.code == "IncompatibleProtocols"


async def test_tls_ends_at_a_network_load_balancer(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        arn, group, listener = await flows(w, behind="TCP")
        shown = await certificate(w, "flows.example")
        secure: dict[str, Any] = {"Protocol": "TLS", "Certificates": [{"CertificateArn": shown}]}
        await w.elb.modify_listener(ListenerArn=listener, **secure, AlpnPolicy=["HTTP2Preferred"])
        (told,) = (await w.elb.describe_listeners(ListenerArns=[listener]))["Listeners"]
        assert (told["Protocol"], told["AlpnPolicy"]) == ("TLS", ["HTTP2Preferred"])
        assert told["SslPolicy"] == "ELBSecurityPolicy-2016-08"
        tls = w.wanted().balancers[0].listeners[0].tls
        assert tls is not None
        assert tls.speaks == ("h2", "http/1.1", "http/1.0")
        assert len(w.told(arn)[0].certificates) == 1
        await refused(
            "ALPNPolicyNotFound",
            "is not one of",
            w.elb.modify_listener(ListenerArn=listener, AlpnPolicy=["HTTP9"]),
        )
        await w.elb.modify_listener(ListenerArn=listener, Protocol="TCP")
        assert w.wanted().balancers[0].listeners[0].tls is None
        assert (await w.elb.describe_target_groups(TargetGroupArns=[group]))["TargetGroups"]


async def test_its_attributes_and_those_of_its_groups(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        arn, group, listener = await flows(w)
        own = await w.elb.describe_load_balancer_attributes(LoadBalancerArn=arn)
        assert {"Key": "load_balancing.cross_zone.enabled", "Value": "false"} in own["Attributes"]
        wish = w.wanted().groups[0].attributes
        assert wish == GroupAttributes(across_zones=False, end_unhealthy=True)
        across = [{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]
        await w.elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=across)
        assert w.wanted().groups[0].attributes.across_zones
        for preserved in (False, True, False):
            wish_ = [{"Key": "preserve_client_ip.enabled", "Value": str(preserved).lower()}]
            await w.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=wish_)
            assert (w.carried()[0].fronting, w.wanted().groups[0].attributes.preserve_source) == (preserved, preserved)
        set_ = {
            "deregistration_delay.connection_termination.enabled": "true",
            "proxy_protocol_v2.enabled": "true",
            "stickiness.enabled": "true",
            "load_balancing.cross_zone.enabled": "false",
            "target_health_state.unhealthy.connection_termination.enabled": "false",
        }
        changed = await w.elb.modify_target_group_attributes(
            TargetGroupArn=group, Attributes=[{"Key": key, "Value": value} for key, value in set_.items()]
        )
        assert set_.items() <= {each["Key"]: each["Value"] for each in changed["Attributes"]}.items()
        assert w.wanted().groups[0].attributes == GroupAttributes(
            across_zones=False, sticky_source=True, proxy_protocol=True, end_removed=True
        )
        idle = [{"Key": "tcp.idle_timeout.seconds", "Value": "6000"}]
        await w.elb.modify_listener_attributes(ListenerArn=listener, Attributes=idle)
        assert (await w.elb.describe_listener_attributes(ListenerArn=listener))["Attributes"] == idle
        assert w.wanted().balancers[0].listeners[0].idle_timeout == 6000.0
        for asked in (
            w.elb.modify_listener_attributes(
                ListenerArn=listener, Attributes=[{"Key": "tcp.idle_timeout.seconds", "Value": "59"}]
            ),
            w.elb.modify_load_balancer_attributes(
                LoadBalancerArn=arn, Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "60"}]
            ),
            w.elb.modify_load_balancer_attributes(
                LoadBalancerArn=arn,
                Attributes=[{"Key": "dns_record.client_routing_policy", "Value": "availability_zone_affinity"}],
            ),
        ):
            with pytest.raises(AwsError):
                await asked


async def test_its_name_leads_to_the_zones_in_which_somebody_is_well(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        arn, group, _ = await flows(w, Scheme="internal")
        near, far = w.wanted().balancers[0].addresses
        assert await name(w, arn) == (near, far)  # nobody is well: better all than none
        await w.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "172.31.0.10"}])
        await w.settle()
        assert await name(w, arn) == (near,)
        await w.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "172.31.16.10"}])
        await w.settle()
        assert await name(w, arn) == (near, far)
        first = next(each.id for each in w.wanted().groups[0].targets if each.address == "172.31.0.10")
        w.target(group, first, "unhealthy", "failed")
        await w.settle()
        assert await name(w, arn) == (far,)
        across = [{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]
        await w.elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=across)
        await w.settle()
        assert await name(w, arn) == (near, far)


async def test_health_checks_of_its_groups(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _, group, _ = await flows(w)
        await w.elb.modify_target_group(
            TargetGroupArn=group, HealthCheckProtocol="HTTP", HealthCheckPath="/up", Matcher={"HttpCode": "200-599"}
        )
        (told,) = (await w.elb.describe_target_groups(TargetGroupArns=[group]))["TargetGroups"]
        assert (told["HealthCheckTimeoutSeconds"], told["Matcher"]) == (6, {"HttpCode": "200-599"})
        check = w.wanted().groups[0].health_check
        assert (check.protocol, check.path, check.codes) == ("HTTP", "/up", ((200, 599),))
        quick = await w.group("quick", Protocol="TCP", HealthCheckIntervalSeconds=5)
        (told,) = (await w.elb.describe_target_groups(TargetGroupArns=[quick]))["TargetGroups"]
        assert told["HealthCheckTimeoutSeconds"] == 5  # the default gives way
        for params in (
            {"HealthCheckProtocol": "UDP"},
            {"HealthCheckPath": "/x"},
            {"HealthCheckProtocol": "HTTP", "Matcher": {"HttpCode": "199"}},
            {"HealthCheckEnabled": False},
            {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 6},
        ):
            with pytest.raises(AwsError):
                await w.group("bad", Protocol="TCP", **params)


async def test_an_application_load_balancer_as_a_target(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        inner = await w.balancer("inner", Scheme="internal")
        app = await w.group("app")
        used, spare = await w.listener(inner, app, port=80), await w.listener(inner, app, port=81)
        front = await w.balancer("front", Type="network")
        group = await w.group("to-inner", Protocol="TCP", Port=80, TargetType="alb")
        await w.elb.create_listener(LoadBalancerArn=front, Protocol="TCP", Port=80, DefaultActions=forward(group))
        await w.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": inner}])
        await w.settle()
        by_name = {each.id.split("/")[1]: each for each in w.carried()}
        reached = msgpack.decode(by_name["inner"].spec, type=Wanted).balancers[0].addresses
        (target,) = msgpack.decode(by_name["front"].spec, type=Wanted).groups[0].targets
        assert (target.address, target.port) == (reached[0], 80)
        assert await w.states(group) == {f"{inner}:80": "healthy"}
        await refused("ResourceInUse", "another service", w.elb.delete_load_balancer(LoadBalancerArn=inner))
        await refused("ResourceInUse", "by a target group", w.elb.delete_listener(ListenerArn=used))
        await w.elb.delete_listener(ListenerArn=spare)
        # It moves to other subnets, and is found there.
        _, second, third, *_ = await w.subnets()
        await w.elb.set_subnets(LoadBalancerArn=inner, Subnets=[second, third])
        await w.settle()
        by_name = {each.id.split("/")[1]: each for each in w.carried()}
        moved = msgpack.decode(by_name["inner"].spec, type=Wanted).balancers[0].addresses
        (target,) = msgpack.decode(by_name["front"].spec, type=Wanted).groups[0].targets
        assert moved[0] != reached[0]
        assert target.address == moved[0]
        for bad in ({"Id": front}, {"Id": "10.0.0.1"}, {"Id": inner, "Port": 81}):
            with pytest.raises(AwsError) as error:
                await w.elb.register_targets(TargetGroupArn=group, Targets=[bad])
            assert error.value.code == "InvalidTarget"


async def test_only_application_load_balancers_have_rules_and_other_actions(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        arn, group, listener = await flows(w)
        fixed = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]
        await refused(
            "InvalidLoadBalancerAction",
            "not supported for Network Load Balancers",
            w.elb.modify_listener(ListenerArn=listener, DefaultActions=fixed),
        )
        conditions = [{"Field": "path-pattern", "Values": ["/x"]}]
        await refused(
            "UnsupportedProtocol",
            "Rules are not supported",
            w.elb.create_rule(ListenerArn=listener, Priority=1, Conditions=conditions, Actions=forward(group)),
        )
        for protocol, why in (("HTTP", "not supported"), ("QUIC", "'QUIC'"), ("TCP_QUIC", "'TCP_QUIC'")):
            with pytest.raises(AwsError, match=why):
                await w.elb.create_listener(
                    LoadBalancerArn=arn, Protocol=protocol, Port=80, DefaultActions=forward(group)
                )


async def test_datagrams(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        arn, group, listener = await flows(w, "TCP_UDP", "TCP_UDP")
        (told,) = (await w.elb.describe_listeners(ListenerArns=[listener]))["Listeners"]
        assert (told["Protocol"], told["Port"]) == ("TCP_UDP", 53)
        (told,) = (await w.elb.describe_target_groups(TargetGroupArns=[group]))["TargetGroups"]
        assert (told["Protocol"], told["HealthCheckProtocol"]) == ("TCP_UDP", "TCP")
        (carried,) = w.wanted().balancers[0].listeners
        assert (carried.protocol, carried.port) == ("TCP_UDP", 53)
        wish = w.wanted().groups[0].attributes
        assert wish == GroupAttributes(across_zones=False, end_unhealthy=True, end_removed=True, preserve_source=True)
        idle = [{"Key": "tcp.idle_timeout.seconds", "Value": "60"}]
        await w.elb.modify_listener_attributes(ListenerArn=listener, Attributes=idle)
        assert w.wanted().balancers[0].listeners[0].idle_timeout == 60.0
        assert w.carried()[0].fronting
        await refused(
            "DuplicateListener",
            "already exists",
            w.elb.create_listener(LoadBalancerArn=arn, Protocol="UDP", Port=53, DefaultActions=forward(group)),
        )
        made = await w.elb.create_listener(LoadBalancerArn=arn, Protocol="UDP", Port=54, DefaultActions=forward(group))
        second = made["Listeners"][0]["ListenerArn"]
        assert (await w.elb.describe_listener_attributes(ListenerArn=second))["Attributes"] == []
        proxied = [{"Key": "proxy_protocol_v2.enabled", "Value": "true"}]
        await refused(
            "ValidationError",
            "Proxy protocol",
            w.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=proxied),
        )


@pytest.mark.parametrize(
    ("kind", "protocol", "default", "changes"),
    [
        ("ip", "TCP", "false", True),
        ("ip", "TLS", "false", True),
        ("ip", "UDP", "true", False),
        ("ip", "TCP_UDP", "true", False),
        ("alb", "TCP", "true", True),
        ("instance", "TCP", "true", True),
        ("instance", "TLS", "true", True),
        ("instance", "UDP", "true", False),
        ("instance", "TCP_UDP", "true", False),
    ],
)
async def test_whose_address_targets_see(tmp_path: Path, kind: str, protocol: str, default: str, changes: bool) -> None:
    async with world(tmp_path) as w:
        group = await w.group("behind", Protocol=protocol, Port=80, TargetType=kind)

        async def told() -> str:
            found = (await w.elb.describe_target_group_attributes(TargetGroupArn=group))["Attributes"]
            return next(str(each["Value"]) for each in found if each["Key"] == "preserve_client_ip.enabled")

        assert await told() == default
        other = "false" if default == "true" else "true"
        wish = [{"Key": "preserve_client_ip.enabled", "Value": other}]
        asked = w.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=wish)
        if changes:
            await asked
            assert await told() == other
        else:
            with pytest.raises(AwsError, match="must be one of"):
                await asked
            assert await told() == default


async def test_groups_for_quic_are_refused_by_name(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        for protocol in ("QUIC", "TCP_QUIC"):
            with pytest.raises(AwsError, match=f"'{protocol}' are not implemented"):
                await w.group("quick", Protocol=protocol, Port=443)


async def test_a_gateway_load_balancer_is_kept_and_carries_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        arn = await w.balancer("gate", Type="gateway")
        group = await w.group("inspect", Protocol="GENEVE", Port=6081)
        await w.settle()
        (shown,) = (await w.elb.describe_load_balancers(LoadBalancerArns=[arn]))["LoadBalancers"]
        assert ":loadbalancer/gwy/gate/" in arn
        assert (shown["Type"], shown["State"]) == ("gateway", {"Code": "active"})
        assert not {"DNSName", "Scheme", "SecurityGroups"} & shown.keys()
        made = await w.elb.create_listener(LoadBalancerArn=arn, DefaultActions=forward(group))
        assert not {"Port", "Protocol"} & made["Listeners"][0].keys()
        await w.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "172.31.0.10"}])
        idle = [{"Key": "tcp.idle_timeout.seconds", "Value": "60"}]
        await w.elb.modify_listener_attributes(ListenerArn=made["Listeners"][0]["ListenerArn"], Attributes=idle)
        failover = [{"Key": "target_failover.on_unhealthy", "Value": "rebalance"}]
        await w.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=failover)
        await w.settle()
        assert w.carried() == []
        assert (await w.ec2.describe_network_interfaces())["NetworkInterfaces"] == []
        with pytest.raises(AwsError, match="6081"):
            await w.group("other", Protocol="GENEVE", Port=80)
        with pytest.raises(AwsError, match="cannot be specified"):
            await w.elb.create_listener(LoadBalancerArn=arn, Protocol="TCP", Port=80, DefaultActions=forward(group))
        await w.elb.delete_load_balancer(LoadBalancerArn=arn)
        await w.settle()
        assert (await w.elb.describe_load_balancers())["LoadBalancers"] == []
