"""Certificates → the model's shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from hatoba.aws.shapes import acm as t
from hatoba.services.acm.model import Certificate

MOST_NAMES_SHOWN = 100


def detail(record: Certificate, users: Sequence[str], now: float) -> t.CertificateDetail:
    facts = record.facts
    shape: dict[str, Any] = {
        "CertificateArn": record.arn,
        "DomainName": facts.domain,
        "SubjectAlternativeNames": list(facts.names),
        "Serial": facts.serial,
        "Subject": facts.subject,
        "Issuer": facts.issuer,
        "CreatedAt": record.created_at,
        "Status": record.status(now),
        "NotBefore": facts.not_before,
        "NotAfter": facts.not_after,
        "KeyAlgorithm": facts.key_algorithm,
        "SignatureAlgorithm": facts.signature_algorithm,
        "InUseBy": list(users),
        "Type": record.origin,
        "KeyUsages": [{"Name": name} for name in facts.key_usages],
        "ExtendedKeyUsages": [{"Name": name, "OID": oid} for name, oid in facts.extended_key_usages],
        "RenewalEligibility": _eligible(record, users),
        "Options": _options(record),
    }
    if record.origin == "IMPORTED":
        shape["ImportedAt"] = record.imported_at or record.created_at
        return cast(t.CertificateDetail, shape)
    shape["IssuedAt"] = record.created_at
    shape["DomainValidationOptions"] = [_validation(record, name) for name in facts.names]
    if record.renewed_at is not None:
        shape["RenewalSummary"] = {
            "RenewalStatus": "SUCCESS",
            "DomainValidationOptions": shape["DomainValidationOptions"],
            "UpdatedAt": record.renewed_at,
        }
    return cast(t.CertificateDetail, shape)


def _validation(record: Certificate, name: str) -> dict[str, Any]:
    """Nobody has to prove here that a name is theirs: the authority is the platform's own."""
    return {
        "DomainName": name,
        "ValidationDomain": name,
        "ValidationStatus": "SUCCESS",
        "ValidationMethod": record.method,
    }


def _options(record: Certificate) -> dict[str, str]:
    return {
        "CertificateTransparencyLoggingPreference": record.transparency,
        "Export": "ENABLED" if record.exportable else "DISABLED",
    }


def _eligible(record: Certificate, users: Sequence[str]) -> str:
    return "ELIGIBLE" if record.origin == "AMAZON_ISSUED" and users else "INELIGIBLE"


def summary(record: Certificate, users: Sequence[str], now: float) -> t.CertificateSummary:
    facts = record.facts
    shape: dict[str, Any] = {
        "CertificateArn": record.arn,
        "DomainName": facts.domain,
        "SubjectAlternativeNameSummaries": list(facts.names[:MOST_NAMES_SHOWN]),
        "HasAdditionalSubjectAlternativeNames": len(facts.names) > MOST_NAMES_SHOWN,
        "Status": record.status(now),
        "Type": record.origin,
        "KeyAlgorithm": facts.key_algorithm,
        "KeyUsages": list(facts.key_usages),
        "ExtendedKeyUsages": [name for name, _ in facts.extended_key_usages],
        "ExportOption": "ENABLED" if record.exportable else "DISABLED",
        "InUse": bool(users),
        "RenewalEligibility": _eligible(record, users),
        "NotBefore": facts.not_before,
        "NotAfter": facts.not_after,
        "CreatedAt": record.created_at,
    }
    stamp = "ImportedAt" if record.origin == "IMPORTED" else "IssuedAt"
    return cast(t.CertificateSummary, {**shape, stamp: record.imported_at or record.created_at})


def tags(found: Mapping[str, str]) -> list[t.Tag]:
    return [{"Key": key, "Value": value} for key, value in found.items()]
