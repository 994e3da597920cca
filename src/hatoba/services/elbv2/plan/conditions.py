"""When a rule applies: checked, complete as Describe shows it, and as the proxy's words. Source: "Rule conditions".

A condition is kept in the API's own shape. `Values` is the older way to say what `…Config` says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hatoba.proxy import base as proxy
from hatoba.services.elbv2.model.listener import Condition
from hatoba.services.elbv2.plan.errors import invalid, not_here

_MOST_VALUES = 5
_LONGEST = 128
_CONFIGS = {
    "host-header": "HostHeaderConfig",
    "path-pattern": "PathPatternConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}
_OLDER = ("host-header", "path-pattern")  # those that `Values` can say
_ONCE = ("host-header", "path-pattern", "http-request-method", "source-ip")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}")
_METHOD = re.compile(r"[A-Z_-]{1,40}")
_HOST = re.compile(r"[A-Za-z0-9.*?_-]+")


def checked(conditions: Sequence[Mapping[str, Any]]) -> tuple[Condition, ...]:
    """Raises ValidationError."""
    if not conditions:
        raise invalid("A condition must be specified")
    complete = tuple(_checked(condition) for condition in conditions)
    fields = Counter(condition["Field"] for condition in complete)
    for field in _ONCE:
        if fields[field] > 1:
            raise invalid(f"A rule can have only one condition with the field '{field}'")
    if sum(len(_values(condition)) for condition in complete) > _MOST_VALUES:
        raise invalid(f"A rule can only have '{_MOST_VALUES}' condition values")
    return complete


def _checked(condition: Mapping[str, Any]) -> Condition:
    field = condition.get("Field")
    if not field:
        raise invalid("A condition field must be specified")
    if field not in _CONFIGS:
        raise invalid(f"Condition field '{field}' must be one of '[{', '.join(sorted(_CONFIGS))}]'")
    if field == "source-ip":
        raise not_here("Conditions on the source address are")
    name = _CONFIGS[field]
    config: Mapping[str, Any] = condition.get(name) or {}
    older = condition.get("Values")
    if condition.get("RegexValues") or config.get("RegexValues"):
        raise not_here("Regular expressions in conditions are")
    if any(other in condition for other in _CONFIGS.values() if other != name):
        raise invalid(f"A condition with the field '{field}' has a configuration of another field")
    if older and config:
        raise invalid(f"You cannot provide both Values and '{name}' for a condition of type '{field}'")
    if older and field not in _OLDER:
        raise invalid(f"You must specify {name} for a condition with the field '{field}'")
    values = list(older or config.get("Values") or ())
    if not values:
        raise invalid("A condition value must be specified")
    if field == "query-string":
        values = [_pair(value) for value in values]
    else:
        for value in values:
            _check_value(field, value)
    complete: Condition = {"Field": field, name: {"Values": values}}
    if field in _OLDER:
        complete["Values"] = values
    if field == "http-header":
        complete[name]["HttpHeaderName"] = _header(config.get("HttpHeaderName") or "")
    return complete


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name) or "*" in name:
        raise invalid(f"HTTP header name '{name}' is not valid")
    if name.lower() == "host":
        raise invalid("You must use the field 'host-header' for a condition on the Host header")
    return name


def _check_value(field: str, value: str) -> None:
    if not value or len(value) > _LONGEST:
        raise invalid(f"Condition value '{value}' must have between 1 and {_LONGEST} characters")
    if field == "host-header" and not _HOST.fullmatch(value):
        raise invalid(f"Condition value '{value}' contains a character that is not valid in a host name")
    if field == "http-request-method" and not _METHOD.fullmatch(value):
        raise invalid(f"Condition value '{value}' is not an HTTP method")
    if any(ord(char) < 32 or ord(char) > 126 for char in value) or (field == "path-pattern" and " " in value):
        raise invalid(f"Condition value '{value}' contains a character that is not valid")


def _pair(value: Mapping[str, Any]) -> dict[str, str]:
    key, wanted = value.get("Key"), value.get("Value") or ""
    _check_value("query-string", wanted)
    if key:
        _check_value("query-string", key)
        return {"Key": key, "Value": wanted}
    return {"Value": wanted}


def _values(condition: Condition) -> Sequence[Any]:
    values: Sequence[Any] = condition[_CONFIGS[condition["Field"]]]["Values"]
    return values


def proxied(condition: Condition) -> proxy.Condition:
    """The proxy's own words."""
    values = _values(condition)
    match condition["Field"]:
        case "host-header":
            return proxy.HostIs(values=tuple(values))
        case "path-pattern":
            return proxy.PathIs(values=tuple(values))
        case "http-request-method":
            return proxy.MethodIs(values=tuple(values))
        case "query-string":
            return proxy.QueryHas(values=tuple((value.get("Key", ""), value["Value"]) for value in values))
        case "http-header":
            return proxy.HeaderIs(name=condition["HttpHeaderConfig"]["HttpHeaderName"], values=tuple(values))
    raise LookupError(condition["Field"])
