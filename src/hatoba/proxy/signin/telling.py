"""What is wanted of all balancers → what the service is told. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hatoba.core.secret import Secret
from hatoba.proxy.base import Balancer, Certificate, Listener, Wanted
from hatoba.proxy.pages import SERVER
from hatoba.proxy.signin.words import CLIENT, SESSION_KEY, SIGNING_KEY, Rule, SignIn, Site, Told


def told(wanted: Wanted) -> Told:
    """A balancer whose keys are not there (yet) is left out: nobody signs in with it."""
    secrets = {each.balancer: each.values for each in wanted.secrets}
    shown = {each.id: each for each in wanted.certificates}
    return Told(sites=tuple(_sites(wanted.balancers, secrets, shown)))


def _sites(
    balancers: tuple[Balancer, ...], secrets: Mapping[str, Mapping[str, Secret]], shown: Mapping[str, Certificate]
) -> Iterator[Site]:
    for balancer in balancers:
        own = secrets.get(balancer.id, {})
        source = next((each for each in balancer.addresses if ":" not in each), None)  # providers are asked over IPv4
        if balancer.signer is None or SESSION_KEY not in own or SIGNING_KEY not in own or source is None:
            continue
        yield Site(
            balancer=balancer.id,
            signer=balancer.signer,
            session=own[SESSION_KEY].reveal(),
            signing=own[SIGNING_KEY].reveal(),
            source=source,
            rules=tuple(_rule(each, wants, own) for each in balancer.listeners for wants in _wanting(each)),
            anchors="".join(dict.fromkeys(_anchors(balancer, shown))),
        )


def _wanting(listener: Listener) -> Iterator[SignIn]:
    for wants in (*(rule.sign_in for rule in listener.rules), listener.sign_in):
        if wants is not None:
            yield wants


def _rule(listener: Listener, wants: SignIn, own: Mapping[str, Secret]) -> Rule:
    secret = own.get(CLIENT + wants.id)
    return Rule(
        listener=listener.id,
        wants=wants,
        secret=secret.reveal() if secret is not None else "",
        answers=listener.headers.answers,
        server=SERVER if listener.headers.server else "",
    )


def _anchors(balancer: Balancer, shown: Mapping[str, Certificate]) -> Iterator[str]:
    """Roots that vouch for the balancer's own certificates: who runs it trusts them, whatever the machine does."""
    ids = dict.fromkeys(id_ for each in balancer.listeners if each.tls is not None for id_ in each.tls.certificates)
    for id_ in ids:
        if id_ in shown:
            for found in x509.load_pem_x509_certificates(shown[id_].chain.encode()):
                if found.issuer == found.subject and _is_authority(found):
                    yield found.public_bytes(Encoding.PEM).decode()


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
