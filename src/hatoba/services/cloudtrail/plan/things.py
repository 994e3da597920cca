"""What a call was about: the resources that it needed to be allowed, and those that its answer names."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hatoba.aws.models import Member, Operation, ServiceModel
from hatoba.core import arn as arns
from hatoba.trail.port import Thing

MOST = 20  # of one event
_LONGEST = 2048  # characters of an ARN: nothing that is there has a longer one
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
    "s3": "S3",
    "secretsmanager": "SecretsManager",
    "ssm": "SSM",
    "sts": "STS",
}
_TYPES = {"vpc": "VPC", "log-group": "LogGroup", "loadbalancer": "LoadBalancer", "targetgroup": "TargetGroup"}


def things(operation: Operation, needed: Iterable[str], answer: Mapping[str, Any] | None) -> tuple[Thing, ...]:
    """`needed` are ARNs; patterns among them name nothing. `answer`: the operation's, once it is known."""
    found = [name for name in needed if "*" not in name]
    if answer is not None and (find := _finder(operation)) is not None:
        find(answer, found)
    named = (Thing(kind(name), name) for name in dict.fromkeys(found) if len(name) <= _LONGEST)
    return tuple(thing for thing in named if thing.kind)[:MOST]


Find = Callable[[Any, list[str]], None]  # adds the ARNs of a value


@functools.cache
def _finder(operation: Operation) -> Find | None:
    """For the operation's answers; None: there are no ARNs in them."""
    return _within(operation.model, operation.output, _DEPTH)


def _within(model: ServiceModel, use: Member | None, depth: int) -> Find | None:
    """ARNs under members that are called so."""
    if use is None or depth == 0:
        return None
    shape = model.shapes[use.shape]
    if shape.type == "list":
        part = _within(model, shape.member, depth)
        return None if part is None else lambda value, found: _each(part, value, found)
    if shape.type != "structure":
        return None
    own = tuple(name for name, member in shape.members.items() if _is_arn(model, name, member))
    parts = [(name, _within(model, member, depth - 1)) for name, member in shape.members.items()]
    inner = tuple((name, part) for name, part in parts if part is not None)
    return None if not own and not inner else lambda value, found: _of(own, inner, value, found)


def _is_arn(model: ServiceModel, name: str, member: Member) -> bool:
    return name.lower().endswith("arn") and model.shapes[member.shape].type == "string"


def _each(part: Find, value: Any, found: list[str]) -> None:
    for each in (value or ())[:MOST]:
        part(each, found)


def _of(own: Sequence[str], inner: Sequence[tuple[str, Find]], value: Any, found: list[str]) -> None:
    if not value:
        return
    for name in own:
        if (text := value.get(name)) and text.startswith("arn:"):
            found.append(text)
    for name, part in inner:
        part(value.get(name), found)


def kind(name: str) -> str:
    """`AWS::ECS::TaskDefinition` of an ARN; "" for what is none."""
    parsed = arns.parse(name)
    if parsed is None:
        return ""
    if parsed.service == "s3":  # whose ARNs say no type
        return f"AWS::S3::{'Object' if '/' in parsed.resource else 'Bucket'}"
    return _kind(parsed.service, parsed.resource.partition("/")[0].partition(":")[0])


@functools.lru_cache(maxsize=1024)
def _kind(service: str, head: str) -> str:
    named = _SERVICES.get(service, service.title().replace("-", ""))
    return f"AWS::{named}::{_TYPES.get(head, head.title().replace('-', ''))}"
