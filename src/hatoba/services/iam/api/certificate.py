"""Server certificates: uploaded with their keys, and shown by load balancers that name them.

What a listener shows is `fleet.Certificate`, as with those of ACM; it is in the account's global scope, under the
certificate's unique id: a renamed one stays the same to nodes.
"""

from __future__ import annotations

import asyncio

from hatoba.aws.shapes import iam as t
from hatoba.core import arn
from hatoba.core.secret import Secret
from hatoba.fleet import model as fleet
from hatoba.gateway.call import Call
from hatoba.services.iam import views
from hatoba.services.iam.api.room import conflict, forget, iam, named_page, new, own_tags, put_new, rename, truncated
from hatoba.services.iam.model import CERTIFICATE, ServerCertificate
from hatoba.services.iam.plan import x509


@iam.operation
async def upload_server_certificate(
    req: t.UploadServerCertificateRequest, call: Call
) -> t.UploadServerCertificateResponse:
    body, chain = req["CertificateBody"], req.get("CertificateChain")
    try:
        # A chain may have two megabytes: not on the loop.
        server = await asyncio.to_thread(x509.server, body, req["PrivateKey"], chain, call.now)
    except x509.Malformed as error:
        raise t.MalformedCertificateException(str(error)) from error
    except x509.Mismatch as error:
        raise t.KeyPairMismatchException(str(error)) from error
    with call.tx() as tx:
        record = ServerCertificate(**new(call, CERTIFICATE, req), body=body, chain=chain, ends=server.ends)
        record = put_new(tx, CERTIFICATE, record, req)
        shown = fleet.Certificate(
            key=fleet.certificates.key(record.scope, record.unique),
            chain=f"{body.strip()}\n{chain or ''}",
            private_key=Secret(server.key),
        )
        tx.put(fleet.certificates, shown)
    answer: t.UploadServerCertificateResponse = {"ServerCertificateMetadata": views.server_certificate(record)}
    if own := own_tags(call.store, CERTIFICATE, record):
        answer["Tags"] = views.tags(dict(sorted(own.items())))
    return answer


@iam.operation
async def get_server_certificate(req: t.GetServerCertificateRequest, call: Call) -> t.GetServerCertificateResponse:
    record = CERTIFICATE.the(call.store, call.scope, req["ServerCertificateName"])
    whole: t.ServerCertificate = {
        "ServerCertificateMetadata": views.server_certificate(record),
        "CertificateBody": record.body,
    }
    if record.chain is not None:
        whole["CertificateChain"] = record.chain
    if own := own_tags(call.store, CERTIFICATE, record):
        whole["Tags"] = views.tags(dict(sorted(own.items())))
    return {"ServerCertificate": whole}


@iam.operation
async def list_server_certificates(
    req: t.ListServerCertificatesRequest, call: Call
) -> t.ListServerCertificatesResponse:
    page, marker = named_page(call, CERTIFICATE, req)
    return {"ServerCertificateMetadataList": [views.server_certificate(record) for record in page], **truncated(marker)}


@iam.operation
async def update_server_certificate(req: t.UpdateServerCertificateRequest, call: Call) -> None:
    with call.tx() as tx:
        record = CERTIFICATE.the(tx, call.scope, req["ServerCertificateName"])
        name, path = req.get("NewServerCertificateName", record.name), req.get("NewPath", record.path)
        rename(tx, CERTIFICATE, record, name, path)


@iam.operation
async def delete_server_certificate(req: t.DeleteServerCertificateRequest, call: Call) -> None:
    with call.tx() as tx:
        record = CERTIFICATE.the(tx, call.scope, req["ServerCertificateName"])
        for balancer in tx.index(fleet.balancers, "shown", (record.key.account, record.unique)):
            user = arn.make(balancer.scope, "elasticloadbalancing", f"loadbalancer/{balancer.id}")
            raise conflict(
                f"Certificate: {record.unique} is currently in use by {user}. Please remove it first before deleting "
                "it from IAM."
            )
        forget(tx, CERTIFICATE, record)
        tx.forget(fleet.certificates, fleet.certificates.key(record.scope, record.unique))
