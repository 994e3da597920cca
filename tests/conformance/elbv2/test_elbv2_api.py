"""The operations' answers and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import AwsError
from hatoba.gateway.access import root
from hatoba.gateway.tags import tags
from hatoba.proxy.base import Headers, Substitution
from tests.conformance.elbv2.world import SCOPE, world

ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012"


async def refused(code: str, message: str, asked: Any) -> None:
    with pytest.raises(AwsError) as caught:
        await asked
    assert (caught.value.code, message in caught.value.message) == (code, True), caught.value


async def test_creating_twice(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        first = await w.balancer()
        assert await w.balancer() == first
        await refused("DuplicateLoadBalancerName", "different settings", w.balancer(Scheme="internal"))
        group = await w.group()
        assert await w.group() == group
        await refused("DuplicateTargetGroupName", "different settings", w.group(Port=81))
        listener = await w.listener(first, group)
        assert await w.listener(first, group) == listener
        other = await w.group("other")
        await refused("DuplicateListener", "already exists on this port", w.listener(first, other))
        beside = await w.listener(first, other, port=81)
        taken = w.elb.modify_listener(ListenerArn=beside, Port=80)
        await refused("DuplicateListener", "already exists on this port", taken)


async def test_where_a_load_balancer_may_be(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        subnets = await w.subnets()
        await refused("ValidationError", "At least two subnets in two different", w.balancer(Subnets=subnets[:1]))
        await refused("ValidationError", "must specify subnets", w.balancer(Subnets=[]))
        await refused("ValidationError", "more than once", w.balancer(Subnets=[subnets[0]] * 2))
        await refused("SubnetNotFound", "does not exist", w.balancer(Subnets=[subnets[0], "subnet-0"]))
        await refused("ValidationError", "associated IPv6", w.balancer(IpAddressType="dualstack"))
        await refused("InvalidSecurityGroup", "invalid", w.balancer(SecurityGroups=["sg-0"]))
        vpc = (await w.ec2.create_vpc(CidrBlock="10.1.0.0/16"))["Vpc"]["VpcId"]
        far = [
            (await w.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{n}.0/24", AvailabilityZone=f"us-east-1{zone}"))[
                "Subnet"
            ]["SubnetId"]
            for n, zone in enumerate("aab")
        ]
        await refused("InvalidConfigurationRequest", "same Availability Zone", w.balancer(Subnets=far[:2]))
        await refused("InvalidConfigurationRequest", "same VPC", w.balancer(Subnets=[far[0], subnets[1]]))
        await refused("InvalidSubnet", "no internet gateway", w.balancer(Subnets=far[1:]))
        default = (await w.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}]))[
            "SecurityGroups"
        ][0]["GroupId"]
        await refused(
            "InvalidConfigurationRequest", "does not belong", w.balancer(Subnets=subnets[:2], SecurityGroups=[default])
        )
        inside = await w.balancer(Subnets=far[1:], Scheme="internal")
        (shown,) = (await w.elb.describe_load_balancers(LoadBalancerArns=[inside]))["LoadBalancers"]
        assert (shown["VpcId"], shown["SecurityGroups"]) == (vpc, [default])
        group = await w.group()
        await refused("ValidationError", "not in the load balancer's VPC", w.listener(inside, group))


async def test_not_found_and_not_an_arn(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        balancer = f"{ARN}:loadbalancer/app/web/0123456789abcdef"
        group = f"{ARN}:targetgroup/app/0123456789abcdef"
        listener = f"{ARN}:listener/app/web/0123456789abcdef/0123456789abcdef"
        rule = f"{ARN}:listener-rule/app/web/0123456789abcdef/0123456789abcdef/0123456789abcdef"
        elb = w.elb
        await refused(
            "LoadBalancerNotFound",
            f"Load balancers '[{balancer}]' not found",
            elb.describe_load_balancers(LoadBalancerArns=[balancer]),
        )
        await refused("LoadBalancerNotFound", "'[web]' not found", elb.describe_load_balancers(Names=["web"]))
        await refused(
            "TargetGroupNotFound",
            "One or more target groups not found",
            elb.describe_target_groups(TargetGroupArns=[group]),
        )
        await refused("TargetGroupNotFound", group, elb.describe_target_health(TargetGroupArn=group))
        await refused(
            "ListenerNotFound", "One or more listeners not found", elb.describe_listeners(ListenerArns=[listener])
        )
        await refused("RuleNotFound", rule, elb.describe_rules(RuleArns=[rule]))
        await refused("RuleNotFound", rule, elb.describe_tags(ResourceArns=[rule]))
        await refused(
            "ValidationError", "not a valid target group ARN", elb.describe_target_health(TargetGroupArn=balancer)
        )
        await refused("ValidationError", "not a valid ARN", elb.describe_tags(ResourceArns=["x"]))
        await refused("ValidationError", "more than 20", elb.describe_tags(ResourceArns=[rule] * 21))
        await elb.delete_load_balancer(LoadBalancerArn=balancer)
        await elb.delete_target_group(TargetGroupArn=group)
        mine = await w.balancer()
        theirs = w.plane.door(SCOPE._replace(account="210987654321"), "ecs", root("aws", "210987654321")).elbv2
        await refused("LoadBalancerNotFound", mine, theirs.describe_load_balancers(LoadBalancerArns=[mine]))


async def test_pages(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        arns = sorted([await w.group(f"g{number}") for number in range(5)])
        first = await w.elb.describe_target_groups(PageSize=3)
        second = await w.elb.describe_target_groups(PageSize=3, Marker=first["NextMarker"])
        assert [g["TargetGroupArn"] for page in (first, second) for g in page["TargetGroups"]] == arns
        assert "NextMarker" not in second
        await refused("ValidationError", "marker", w.elb.describe_target_groups(Marker="x"))


async def test_a_group_belongs_to_one_load_balancer(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        one, two, group = await w.balancer("one"), await w.balancer("two"), await w.group()
        listener = await w.listener(one, group)
        await refused("TargetGroupAssociationLimit", group, w.listener(two, group))
        await refused(
            "ResourceInUse", "in use by a listener or a rule", w.elb.delete_target_group(TargetGroupArn=group)
        )
        await w.elb.delete_listener(ListenerArn=listener)
        await w.listener(two, group)


async def test_rules(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        balancer, app, api = await w.balancer(), await w.group(), await w.group("api")
        listener = await w.listener(balancer, app)
        await w.settle()

        async def rule(priority: int, path: str) -> str:
            made = await w.elb.create_rule(
                ListenerArn=listener,
                Priority=priority,
                Conditions=[{"Field": "path-pattern", "Values": [path]}],
                Actions=[{"Type": "forward", "TargetGroupArn": api}],
            )
            arn: str = made["Rules"][0]["RuleArn"]
            return arn

        second, first = await rule(20, "/b"), await rule(3, "/a")
        await refused("PriorityInUse", "Priority '20' is currently in use", rule(20, "/c"))
        shown = (await w.elb.describe_rules(ListenerArn=listener))["Rules"]
        assert [(each["Priority"], each["IsDefault"]) for each in shown] == [
            ("3", False),
            ("20", False),
            ("default", True),
        ]
        assert shown[0]["Conditions"] == [
            {"Field": "path-pattern", "Values": ["/a"], "PathPatternConfig": {"Values": ["/a"]}}
        ]
        default = shown[2]["RuleArn"]
        assert (await w.elb.describe_rules(RuleArns=[default]))["Rules"] == [shown[2]]
        await refused("OperationNotPermitted", "cannot be deleted", w.elb.delete_rule(RuleArn=default))
        assert [each.priority for each in w.wanted().balancers[0].listeners[0].rules] == [3, 20]
        assert {group.id for group in w.wanted().groups} == {app, api}

        swap = [{"RuleArn": first, "Priority": 20}, {"RuleArn": second, "Priority": 3}]
        await w.elb.set_rule_priorities(RulePriorities=swap)
        assert [each.conditions[0].values for each in w.wanted().balancers[0].listeners[0].rules] == [("/b",), ("/a",)]  # type: ignore[union-attr]
        clash = [{"RuleArn": first, "Priority": 3}]
        await refused("PriorityInUse", "Priority '3'", w.elb.set_rule_priorities(RulePriorities=clash))
        fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
        await w.elb.modify_rule(RuleArn=second, Actions=[fixed])
        await w.elb.delete_rule(RuleArn=first)
        assert {group.id for group in w.wanted().groups} == {app}
        await w.elb.modify_listener(ListenerArn=listener, Port=8080, DefaultActions=[fixed])
        (known,) = w.wanted().balancers[0].listeners
        assert (known.port, len(known.rules)) == (8080, 1)
        await w.elb.delete_listener(ListenerArn=listener)
        assert w.wanted().balancers[0].listeners == ()
        await refused("RuleNotFound", second, w.elb.describe_rules(RuleArns=[second]))


async def test_transforms_are_shown_kept_replaced_and_taken_away(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        balancer, app = await w.balancer(), await w.group()
        listener = await w.listener(balancer, app)
        await w.settle()
        transforms = [
            {"Type": "host-header-rewrite", "HostHeaderRewriteConfig": {"Rewrites": [{"Regex": "^a", "Replace": "b"}]}},
            {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/(x)", "Replace": "/$1"}]}},
        ]
        conditions = [{"Field": "host-header", "HostHeaderConfig": {"RegexValues": ["^a[0-9]$"]}}]
        made = await w.elb.create_rule(
            ListenerArn=listener,
            Priority=1,
            Conditions=conditions,
            Actions=[{"Type": "forward", "TargetGroupArn": app}],
            Transforms=transforms,
        )
        rule = made["Rules"][0]["RuleArn"]

        async def shown() -> Any:
            return (await w.elb.describe_rules(RuleArns=[rule]))["Rules"][0].get("Transforms")

        def proxied() -> Any:
            known = w.wanted().balancers[0].listeners[0].rules[0]
            return known.host, known.url

        assert await shown() == transforms
        assert made["Rules"][0]["Conditions"] == conditions
        assert proxied() == (
            Substitution(expression="^a", replacement="b"),
            Substitution(expression="^/(x)", replacement=r"/\1"),
        )
        await w.elb.modify_rule(RuleArn=rule, Conditions=[{"Field": "path-pattern", "Values": ["/"]}])
        assert await shown() == transforms
        both = w.elb.modify_rule(RuleArn=rule, Transforms=transforms, ResetTransforms=True)
        await refused("ValidationError", "both Transforms and ResetTransforms", both)
        await w.elb.modify_rule(RuleArn=rule, Transforms=transforms[:1])
        assert await shown() == transforms[:1]
        await w.elb.modify_rule(RuleArn=rule, ResetTransforms=True)
        assert await shown() is None
        assert proxied() == (None, None)


async def test_what_is_not_here_yet_says_so(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        balancer, group = await w.balancer(), await w.group()
        action = [{"Type": "forward", "TargetGroupArn": group}]

        def listener(**params: Any) -> Any:
            return w.elb.create_listener(
                **{"LoadBalancerArn": balancer, "Port": 443, "DefaultActions": action, **params}
            )

        await refused("UnsupportedProtocol", "'TCP' is not supported", listener(Protocol="TCP"))
        grpc = [{"Type": "forward", "TargetGroupArn": await w.group("g", ProtocolVersion="GRPC")}]
        await refused("ValidationError", "protocol-version 'GRPC'", listener(Protocol="HTTP", DefaultActions=grpc))
        await refused("ValidationError", "protocol and a port", listener())
        await refused("ValidationError", "SslPolicy cannot", listener(Protocol="HTTP", SslPolicy="x"))
        await refused("ValidationError", "target type 'lambda'", w.group("b", TargetType="lambda"))
        await refused("ValidationError", "protocol 'QUIC' are", w.group("b", Protocol="QUIC"))
        await refused("ValidationError", "The VPC ID 'vpc-0' is not found", w.group("b", VpcId="vpc-0"))
        await refused("ValidationError", "Protocol version", w.group("b", ProtocolVersion="HTTP3"))


@pytest.mark.parametrize(
    ("target", "code", "message"),
    [
        ({"Id": "i-0123"}, "ValidationError", "not a valid IPv4 address"),
        ({"Id": "fd00::1"}, "ValidationError", "not a valid IPv4 address"),
        ({"Id": "8.8.8.8"}, "InvalidTarget", "not within a subnet"),
        ({"Id": "10.0.0.1"}, "ValidationError", "The Availability Zone is required for IP address '10.0.0.1'"),
        ({"Id": "10.0.0.1", "AvailabilityZone": "us-east-1a"}, "ValidationError", "must be 'all'"),
        ({"Id": "172.31.0.9", "AvailabilityZone": "all"}, "ValidationError", "overridden to 'all' from 'us-east-1a'"),
        ({"Id": "172.31.0.9", "AvailabilityZone": "us-east-1b"}, "ValidationError", "from 'us-east-1a'"),
    ],
)
async def test_targets_that_are_refused(tmp_path: Path, target: dict[str, Any], code: str, message: str) -> None:
    async with world(tmp_path) as w:
        group = await w.group()
        good = {"Id": "10.0.0.1", "AvailabilityZone": "all"}
        await refused(code, message, w.elb.register_targets(TargetGroupArn=group, Targets=[good, target]))
        assert await w.states(group) == {}, "all or none"
        await w.elb.register_targets(TargetGroupArn=group, Targets=[good])
        assert await w.states(group) == {"10.0.0.1:80": "unused"}


async def test_attributes(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        balancer, group = await w.balancer(), await w.group()
        protection = {"Key": "deletion_protection.enabled", "Value": "true"}
        await w.elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=[protection])
        shown = (await w.elb.describe_load_balancer_attributes(LoadBalancerArn=balancer))["Attributes"]
        assert protection in shown
        assert {"Key": "idle_timeout.timeout_seconds", "Value": "60"} in shown
        await refused(
            "OperationNotPermitted", "deletion protection", w.elb.delete_load_balancer(LoadBalancerArn=balancer)
        )
        shown = (await w.elb.describe_target_group_attributes(TargetGroupArn=group))["Attributes"]
        assert {"Key": "deregistration_delay.timeout_seconds", "Value": "300"} in shown
        wrong = [{"Key": "deregistration_delay.timeout_seconds", "Value": "3601"}]
        await refused(
            "ValidationError",
            "between 0 and 3600",
            w.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=wrong),
        )


async def test_tags_go_with_their_resource(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        red = [{"Key": "team", "Value": "red"}]
        balancer = await w.balancer(Tags=red)
        group = await w.group(Tags=red)
        listener = await w.listener(balancer, group)
        await w.elb.add_tags(ResourceArns=[listener, group], Tags=[{"Key": "stage", "Value": "beta"}])
        await w.elb.remove_tags(ResourceArns=[group], TagKeys=["team"])
        found = (await w.elb.describe_tags(ResourceArns=[balancer, group, listener]))["TagDescriptions"]
        assert [[tag["Key"] for tag in each["Tags"]] for each in found] == [["team"], ["stage"], ["stage"]]
        await refused("ValidationError", "aws:", w.balancer("x", Tags=[{"Key": "aws:x", "Value": ""}]))
        for code, call in (
            ("DuplicateTagKeys", w.balancer("x", Tags=red * 2)),
            ("DuplicateTagKeys", w.elb.add_tags(ResourceArns=[group], Tags=red * 2)),
            ("ValidationError", w.group("x", Tags=red * 2)),  # it declares no error for this
        ):
            await refused(code, "'team' was specified more than once", call)
        await w.elb.delete_load_balancer(LoadBalancerArn=balancer)
        await w.elb.delete_target_group(TargetGroupArn=group)
        await w.settle()
        assert w.store.all(tags) == []


async def test_access_logs_are_asked_for_by_attributes(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        balancer, group = await w.balancer(), await w.group()
        await w.listener(balancer, group)
        await w.settle()

        def change(**given: str) -> Any:
            attributes = [{"Key": f"access_logs.s3.{key}", "Value": value} for key, value in given.items()]
            return w.elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=attributes)

        await refused("ValidationError", "must specify 'access_logs.s3.bucket'", change(enabled="true"))
        for bucket in ("../up", "UPPER", "a/b", ".", "ab..", "x" * 64):
            await refused("ValidationError", "name of a bucket", change(enabled="true", bucket=bucket))
        for prefix in ("/etc", "my/AWSLogs/x", "a b", "a\\b"):
            await refused("ValidationError", "prefix of object keys", change(bucket="logs", prefix=prefix))
        assert w.wanted().balancers[0].access_log == ""
        await change(enabled="true", bucket="my-logs", prefix="team/web")
        await w.settle()
        number = balancer.rpartition("/")[2]
        assert w.wanted().balancers[0].access_log == f"123456789012_elasticloadbalancing_us-east-1_app.web.{number}"
        await change(enabled="false")
        both = [("connection_logs.s3.enabled", "true"), ("connection_logs.s3.bucket", "my-logs")]
        attributes = [{"Key": key, "Value": value} for key, value in both]
        await w.elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=attributes)
        await w.settle()
        carried = w.wanted().balancers[0]
        named = f"123456789012_elasticloadbalancing_us-east-1_app.web.{number}"
        assert (carried.access_log, carried.connection_log) == ("", f"conn_log.{named}")


async def test_what_terraform_also_asks(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        balancer, group = await w.balancer(), await w.group()
        listener = await w.listener(balancer, group)
        shown = (await w.elb.describe_listener_attributes(ListenerArn=listener))["Attributes"]
        assert {"Key": "routing.http.response.server.enabled", "Value": "true"} in shown
        assert (await w.elb.modify_listener_attributes(ListenerArn=listener, Attributes=shown))["Attributes"] == shown
        changed = [
            {"Key": "routing.http.response.server.enabled", "Value": "false"},
            {"Key": "routing.http.response.x_frame_options.header_value", "Value": "DENY"},
        ]
        after = (await w.elb.modify_listener_attributes(ListenerArn=listener, Attributes=changed))["Attributes"]
        assert [each for each in after if each not in shown] == changed
        await w.settle()
        assert w.wanted().balancers[0].listeners[0].headers == Headers(
            answers=(("X-Frame-Options", "DENY"),), server=False
        )
        for key, value, words in (
            ("routing.http.response.x_frame_options.header_value", "a\r\nb", "not valid in the value"),
            ("routing.http.response.x_frame_options.header_value", 'say "no"', "not valid in the value"),
            ("routing.http.response.content_security_policy.header_value", "x" * 1025, "not be longer than 1024"),
            ("routing.http.response.server.enabled", "no", "must be one of"),
            # An HTTP listener tells nothing of TLS.
            ("routing.http.request.x_amzn_tls_version.header_name", "Tls-V", "is not supported"),
        ):
            bad = [{"Key": key, "Value": value}]
            await refused(
                "ValidationError", words, w.elb.modify_listener_attributes(ListenerArn=listener, Attributes=bad)
            )
        assert (await w.elb.describe_listener_attributes(ListenerArn=listener))["Attributes"] == after
        assert (await w.elb.describe_capacity_reservation(LoadBalancerArn=balancer))["CapacityReservationState"] == []
        assert {"Name": "rules-per-application-load-balancer", "Max": "100"} in (await w.elb.describe_account_limits())[
            "Limits"
        ]
