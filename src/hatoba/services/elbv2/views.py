"""Records → the model's shapes.

What a kind of load balancer does not have is left out of its shape, as AWS does it: no name and scheme of a gateway
load balancer, no version and path of a group whose targets are asked for a connection only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, cast

from hatoba.aws.shapes import elbv2 as t
from hatoba.services.elbv2.model.authentication import Authentication
from hatoba.services.elbv2.model.balancer import LoadBalancer, Place
from hatoba.services.elbv2.model.group import Target, TargetGroup
from hatoba.services.elbv2.model.listener import Action, Listener, Mutual, Rule
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


_NETWORK_ZONES = {
    "us-east-1": "Z26RNL4JYFTOTI",
    "us-east-2": "ZLMOA37VPKANP",
    "us-west-1": "Z24FKFUX50B4VW",
    "us-west-2": "Z18D5FSROUN65G",
    "ca-central-1": "Z2EPGBW3API2WT",
    "eu-central-1": "Z3F0SRJ5LGBH90",
    "eu-north-1": "Z1UDT6IFJ4EJM",
    "eu-west-1": "Z2IFOLAFXWLO4F",
    "eu-west-2": "ZD4D7Y8KGAS4G",
    "eu-west-3": "Z1CMS0P5QUZ6D5",
    "ap-northeast-1": "Z31USIVHYNEOWT",
    "ap-northeast-2": "ZIBE1TIR4HY56",
    "ap-south-1": "ZVDDRBQ08TROA",
    "ap-southeast-1": "ZKVM4W9LS7TM",
    "ap-southeast-2": "ZCT6FZBF4DROD",
    "sa-east-1": "ZTK26PT1VY4CU",
}


def private_link(record: LoadBalancer) -> t.EnforceSecurityGroupInboundRulesOnPrivateLinkTrafficEnum:
    return "on" if record.private_link else "off"


def load_balancer(record: LoadBalancer) -> t.LoadBalancer:
    state: t.LoadBalancerState = {"Code": record.state}
    if record.reason:
        state["Reason"] = record.reason
    shape: t.LoadBalancer = {
        "LoadBalancerArn": record.arn,
        "CreatedTime": record.created,
        "LoadBalancerName": record.name,
        "VpcId": record.vpc,
        "State": state,
        "Type": record.kind,
        "AvailabilityZones": zones(record),
        "IpAddressType": record.ip_type,
    }
    if record.kind != "gateway":
        hosted = _HOSTED_ZONES if record.kind == "application" else _NETWORK_ZONES
        shape["DNSName"] = record.dns_name
        shape["CanonicalHostedZoneId"] = hosted.get(record.key.region, hosted["us-east-1"])
        shape["Scheme"] = record.scheme
    if record.kind == "network":
        shape["EnablePrefixForIpv6SourceNat"] = prefixes(record)
    if record.groups:
        shape["SecurityGroups"] = list(record.groups)
        if record.kind == "network":
            shape["EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"] = private_link(record)
    return shape


def zones(record: LoadBalancer) -> list[t.AvailabilityZone]:
    """Of addresses only those are told that somebody has asked for; else a load balancer is reached by its name."""
    shapes: list[t.AvailabilityZone] = []
    for place in record.places:
        shape: t.AvailabilityZone = {
            "ZoneName": place.zone,
            "SubnetId": place.subnet,
            "LoadBalancerAddresses": _addresses(record, place),
        }
        if record.prefixes:
            made = next((one.prefix6 for one in record.interfaces if one.subnet == place.subnet), None)
            shape["SourceNatIpv6Prefixes"] = [place.prefix6 or made or "auto_assigned"]
        shapes.append(shape)
    return shapes


def prefixes(record: LoadBalancer) -> Literal["on", "off"]:
    return "on" if record.prefixes else "off"


def _addresses(record: LoadBalancer, place: Place) -> list[t.LoadBalancerAddress]:
    told: t.LoadBalancerAddress = {}
    if place.address:
        told["PrivateIPv4Address"] = place.address
    if place.allocation:
        told["AllocationId"] = place.allocation
        public = next((one.public for one in record.interfaces if one.subnet == place.subnet), None)
        if public is not None:
            told["IpAddress"] = public
    if place.address6 and record.dual:
        told["IPv6Address"] = place.address6
    return [told] if told else []


def target_group(record: TargetGroup, balancers: Iterable[LoadBalancer]) -> t.TargetGroup:
    check = record.check
    shape: t.TargetGroup = {
        "TargetGroupArn": record.arn,
        "TargetGroupName": record.name,
        "Protocol": record.protocol,
        "Port": record.port,
        "VpcId": record.vpc,
        "HealthCheckProtocol": check.protocol,
        "HealthCheckPort": check.port,
        "HealthCheckEnabled": check.enabled,
        "HealthCheckIntervalSeconds": check.interval,
        "HealthCheckTimeoutSeconds": check.timeout,
        "HealthyThresholdCount": check.healthy,
        "UnhealthyThresholdCount": check.unhealthy,
        "LoadBalancerArns": [balancer.arn for balancer in balancers],
        "TargetType": record.kind,
        "IpAddressType": record.ip_type,
    }
    if record.protocol in ("HTTP", "HTTPS"):
        shape["ProtocolVersion"] = record.speaks
    if check.protocol != "TCP":
        shape["HealthCheckPath"] = check.path
        shape["Matcher"] = {"GrpcCode": check.codes} if record.speaks == "GRPC" else {"HttpCode": check.codes}
    return shape


def target(record: Target, group: TargetGroup, health: Health) -> t.TargetHealthDescription:
    described: t.TargetDescription = {"Id": record.address, "Port": record.port}
    if group.kind != "instance":
        described["AvailabilityZone"] = record.zone
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
        "DefaultActions": _actions(record.authentication, record.default),
    }
    if record.protocol != "GENEVE":
        shape["Port"] = record.port
        shape["Protocol"] = record.protocol
    if record.protocol == "TLS":
        shape["Certificates"] = [{"CertificateArn": record.certificates[0]}]
        shape["SslPolicy"] = record.policy
        if record.alpn:
            shape["AlpnPolicy"] = [record.alpn]
    if record.protocol == "HTTPS":
        shape["Certificates"] = [{"CertificateArn": record.certificates[0]}]
        shape["SslPolicy"] = record.policy
        shape["MutualAuthentication"] = _mutual(record.mutual)
    return shape


def _mutual(mutual: Mutual) -> t.MutualAuthenticationAttributes:
    if mutual.mode != "verify":
        return {"Mode": mutual.mode}
    return {
        "Mode": "verify",
        "TrustStoreArn": mutual.trust_store,
        "IgnoreClientCertificateExpiry": mutual.ignores_expiry,
        "TrustStoreAssociationStatus": "active",
        "AdvertiseTrustStoreCaNames": "on" if mutual.advertises else "off",
    }


def rule(record: Rule) -> t.Rule:
    shape: t.Rule = {
        "RuleArn": record.arn,
        "Priority": str(record.priority),
        "Conditions": [cast(t.RuleCondition, condition) for condition in record.conditions],
        "Actions": _actions(record.authentication, record.action),
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
        "Actions": _actions(of.authentication, of.default),
        "IsDefault": True,
    }


def _actions(first: Authentication | None, action: Action) -> list[t.Action]:
    shown = cast(t.Action, action)
    return [shown] if first is None else [_authenticates(first), shown]


def _authenticates(first: Authentication) -> t.Action:
    """Everything but the client's secret."""
    config: t.AuthenticateOidcActionConfig = {
        "Issuer": first.issuer,
        "AuthorizationEndpoint": first.authorization_endpoint,
        "TokenEndpoint": first.token_endpoint,
        "UserInfoEndpoint": first.user_info_endpoint,
        "ClientId": first.client_id,
        "SessionCookieName": first.cookie,
        "Scope": first.scope,
        "SessionTimeout": first.timeout,
        "OnUnauthenticatedRequest": first.otherwise,
    }
    if first.extra:
        config["AuthenticationRequestExtraParams"] = first.extra
    return {"Type": "authenticate-oidc", "AuthenticateOidcConfig": config, "Order": first.order}


def balancer_attributes(given: Mapping[str, str]) -> list[t.LoadBalancerAttribute]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


def group_attributes(given: Mapping[str, str]) -> list[t.TargetGroupAttribute]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


def listener_attributes(given: Mapping[str, str]) -> list[t.ListenerAttribute]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


def tags(given: Mapping[str, str]) -> list[t.Tag]:
    return [{"Key": key, "Value": value} for key, value in given.items()]
