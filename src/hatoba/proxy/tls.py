"""TLS as Envoy sees it: what a listener agrees to with its clients, and the certificates that it shows them.

Certificates are resources of their own, so one that is renewed replaces the older one with no connection touched. Of a
listener's certificates Envoy shows the one whose names match what the client asked for (SNI), and by its kind of key
what the client can verify; else the first. Pure.
"""

from __future__ import annotations

from typing import Any

from envoy.config.core.v3.base_pb2 import DataSource, TransportSocket
from envoy.extensions.transport_sockets.tls.v3.common_pb2 import TlsCertificate, TlsParameters
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import SdsSecretConfig, Secret
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import CommonTlsContext, DownstreamTlsContext

from hatoba.proxy import names
from hatoba.proxy.base import Certificate, Tls, TlsVersion
from hatoba.proxy.clusters import from_ads
from hatoba.proxy.resource import Resource, packed, resource

_VERSIONS: dict[TlsVersion, Any] = {
    "TLSv1.0": TlsParameters.TLSv1_0,
    "TLSv1.1": TlsParameters.TLSv1_1,
    "TLSv1.2": TlsParameters.TLSv1_2,
    "TLSv1.3": TlsParameters.TLSv1_3,
}


def downstream(wanted: Tls, *, speaks: tuple[str, ...]) -> Any:
    """The side of the clients. `speaks` is what is offered by ALPN."""
    context = DownstreamTlsContext(
        common_tls_context=CommonTlsContext(
            tls_params=TlsParameters(
                tls_minimum_protocol_version=_VERSIONS[wanted.minimum],
                tls_maximum_protocol_version=_VERSIONS[wanted.maximum],
                cipher_suites=wanted.ciphers,
            ),
            alpn_protocols=speaks,
            tls_certificate_sds_secret_configs=[
                SdsSecretConfig(name=names.certificate(id_), sds_config=from_ads()) for id_ in wanted.certificates
            ],
        )
    )
    return TransportSocket(name="tls", typed_config=packed(context))


def secret(certificate: Certificate) -> Resource:
    """Not remembered: nobody keeps a private key for longer than it is wanted."""
    name = names.certificate(certificate.id)
    shown = TlsCertificate(
        certificate_chain=DataSource(inline_string=certificate.chain),
        private_key=DataSource(inline_string=certificate.private_key.reveal()),
    )
    return resource("secret", name, Secret(name=name, tls_certificate=shown))
