"""Header mechanics that several resources share: spelling on the wire, and scripts.

Header names travel as they were written, and Envoy's own in Proper-Case, since HTTP/1 applications exist that care.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.core.v3.protocol_pb2 import Http1ProtocolOptions
from envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua
from envoy.extensions.http.header_formatters.preserve_case.v3.preserve_case_pb2 import PreserveCaseFormatterConfig
from google.protobuf.wrappers_pb2 import BoolValue

from hatoba.proxy.resource import packed

_NO = BoolValue(value=False)


def as_written() -> Any:
    """HTTP/1 header names keep the spelling that they came with."""
    return Http1ProtocolOptions.HeaderKeyFormat(
        stateful_formatter=TypedExtensionConfig(
            name="preserve_case",
            typed_config=packed(
                PreserveCaseFormatterConfig(
                    forward_reason_phrase=True,
                    formatter_type_on_envoy_headers=PreserveCaseFormatterConfig.PROPER_CASE,
                )
            ),
        )
    )


def script(name: str, code: str) -> Any:
    """A script for every request. The route is chosen once, by what the client sent."""
    return packed(Lua(default_source_code=DataSource(inline_string=code), stat_prefix=name, clear_route_cache=_NO))


def scripts(name: str, codes: Mapping[str, str]) -> Any:
    """Scripts for the routes that wake them, by name."""
    sources = {each: DataSource(inline_string=code) for each, code in codes.items()}
    return packed(Lua(source_codes=sources, stat_prefix=name, clear_route_cache=_NO))
