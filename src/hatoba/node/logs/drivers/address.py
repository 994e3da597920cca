"""Where a log server is: `tcp://host:port`, `udp://host:port`, `unix:///path`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from hatoba.node.logs.options import BadOption

Kind = Literal["tcp", "udp", "unix", "unixgram"]


class Address(msgspec.Struct, frozen=True, kw_only=True):
    kind: Kind
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        return f"{self.kind}://{self.path or f'{self.host}:{self.port}'}"


def parse(option: str, text: str, kinds: tuple[Kind, ...], port: int) -> Address:
    """Raises `BadOption` for another kind than one of `kinds`."""
    try:
        found = urlsplit(text)
        given = found.port
    except ValueError as error:
        raise BadOption(f"log opt '{option}': {text!r} is no address: {error}") from None
    kind = next((kind for kind in kinds if kind == found.scheme), None)
    if kind is None:
        raise BadOption(f"log opt '{option}': {text!r} does not begin with {' or '.join(f'{k}://' for k in kinds)}")
    if kind in ("unix", "unixgram"):
        if not found.path.startswith("/"):
            raise BadOption(f"log opt '{option}': {text!r} is not the path of a socket")
        return Address(kind=kind, path=found.path)
    if not found.hostname:
        raise BadOption(f"log opt '{option}': {text!r} names no host")
    return Address(kind=kind, host=found.hostname, port=given or port)


@contextmanager
def socket_path(path: str) -> Iterator[str]:
    """A name by which a socket can be connected to, however long its path is. Raises `OSError` when there is none.

    A container that opens the socket may put a link in its place: it would lead us to any socket of this machine.
    """
    found = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISSOCK(os.fstat(found).st_mode):
            raise OSError(f"{path} is no socket")
        yield f"/proc/self/fd/{found}"
    finally:
        os.close(found)
