"""TLS at the endpoint, where `tls_port` asks for it: with the operator's certificate, or one of the platform's own.

The platform's own is issued by the instance's authority, at every start and once a day; who asks the endpoint trusts
that authority (`DIR/authority.pem`, for instance as `AWS_CA_BUNDLE`). The operator's is read again once a day, so that
one which was renewed on the disk is shown without a restart. Connections that stand keep what they were shown.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from ipaddress import ip_address
from pathlib import Path

from hatoba.app.places import Places
from hatoba.app.settings import Settings
from hatoba.core.clock import Clock
from hatoba.core.errors import Refused
from hatoba.core.files import write_file
from hatoba.fleet.enrol import Authority

log = logging.getLogger(__name__)

VALID = 90 * 86400.0  # seconds
RENEWED = 86400.0


class EndpointTls:
    def __init__(self, settings: Settings, places: Places, authority: Authority, clock: Clock) -> None:
        self._settings = settings
        self._places = places
        self._authority = authority
        self._clock = clock
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])

    def load(self) -> None:
        """What connections are shown from now on. Raises `Refused`."""
        settings = self._settings
        if settings.tls_certificate:
            self._show(Path(settings.tls_certificate), Path(settings.tls_key or settings.tls_certificate))
            return
        certificate, key = self._authority.endpoint(names(settings), self._clock.now(), VALID)
        write_file(self._places.data / "authority.pem", self._authority.pem.encode(), 0o644)
        both = self._places.control / "endpoint.pem"
        write_file(both, certificate + key)
        self._show(both, both)

    def _show(self, certificate: Path, key: Path) -> None:
        try:
            self.context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise Refused(f"The certificate {certificate} with the key {key} cannot be used: {error}.") from None

    async def keep(self) -> None:
        """For as long as the control plane runs. What cannot be read leaves what was shown before."""
        while True:
            await asyncio.sleep(RENEWED)
            try:
                await asyncio.to_thread(self.load)
            except Refused as refused:
                log.error("%s", refused)


def names(settings: Settings) -> list[str]:
    """By which clients may call the endpoint."""
    here = socket.gethostname()
    found = ["localhost", "*.localhost", here, "127.0.0.1", "::1", settings.tls_host, settings.node_host]
    if _is_every(settings.tls_host):
        try:
            found += [str(address[4][0]) for address in socket.getaddrinfo(here, None, type=socket.SOCK_STREAM)]
        except socket.gaierror:
            log.info("no address of %s is known: its certificate has none", here)
    return [name for name in dict.fromkeys(found) if name and not _is_every(name)]


def _is_every(name: str) -> bool:
    try:
        return ip_address(name).is_unspecified
    except ValueError:
        return False
