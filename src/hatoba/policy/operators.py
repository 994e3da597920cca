"""Condition operators: does a value of the request match a value of a policy? Pure.

An operator's name is read into what it compares, whether it negates, whether a missing key satisfies it, and how it
treats keys of several values (`ForAllValues:`, `ForAnyValue:`). What cannot be compared, a text with a number, is None:
neither a match nor none.

Source: the IAM user guide, "IAM JSON policy elements: Condition operators".
"""

from __future__ import annotations

import base64
import binascii
import math
import operator as compare
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal, TypeVar

import msgspec

T = TypeVar("T")
Quantifier = Literal["ForAllValues", "ForAnyValue"]
Family = Literal["text", "like", "folded", "arn", "number", "date", "bool", "binary", "address", "null"]
Comparison = Callable[[float, float], bool]


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    family: Family
    negated: bool = False
    comparison: Comparison = compare.eq  # of numbers and dates
    if_exists: bool = False
    quantifier: Quantifier | None = None

    @property
    def variables(self) -> bool:
        """Whether policy variables mean anything in the values."""
        return self.family in ("text", "like", "folded", "arn")


_PLAIN: dict[str, Operator] = {
    "StringEquals": Operator(family="text"),
    "StringNotEquals": Operator(family="text", negated=True),
    "StringEqualsIgnoreCase": Operator(family="folded"),
    "StringNotEqualsIgnoreCase": Operator(family="folded", negated=True),
    "StringLike": Operator(family="like"),
    "StringNotLike": Operator(family="like", negated=True),
    "ArnEquals": Operator(family="arn"),
    "ArnLike": Operator(family="arn"),
    "ArnNotEquals": Operator(family="arn", negated=True),
    "ArnNotLike": Operator(family="arn", negated=True),
    "Bool": Operator(family="bool"),
    "BinaryEquals": Operator(family="binary"),
    "IpAddress": Operator(family="address"),
    "NotIpAddress": Operator(family="address", negated=True),
    "Null": Operator(family="null"),
}
_FAMILIES: tuple[tuple[str, Family], ...] = (("Numeric", "number"), ("Date", "date"))
for _word, _family in _FAMILIES:
    _PLAIN[f"{_word}Equals"] = Operator(family=_family)
    _PLAIN[f"{_word}NotEquals"] = Operator(family=_family, negated=True)
    _PLAIN[f"{_word}LessThan"] = Operator(family=_family, comparison=compare.lt)
    _PLAIN[f"{_word}LessThanEquals"] = Operator(family=_family, comparison=compare.le)
    _PLAIN[f"{_word}GreaterThan"] = Operator(family=_family, comparison=compare.gt)
    _PLAIN[f"{_word}GreaterThanEquals"] = Operator(family=_family, comparison=compare.ge)


@lru_cache(maxsize=256)
def find(name: str) -> Operator | None:
    """An operator by its name in a policy, without regard to case; None where there is none."""
    quantifier, colon, rest = name.rpartition(":")
    named = next((known for known in ("ForAllValues", "ForAnyValue") if known.lower() == quantifier.lower()), None)
    if colon and named is None:
        return None
    folded = rest.lower()
    if_exists = folded.endswith("ifexists")
    plain = _BY_NAME.get(folded.removesuffix("ifexists"))
    if plain is None or (plain.family == "null" and (if_exists or named)):
        return None
    return msgspec.structs.replace(plain, if_exists=if_exists, quantifier=named)


_LONGEST = 64
_BY_NAME = {name.lower(): operator for name, operator in _PLAIN.items()}


def is_operator(name: str) -> bool:
    """What is too long for one is not looked up, since that is remembered."""
    return len(name) <= _LONGEST and find(name) is not None


# --- values


def number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):?(\d\d)(?::?(\d\d)(\.\d+)?)?(Z|[+-]\d\d:?\d\d))?)?)?", re.ASCII
)


def date(text: str) -> float | None:
    """Seconds since 1970 of what W3C's profile of ISO 8601 allows, or of such seconds themselves."""
    found = _DATE.fullmatch(text)
    if found is None:
        return number(text)
    year, month, day, hour, minute, second = (int(part) if part else None for part in found.groups()[:6])
    try:
        when = datetime(
            year or 0, month or 1, day or 1, hour or 0, minute or 0, second or 0, tzinfo=_zone(found[8] or "Z")
        )
        return when.timestamp() + float(found[7] or 0)
    except (ValueError, OverflowError):
        return None


def _zone(said: str) -> timezone:
    if said == "Z":
        return UTC
    digits = said[1:].replace(":", "")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(ahead if said[0] == "+" else -ahead)


def network(text: str) -> IPv4Network | IPv6Network | None:
    """An address without a length stands for itself alone."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def within(text: str, wanted: IPv4Network | IPv6Network) -> bool | None:
    try:
        return ip_address(text) in wanted
    except ValueError:
        return None


def binary(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
