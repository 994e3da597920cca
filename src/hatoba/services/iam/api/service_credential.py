"""Credentials of a user for one service. Their secrets are told once, and only a hash of them is kept."""

from __future__ import annotations

from hatoba.aws.shapes import iam as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.iam import views
from hatoba.services.iam.api.of_user import all_of, switch, the
from hatoba.services.iam.api.room import iam, marked_page, truncated
from hatoba.services.iam.api.user import asked
from hatoba.services.iam.model import USER, ServiceCredential, exceeded, service_credentials, unique_id
from hatoba.services.iam.plan import credentials

LIMIT = 2  # of one user, for each service
DAY = 86400.0
_NOUN = "Service Specific Credential"


def _supported(service: str) -> str:
    if service not in credentials.SERVICES:
        raise t.ServiceNotSupportedException(f"Service {service} does not support service-specific credentials.")
    return service


def _told(call: Call, service: str, name: str) -> str:
    return credentials.secret(service, name, bytes.fromhex(call.ids.hex(64)))


@iam.operation
async def create_service_specific_credential(
    req: t.CreateServiceSpecificCredentialRequest, call: Call
) -> t.CreateServiceSpecificCredentialResponse:
    service, days = _supported(req["ServiceName"]), req.get("CredentialAgeDays")
    if days is not None and service not in credentials.API_KEYS:
        raise AwsError(f"Credentials for {service} do not expire.", code="ValidationError")
    with call.tx() as tx:
        user = USER.the(tx, call.scope, req["UserName"])
        known = [each for each in all_of(tx, service_credentials, user) if each.service == service]
        if len(known) >= LIMIT:
            raise exceeded("ServiceSpecificCredentialsPerUser", LIMIT)
        name = credentials.name(user.name, user.key.account, {each.name for each in known})
        told = _told(call, service, name)
        record = ServiceCredential(
            key=service_credentials.key(call.scope.everywhere(), unique_id(call.ids, "ACCA", 16)),
            user=user.name,
            created=call.now,
            service=service,
            name=name,
            digest=credentials.digest(told),
            expires=None if days is None else call.now + days * DAY,
        )
        tx.put(service_credentials, record)
    return {"ServiceSpecificCredential": views.service_credential(record, told, call.now)}


@iam.operation
async def reset_service_specific_credential(
    req: t.ResetServiceSpecificCredentialRequest, call: Call
) -> t.ResetServiceSpecificCredentialResponse:
    with call.tx() as tx:
        user = asked(tx, call, req.get("UserName"))
        record = the(tx, call, service_credentials, user, req["ServiceSpecificCredentialId"], _NOUN)
        told = _told(call, record.service, record.name)
        tx.put(service_credentials, replace(record, digest=credentials.digest(told)))
    return {"ServiceSpecificCredential": views.service_credential(record, told, call.now)}


@iam.operation
async def list_service_specific_credentials(
    req: t.ListServiceSpecificCredentialsRequest, call: Call
) -> t.ListServiceSpecificCredentialsResponse:
    service, whose = req.get("ServiceName"), "*"
    if service is not None:
        _supported(service)
    if req.get("AllUsers"):
        rows = list(call.store.scan(service_credentials, call.scope.everywhere()))
    else:
        user = asked(call.store, call, req.get("UserName"))
        rows, whose = all_of(call.store, service_credentials, user), user.id
    wanted = (each for each in rows if service in (None, each.service))
    page, marker = marked_page(call, wanted, req, lambda record: record.id, (whose, service))
    return {
        "ServiceSpecificCredentials": [views.service_credential_metadata(record, call.now) for record in page],
        **truncated(marker),
    }


@iam.operation
async def update_service_specific_credential(req: t.UpdateServiceSpecificCredentialRequest, call: Call) -> None:
    with call.tx() as tx:
        user = asked(tx, call, req.get("UserName"))
        record = the(tx, call, service_credentials, user, req["ServiceSpecificCredentialId"], _NOUN)
        switch(tx, service_credentials, record, req["Status"])


@iam.operation
async def delete_service_specific_credential(req: t.DeleteServiceSpecificCredentialRequest, call: Call) -> None:
    with call.tx() as tx:
        user = asked(tx, call, req.get("UserName"))
        record = the(tx, call, service_credentials, user, req["ServiceSpecificCredentialId"], _NOUN)
        tx.forget(service_credentials, record.key)
