"""What ELB's requests need to be allowed, as the service authorisation reference has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hatoba.services.elbv2.access import ACCESS
from tests.unit.services.asked import SCOPE, Asked

HERE = f"arn:aws:elasticloadbalancing:{SCOPE.region}:{SCOPE.account}:"
APP = f"{HERE}loadbalancer/app/web/50dc6c495c0c9188"
LISTENER = f"{HERE}listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2"
RULE = f"{HERE}listener-rule/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
GROUP = f"{HERE}targetgroup/app/73e2d6bc24d8a067"
TAGS = [{"Key": "team", "Value": "blue"}]
ACTIONS = [{"Type": "forward", "TargetGroupArn": GROUP}]


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    asked = Asked("elbv2", ACCESS)
    yield asked
    asked.close()


@pytest.mark.parametrize(
    ("operation", "req", "resources"),
    [
        ("CreateLoadBalancer", {"Name": "web"}, ["loadbalancer/app/web/*"]),
        ("CreateLoadBalancer", {"Name": "web", "Type": "network"}, ["loadbalancer/net/web/*"]),
        ("CreateLoadBalancer", {"Name": "web", "Type": "gateway"}, ["loadbalancer/gwy/web/*"]),
        ("CreateTargetGroup", {"Name": "app"}, ["targetgroup/app/*"]),
        ("CreateListener", {"LoadBalancerArn": APP, "DefaultActions": ACTIONS}, [APP]),
        ("CreateRule", {"ListenerArn": LISTENER, "Conditions": [], "Priority": 1, "Actions": ACTIONS}, [LISTENER]),
        ("ModifyRule", {"RuleArn": RULE}, [RULE]),
        ("SetRulePriorities", {"RulePriorities": [{"RuleArn": RULE, "Priority": 2}]}, [RULE]),
        ("SetRulePriorities", {"RulePriorities": []}, ["*"]),
        ("RegisterTargets", {"TargetGroupArn": GROUP, "Targets": [{"Id": "10.0.0.1"}]}, [GROUP]),
        ("AddTags", {"ResourceArns": [APP, GROUP], "Tags": TAGS}, [APP, GROUP]),
        ("RemoveTags", {"ResourceArns": [RULE], "TagKeys": ["a"]}, [RULE]),
        ("DescribeLoadBalancers", {"LoadBalancerArns": [APP]}, ["*"]),
        ("DescribeTags", {"ResourceArns": [APP]}, ["*"]),
    ],
)  # fmt: skip
def test_resources(asked: Asked, operation: str, req: dict[str, Any], resources: list[str]) -> None:
    found = [f"elasticloadbalancing:{operation} {each.removeprefix(HERE)}" for each in resources]
    assert asked.said(operation, **req) == found


@pytest.mark.parametrize(
    ("operation", "req", "created"),
    [
        ("CreateLoadBalancer", {"Name": "web"}, "loadbalancer/app/web/*"),
        ("CreateTargetGroup", {"Name": "app"}, "targetgroup/app/*"),
        ("CreateListener", {"LoadBalancerArn": APP, "DefaultActions": ACTIONS}, "listener/app/web/50dc6c495c0c9188/*"),
        ("CreateRule", {"ListenerArn": LISTENER, "Conditions": [], "Priority": 1, "Actions": ACTIONS},
         "listener-rule/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2/*"),
    ],
)  # fmt: skip
def test_tags_at_creation_need_the_right_to_tag_what_is_created(
    asked: Asked, operation: str, req: dict[str, Any], created: str
) -> None:
    own, tagging = asked.needs(operation, **req, Tags=TAGS)
    assert own.keys["aws:RequestTag/team"] == "blue"
    assert (tagging.action, tagging.resource) == ("elasticloadbalancing:AddTags", f"{HERE}{created}")
    assert tagging.keys == {
        "aws:RequestTag/team": "blue",
        "aws:TagKeys": ["team"],
        "elasticloadbalancing:CreateAction": operation,
    }
    assert len(asked.needs(operation, **req)) == 1


def test_what_the_request_says_is_told(asked: Asked) -> None:
    own = "elasticloadbalancing:"
    subnets = {"SubnetMappings": [{"SubnetId": "subnet-a"}, {"SubnetId": "subnet-b"}], "SecurityGroups": ["sg-1"]}
    assert asked.keys("CreateLoadBalancer", Name="web", Scheme="internal", **subnets) == {
        f"{own}Scheme": "internal",
        f"{own}Subnet": ["subnet-a", "subnet-b"],
        f"{own}SecurityGroup": ["sg-1"],
    }
    # Nobody gets past a condition on the scheme by leaving it out.
    assert asked.keys("CreateLoadBalancer", Name="web") == {f"{own}Scheme": "internet-facing"}
    assert asked.keys("CreateLoadBalancer", Name="web", Type="gateway") == {}
    secure = {"Protocol": "HTTPS", "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"}
    said = {f"{own}ListenerProtocol": ["HTTPS"], f"{own}SecurityPolicy": ["ELBSecurityPolicy-TLS13-1-2-2021-06"]}
    assert asked.keys("ModifyListener", ListenerArn=LISTENER, **secure) == said
    assert asked.keys("ModifyListener", ListenerArn=LISTENER, Port=80) == {}
    assert asked.keys("RemoveTags", ResourceArns=[GROUP], TagKeys=["a"]) == {"aws:TagKeys": ["a"]}
