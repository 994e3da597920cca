"""What a listener or rule does with a request: checked, and complete as Describe shows it. Source: "Rule actions".

An action is kept in the API's own shape: `Type` and the configuration of that type with all of its members.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hatoba.aws.shapes import elbv2 as t
from hatoba.services.elbv2.model.listener import Action
from hatoba.services.elbv2.plan.errors import invalid, not_here
from hatoba.services.elbv2.plan.quotas import GROUPS_OF_ACTION

_MOST_WEIGHT = 999
_LONGEST_STICKY = 604_800
_CONTENT_TYPES = ("text/plain", "text/css", "text/html", "application/javascript", "application/json")
_CONFIGS = {"forward": "ForwardConfig", "redirect": "RedirectConfig", "fixed-response": "FixedResponseConfig"}

# The parts of a redirect that stand for the request's own.
_OWN = {"Protocol": "#{protocol}", "Port": "#{port}", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}"}
# Which of these a part may hold among other text. Source: RedirectActionConfig.
_MIXED = {
    "Host": ("#{host}",),
    "Path": ("#{host}", "#{path}", "#{port}"),
    "Query": ("#{protocol}", "#{host}", "#{port}", "#{path}", "#{query}"),
}
_PLACEHOLDER = re.compile(r"#\{[^}]*\}?")


def checked(actions: Sequence[Mapping[str, Any]]) -> Action:
    """The one action that these are. Raises ValidationError, InvalidLoadBalancerAction, TooManyActions."""
    for action in actions:
        if action["Type"] not in _CONFIGS:
            raise not_here(f"Actions of type '{action['Type']}' are")
    if not actions:
        raise invalid("You must specify at least one action")
    if len(actions) > 1:
        raise t.TooManyActionsException(
            "You can specify only one action of the types forward, redirect and fixed-response"
        )
    action = actions[0]
    kind = action["Type"]
    for other, config in _CONFIGS.items():
        if (other != kind and config in action) or (kind != "forward" and "TargetGroupArn" in action):
            raise invalid(f"The action of type '{kind}' has a configuration of another type")
    match kind:
        case "forward":
            complete = _forward(action)
        case "redirect":
            complete = {"Type": kind, "RedirectConfig": _redirect(action.get("RedirectConfig"))}
        case _:
            complete = {"Type": kind, "FixedResponseConfig": _fixed(action.get("FixedResponseConfig"))}
    if "Order" in action:
        complete["Order"] = action["Order"]
    return complete


def _forward(action: Mapping[str, Any]) -> Action:
    config: Mapping[str, Any] = action.get("ForwardConfig") or {}
    single = action.get("TargetGroupArn")
    shares = [
        {"TargetGroupArn": share.get("TargetGroupArn") or "", "Weight": share.get("Weight", 1)}
        for share in config.get("TargetGroups") or ([{"TargetGroupArn": single}] if single else ())
    ]
    if not shares:
        raise invalid("An action of the type 'forward' must name a target group")
    if single and [share["TargetGroupArn"] for share in shares] != [single]:
        raise invalid("TargetGroupArn and ForwardConfig of an action must name the same target group")
    if len(shares) > GROUPS_OF_ACTION:
        raise invalid(f"You can specify at most {GROUPS_OF_ACTION} target groups in an action")
    if len({share["TargetGroupArn"] for share in shares}) < len(shares):
        raise invalid("Target groups of an action must be different from each other")
    for share in shares:
        if not 0 <= share["Weight"] <= _MOST_WEIGHT:
            raise invalid(f"The weight '{share['Weight']}' of a target group must be between 0 and {_MOST_WEIGHT}")
    complete: Action = {"Type": "forward"}
    if len(shares) == 1:
        complete["TargetGroupArn"] = shares[0]["TargetGroupArn"]
    sticky = _sticky(config.get("TargetGroupStickinessConfig") or {})
    return {**complete, "ForwardConfig": {"TargetGroups": shares, "TargetGroupStickinessConfig": sticky}}


def _sticky(config: Mapping[str, Any]) -> dict[str, Any]:
    if not config.get("Enabled"):
        return {"Enabled": False}
    seconds = config.get("DurationSeconds")
    if seconds is None or not 1 <= seconds <= _LONGEST_STICKY:
        raise invalid(f"Target group stickiness duration must be between 1 and {_LONGEST_STICKY} seconds")
    return {"Enabled": True, "DurationSeconds": seconds}


def _redirect(config: Mapping[str, Any] | None) -> dict[str, Any]:
    if config is None:
        raise invalid("You must specify a redirect configuration for a redirect action")
    complete = {**_OWN, **config}
    if all(complete[part] == own for part, own in _OWN.items()):
        raise t.InvalidLoadBalancerActionException("The redirect configuration is not valid because it creates a loop.")
    if not complete["Path"].startswith("/"):
        raise invalid("The redirect path must begin with a '/' character")
    port = complete["Port"]
    if port != _OWN["Port"] and not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):
        raise invalid(f"The redirect port '{port}' must be #{{port}} or a number between 1 and 65535")
    for part, allowed in _MIXED.items():
        for word in _PLACEHOLDER.findall(complete[part]):
            if word not in allowed:
                raise invalid(f"The redirect {part.lower()} '{complete[part]}' cannot contain '{word}'")
        if any(ord(char) <= 32 or ord(char) > 126 for char in complete[part]):
            raise invalid(f"The redirect {part.lower()} '{complete[part]}' contains characters that are not valid")
    return complete


def _fixed(config: Mapping[str, Any] | None) -> dict[str, Any]:
    if config is None:
        raise invalid("You must specify a fixed response configuration for a fixed-response action")
    kind = config.get("ContentType")
    if kind and kind not in _CONTENT_TYPES:
        raise invalid(f"The content type '{kind}' must be one of [{', '.join(_CONTENT_TYPES)}]")
    return dict(config)
