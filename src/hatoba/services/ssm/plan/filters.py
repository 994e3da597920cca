"""Filters of DescribeParameters and GetParametersByPath: keys, options, values. Pure.

Which keys and options each operation takes follows the reference of ParameterStringFilter; the wording is AWS's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from hatoba.aws.shapes import ssm as t
from hatoba.services.ssm.plan.names import checked_path, folder, invalid

BY_PATH = ("Type", "KeyId", "Label")
DESCRIBE = ("Name", "Type", "KeyId", "Path", "Tier", "DataType")  # and tags
_TYPES = ("String", "StringList", "SecureString")
_TIERS = ("Standard", "Advanced", "Intelligent-Tiering")


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is filtered by."""

    name: str
    type: str
    key_id: str | None
    tier: str
    data_type: str
    labels: tuple[str, ...]
    tags: Mapping[str, str]


class Filter(NamedTuple):
    key: str
    option: str
    values: tuple[str, ...]

    def matches(self, facts: Facts) -> bool:
        if self.key.startswith("tag:"):
            value = facts.tags.get(self.key[4:])
            return value is not None and (not self.values or self._any(value))
        match self.key:
            case "Path":
                return any(_within(facts.name, path, self.option == "Recursive") for path in self.values)
            case "Label":
                return any(label in self.values for label in facts.labels)
        value = _READ[self.key](facts)
        return value is not None and self._any(value)

    def _any(self, value: str) -> bool:
        match self.option:
            case "BeginsWith":
                return value.startswith(self.values)
            case "Contains":
                return any(part in value for part in self.values)
        return value in self.values


_READ: dict[str, Callable[[Facts], str | None]] = {
    "Name": lambda facts: facts.name,
    "Type": lambda facts: facts.type,
    "KeyId": lambda facts: facts.key_id,
    "Tier": lambda facts: facts.tier,
    "DataType": lambda facts: facts.data_type,
}


def _within(name: str, path: str, recursive: bool) -> bool:
    place = folder(name)
    return place == path or (recursive and (not path or place.startswith(f"{path}/")))


def checked(filters: Sequence[t.ParameterStringFilter], *, by_path: bool = False) -> tuple[Filter, ...]:
    """The filters. Raises InvalidFilterKey, InvalidFilterOption, InvalidFilterValue."""
    found = tuple(_filter(each, by_path=by_path) for each in filters)
    keys = [each.key for each in found]
    for key in keys:
        if keys.count(key) > 1:
            raise t.InvalidFilterKey(
                f"The following filter is duplicated in the request: {key}. A request can contain only one occurrence "
                "of a specific filter."
            )
    return found


def _filter(given: t.ParameterStringFilter, *, by_path: bool) -> Filter:
    key, values = given["Key"], tuple(given.get("Values", ()))
    keys = BY_PATH if by_path else DESCRIBE
    if key not in keys and (by_path or not key.startswith("tag:")):
        raise t.InvalidFilterKey(
            f"The following filter key is not valid: {key}. Valid filter keys include: [{', '.join(keys)}]."
        )
    if not values and not key.startswith("tag:"):
        raise t.InvalidFilterValue(f"The following filter values are missing : null for filter key {key}.")
    option = given.get("Option", "OneLevel" if key == "Path" else "Equals")
    options = _options(key)
    if option not in options:
        raise t.InvalidFilterOption(
            f"The following filter option is not valid: {option}. Valid options include: [{', '.join(options)}]."
        )
    _check_values(key, values)
    return Filter(key, option, tuple(map(checked_path, values)) if key == "Path" else values)


def _options(key: str) -> tuple[str, ...]:
    match key:
        case "Path":
            return ("Recursive", "OneLevel")
        case "Name":
            return ("BeginsWith", "Equals", "Contains")
        case "Label":
            return ("Equals",)
    return ("BeginsWith", "Equals")


def _check_values(key: str, values: Sequence[str]) -> None:
    allowed = {"Type": _TYPES, "Tier": _TIERS}.get(key)
    for value in values if allowed else ():
        if value not in (allowed or ()):
            raise t.InvalidFilterOption(
                f"The following filter value is not valid: {value}. Valid values include: [{', '.join(allowed or ())}]."
            )
    if key == "Path":
        for value in values:
            if value.lower().removeprefix("/").startswith(("aws", "ssm")) and value != "/":
                raise invalid(f'Filters for common parameters can\'t be prefixed with "aws" or "ssm": {value}.')


def old(filters: Sequence[t.ParametersFilter]) -> tuple[Filter, ...]:
    """Filters as they were before: names that begin with a value, types and keys that are one of them."""
    return tuple(
        Filter(each["Key"], "BeginsWith" if each["Key"] == "Name" else "Equals", tuple(each["Values"]))
        for each in filters
    )
