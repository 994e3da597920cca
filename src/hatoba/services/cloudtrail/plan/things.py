"""What a call was about: the resources that it needed to be allowed, and those that its answer names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hatoba.core import arn as arns
from hatoba.trail.port import Thing

MOST = 20  # of one event
_DEPTH = 3  # of an answer: `services[0].loadBalancers[0]` names other services' resources

_SERVICES = {
    "acm": "CertificateManager",
    "ec2": "EC2",
    "ecr": "ECR",
    "ecs": "ECS",
    "elasticloadbalancing": "ElasticLoadBalancingV2",
    "iam": "IAM",
    "kms": "KMS",
    "logs": "Logs",
    "secretsmanager": "SecretsManager",
    "ssm": "SSM",
    "sts": "STS",
}
_TYPES = {"vpc": "VPC", "log-group": "LogGroup", "loadbalancer": "LoadBalancer", "targetgroup": "TargetGroup"}


def things(needed: Iterable[str], answer: Mapping[str, Any] | None) -> tuple[Thing, ...]:
    """`needed` are ARNs; patterns among them name nothing."""
    found = dict.fromkeys(name for name in needed if "*" not in name)
    if answer is not None:
        found |= dict.fromkeys(_arns(answer, _DEPTH))
    named = (Thing(kind(name), name) for name in found)
    return tuple(thing for thing in named if thing.kind)[:MOST]


def _arns(value: Any, depth: int) -> Iterator[str]:
    """ARNs in an answer, under members that are called so."""
    if depth == 0:
        return
    if isinstance(value, list):
        for each in value[:MOST]:
            yield from _arns(each, depth)
    elif isinstance(value, dict):
        for name, part in value.items():
            if isinstance(part, str) and name.lower().endswith("arn") and part.startswith("arn:"):
                yield part
            elif isinstance(part, (dict, list)):
                yield from _arns(part, depth - 1)


def kind(name: str) -> str:
    """`AWS::ECS::TaskDefinition` of an ARN; "" for what is none."""
    parsed = arns.parse(name)
    if parsed is None:
        return ""
    service = _SERVICES.get(parsed.service, parsed.service.title().replace("-", ""))
    head = parsed.resource.partition("/")[0].partition(":")[0]
    return f"AWS::{service}::{_TYPES.get(head, head.title().replace('-', ''))}"
