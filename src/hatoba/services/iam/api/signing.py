"""Signing certificates of users. No room takes requests that are signed with one: they are kept for their owners."""

from __future__ import annotations

from hatoba.aws.shapes import iam as t
from hatoba.gateway.call import Call
from hatoba.services.iam import views
from hatoba.services.iam.api.of_user import all_of, page_of, switch, the
from hatoba.services.iam.api.room import iam, truncated
from hatoba.services.iam.api.user import asked
from hatoba.services.iam.model import SigningCertificate, exceeded, signing_certificates
from hatoba.services.iam.plan import x509

LIMIT = 2  # of one user
_NOUN = "Certificate"


@iam.operation
async def upload_signing_certificate(
    req: t.UploadSigningCertificateRequest, call: Call
) -> t.UploadSigningCertificateResponse:
    body = req["CertificateBody"]
    user = asked(call.store, call, req.get("UserName"))
    try:
        print_ = x509.signing(body, call.now)
    except x509.Malformed as error:
        raise t.MalformedCertificateException(str(error)) from error
    except x509.Invalid as error:
        raise t.InvalidCertificateException(str(error)) from error
    with call.tx() as tx:
        if tx.count(signing_certificates, "print", (user.key.account, print_)):
            raise t.DuplicateCertificateException("The same certificate is associated with an IAM user in the account.")
        if len(all_of(tx, signing_certificates, user)) >= LIMIT:
            raise exceeded("SigningCertificatesPerUser", LIMIT)
        record = SigningCertificate(
            key=signing_certificates.key(call.scope.everywhere(), call.ids.hex(24).upper()),
            user=user.name,
            created=call.now,
            body=body,
            print=print_,
        )
        tx.put(signing_certificates, record)
    return {"Certificate": views.signing_certificate(record)}


@iam.operation
async def list_signing_certificates(
    req: t.ListSigningCertificatesRequest, call: Call
) -> t.ListSigningCertificatesResponse:
    page, marker = page_of(call, signing_certificates, req)
    return {"Certificates": [views.signing_certificate(record) for record in page], **truncated(marker)}


@iam.operation
async def update_signing_certificate(req: t.UpdateSigningCertificateRequest, call: Call) -> None:
    with call.tx() as tx:
        user = asked(tx, call, req.get("UserName"))
        record = the(tx, call, signing_certificates, user, req["CertificateId"], _NOUN)
        switch(tx, signing_certificates, record, req["Status"])


@iam.operation
async def delete_signing_certificate(req: t.DeleteSigningCertificateRequest, call: Call) -> None:
    with call.tx() as tx:
        user = asked(tx, call, req.get("UserName"))
        tx.forget(signing_certificates, the(tx, call, signing_certificates, user, req["CertificateId"], _NOUN).key)
