"""TLS as Envoy sees it: what a listener agrees to with its clients, and the certificates that it shows them.

Certificates are resources of their own, so one that is renewed replaces the older one with no connection touched. Of a
listener's certificates Envoy shows the one whose names match what the client asked for (SNI), and by its kind of key
what the client can verify; else the first. Pure.
"""

from __future__ import annotations

from typing import Any

from envoy.config.core.v3.base_pb2 import DataSource, TransportSocket
from envoy.extensions.transport_sockets.tls.v3.common_pb2 import (
    CertificateValidationContext,
    TlsCertificate,
    TlsParameters,
)
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import SdsSecretConfig, Secret
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import CommonTlsContext, DownstreamTlsContext
from google.protobuf.wrappers_pb2 import BoolValue

from hatoba.proxy import names
from hatoba.proxy.base import Certificate, Clients, Tls, TlsVersion
from hatoba.proxy.clusters import from_ads
from hatoba.proxy.resource import Resource, packed, resource

_YES = BoolValue(value=True)
_VERSIONS: dict[TlsVersion, Any] = {
    "TLSv1.0": TlsParameters.TLSv1_0,
    "TLSv1.1": TlsParameters.TLSv1_1,
    "TLSv1.2": TlsParameters.TLSv1_2,
    "TLSv1.3": TlsParameters.TLSv1_3,
}


def downstream(wanted: Tls, *, speaks: tuple[str, ...], clients: str = "") -> Any:
    """The side of the clients. `speaks` is what is offered by ALPN, `clients` the name of what `verification` makes.
    Where clients show certificates no session is resumed: each connection proves anew who is there."""
    asked = wanted.clients is not None
    verified = SdsSecretConfig(name=clients, sds_config=from_ads()) if asked else None
    context = DownstreamTlsContext(
        require_client_certificate=_YES if wanted.clients is not None and wanted.clients.authorities else None,
        disable_stateless_session_resumption=asked or None,
        disable_stateful_session_resumption=asked,
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
            validation_context_sds_secret_config=verified,
        ),
    )
    return TransportSocket(name="tls", typed_config=packed(context))


def verification(name: str, clients: Clients) -> Resource:
    """By what certificates of clients are verified. Of revocations only the one of the client's own certificate counts,
    so that authorities above need no lists."""
    if clients.authorities:
        context = CertificateValidationContext(
            trusted_ca=DataSource(inline_string=clients.authorities),
            crl=DataSource(inline_string=clients.revocations) if clients.revocations else None,
            only_verify_leaf_cert_crl=bool(clients.revocations),
            allow_expired_certificate=clients.expired,
        )
    else:
        context = CertificateValidationContext(trust_chain_verification=CertificateValidationContext.ACCEPT_UNTRUSTED)
    return resource("secret", name, Secret(name=name, validation_context=context))


def secret(certificate: Certificate) -> Resource:
    """Not remembered: nobody keeps a private key for longer than it is wanted."""
    name = names.certificate(certificate.id)
    shown = TlsCertificate(
        certificate_chain=DataSource(inline_string=certificate.chain),
        private_key=DataSource(inline_string=certificate.private_key.reveal()),
    )
    return resource("secret", name, Secret(name=name, tls_certificate=shown))
