"""What ACM's operations need to be allowed. Source: the service authorisation reference, "AWS Certificate Manager".

A certificate that is requested has no ARN yet, so it is allowed by what the request says; so is one that is imported,
unless it takes another one's place.
"""

from __future__ import annotations

from collections.abc import Iterator

from hatoba.gateway.call import Call
from hatoba.gateway.needs import Access, Keys, Need, Params, member, named, on, tag_keys, untagged
from hatoba.services.acm.model import find_certificate

ADD_TAGS = "acm:AddTagsToCertificate"
CERTIFICATE = named("CertificateArn", lambda call, name: name)  # nothing but whole ARNs is taken
RESOURCE = named("ResourceArn", lambda call, name: name)


def imported(action: str, req: Params, call: Call) -> Iterator[Need]:
    """Tags are for new ones only, and need the right to give them."""
    tags = tag_keys(req.get("Tags"))
    arn = req.get("CertificateArn") or call.arn("certificate/*")
    yield Need(action=action, resource=arn, keys=tags)
    if tags:
        yield Need(action=ADD_TAGS, resource=arn, keys=tags)


def requested(action: str, req: Params, call: Call) -> Iterator[Need]:
    tags = tag_keys(req.get("Tags"))
    yield Need(action=action, keys={**_said(req), **tags})
    if tags:
        yield Need(action=ADD_TAGS, resource=call.arn("certificate/*"), keys=tags)


def _said(req: Params) -> Keys:
    """Its options, also those that are left to their defaults."""
    options = req.get("Options") or {}
    authority = req.get("CertificateAuthorityArn")
    names = [*member(req, "DomainName"), *member(req, "SubjectAlternativeNames")]
    return {
        "acm:CertificateTransparencyLogging": options.get("CertificateTransparencyLoggingPreference") or "ENABLED",
        "acm:DomainNames": list(dict.fromkeys(name.lower() for name in names)),
        "acm:Export": options.get("Export") or "DISABLED",
        "acm:KeyAlgorithm": req.get("KeyAlgorithm") or "RSA_2048",
        "acm:ValidationMethod": req.get("ValidationMethod") or "EMAIL",
        **({"acm:CertificateAuthority": authority} if authority else {}),
    }


def of_names(req: Params, call: Call) -> Keys:
    """The names of the certificate whose private key is given away."""
    found = find_certificate(call.store, call.scope, req.get("CertificateArn") or "")
    return {"acm:DomainNames": list(found.facts.names)} if found is not None else {}


ONE = on(CERTIFICATE)

ACCESS = Access(
    "acm",
    {
        "AddTagsToCertificate": on(CERTIFICATE, tags="Tags"),
        "DeleteCertificate": ONE,
        "DescribeCertificate": ONE,
        "ExportCertificate": on(CERTIFICATE, keys=of_names),
        "GetCertificate": ONE,
        "ImportCertificate": imported,
        "ListCertificates": on(),
        "ListTagsForCertificate": ONE,
        "ListTagsForResource": on(RESOURCE),
        "RemoveTagsFromCertificate": on(CERTIFICATE, tags="Tags"),
        "RenewCertificate": ONE,
        "RequestCertificate": requested,
        "TagResource": on(RESOURCE, tags="Tags"),
        "UntagResource": on(RESOURCE, keys=untagged("TagKeys")),
        "UpdateCertificateOptions": ONE,
    },
)
