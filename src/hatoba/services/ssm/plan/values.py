"""What a parameter's value may be: its size, its tier, its data type. Pure.

Data types are those of PutParameter's reference. AWS looks for an `aws:ec2:image` after it has answered; here the form
of its id is checked before.
"""

from __future__ import annotations

import ipaddress
import json
import re
from base64 import b64decode
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import urlsplit

from hatoba.services.ssm.plan.names import invalid

Type = Literal["String", "StringList", "SecureString"]
Tier = Literal["Standard", "Advanced"]

BYTES: dict[Tier, int] = {"Standard": 4096, "Advanced": 8192}
_GUIDE = "https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
_REFERENCE = re.compile(r"\{\{.*\}\}", re.DOTALL)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# What has no end goes to the end: or each of many beginnings would be looked for anew.
_STRING = r'"(?:\\.?|[^"\\])*(?:"|\Z)'
_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_LAST_COMMA = re.compile(rf"{_STRING}|,(?=\s*[}}\]])", re.DOTALL)


def tier_for(wanted: str | None, present: Tier | None, size: int, has_policies: bool, default: str) -> Tier:
    """The tier that a parameter gets. Raises when that would be a step down.

    `wanted` and `default` may be Intelligent-Tiering: what needs the advanced tier gets it.
    """
    asked = wanted or default
    needs: Tier = "Advanced" if size > BYTES["Standard"] or has_policies else "Standard"
    if asked == "Advanced" or (asked == "Intelligent-Tiering" and needs == "Advanced"):
        return "Advanced"
    if present == "Advanced":
        if wanted == "Standard":
            raise invalid(
                "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the "
                "advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced "
                "parameter and recreate it as a standard parameter. Be aware that standard parameters have a value "
                "limit of 4096 characters."
            )
        return "Advanced"
    return "Standard"


def check_size(size: int, tier: Tier) -> None:
    if size <= BYTES[tier]:
        return
    if tier == "Standard":
        raise invalid(
            "Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger "
            f"parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see "
            f"{_GUIDE}"
        )
    raise invalid("Advanced tier parameters support a maximum parameter value of 8192 characters.")


def check_value(value: str, type_: Type, data_type: str) -> None:
    if not value:
        raise invalid(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1."
        )
    if _REFERENCE.search(value):
        raise invalid('Parameter value can\'t nest another parameter. Do not use "{{}}" in the value.')
    if type_ == "StringList" and any(not item for item in value.split(",")):
        raise invalid("Parameter value of type StringList can't have an empty item.")
    if data_type == "text":
        return
    fits = _DATA_TYPES.get(data_type)
    if fits is None:
        raise invalid(
            f"The following data type is not supported: {data_type} (Data type names are all lowercase.)",
        )
    if data_type == "aws:ec2:image" and type_ != "String":
        raise invalid("The data type aws:ec2:image can be used only with parameters of type String.")
    if not fits(value):
        raise invalid(f"The parameter value isn't valid for the data type {data_type}.")


def _matching(pattern: str) -> Callable[[str], bool]:
    found = re.compile(pattern, re.ASCII)
    return lambda value: found.fullmatch(value) is not None


def _parses(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def fits(value: str) -> bool:
        try:
            parse(value)
        except (ValueError, RecursionError):
            return False
        return True

    return fits


def _without_comments(text: str) -> str:
    """JSON, of JSON with comments and trailing commas."""
    for left_out in (_COMMENT, _LAST_COMMA):
        text = left_out.sub(lambda found: found[0] if found[0].startswith('"') else " ", text)
    return text


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme and parts.hostname) and not re.search(r"\s", value)


_DATA_TYPES: dict[str, Callable[[str], bool]] = {
    "aws:ec2:image": _matching(r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})"),
    "aws:ssm:integration": _parses(json.loads),
    "aws:region": _matching(r"[a-z]{2,3}(?:-[a-z]+)+-\d"),
    "aws:account:id": _matching(r"\d{12}"),
    "boolean": _matching("true|false"),
    "integer": _matching(r"[+-]?\d+"),
    "float": _matching(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"),
    "binary": _parses(lambda value: b64decode(value, validate=True)),
    "hostname": _matching(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.?"),
    "email": _matching(rf"[\w.!#$%&'*+/=?^`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*"),
    "ipv4-address": _parses(ipaddress.IPv4Address),
    "ipv6-address": _parses(ipaddress.IPv6Address),
    "url": _is_url,
    "json": _parses(json.loads),
    "jsonc": _parses(lambda value: json.loads(_without_comments(value))),
}
