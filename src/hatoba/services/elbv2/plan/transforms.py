"""What a rule changes in a request before a target gets it. Source: "Transforms for listener rules".

A transform is kept in the API's own shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hatoba.proxy.base import Substitution
from hatoba.services.elbv2.model.listener import Transform
from hatoba.services.elbv2.plan import expressions
from hatoba.services.elbv2.plan.errors import invalid

_CONFIGS = {"host-header-rewrite": "HostHeaderRewriteConfig", "url-rewrite": "UrlRewriteConfig"}
_LONGEST = 1024
_PART = re.compile(r"\$([0-9])|(.)", re.DOTALL)


def checked(transforms: Sequence[Mapping[str, Any]]) -> tuple[Transform, ...]:
    """Raises ValidationError."""
    complete = tuple(_checked(transform) for transform in transforms)
    if len({transform["Type"] for transform in complete}) < len(complete):
        raise invalid("A rule can have only one transform of each type")
    return complete


def check_kind(transforms: Sequence[Transform], kind: str) -> None:
    """Only requests can be rewritten. Raises ValidationError."""
    if transforms and kind != "application":
        raise invalid("Transforms can be specified for rules of Application Load Balancers only")


def _checked(transform: Mapping[str, Any]) -> Transform:
    kind = transform["Type"]
    name = _CONFIGS[kind]
    if any(other in transform for other in _CONFIGS.values() if other != name):
        raise invalid(f"The transform of type '{kind}' has a configuration of another type")
    rewrites: Sequence[Mapping[str, str]] = (transform.get(name) or {}).get("Rewrites") or ()
    if len(rewrites) != 1:
        raise invalid(f"You must specify exactly one rewrite in the {name} of a transform")
    expression, replacement = rewrites[0]["Regex"], rewrites[0]["Replace"]
    groups = expressions.check(expression, _LONGEST)
    if len(replacement) > _LONGEST or any(not 33 <= ord(char) <= 126 for char in replacement):
        raise invalid(f"Replacement '{replacement}' must have at most {_LONGEST} characters, all of them visible ones")
    for group in re.findall(r"\$([0-9])", replacement):
        if int(group) > groups:
            raise invalid(f"Replacement '{replacement}' names the group ${group}, which '{expression}' does not have")
    return {"Type": kind, name: {"Rewrites": [{"Regex": expression, "Replace": replacement}]}}


def proxied(transforms: Sequence[Transform], kind: str) -> Substitution | None:
    """The proxy's own words for the transform of that type, if there is one."""
    for transform in transforms:
        if transform["Type"] == kind:
            (rewrite,) = transform[_CONFIGS[kind]]["Rewrites"]
            return Substitution(expression=rewrite["Regex"], replacement=_replacement(rewrite["Replace"]))
    return None


def _replacement(given: str) -> str:
    """`$1` as the proxy writes it; a backslash stands for itself."""
    return "".join(rf"\{part[1]}" if part[1] else part[2].replace("\\", r"\\") for part in _PART.finditer(given))
