"""What VPC endpoints show by TLS: certificates of the instance's authority, by the name that a client asks for.

Made when it is asked for, kept in memory only, and made anew a day later. A client has to say which name it means
(SNI): to another one than those of its VPC's endpoints, and to none, nothing is shown and nothing is signed. Who asks
trusts that authority, whose certificate is at `/_hatoba/authority.pem`.
"""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Callable

from hatoba.core.clock import Clock
from hatoba.fleet.enrol import Authority

VALID = 90 * 86400.0  # seconds
RENEWED = 86400.0

Names = Callable[[str, str], tuple[str, ...]]  # network, name asked for → all names of its certificate; none: no such


class Certificates:
    def __init__(self, authority: Authority, clock: Clock, names: Names) -> None:
        self._authority = authority
        self._clock = clock
        self._names = names
        self._made: dict[tuple[str, ...], tuple[float, ssl.SSLContext]] = {}

    def of(self, network: str) -> ssl.SSLContext:
        """For what comes from this VPC."""
        context = _context()
        context.sni_callback = functools.partial(self._choose, network)
        return context

    def _choose(
        self, network: str, connection: ssl.SSLObject, asked: str | None, _: ssl.SSLContext
    ) -> ssl.AlertDescription | None:
        names = self._names(network, (asked or "").lower())
        if not names:
            return ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = self._showing(names)
        return None

    def _showing(self, names: tuple[str, ...]) -> ssl.SSLContext:
        now = self._clock.now()
        made, context = self._made.get(names, (-RENEWED, None))
        if context is None or now - made >= RENEWED:
            context = _context()
            _load(context, *self._authority.endpoint(names, now, VALID))
            self._made[names] = (now, context)
        return context


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """From a file, as the ssl module wants it, that is on no disk."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    with open(descriptor, "wb") as file:
        file.write(certificate + key)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
