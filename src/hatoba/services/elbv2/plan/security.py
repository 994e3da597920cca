"""What a listener speaks, and with which certificates and policies: of each kind of load balancer.

Sources: CreateListener, ModifyListener. What a request does not say stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hatoba.aws.shapes import elbv2 as t
from hatoba.services.elbv2.model.balancer import LoadBalancer
from hatoba.services.elbv2.model.listener import Listener, ListenerProtocol, Mutual
from hatoba.services.elbv2.plan import kinds, tls, trust
from hatoba.services.elbv2.plan.errors import invalid, not_here


class Security(NamedTuple):
    """Protocol, certificates and policies of a listener, as they are to be."""

    protocol: ListenerProtocol = "HTTP"
    certificates: tuple[str, ...] = ()
    policy: str = ""
    alpn: str = ""
    mutual: Mutual = Mutual()


def checked(balancer: LoadBalancer, req: Mapping[str, Any], now: Security = Security()) -> Security:  # noqa: B008  frozen
    """What is not given stays as it is."""
    if balancer.kind != "application":
        return _of_flows(balancer, req, now)
    protocol = req.get("Protocol") or now.protocol
    if protocol not in ("HTTP", "HTTPS"):
        raise t.UnsupportedProtocolException(
            f"The protocol '{protocol}' is not supported by load balancers with type 'APPLICATION'"
        )
    if req.get("AlpnPolicy"):
        raise invalid("AlpnPolicy can only be specified for a listener with the protocol 'TLS'")
    if protocol == "HTTP":
        for member in ("Certificates", "SslPolicy", "MutualAuthentication"):
            if req.get(member):
                raise invalid(f"{member} cannot be specified for a listener with the protocol 'HTTP'")
        return Security()
    mutual = trust.checked(req["MutualAuthentication"]) if "MutualAuthentication" in req else now.mutual
    certificates = now.certificates
    if "Certificates" in req or not certificates:
        default = tls.the_default(req.get("Certificates"))
        certificates = (default, *(each for each in certificates[1:] if each != default))
    policy = tls.checked_policy(req.get("SslPolicy") or now.policy or None)
    return Security("HTTPS", certificates, policy, mutual=mutual)


def _of_flows(balancer: LoadBalancer, req: Mapping[str, Any], now: Security) -> Security:
    """Of a network or gateway load balancer."""
    if balancer.kind == "gateway":
        for member in ("Protocol", "Port", "Certificates", "SslPolicy", "AlpnPolicy"):
            if req.get(member):
                raise invalid(f"{member} cannot be specified for a listener of a Gateway Load Balancer")
        return Security("GENEVE")
    protocol = req.get("Protocol") or now.protocol
    if protocol in ("QUIC", "TCP_QUIC"):
        raise not_here(f"Listeners with the protocol '{protocol}' are")
    if protocol not in ("TCP", "TLS", "UDP", "TCP_UDP"):
        raise t.UnsupportedProtocolException(
            f"The protocol '{protocol}' is not supported by load balancers with type 'NETWORK'"
        )
    if req.get("MutualAuthentication"):
        raise invalid(f"MutualAuthentication cannot be specified for a listener with the protocol '{protocol}'")
    if protocol != "TLS":
        for member in ("Certificates", "SslPolicy", "AlpnPolicy"):
            if req.get(member):
                raise invalid(f"{member} cannot be specified for a listener with the protocol '{protocol}'")
        return Security(protocol)
    alpn = next(iter(req.get("AlpnPolicy") or ()), now.alpn)
    if alpn and alpn not in kinds.ALPN:
        raise t.ALPNPolicyNotSupportedException(f"ALPN policy '{alpn}' is not one of [{', '.join(kinds.ALPN)}]")
    certificates = now.certificates
    if "Certificates" in req or not certificates:
        default = tls.the_default(req.get("Certificates"))
        certificates = (default, *(each for each in certificates[1:] if each != default))
    return Security("TLS", certificates, tls.checked_policy(req.get("SslPolicy") or now.policy or None), alpn)


def of(record: Listener) -> Security:
    return Security(record.protocol, record.certificates, record.policy, record.alpn, record.mutual)
