"""Records → the model's shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from hatoba.aws.shapes import elbv2 as t
from hatoba.services.elbv2.model.balancer import LoadBalancer
from hatoba.services.elbv2.model.group import Target, TargetGroup
from hatoba.services.elbv2.model.listener import Action, Listener, Rule
from hatoba.services.elbv2.plan.health import Health

# The hosted zones of load balancers' names. Source: "Elastic Load Balancing endpoints" in the AWS general reference.
_HOSTED_ZONES = {
    "us-east-1": "Z35SXDOTRQ7X7K",
    "us-east-2": "Z3AADJGX6KTTL2",
    "us-west-1": "Z368ELLRRE2KJ0",
    "us-west-2": "Z1H1FL5HABSF5",
    "ca-central-1": "ZQSVJUPU6J1EY",
    "eu-central-1": "Z215JYRZR1TBD5",
    "eu-north-1": "Z23TAZ6LKFMNIO",
    "eu-west-1": "Z32O12XQLNTSW2",
    "eu-west-2": "ZHURV8PSTC4K8",
    "eu-west-3": "Z3Q77PNBQS71R4",
    "ap-northeast-1": "Z14GRHDCWA56QT",
    "ap-northeast-2": "ZWKZPGTI48KDX",
    "ap-south-1": "ZP97RAFLXTNZK",
    "ap-southeast-1": "Z1LMS91P8CMLE5",
    "ap-southeast-2": "Z1GM3OXH4ZPM65",
    "sa-east-1": "Z2P70J7HTTTPLU",
}


def load_balancer(record: LoadBalancer) -> t.LoadBalancer:
    state: t.LoadBalancerState = {"Code": record.state}
    if record.reason:
        state["Reason"] = record.reason
    return {
        "LoadBalancerArn": record.arn,
        "DNSName": record.dns_name,
        "CanonicalHostedZoneId": _HOSTED_ZONES.get(record.key.region, _HOSTED_ZONES["us-east-1"]),
        "CreatedTime": record.created,
        "LoadBalancerName": record.name,
        "Scheme": record.scheme,
        "VpcId": record.vpc,
        "State": state,
        "Type": "application",
        "AvailabilityZones": zones(record),
        "SecurityGroups": list(record.groups),
        "IpAddressType": "ipv4",
    }


def zones(record: LoadBalancer) -> list[t.AvailabilityZone]:
    """Addresses are told for network load balancers only; an application load balancer is reached by its name."""
    return [{"ZoneName": place.zone, "SubnetId": place.subnet, "LoadBalancerAddresses": []} for place in record.places]


def target_group(record: TargetGroup, balancers: Iterable[LoadBalancer]) -> t.TargetGroup:
    check = record.check
    return {
        "TargetGroupArn": record.arn,
        "TargetGroupName": record.name,
        "Protocol": record.protocol,
        "ProtocolVersion": record.speaks,
        "Port": record.port,
        "VpcId": record.vpc,
        "HealthCheckProtocol": check.protocol,
        "HealthCheckPort": check.port,
        "HealthCheckEnabled": check.enabled,
        "HealthCheckIntervalSeconds": check.interval,
        "HealthCheckTimeoutSeconds": check.timeout,
        "HealthyThresholdCount": check.healthy,
        "UnhealthyThresholdCount": check.unhealthy,
        "HealthCheckPath": check.path,
        "Matcher": {"GrpcCode": check.codes} if record.speaks == "GRPC" else {"HttpCode": check.codes},
        "LoadBalancerArns": [balancer.arn for balancer in balancers],
        "TargetType": "ip",
        "IpAddressType": "ipv4",
    }


def target(record: Target, group: TargetGroup, health: Health) -> t.TargetHealthDescription:
    described: t.TargetDescription = {"Id": record.address, "Port": record.port, "AvailabilityZone": record.zone}
    port = str(record.port) if group.check.port == "traffic-port" else group.check.port
    return {"Target": described, "HealthCheckPort": port, "TargetHealth": _health(health)}


def unknown_target(described: t.TargetDescription, health: Health) -> t.TargetHealthDescription:
    return {"Target": described, "TargetHealth": _health(health)}


def _health(health: Health) -> t.TargetHealth:
    shown: t.TargetHealth = {"State": health.state}
    if health.reason is not None:
        shown["Reason"] = health.reason
    if health.description:
        shown["Description"] = health.description
    return shown


def listener(record: Listener, balancer: LoadBalancer) -> t.Listener:
    shape: t.Listener = {
        "ListenerArn": record.arn,
        "LoadBalancerArn": balancer.arn,
        "Port": record.port,
        "Protocol": record.protocol,
        "DefaultActions": [_action(record.default)],
    }
    if record.protocol == "HTTPS":
        shape["Certificates"] = [{"CertificateArn": record.certificates[0]}]
        shape["SslPolicy"] = record.policy
        shape["MutualAuthentication"] = {"Mode": "off"}
    return shape


def rule(record: Rule) -> t.Rule:
    shape: t.Rule = {
        "RuleArn": record.arn,
        "Priority": str(record.priority),
        "Conditions": [cast(t.RuleCondition, condition) for condition in record.conditions],
        "Actions": [_action(record.action)],
        "IsDefault": False,
    }
    if record.transforms:
        shape["Transforms"] = [cast(t.RuleTransform, transform) for transform in record.transforms]
    return shape


def default_rule(of: Listener) -> t.Rule:
    return {
        "RuleArn": of.default_rule_arn,
        "Priority": "default",
        "Conditions": [],
        "Actions": [_action(of.default)],
        "IsDefault": True,
    }


def _action(action: Action) -> t.Action:
    return cast(t.Action, action)


def balancer_attributes(given: Mapping[str, str]) -> list[t.LoadBalancerAttribute]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


def group_attributes(given: Mapping[str, str]) -> list[t.TargetGroupAttribute]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


def listener_attributes(given: Mapping[str, str]) -> list[t.ListenerAttribute]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


def tags(given: Mapping[str, str]) -> list[t.Tag]:
    return [{"Key": key, "Value": value} for key, value in given.items()]
