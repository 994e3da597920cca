"""A rule's conditions as Envoy's header matchers, since method, host and path are headers to Envoy.

All conditions of a rule must hold, any value of one condition suffices, as the public documentation "Condition types
for listener rules" has it. Pure.
"""

from __future__ import annotations

import re
from typing import Any

from envoy.config.route.v3.route_components_pb2 import HeaderMatcher
from envoy.type.matcher.v3.regex_pb2 import RegexMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher

from hatoba.proxy.base import Condition, HeaderIs, HostIs, MethodIs, PathIs, QueryHas


def matcher(condition: Condition) -> Any:
    match condition:
        case HostIs(values=values):
            return _header(":authority", f"(?i)(?:{_any(values)})(?::[0-9]+)?")
        case PathIs(values=values):
            return _header(":path", rf"(?:{_any(values, '[^?]')})(?:\?.*)?")
        case HeaderIs(name=name, values=values):
            return _header(name.lower(), f"(?i)(?:{_any(values)})")
        case MethodIs(values=values):
            return _header(":method", "|".join(re.escape(value) for value in values))
        case QueryHas(values=pairs):
            wanted = "|".join(f"{_glob(key, '[^&=]') or '[^&=]*'}={_glob(value, '[^&]')}" for key, value in pairs)
            return _header(":path", rf"(?i)[^?]*\?(?:.*&)?(?:{wanted})(?:&.*)?")
    raise NotImplementedError(type(condition).__name__)  # `listeners.unsupported` keeps these away


def _header(name: str, pattern: str) -> Any:
    return HeaderMatcher(name=name, string_match=StringMatcher(safe_regex=RegexMatcher(regex=pattern)))


def _any(values: tuple[str, ...], one: str = ".") -> str:
    return "|".join(_glob(value, one) for value in values)


def _glob(pattern: str, one: str = ".") -> str:
    """`*` stands for any number of characters of the class `one`, `?` for one of them."""
    translated = {"*": f"{one}*", "?": one}
    return "".join(translated.get(char) or re.escape(char) for char in pattern)
