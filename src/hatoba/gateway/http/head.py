"""What the bytes of a request's head say."""

from __future__ import annotations


def text(value: bytes) -> str:
    """UTF-8, which is what clients sign; else Latin-1, which takes anything."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def origin(target: str) -> str:
    """Path and query of a target; proxies' clients send whole URLs."""
    if target.startswith("/"):
        return target
    scheme, separator, rest = target.partition("://")
    return "/" + rest.partition("/")[2] if separator and scheme in ("http", "https") else target
