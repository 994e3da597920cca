"""Flows of both families through one network load balancer: datagrams, prefixes for those who have no address there,
and rules that give clients of each family targets of their own."""

from __future__ import annotations

from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import AwsError
from hatoba.proxy.forwarding import EVERYBODY
from hatoba.proxy.snapshot import left_out
from tests.conformance.elbv2.test_elbv2_ipv6 import dual, interfaces, shown
from tests.conformance.elbv2.world import World, world

PREFIXES = {"Type": "network", "IpAddressType": "dualstack", "EnablePrefixForIpv6SourceNat": "on"}


async def listen(w: World, balancer: str, group: str, protocol: str = "UDP") -> str:
    actions = [{"Type": "forward", "TargetGroupArn": group}]
    made = await w.elb.create_listener(LoadBalancerArn=balancer, Protocol=protocol, Port=53, DefaultActions=actions)
    arn: str = made["Listeners"][0]["ListenerArn"]
    return arn


@pytest.mark.parametrize("protocol", ["UDP", "TCP_UDP"])
async def test_datagrams_by_ipv6(tmp_path: Path, protocol: str) -> None:
    """The proxy is told that the group's targets are of IPv6, and what clients of IPv4 come from."""
    async with world(tmp_path) as w:
        vpc, subnets, blocks = await dual(w)
        arn = await w.balancer(**PREFIXES, Subnets=subnets)
        group = await w.group(Protocol=protocol, Port=53, VpcId=vpc, IpAddressType="ipv6")
        await listen(w, arn, group, protocol)
        target = str(IPv6Network(blocks[0])[9])
        await w.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": target}])
        await w.settle()
        described = await shown(w, arn)
        assert (described["EnablePrefixForIpv6SourceNat"], described["State"]["Code"]) == ("on", "active")
        prefixes = [zone["SourceNatIpv6Prefixes"] for zone in described["AvailabilityZones"]]
        held = [[each["Ipv6Prefix"] for each in one["Ipv6Prefixes"]] for one in await interfaces(w, arn)]
        assert prefixes == held
        assert [len(each) for each in held] == [1, 1]
        (carried,), (behind,) = w.wanted().balancers, w.wanted().groups
        assert [*carried.prefixes] == [each for (each,) in held]
        assert behind.six
        assert behind.attributes.preserve_source
        with pytest.raises(AwsError, match="preserve_client_ip"):
            await w.elb.modify_target_group_attributes(
                TargetGroupArn=group, Attributes=[{"Key": "preserve_client_ip.enabled", "Value": "false"}]
            )
        await w.elb.delete_load_balancer(LoadBalancerArn=arn)
        await w.settle()
        assert await interfaces(w, arn) == []


async def test_prefixes_come_and_go(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _, subnets, blocks = await dual(w)
        arn = await w.balancer(Type="network", Subnets=subnets)
        await w.settle()
        assert (await shown(w, arn))["EnablePrefixForIpv6SourceNat"] == "off"
        own, other = (
            str(next(IPv6Network(blocks[0]).subnets(new_prefix=80))).replace("::/80", f":{n}::/80") for n in (7, 8)
        )

        async def told(**params: Any) -> tuple[str, list[str | None], list[list[str]]]:
            """What is answered, told later, and held."""
            answer = await w.elb.set_subnets(LoadBalancerArn=arn, **params)
            await w.settle()
            described = (await shown(w, arn))["AvailabilityZones"]
            named = [each.get("SourceNatIpv6Prefixes", [None])[0] for each in described]
            held = [[each["Ipv6Prefix"] for each in one.get("Ipv6Prefixes", [])] for one in await interfaces(w, arn)]
            return answer["EnablePrefixForIpv6SourceNat"], named, held

        on = {"IpAddressType": "dualstack", "EnablePrefixForIpv6SourceNat": "on"}
        said, named, held = await told(Subnets=subnets, **on)
        assert (said, [[each] for each in named]) == ("on", held)
        assert all(held)
        assert (await told(Subnets=subnets))[2] == held, "they stay, where nothing is said"
        first, second = subnets
        mappings = [{"SubnetId": first, "SourceNatIpv6Prefix": own}, {"SubnetId": second}]
        assert (await told(SubnetMappings=mappings, **on))[2] == [[own], held[1]]
        mappings[0]["SourceNatIpv6Prefix"] = other.upper()
        assert (await told(SubnetMappings=mappings, **on))[1:] == ([other, held[1][0]], [[other], held[1]])
        assert await told(Subnets=subnets, EnablePrefixForIpv6SourceNat="off") == ("off", [None, None], [[], []])
        assert (await shown(w, arn))["IpAddressType"] == "dualstack"
        assert (await told(Subnets=subnets, **on))[0] == "on"
        await w.elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="ipv4")
        await w.settle()
        assert (await shown(w, arn))["EnablePrefixForIpv6SourceNat"] == "off", "without IPv6 there are none"
        assert not any(one.get("Ipv6Prefixes") for one in await interfaces(w, arn))
        with_one = {**PREFIXES, "Subnets": []}
        static = await w.balancer("static", **with_one, SubnetMappings=mappings[:1])
        assert await w.balancer("static", **with_one, SubnetMappings=mappings[:1]) == static, "the same again"
        for changed in ({"EnablePrefixForIpv6SourceNat": "off", "Subnets": [first]}, {"Subnets": [first]}):
            with pytest.raises(AwsError, match="different settings"):
                await w.balancer("static", **{**PREFIXES, **changed})


async def test_wrong_prefixes(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _, (first, second), blocks = await dual(w)
        inner = blocks[0].replace("::/64", ":5::/80")
        wrong: list[tuple[str, dict[str, Any]]] = [
            ("type 'application'", {"Type": "application"}),
            ("type 'gateway'", {"Type": "gateway"}),
            ("'dualstack' only", {"IpAddressType": "ipv4"}),
        ]
        for prefix in (
            inner.replace("/80", "/96"),
            blocks[1].replace("::/64", ":5::/80"),
            "10.1.0.0/80",
            "any",
            f"{inner}%eth0",
        ):
            mapping = {"SubnetId": first, "SourceNatIpv6Prefix": prefix}
            wrong.append(("not a prefix with the length 80", {"Subnets": [], "SubnetMappings": [mapping]}))
        for off in (
            {"EnablePrefixForIpv6SourceNat": "off"},
            {"IpAddressType": "ipv4", "EnablePrefixForIpv6SourceNat": "off"},
        ):
            mapping = {"SubnetId": first, "SourceNatIpv6Prefix": "auto_assigned"}
            wrong.append(("only when", {"Subnets": [], "SubnetMappings": [mapping], **off}))
        for why, params in wrong:
            with pytest.raises(AwsError, match=why) as caught:
                await w.balancer(**{**PREFIXES, "Subnets": [first, second], **params})
            assert caught.value.code == "InvalidConfigurationRequest", why
        assert not (await w.elb.describe_load_balancers())["LoadBalancers"]


async def test_datagrams_and_addresses_have_to_go_together(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        vpc, subnets, _ = await dual(w)
        flow = await w.balancer("flow", Type="network", Subnets=subnets)
        both = await w.balancer("both", Type="network", Subnets=subnets, IpAddressType="dualstack")
        four = [await w.group(name, Protocol="UDP", Port=53, VpcId=vpc) for name in ("one", "two")]
        six = await w.group("six", Protocol="UDP", Port=53, VpcId=vpc, IpAddressType="ipv6")

        async def refused(why: str, asked: Any) -> None:
            with pytest.raises(AwsError, match=why) as caught:
                await asked
            assert caught.value.code == "InvalidConfigurationRequest"

        await listen(w, flow, four[0])
        for wanted in ("on", "off"):
            why = "IPv4 target group with a UDP listener" if wanted == "on" else "unless EnablePrefixForIpv6SourceNat"
            changed = {"IpAddressType": "dualstack", "EnablePrefixForIpv6SourceNat": wanted}
            await refused(why, w.elb.set_subnets(LoadBalancerArn=flow, Subnets=subnets, **changed))
        await refused("protocol 'UDP'", w.elb.set_ip_address_type(LoadBalancerArn=flow, IpAddressType="dualstack"))
        assert (await shown(w, flow))["IpAddressType"] == "ipv4"
        await refused("unless EnablePrefixForIpv6SourceNat is 'on'", listen(w, both, six))
        on = {"LoadBalancerArn": both, "Subnets": subnets, "EnablePrefixForIpv6SourceNat": "on"}
        await w.elb.set_subnets(**on)
        await refused("IPv4 target group with a UDP listener", listen(w, both, four[1]))
        await listen(w, both, six)
        await refused("unless", w.elb.set_subnets(**{**on, "EnablePrefixForIpv6SourceNat": "off"}))
        await refused("IPv6 target group", w.elb.set_ip_address_type(LoadBalancerArn=both, IpAddressType="ipv4"))
        assert (await shown(w, both))["EnablePrefixForIpv6SourceNat"] == "on"


def of(family: str) -> list[dict[str, Any]]:
    return [{"Field": "source-ip", "SourceIpConfig": {"IpAddressType": family}}]


def forward(*groups: str) -> list[dict[str, Any]]:
    shares = [{"TargetGroupArn": group, "Weight": 1} for group in groups]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}]


@pytest.mark.parametrize("protocol", ["TCP", "UDP", "TCP_UDP"])
async def test_rules_give_clients_of_each_family_targets_of_their_own(tmp_path: Path, protocol: str) -> None:
    async with world(tmp_path) as w:
        vpc, subnets, _ = await dual(w)
        arn = await w.balancer(**PREFIXES, Subnets=subnets)
        four, six = [
            await w.group(f"of-{family}", Protocol=protocol, Port=53, VpcId=vpc, IpAddressType=family)
            for family in ("ipv4", "ipv6")
        ]
        listener = await listen(w, arn, six, protocol)
        made = await w.elb.create_rule(ListenerArn=listener, Priority=5, Conditions=of("ipv4"), Actions=forward(four))
        (rule,) = made["Rules"]
        assert rule["Conditions"] == of("ipv4")
        (first, default) = (await w.elb.describe_rules(ListenerArn=listener))["Rules"]
        assert (first, default["IsDefault"]) == (rule, True)
        await w.settle()
        (carried,) = w.wanted().balancers
        assert left_out(w.wanted()) is None
        assert [each.conditions for each in carried.listeners[0].rules] == [(EVERYBODY[False],)]
        assert {each.id: each.six for each in w.wanted().groups} == {four: False, six: True}
        await w.elb.modify_rule(RuleArn=rule["RuleArn"], Conditions=of("ipv6"), Actions=forward(six))
        await w.elb.set_rule_priorities(RulePriorities=[{"RuleArn": rule["RuleArn"], "Priority": 9}])
        (carried,) = w.wanted().balancers
        assert [(each.priority, each.conditions) for each in carried.listeners[0].rules] == [(9, (EVERYBODY[True],))]
        await w.elb.delete_rule(RuleArn=rule["RuleArn"])
        assert not w.wanted().balancers[0].listeners[0].rules


async def test_what_rules_of_network_load_balancers_are_not(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        vpc, subnets, _ = await dual(w)
        arn = await w.balancer("both", **PREFIXES, Subnets=subnets)
        plain = await w.balancer("plain", Type="network", Subnets=subnets)
        web = await w.balancer("web", Subnets=subnets)
        four, six, other, one = [
            await w.group(name, Protocol=protocol, Port=53, VpcId=vpc, IpAddressType=family)
            for name, protocol, family in (
                ("four", "UDP", "ipv4"),
                ("six", "UDP", "ipv6"),
                ("other", "TCP", "ipv4"),
                ("one", "UDP", "ipv4"),
            )
        ]
        page = await w.group("page", VpcId=vpc)
        both, lone, pages = await listen(w, arn, six), await listen(w, plain, one), await w.listener(web, page)
        fixed = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]
        rewrite = {"Regex": "a", "Replace": "b"}
        transform = {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [rewrite]}}
        path = [{"Field": "path-pattern", "Values": ["/x"]}]
        blocks = [{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}]
        mixed = [{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"], "IpAddressType": "ipv4"}}]
        wrong: list[tuple[str, str, str, Any, Any]] = [
            ("UnsupportedProtocol", "type 'ipv4'", lone, of("ipv4"), forward(four)),
            ("ValidationError", "Network Load Balancers only", pages, of("ipv4"), forward(page)),
            ("ValidationError", "and no others", both, path, forward(six)),
            ("ValidationError", "and no others", both, blocks, forward(six)),
            ("ValidationError", "both Values and IpAddressType", both, mixed, forward(six)),
            ("ValidationError", "only one condition", both, [*of("ipv4"), *of("ipv6")], forward(six)),
            ("InvalidLoadBalancerAction", "not supported", both, of("ipv6"), fixed),
            ("IncompatibleProtocols", "not supported", both, of("ipv4"), forward(other)),
            ("InvalidConfigurationRequest", "IPv4 target group with a UDP listener", both, of("ipv6"), forward(four)),
            ("InvalidConfigurationRequest", "the same IP address type", both, of("ipv4"), forward(four, six)),
        ]
        for code, why, listener, conditions, actions in wrong:
            with pytest.raises(AwsError, match=why) as caught:
                await w.elb.create_rule(ListenerArn=listener, Priority=1, Conditions=conditions, Actions=actions)
            assert caught.value.code == code, why
        asked = {"ListenerArn": both, "Priority": 1, "Conditions": of("ipv4"), "Actions": forward(four)}
        with pytest.raises(AwsError, match="Application Load Balancers only"):
            await w.elb.create_rule(**asked, Transforms=[transform])
        assert len((await w.elb.describe_rules(ListenerArn=both))["Rules"]) == 1
        rule = (await w.elb.create_rule(**asked))["Rules"][0]["RuleArn"]
        for changed in ({"Conditions": of("ipv6")}, {"Actions": forward(other)}, {"Transforms": [transform]}):
            with pytest.raises(AwsError):
                await w.elb.modify_rule(RuleArn=rule, **changed)
        with pytest.raises(AwsError, match="is not supported with a target group"):
            await w.elb.modify_listener(
                ListenerArn=both,
                Protocol="TCP",
                DefaultActions=forward(
                    await w.group("six-tcp", Protocol="TCP", Port=53, VpcId=vpc, IpAddressType="ipv6")
                ),
            )
        (unchanged, _) = (await w.elb.describe_rules(ListenerArn=both))["Rules"]
        assert unchanged["Conditions"] == of("ipv4")


async def test_one_whose_listeners_have_rules_stays_dual_stack(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        vpc, subnets, _ = await dual(w)
        arn = await w.balancer(Type="network", Subnets=subnets, IpAddressType="dualstack")
        groups = [await w.group(name, Protocol="TCP", Port=53, VpcId=vpc) for name in ("one", "two")]
        listener = await listen(w, arn, groups[0], "TCP")
        asked = {"ListenerArn": listener, "Priority": 1, "Conditions": of("ipv6"), "Actions": forward(groups[1])}
        rule = (await w.elb.create_rule(**asked))["Rules"][0]["RuleArn"]
        with pytest.raises(AwsError, match="must have the IP address type 'dualstack'"):
            await w.elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="ipv4")
        await w.elb.delete_rule(RuleArn=rule)
        await w.elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="ipv4")


async def test_what_an_action_forwards_to_is_of_one_family(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        vpc, subnets, _ = await dual(w)
        arn = await w.balancer(Type="network", Subnets=subnets, IpAddressType="dualstack")
        groups = [await w.group(f"of-{ip}", Protocol="TCP", VpcId=vpc, IpAddressType=ip) for ip in ("ipv4", "ipv6")]
        shares = [{"TargetGroupArn": group, "Weight": 1} for group in groups]
        actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}]
        with pytest.raises(AwsError, match="the same IP address type"):
            await w.elb.create_listener(LoadBalancerArn=arn, Protocol="TCP", Port=80, DefaultActions=actions)
