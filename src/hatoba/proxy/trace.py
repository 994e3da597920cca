"""The header `X-Amzn-Trace-Id`: by a module of ours inside Envoy, or by a script where the module cannot be had.

A request without the header gets a root; one that has it gets this hop's own mark in front, as the public documentation
"Request tracing for your Application Load Balancer" describes. The module (`trace.c`) writes it before anything else
looks at the request, for next to nothing; a script costs a quarter of what a request costs at all. Both write the same,
and rules see what the client sent either way. Pure; `tracer` finds the module. See docs/decisions/0030-trace-header.md.
"""

from __future__ import annotations

from typing import Any

from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from xds.type.v3.typed_struct_pb2 import TypedStruct

from hatoba.proxy.headers import script
from hatoba.proxy.resource import packed

_HEADER = "x-amzn-trace-id"
_EXTENSION = "envoy.http.early_header_mutation.dynamic_modules"
_MESSAGE = (
    "type.googleapis.com/envoy.extensions.http.early_header_mutation.dynamic_modules.v3"
    ".DynamicModuleEarlyHeaderMutation"
)

# What the module puts in front of what the client sent.
_IN_FRONT = "Self=1-[0-9a-f]{8}-[0-9a-f]{24};"

# The generator is seeded from the system, once for each worker. Envoy's formatters cannot write hexadecimal time.
_SCRIPT = """\
local source = assert(io.open("/dev/urandom", "rb"))
local seed = 0
for _, byte in ipairs({source:read(6):byte(1, 6)}) do seed = seed * 256 + byte end
source:close()
math.randomseed(seed)
local random, format, time = math.random, string.format, os.time
function envoy_on_request(handle)
  local headers = handle:headers()
  local id = format("1-%08x-%012x%012x", time(), random(0, 0xffffffffffff), random(0, 0xffffffffffff))
  local trace = headers:get("x-amzn-trace-id")
  if trace == nil then
    headers:add("x-amzn-trace-id", "Root=" .. id)
  else
    headers:replace("x-amzn-trace-id", "Self=" .. id .. ";" .. trace)
  end
end
"""


def mutations(module: str) -> list[Any]:
    """What a listener does to requests before it looks at them. `module`: the file, "" where there is none.

    The messages that we have know no files for modules, and not this extension: it is told in Envoy's other way."""
    if not module:
        return []
    told = TypedStruct(type_url=_MESSAGE)
    # Left loaded: an Envoy with no listener for a moment would unload it, with what its threads keep.
    told.value.update({"dynamic_module_config": {"module": {"local": {"filename": module}}, "do_not_close": True}})
    return [TypedExtensionConfig(name=_EXTENSION, typed_config=packed(told))]


def filters(module: str) -> list[Any]:
    """The script, where there is no module."""
    return [] if module else [HttpFilter(name="trace", typed_config=script("trace", _SCRIPT))]


def as_sent(name: str, pattern: str, module: str) -> str:
    """A pattern for a header's value as the client sent it: rules come after the module. Where it sent none there is a
    root now, which has no mark in front and so is not found."""
    return f"{_IN_FRONT}(?:{pattern})" if module and name == _HEADER else pattern


def blamed(words: str) -> bool:
    """Whether it is for the module that Envoy refuses a listener: it cannot be loaded, was made for another program, or
    this Envoy knows no such thing."""
    words = words.lower()
    return "dynamic module" in words or _EXTENSION in words
