"""The part of a tree that a certificate's key signed, and nothing else of it. Pure.

What `signed` returns was made from the very bytes that the signature covers: whoever reads on reads what was signed,
wherever else in the document something that looks like it stands (signature wrapping). Beyond what `signxml` checks, a
signature has to be where SAML has it: directly in what it signs, one reference, to that element by its id, by the two
transforms that SAML allows, with nothing carried along in it. Hashes weaker than SHA-256 are refused.

Sources: SAML 2.0 Core, 5.4; Somorovsky et al., "On Breaking SAML: Be Whoever You Want to Be".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from lxml import etree
from signxml import DigestAlgorithm, SignatureConfiguration, SignatureMethod, XMLVerifier
from signxml.exceptions import SignXMLException

from hatoba.services.sts.plan.saml.tree import Element, parser
from hatoba.services.sts.plan.saml.words import SIGNATURE, UNSIGNED, BadAssertion

_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1,
        SignatureMethod.SHA384_RSA_MGF1,
        SignatureMethod.SHA512_RSA_MGF1,
    }
)
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})


def is_signed(element: Element) -> bool:
    return element.find(f"{SIGNATURE}Signature") is not None


def signed(element: Element, certificates: Sequence[x509.Certificate]) -> Element:
    """What was signed of an element of a document, by one of the certificates' keys. Raises `BadAssertion`."""
    _check_place(element)
    root = element.getroottree().getroot()
    path = "./" if element is root else f"./{element.tag}/"
    config = SignatureConfiguration(
        require_x509=True,
        location=path,
        expect_references=1,
        signature_methods=_METHODS,
        digest_algorithms=_DIGESTS,
        ignore_ambiguous_key_info=True,  # the certificate is the provider's, whatever the document names
    )
    for certificate in certificates:
        # Certificates of metadata are there for their keys: whether they have expired does not matter.
        config = replace(config, verification_time=certificate.not_valid_before_utc)
        try:
            result = XMLVerifier().verify(
                root, x509_cert=certificate, id_attribute="ID", parser=parser(), expect_config=config
            )
        except (SignXMLException, InvalidSignature, UnsupportedAlgorithm, etree.LxmlError, ValueError, TypeError):
            continue
        found = result.signed_xml
        if found is not None and found.tag == element.tag and found.get("ID") == element.get("ID"):
            return found
    raise BadAssertion(UNSIGNED)


def _check_place(element: Element) -> None:
    """Raises `BadAssertion`."""
    found = element.findall(f"{SIGNATURE}Signature")
    info = found[0].find(f"{SIGNATURE}SignedInfo") if len(found) == 1 else None
    references = info.findall(f"{SIGNATURE}Reference") if info is not None else []
    if len(references) != 1 or found[0].find(f"{SIGNATURE}Object") is not None:
        raise BadAssertion(UNSIGNED)
    id_ = element.get("ID")
    root = element.getroottree().getroot()
    same = [each for each in root.iter("*") if each.get("ID") == id_]
    if not id_ or references[0].get("URI") != f"#{id_}" or same != [element]:
        raise BadAssertion(UNSIGNED)
    transforms = [each.get("Algorithm") for each in references[0].iter(f"{SIGNATURE}Transform")]
    if sorted(transforms, key=str) != [_ENVELOPED, _EXCLUSIVE]:
        raise BadAssertion(UNSIGNED)
