"""A rule's conditions as Envoy's matchers, since method, host and path are headers to Envoy.

All conditions of a rule must hold, any value of one condition suffices, as the public documentation "Condition types
for listener rules" has it. The connection's addresses are noted once, when it begins (`noted_ends`). Pure.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any

from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.config.listener.v3.listener_components_pb2 import Filter
from envoy.config.route.v3.route_components_pb2 import HeaderMatcher
from envoy.extensions.filters.common.set_filter_state.v3.value_pb2 import FilterStateValue
from envoy.extensions.filters.network.set_filter_state.v3.set_filter_state_pb2 import Config
from envoy.type.matcher.v3.address_pb2 import AddressMatcher
from envoy.type.matcher.v3.filter_state_pb2 import FilterStateMatcher
from envoy.type.matcher.v3.regex_pb2 import RegexMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from google.protobuf.wrappers_pb2 import UInt32Value
from xds.core.v3.cidr_pb2 import CidrRange

from hatoba.proxy import trace
from hatoba.proxy.base import Condition, HeaderIs, HostIs, MethodIs, PathIs, QueryHas, SourceIn
from hatoba.proxy.resource import packed

_PEER, _OWN = "hatoba.peer", "hatoba.own"
_PORT = "(?::[0-9]+)?"


def noted_ends() -> Any:
    """A listener's filter: who is at the other end of the connection, for `SourceIn`, and at which of the balancer's
    addresses it came in."""
    noted = [
        FilterStateValue(
            object_key=key,
            factory_key="envoy.network.ip",
            format_string=SubstitutionFormatString(text_format_source=DataSource(inline_string=of)),
        )
        for key, of in (
            (_PEER, "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"),
            (_OWN, "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%"),
        )
    ]
    return Filter(name="ends", typed_config=packed(Config(on_new_connection=noted)))


def came_in_at(address: str) -> Any:
    """A condition: it came in at this address of the balancer's."""
    return _address(_OWN, (address,))


def matchers(conditions: Iterable[Condition], tracer: str) -> dict[str, Any]:
    """Members of a RouteMatch, the path's among them: one condition of a rule can be on the path. `tracer`: as for the
    listener."""
    found: dict[str, Any] = {"headers": [], "filter_state": []}
    for condition in conditions:
        match condition:
            case SourceIn(values=blocks):
                found["filter_state"].append(_address(_PEER, blocks))
            case PathIs(values=values, expressions=expressions):
                pattern = "|".join((*_globs(values), *(_anywhere(each) for each in expressions)))
                found["safe_regex"] = RegexMatcher(regex=pattern)  # Envoy leaves the query out
            case _:
                found["headers"].append(_matcher(condition, tracer))
    return found if "safe_regex" in found else {**found, "prefix": "/"}


def _address(key: str, blocks: Iterable[str]) -> Any:
    networks = [ipaddress.ip_network(block) for block in blocks]
    ranges = [
        CidrRange(address_prefix=str(each.network_address), prefix_len=UInt32Value(value=each.prefixlen))
        for each in networks
    ]
    return FilterStateMatcher(key=key, address_match=AddressMatcher(ranges=ranges))


def _matcher(condition: HostIs | HeaderIs | MethodIs | QueryHas, tracer: str) -> Any:
    match condition:
        case HostIs(values=values, expressions=expressions):
            found = "|".join((*_globs(values), *(_anywhere(before_port(each)) for each in expressions)))
            return _header(":authority", f"(?i)(?:{found}){_PORT}")
        case HeaderIs(name=name, values=values, expressions=expressions):
            plain = [f"(?i:{each})" for each in _globs(values)]
            pattern = "|".join((*plain, *(_anywhere(each) for each in expressions)))
            return _header(name.lower(), trace.as_sent(name.lower(), pattern, tracer))
        case MethodIs(values=values):
            return _header(":method", "|".join(re.escape(value) for value in values))
        case QueryHas(values=pairs):
            wanted = "|".join(
                f"{_glob(key, '[^&=]', True) or '[^&=]*'}={_glob(value, '[^&]', True)}" for key, value in pairs
            )
            return _header(":path", rf"(?i)[^?]*\?(?:.*&)?(?:{wanted})(?:&.*)?")


def _anywhere(expression: str) -> str:
    """Envoy wants the whole text to match; an expression is searched for."""
    return f"(?s:.*)(?:{expression})(?s:.*)"


def before_port(expression: str) -> str:
    """The expression for a host, with its `$` standing before a port too, where the request names one."""
    parts = re.findall(r"\\.|\[(?:\^?\])?(?:\\.|[^\]\\])*\]|.", expression, re.DOTALL)
    return "".join(f"(?:{_PORT}$)" if part == "$" else part for part in parts)


def _header(name: str, pattern: str) -> Any:
    return HeaderMatcher(name=name, string_match=StringMatcher(safe_regex=RegexMatcher(regex=pattern)))


def _globs(values: tuple[str, ...]) -> list[str]:
    return [_glob(value) for value in values]


def _glob(pattern: str, one: str = ".", escapes: bool = False) -> str:
    """`*` stands for any number of characters of the class `one`, `?` for one of them; with `escapes`, `\\` in front of
    either takes that away."""
    translated = {"*": f"{one}*", "?": one}
    parts = re.findall(r"\\[*?]|." if escapes else ".", pattern, re.DOTALL)
    return "".join(translated.get(part) or re.escape(part[-1]) for part in parts)
