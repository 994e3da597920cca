"""Certificates come to be: requested of the platform's own authority, or brought along."""

from __future__ import annotations

import asyncio

from hatoba.aws.shapes import acm as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import set_tags
from hatoba.services.acm import issuing, plan, x509
from hatoba.services.acm.api.room import acm, checked_tags, the_certificate
from hatoba.services.acm.model import Certificate, certificates
from hatoba.store import Tx

MOST = 2_500  # in an account and region


@acm.operation
async def request_certificate(req: t.RequestCertificateRequest, call: Call) -> t.RequestCertificateResponse:
    """Issued at once: there is no public DNS in which anybody could prove that a name is theirs."""
    names = plan.names(req["DomainName"], req.get("SubjectAlternativeNames") or ())
    algorithm = plan.algorithm(req.get("KeyAlgorithm"))
    tags = checked_tags(req.get("Tags"))
    if req.get("CertificateAuthorityArn"):
        raise t.InvalidParameterException("Private certificate authorities are not implemented yet.")
    token = req.get("IdempotencyToken")
    options = req.get("Options") or {}
    made, chain = await issuing.issued(call.platform, call.scope, names, algorithm)
    facts = await asyncio.to_thread(x509.facts, made.leaf)
    with call.tx() as tx:
        earlier = call.earlier(tx, req, token, mismatch=_another)
        if earlier is not None:
            return {"CertificateArn": earlier["arn"]}
        _room_for_one(tx, call)
        record = Certificate(
            key=certificates.key(call.scope, call.ids.uuid()),
            origin="AMAZON_ISSUED",
            facts=facts,
            leaf=made.leaf,
            chain=chain,
            created_at=call.now,
            transparency=options.get("CertificateTransparencyLoggingPreference", "ENABLED"),
            exportable=options.get("Export") == "ENABLED",
            method=req.get("ValidationMethod") or "DNS",
        )
        record = issuing.write(tx, record, made.key)
        set_tags(tx, call.scope, record.arn, tags)
        call.remember(tx, req, token, {"arn": record.arn})
    return {"CertificateArn": record.arn}


@acm.operation
async def import_certificate(req: t.ImportCertificateRequest, call: Call) -> t.ImportCertificateResponse:
    """With an ARN, in the place of what was imported before: those that show it show the new one at once."""
    leaf, key, chain = _text(req["Certificate"]), _text(req["PrivateKey"]), _text(req.get("CertificateChain"))
    tags = checked_tags(req.get("Tags"))
    try:
        facts, pem = await asyncio.to_thread(x509.checked, leaf, key, chain, call.now)
    except x509.Unusable as error:
        raise t.ValidationException(str(error)) from error
    again = req.get("CertificateArn")
    with call.tx() as tx:
        if again:
            if tags:
                raise t.InvalidParameterException("Tagging is not permitted on re-import.")
            record = the_certificate(tx, call, again)
            if record.origin != "IMPORTED":
                raise t.ValidationException(f"The certificate {again} was not imported and cannot be imported anew.")
            record = replace(record, facts=facts, leaf=leaf, chain=chain, imported_at=call.now)
        else:
            _room_for_one(tx, call)
            record = Certificate(
                key=certificates.key(call.scope, call.ids.uuid()),
                origin="IMPORTED",
                facts=facts,
                leaf=leaf,
                chain=chain,
                created_at=call.now,
                imported_at=call.now,
            )
        record = issuing.write(tx, record, pem)
        set_tags(tx, call.scope, record.arn, tags)
    return {"CertificateArn": record.arn}


@acm.operation
async def renew_certificate(req: t.RenewCertificateRequest, call: Call) -> None:
    record = the_certificate(call.store, call, req["CertificateArn"])
    if record.origin == "IMPORTED":
        raise t.ValidationException("An imported certificate cannot be renewed: import a new one in its place.")
    await issuing.renew(call.platform, record)


def _text(value: bytes | str | None) -> str:
    """Blobs that are PEM."""
    if value is None:
        return ""
    try:
        return value.decode("ascii") if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        raise t.ValidationException("The certificate, its chain and its private key must be in PEM format.") from None


def _room_for_one(tx: Tx, call: Call) -> None:
    if sum(1 for _ in tx.scan(certificates, call.scope)) >= MOST:
        raise t.LimitExceededException(f"There can be at most {MOST} certificates.")


def _another() -> t.InvalidParameterException:
    return t.InvalidParameterException("The idempotency token was used before with another request.")
