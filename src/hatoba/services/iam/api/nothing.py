"""What there is none of here, and what clients list all the same, before they delete a user for instance."""

from __future__ import annotations

from hatoba.aws.shapes import iam as t
from hatoba.gateway.call import Call
from hatoba.services.iam.api.room import iam
from hatoba.services.iam.api.user import asked


@iam.operation
async def list_ssh_public_keys(req: t.ListSSHPublicKeysRequest, call: Call) -> t.ListSSHPublicKeysResponse:
    asked(call.store, call, req.get("UserName"))
    return {"SSHPublicKeys": [], "IsTruncated": False}


@iam.operation
async def list_signing_certificates(
    req: t.ListSigningCertificatesRequest, call: Call
) -> t.ListSigningCertificatesResponse:
    asked(call.store, call, req.get("UserName"))
    return {"Certificates": [], "IsTruncated": False}


@iam.operation
async def list_service_specific_credentials(
    req: t.ListServiceSpecificCredentialsRequest, call: Call
) -> t.ListServiceSpecificCredentialsResponse:
    if not req.get("AllUsers"):
        asked(call.store, call, req.get("UserName"))
    return {"ServiceSpecificCredentials": [], "IsTruncated": False}


@iam.operation
async def list_server_certificates(
    req: t.ListServerCertificatesRequest, call: Call
) -> t.ListServerCertificatesResponse:
    return {"ServerCertificateMetadataList": [], "IsTruncated": False}
