"""A small SAML identity provider: its metadata, and responses that it signs, encrypts, or has tampered with."""

from __future__ import annotations

import base64
import datetime
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

import signxml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID
from lxml import etree

SAML, PROTOCOL = "urn:oasis:names:tc:SAML:2.0:assertion", "urn:oasis:names:tc:SAML:2.0:protocol"
PLACE = "https://signin.aws.amazon.com/saml"
OURS = "https://aws.amazon.com/SAML/Attributes/"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_XENC, _XENC11, _DSIG = (
    "http://www.w3.org/2001/04/xmlenc#",
    "http://www.w3.org/2009/xmlenc11#",
    "http://www.w3.org/2000/09/xmldsig#",
)
Which = Literal["assertion", "response", "both", "nothing"]
Tamper = Callable[[Any], None]  # of the response's root, before it is sent


@cache
def pair(name: str) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    """A key, and a certificate that expired long ago: it is there for its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime.datetime(2020, 1, 1)).not_valid_after(datetime.datetime(2021, 1, 1))
    return key, builder.sign(key, hashes.SHA256())


def private_pem(name: str) -> str:
    form = serialization.PrivateFormat.PKCS8
    return pair(name)[0].private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def metadata(issuer: str = "https://id.test", *keys: str, until: str = "") -> str:
    """With a certificate for each key."""
    listed = "".join(
        f'<KeyDescriptor use="signing"><KeyInfo xmlns="{_DSIG}"><X509Data><X509Certificate>'
        f"{base64.b64encode(pair(each)[1].public_bytes(serialization.Encoding.DER)).decode()}"
        "</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
        for each in keys or ("idp",)
    )
    ends = f' validUntil="{until}"' if until else ""
    return (
        f'<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{issuer}"{ends}>'
        f'<IDPSSODescriptor protocolSupportEnumeration="{PROTOCOL}">{listed}</IDPSSODescriptor></EntityDescriptor>'
    )


def moment(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def assertion(now: float, attributes: Mapping[str, Sequence[str]], **changed: Any) -> str:
    """XML. What is changed to None is left out."""
    said: dict[str, Any] = {
        "issuer": "https://id.test",
        "issued": now,
        "begins": now - 10,
        "ends": now + 60,
        "confirmed": now + 60,
        "recipient": PLACE,
        "audience": "urn:amazon:webservices",
        "name": "ann@corp.test",
        "format": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
        "session": None,
        "method": "urn:oasis:names:tc:SAML:2.0:cm:bearer",
        **changed,
    }

    def time(name: str, key: str) -> str:
        return "" if said[key] is None else f' {name}="{moment(said[key])}"'

    listed = "".join(
        f'<saml:Attribute Name="{name}">'
        + "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in values)
        + "</saml:Attribute>"
        for name, values in attributes.items()
    )
    recipient = "" if said["recipient"] is None else f' Recipient="{said["recipient"]}"'
    audience = (
        ""
        if said["audience"] is None
        else f"<saml:AudienceRestriction><saml:Audience>{said['audience']}</saml:Audience></saml:AudienceRestriction>"
    )
    return (
        f'<saml:Assertion xmlns:saml="{SAML}" ID="_a1" Version="2.0"{time("IssueInstant", "issued")}>'
        f"<saml:Issuer>{said['issuer']}</saml:Issuer><saml:Subject>"
        f'<saml:NameID Format="{said["format"]}">{said["name"]}</saml:NameID>'
        f'<saml:SubjectConfirmation Method="{said["method"]}">'
        f"<saml:SubjectConfirmationData{recipient}{time('NotOnOrAfter', 'confirmed')}/></saml:SubjectConfirmation>"
        f"</saml:Subject><saml:Conditions{time('NotBefore', 'begins')}{time('NotOnOrAfter', 'ends')}>{audience}"
        f"</saml:Conditions><saml:AuthnStatement{time('SessionNotOnOrAfter', 'session')}/>"
        f"<saml:AttributeStatement>{listed}</saml:AttributeStatement></saml:Assertion>"
    )


def signed(element: Any, key: str, algorithm: str = "rsa-sha256", digest: str = "sha256") -> Any:
    class Signer(signxml.XMLSigner):  # type: ignore[misc]
        def check_deprecated_methods(self) -> None:
            return  # whether a weak hash is taken is what is tried

    signer = Signer(
        method=signxml.methods.enveloped,
        signature_algorithm=algorithm,
        digest_algorithm=digest,
        c14n_algorithm=EXCLUSIVE,
    )
    private, certificate = pair(key)
    return signer.sign(
        element,
        key=private,
        cert=[certificate],
        reference_uri=element.get("ID"),
        id_attribute="ID",
    )


def encrypted(element: Any, key: str, *, gcm: bool = True, digest: str = "sha1", transport: str = "oaep") -> Any:
    """In an `EncryptedAssertion`."""
    clear, content = etree.tostring(element), os.urandom(32)
    if gcm:
        nonce = os.urandom(12)
        data, method = nonce + AESGCM(content).encrypt(nonce, clear, None), f"{_XENC11}aes256-gcm"
    else:
        fill = 16 - len(clear) % 16
        start = os.urandom(16)
        closing = Cipher(algorithms.AES(content), modes.CBC(start)).encryptor()
        data = start + closing.update(clear + bytes([fill]) * fill) + closing.finalize()
        method = f"{_XENC}aes256-cbc"
    hashed: hashes.HashAlgorithm = hashes.SHA1() if digest == "sha1" else hashes.SHA256()
    public = pair(key)[0].public_key()
    if transport == "oaep":
        wrapped, how = public.encrypt(content, padding.OAEP(padding.MGF1(hashed), hashed, None)), f"{_XENC11}rsa-oaep"
    else:
        wrapped, how = public.encrypt(content, padding.PKCS1v15()), f"{_XENC}rsa-1_5"
    names = (
        f'<ds:DigestMethod xmlns:ds="{_DSIG}" Algorithm="{_XENC}{digest}"/>'
        f'<x:MGF xmlns:x="{_XENC11}" Algorithm="{_XENC11}mgf1{digest}"/>'
    )
    text = (
        f'<saml:EncryptedAssertion xmlns:saml="{SAML}" xmlns:xenc="{_XENC}"><xenc:EncryptedData>'
        f'<xenc:EncryptionMethod Algorithm="{method}"/><ds:KeyInfo xmlns:ds="{_DSIG}"><xenc:EncryptedKey>'
        f'<xenc:EncryptionMethod Algorithm="{how}">{names}</xenc:EncryptionMethod><xenc:CipherData>'
        f"<xenc:CipherValue>{base64.b64encode(wrapped).decode()}</xenc:CipherValue></xenc:CipherData>"
        "</xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData>"
        f"<xenc:CipherValue>{base64.b64encode(data).decode()}</xenc:CipherValue></xenc:CipherData>"
        "</xenc:EncryptedData></saml:EncryptedAssertion>"
    )
    return etree.fromstring(text)


def response(
    inside: str,
    *,
    sign: Which = "assertion",
    key: str = "idp",
    seal: Mapping[str, Any] | None = None,
    status: str = "urn:oasis:names:tc:SAML:2.0:status:Success",
    tamper: Tamper | None = None,
    hash_: str = "sha256",
) -> str:
    """As it is sent. `seal`: how the assertion is encrypted; `tamper`: what becomes of it on its way."""
    element = etree.fromstring(inside)
    if sign in ("assertion", "both"):
        element = signed(element, key, f"rsa-{hash_}", hash_)
    if seal is not None:
        element = encrypted(element, **seal)
    root = etree.fromstring(
        f'<samlp:Response xmlns:samlp="{PROTOCOL}" ID="_r1" Version="2.0"><samlp:Status>'
        f'<samlp:StatusCode Value="{status}"/></samlp:Status></samlp:Response>'
    )
    root.append(element)
    if sign in ("response", "both"):
        root = signed(root, key, f"rsa-{hash_}", hash_)
    if tamper is not None:
        tamper(root)
    return base64.b64encode(etree.tostring(root)).decode()
