"""Certificates: described, listed, told, exported, changed, forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hatoba.aws.shapes import acm as t
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.gateway.tags import forget_tags
from hatoba.services.acm import issuing, views, x509
from hatoba.services.acm.api.room import acm, the_certificate
from hatoba.services.acm.model import Certificate, certificates, users_of

PAGE = 1_000


@acm.operation
async def describe_certificate(req: t.DescribeCertificateRequest, call: Call) -> t.DescribeCertificateResponse:
    record = the_certificate(call.store, call, req["CertificateArn"])
    return {"Certificate": views.detail(record, users_of(call.store, record), call.now)}


@acm.operation
async def list_certificates(req: t.ListCertificatesRequest, call: Call) -> t.ListCertificatesResponse:
    includes = _included(req)
    rows = [one for one in call.store.scan(certificates, call.scope) if includes(one, call.now)]
    filters = sorted((name, str(value)) for name, value in req.items() if name not in ("NextToken", "MaxItems"))
    found, more = call.page(
        rows,
        order=lambda record: record.id,
        token=req.get("NextToken") or None,
        limit=req.get("MaxItems", PAGE),
        filters=filters,
        bad_token=lambda: t.ValidationException("The next token is not valid."),
    )
    newest = req.get("SortOrder", "DESCENDING") == "DESCENDING"
    if req.get("SortBy") == "CREATED_AT":
        found = sorted(found, key=lambda record: record.created_at, reverse=newest)
    summaries = [views.summary(record, users_of(call.store, record), call.now) for record in found]
    return {"CertificateSummaryList": summaries, **next_token(more)}


def _included(req: t.ListCertificatesRequest) -> Callable[[Certificate, float], bool]:
    """Without a filter of key types, AWS shows certificates with RSA keys of 1,024 and 2,048 bits and elliptic ones."""
    statuses, wanted = req.get("CertificateStatuses") or (), req.get("Includes") or {}
    types, usages = wanted.get("keyTypes") or (), set(wanted.get("keyUsage") or ())
    extended = set(wanted.get("extendedKeyUsage") or ())
    export = wanted.get("exportOption")

    def includes(record: Certificate, now: float) -> bool:
        facts = record.facts
        return (
            (not statuses or record.status(now) in statuses)
            and (not types or facts.key_algorithm in types)
            and usages <= {*facts.key_usages, "ANY"}
            and extended <= {name for name, _ in facts.extended_key_usages} | {"ANY"}
            and (export is None or (export == "ENABLED") == record.exportable)
        )

    return includes


@acm.operation
async def get_certificate(req: t.GetCertificateRequest, call: Call) -> t.GetCertificateResponse:
    record = the_certificate(call.store, call, req["CertificateArn"])
    answer: t.GetCertificateResponse = {"Certificate": record.leaf}
    if record.chain:
        answer["CertificateChain"] = record.chain
    return answer


@acm.operation
async def export_certificate(req: t.ExportCertificateRequest, call: Call) -> t.ExportCertificateResponse:
    record = the_certificate(call.store, call, req["CertificateArn"])
    if not record.exportable:
        raise t.ValidationException(
            f"The certificate {record.arn} cannot be exported: request it with the option Export ENABLED."
        )
    passphrase = req["Passphrase"]
    # To be slow is the point of how the passphrase is made into a key.
    key = await asyncio.to_thread(x509.encrypted, issuing.private_key(call.store, record), passphrase)
    return {"Certificate": record.leaf, "CertificateChain": record.chain, "PrivateKey": key}


@acm.operation
async def update_certificate_options(req: t.UpdateCertificateOptionsRequest, call: Call) -> None:
    with call.tx() as tx:
        record = the_certificate(tx, call, req["CertificateArn"])
        wanted = req["Options"].get("CertificateTransparencyLoggingPreference")
        if record.origin == "IMPORTED":
            raise t.InvalidStateException("The options of an imported certificate cannot be changed.")
        if wanted:
            tx.put(certificates, replace(record, transparency=wanted))


@acm.operation
async def delete_certificate(req: t.DeleteCertificateRequest, call: Call) -> None:
    with call.tx() as tx:
        record = the_certificate(tx, call, req["CertificateArn"])
        if users := users_of(tx, record):
            raise t.ResourceInUseException(
                f"Certificate {record.arn} in account {call.scope.account} is in use by {', '.join(users)}."
            )
        tx.forget(certificates, record.key)
        tx.forget(fleet.certificates, fleet.certificates.key(record.scope, record.id))
        forget_tags(tx, call.scope, record.arn)
