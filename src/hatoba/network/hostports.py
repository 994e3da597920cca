"""Ports of the host, taken for seats on the bridge: held by sockets, so that nobody else on the machine takes them.

Nothing is ever said on these sockets, because the host's rules lead what arrives to the seat. But a port that a server,
another instance or another container engine has is refused here, the kernel gives none of them to a connection of its
own, and where the node may choose, the kernel does (`ip_local_port_range`).

All methods are jobs for the host's namespace thread.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Iterable

from hatoba.core.errors import PortError
from hatoba.core.records import replace
from hatoba.network.base import Publish, Transport

log = logging.getLogger(__name__)

_EVERYWHERE = "0.0.0.0"
_TRIES = 32  # for several ports in a row
_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


class HostPorts:
    def __init__(self) -> None:
        self._held: dict[str, list[socket.socket]] = {}

    def take(self, holder: str, wanted: Iterable[Publish]) -> tuple[Publish, ...]:
        """All of them, with the chosen ones filled in; or none, and `PortError("port_taken")`."""
        self.release(holder)
        held = self._held[holder] = []
        try:
            return tuple(self._take(held, publish) for publish in wanted)
        except PortError:
            self.release(holder)
            raise

    def keep(self, holder: str, ports: Iterable[Publish]) -> None:
        """Those given before, also by an earlier process: they lead to the seat, whoever has bound one meanwhile."""
        if holder in self._held:
            return
        held = self._held[holder] = []
        for publish in ports:
            try:
                self._take(held, publish)
            except PortError as error:
                log.warning("a port of %s: %s", holder, error)
        self.listen(holder)

    def listen(self, holder: str) -> None:
        """Once rules lead elsewhere what arrives: only who listens keeps servers off that share ports politely."""
        for opened in self._held.get(holder, ()):
            if opened.type == socket.SOCK_STREAM:
                opened.listen(1)

    def release(self, holder: str) -> None:
        for opened in self._held.pop(holder, ()):
            opened.close()

    def close(self) -> None:
        for holder in list(self._held):
            self.release(holder)

    def _take(self, held: list[socket.socket], publish: Publish) -> Publish:
        if publish.host:
            held += _bound(publish.protocol, publish.host, publish.count)
            return publish
        for _ in range(_TRIES):
            first = _bind(publish.protocol, 0)
            port = first.getsockname()[1]
            try:
                rest = _bound(publish.protocol, port + 1, publish.count - 1)
            except PortError:
                first.close()
                continue
            held += [first, *rest]
            return replace(publish, host=port)
        raise PortError("port_taken", f"no {publish.count} {publish.protocol} ports in a row are free")


def _bound(protocol: Transport, first: int, count: int) -> list[socket.socket]:
    """All or none."""
    found: list[socket.socket] = []
    try:
        for port in range(first, first + count):
            found.append(_bind(protocol, port))
    except PortError:
        for opened in found:
            opened.close()
        raise
    return found


def _bind(protocol: Transport, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, _KINDS[protocol] | socket.SOCK_CLOEXEC)
    try:
        # Connections of an earlier server that are still closing are no reason to refuse its port.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, protocol == "tcp" and port != 0)
        opened.bind((_EVERYWHERE, port))
    except (OSError, OverflowError) as error:
        opened.close()
        taken = isinstance(error, OverflowError) or error.errno == errno.EADDRINUSE
        why = "port is already allocated" if taken else str(error)
        raise PortError("port_taken", f"Bind for {_EVERYWHERE}:{port} failed: {why}") from error
    return opened
