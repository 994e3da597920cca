"""How AWS's managed policies are written down here: short, by service.

    allow("ecs: DescribeClusters List*", "iam: PassRole", on=role("ecsTask*"), when=passed_to("ecs-tasks"))

A text names a service and some of its actions. `document` makes of it what IAM shows. Pure.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

Condition = Mapping[str, Mapping[str, str | tuple[str, ...]]]


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    effect: str
    actions: tuple[str, ...]  # `ecs:List*`
    resources: tuple[str, ...]
    condition: Condition | None = None
    others: bool = False  # all actions but these


class Managed(msgspec.Struct, frozen=True, kw_only=True):
    """One policy. `path` with its slashes."""

    name: str
    path: str
    description: str
    statements: tuple[Statement, ...]

    def arn(self, partition: str = "aws") -> str:
        return f"arn:{partition}:iam::aws:policy{self.path}{self.name}"

    @property
    def unique(self) -> str:
        """`ANPA…`: the same everywhere."""
        return "ANPA" + base64.b32encode(hashlib.sha256(self.name.encode()).digest()).decode()[:17]

    @property
    def linked(self) -> bool:
        """Only for service-linked roles."""
        return self.path.startswith("/aws-service-role/")


def policy(name: str, description: str, *statements: Statement, path: str = "/") -> Managed:
    return Managed(name=name, path=path, description=description, statements=statements)


def allow(*texts: str, on: str | tuple[str, ...] = "*", when: Condition | None = None) -> Statement:
    return Statement(effect="Allow", actions=_actions(texts), resources=_many(on), condition=when)


def deny(*texts: str, on: str | tuple[str, ...] = "*", when: Condition | None = None) -> Statement:
    return Statement(effect="Deny", actions=_actions(texts), resources=_many(on), condition=when)


def allow_others(*texts: str) -> Statement:
    """Everything but these."""
    return Statement(effect="Allow", actions=_actions(texts), resources=("*",), others=True)


def passed_to(*services: str) -> Condition:
    """`ecs-tasks` is ecs-tasks.amazonaws.com."""
    return {"StringLike": {"iam:PassedToService": tuple(f"{name}.amazonaws.com" for name in services)}}


def linked_to(*services: str) -> Condition:
    return {"StringLike": {"iam:AWSServiceName": tuple(f"{name}.amazonaws.com" for name in services)}}


def equals(**keys: str | tuple[str, ...]) -> Condition:
    """`equals(ec2__CreateAction="CreateVolume")`: a double underscore is the colon of a condition key."""
    return {"StringEquals": {key.replace("__", ":"): value for key, value in keys.items()}}


def role(name: str) -> str:
    return f"arn:aws:iam::*:role/{name}"


def document(policy: Managed) -> str:
    statements = []
    for statement in policy.statements:
        told: dict[str, Any] = {
            "Effect": statement.effect,
            "NotAction" if statement.others else "Action": _one_or_many(statement.actions),
            "Resource": _one_or_many(statement.resources),
        }
        if statement.condition is not None:
            told["Condition"] = statement.condition
        statements.append(told)
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": statements}).decode()


def _actions(texts: tuple[str, ...]) -> tuple[str, ...]:
    found: list[str] = []
    for text in texts:
        service, colon, names = text.partition(":")
        found += [f"{service}:{name}" for name in names.split()] if colon else [service]
    return tuple(found)


def _many(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _one_or_many(values: tuple[str, ...]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
