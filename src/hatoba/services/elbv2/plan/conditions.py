"""When a rule applies: checked, complete as Describe shows it, and as the proxy's words. Source: "Rule conditions".

A condition is kept in the API's own shape. `Values` is the older way to say what `…Config` says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from hatoba.proxy import base as proxy
from hatoba.proxy.forwarding import EVERYBODY
from hatoba.services.elbv2.model.listener import Condition
from hatoba.services.elbv2.plan import expressions
from hatoba.services.elbv2.plan.errors import invalid
from hatoba.services.elbv2.plan.quotas import VALUES, WILDCARDS

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
_SEARCHED = ("host-header", "path-pattern", "http-header")  # those that regular expressions can say
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
    if sum(len(_values(condition)) for condition in complete) > VALUES:
        raise invalid(f"A rule can only have '{VALUES}' condition values")
    if sum(_wildcards(condition) for condition in complete) > WILDCARDS:
        raise invalid(f"A rule can only have '{WILDCARDS}' condition wildcards")
    return complete


def _checked(condition: Mapping[str, Any]) -> Condition:
    field = condition.get("Field")
    if not field:
        raise invalid("A condition field must be specified")
    if field not in _CONFIGS:
        raise invalid(f"Condition field '{field}' must be one of '[{', '.join(sorted(_CONFIGS))}]'")
    name = _CONFIGS[field]
    config: Mapping[str, Any] = condition.get(name) or {}
    if any(other in condition for other in _CONFIGS.values() if other != name):
        raise invalid(f"A condition with the field '{field}' has a configuration of another field")
    if field == "source-ip" and "IpAddressType" in config:
        return _of_family(condition, config)
    if condition.get("Values") and field not in _OLDER:
        raise invalid(f"You must specify {name} for a condition with the field '{field}'")
    values = _given("Values", field, condition, config)
    expressed = _given("RegexValues", field, condition, config)
    if bool(values) == bool(expressed):
        both = "You cannot provide both Values and RegexValues for a condition"
        raise invalid(both if values else "A condition value must be specified")
    if expressed:
        return _expressed(field, name, config, expressed)
    if field == "query-string":
        values = [_pair(value) for value in values]
    elif field == "source-ip":
        values = [_block(value) for value in values]
    else:
        for value in values:
            _check_value(field, value)
    complete: Condition = {"Field": field, name: {"Values": values}}
    if field in _OLDER:
        complete["Values"] = values
    return _named(complete, name, config)


def _of_family(condition: Mapping[str, Any], config: Mapping[str, Any]) -> Condition:
    if condition.get("Values") or condition.get("RegexValues") or config.get("Values"):
        raise invalid("You cannot provide both Values and IpAddressType for a condition with the field 'source-ip'")
    return {"Field": "source-ip", "SourceIpConfig": {"IpAddressType": config["IpAddressType"]}}


def check_kind(conditions: Sequence[Condition], kind: str) -> None:
    """Rules of network load balancers look at the family of a client's address, and nothing else; others do not.
    Raises ValidationError."""
    by_family = [family(condition) is not None for condition in conditions]
    if kind == "network" and not all(by_family):
        raise invalid(
            "Rules of Network Load Balancers must have a condition with the field 'source-ip' and an IpAddressType, "
            "and no others"
        )
    if kind != "network" and any(by_family):
        raise invalid("IpAddressType can be specified for rules of Network Load Balancers only")


def family(condition: Condition) -> str | None:
    """ "ipv4" or "ipv6", of one that looks at that only."""
    found: str | None = condition.get("SourceIpConfig", {}).get("IpAddressType")
    return found


def _given(member: str, field: str, condition: Mapping[str, Any], config: Mapping[str, Any]) -> list[Any]:
    """What is said in the condition itself or in its configuration, but not in both."""
    older, newer = condition.get(member), config.get(member)
    if older and newer:
        raise invalid(f"You cannot provide both {member} and '{_CONFIGS[field]}' for a condition of type '{field}'")
    return list(older or newer or ())


def _expressed(field: str, name: str, config: Mapping[str, Any], expressed: list[str]) -> Condition:
    if field not in _SEARCHED:
        raise invalid(f"RegexValues cannot be specified for a condition with the field '{field}'")
    for expression in expressed:
        expressions.check(expression, _LONGEST)
    return _named({"Field": field, name: {"RegexValues": expressed}}, name, config)


def _named(complete: Condition, name: str, config: Mapping[str, Any]) -> Condition:
    if complete["Field"] == "http-header":
        complete[name]["HttpHeaderName"] = _header(config.get("HttpHeaderName") or "")
    return complete


def _block(value: str) -> str:
    """A CIDR block as it was written, which is only looked at."""
    try:
        if "%" in value:  # Python takes the name of a device for a part of an address
            raise ValueError(value)
        ip_network(value)
    except ValueError:
        raise invalid(f"Condition value '{value}' is not a valid CIDR block") from None
    if not value.partition("/")[2].isdigit():
        raise invalid(f"Condition value '{value}' is not a valid CIDR block")
    return value


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
    config = condition[_CONFIGS[condition["Field"]]]
    values: Sequence[Any] = config.get("Values") or config.get("RegexValues") or ()
    return values


def _wildcards(condition: Condition) -> int:
    """How many there are in values that may have them."""
    field = condition["Field"]
    if field in ("source-ip", "http-request-method") or "Values" not in condition[_CONFIGS[field]]:
        return 0
    texts = (text for value in _values(condition) for text in (value.values() if isinstance(value, dict) else (value,)))
    return sum(len(re.findall(r"[*?]", re.sub(r"\\[*?]", "", text))) for text in texts)


def proxied(condition: Condition) -> proxy.Condition:
    """The proxy's own words."""
    config = condition[_CONFIGS[condition["Field"]]]
    values, expressed = tuple(config.get("Values") or ()), tuple(config.get("RegexValues") or ())
    match condition["Field"]:
        case "host-header":
            return proxy.HostIs(values=values, expressions=expressed)
        case "path-pattern":
            return proxy.PathIs(values=values, expressions=expressed)
        case "http-request-method":
            return proxy.MethodIs(values=values)
        case "query-string":
            return proxy.QueryHas(values=tuple((value.get("Key", ""), value["Value"]) for value in values))
        case "source-ip" if (of := family(condition)) is not None:
            return EVERYBODY[of == "ipv6"]
        case "source-ip":
            return proxy.SourceIn(values=values)
        case "http-header":
            return proxy.HeaderIs(name=config["HttpHeaderName"], values=values, expressions=expressed)
    raise LookupError(condition["Field"])
