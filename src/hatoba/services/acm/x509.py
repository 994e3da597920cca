"""X.509 with `cryptography`: reading what was imported, and issuing what was requested. The only place that knows it.

Raises `Unusable` with a sentence for whoever brought a certificate that cannot be served.
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hatoba.services.acm.model import Facts

_CURVES = {"secp256r1": "EC_prime256v1", "secp384r1": "EC_secp384r1", "secp521r1": "EC_secp521r1"}
_NEW_CURVES: dict[str, ec.EllipticCurve] = {"EC_prime256v1": ec.SECP256R1(), "EC_secp384r1": ec.SECP384R1()}
_USAGES = {
    "digital_signature": "DIGITAL_SIGNATURE",
    "content_commitment": "NON_REPUDIATION",
    "key_encipherment": "KEY_ENCIPHERMENT",
    "data_encipherment": "DATA_ENCIPHERMENT",
    "key_agreement": "KEY_AGREEMENT",
    "key_cert_sign": "CERTIFICATE_SIGNING",
    "crl_sign": "CRL_SIGNING",
}
_EXTENDED = {
    ExtendedKeyUsageOID.SERVER_AUTH: "TLS_WEB_SERVER_AUTHENTICATION",
    ExtendedKeyUsageOID.CLIENT_AUTH: "TLS_WEB_CLIENT_AUTHENTICATION",
    ExtendedKeyUsageOID.CODE_SIGNING: "CODE_SIGNING",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "EMAIL_PROTECTION",
    ExtendedKeyUsageOID.TIME_STAMPING: "TIME_STAMPING",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSP_SIGNING",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "ANY",
}
AUTHORITY_YEARS = 10
SMALLEST_RSA = 1024

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Unusable(Exception):
    """Why a certificate, a key or a chain cannot be used."""


class Issued(NamedTuple):
    leaf: str  # PEM
    key: str  # PEM, PKCS #8


# --- what is brought ---------------------------------------------------------------------------------------------


def facts(leaf: str) -> Facts:
    return _facts(_one(leaf, "certificate"))


def checked(leaf: str, key: str, chain: str, now: float) -> tuple[Facts, str]:
    """What stands in it, and its key in the form in which it is served. It must be valid now, and the key its own."""
    certificate, private = _one(leaf, "certificate"), _key(key)
    if private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != (
        certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ):
        raise Unusable("The certificate does not match the private key.")
    found = _facts(certificate)
    if now >= found.not_after:
        raise Unusable("The certificate is expired.")
    if now < found.not_before:
        raise Unusable("The certificate is not valid yet.")
    if chain:
        _vouched(certificate, _all(chain, "certificate chain"))
    return found, _pem(private)


def _one(text: str, what: str) -> x509.Certificate:
    found = _all(text, what)
    if len(found) > 1:
        raise Unusable(f"The {what} field contains more than one certificate. Provide only one.")
    return found[0]


def _all(text: str, what: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise Unusable(f"The {what} is not in a valid PEM format.") from None


def _key(text: str) -> PrivateKey:
    try:
        key = serialization.load_pem_private_key(text.encode(), None)
    except TypeError:
        raise Unusable("The private key is encrypted. Provide one that is not.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise Unusable("The private key is not in a valid PEM format.") from None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= SMALLEST_RSA:
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return key
    raise Unusable("The private key algorithm is not supported.")


def _vouched(leaf: x509.Certificate, chain: list[x509.Certificate]) -> None:
    """Each is issued by the next one."""
    for one, next_ in zip([leaf, *chain], chain, strict=False):
        try:
            one.verify_directly_issued_by(next_)
        except (ValueError, TypeError, InvalidSignature):
            raise Unusable("The certificate chain does not belong to the certificate, or is not in order.") from None


def _facts(certificate: x509.Certificate) -> Facts:
    names = _names(certificate)
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    domain = str(common[0].value) if common else next(iter(names), "")
    digits = f"{certificate.serial_number:x}"
    digits = digits.rjust(len(digits) + len(digits) % 2, "0")
    return Facts(
        domain=domain,
        names=names or ((domain,) if domain else ()),
        serial=":".join(digits[i : i + 2] for i in range(0, len(digits), 2)),
        subject=certificate.subject.rfc4514_string(),
        issuer=_organisation(certificate.issuer),
        not_before=certificate.not_valid_before_utc.timestamp(),
        not_after=certificate.not_valid_after_utc.timestamp(),
        key_algorithm=_algorithm(certificate.public_key()),
        signature_algorithm=_signature(certificate),
        key_usages=_usages(certificate),
        extended_key_usages=_extended(certificate),
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(found.get_values_for_type(x509.DNSName))


def _organisation(name: x509.Name) -> str:
    for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        if found := name.get_attributes_for_oid(oid):
            return str(found[0].value)
    return name.rfc4514_string()


def _algorithm(key: object) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA_{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    raise Unusable("The certificate's key algorithm is not supported.")


def _signature(certificate: x509.Certificate) -> str:
    algorithm = certificate.signature_hash_algorithm
    kind = "ECDSA" if "ecdsa" in certificate.signature_algorithm_oid._name.lower() else "RSA"
    return f"{(algorithm.name if algorithm else 'none').upper()}with{kind}"


def _usages(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(word for name, word in _USAGES.items() if getattr(found, name))


def _extended(certificate: x509.Certificate) -> tuple[tuple[str, str], ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return ()
    return tuple((_EXTENDED.get(oid, "CUSTOM"), oid.dotted_string) for oid in found)


# --- what is issued ----------------------------------------------------------------------------------------------


def authority(name: str, now: float) -> Issued:
    """A new authority: a certificate that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Hatoba"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_when(now - 3600))
        .not_valid_after(_when(now + AUTHORITY_YEARS * 365 * 86400))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Issued(made.public_bytes(Encoding.PEM).decode(), _pem(key))


def issue(by: Issued, names: tuple[str, ...], algorithm: str, now: float, seconds: float) -> Issued:
    """A certificate for these names, the first of which is its subject."""
    issuer, signer = _one(by.leaf, "certificate"), _key(by.key)
    key: PrivateKey
    if algorithm in _NEW_CURVES:
        key = ec.generate_private_key(_NEW_CURVES[algorithm])
    else:
        key = rsa.generate_private_key(public_exponent=65537, key_size=int(algorithm.removeprefix("RSA_")))
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_when(now - 3600))
        .not_valid_after(_when(now + seconds))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False)  # type: ignore[arg-type]  # ours are elliptic
        .sign(signer, hashes.SHA256())
    )
    return Issued(made.public_bytes(Encoding.PEM).decode(), _pem(key))


def encrypted(key: str, passphrase: bytes) -> str:
    """The key as it is exported: PKCS #8 under a passphrase."""
    protection = serialization.BestAvailableEncryption(passphrase)
    return _key(key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection).decode()


def _when(at: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(int(at), datetime.UTC)


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
