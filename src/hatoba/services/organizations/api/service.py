"""Services that have access to the organisation, and accounts that administer them for it.

What services do with it is up to their rooms: none asks yet.
"""

from __future__ import annotations

import re

from hatoba.aws.shapes import organizations as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.organizations import model, views
from hatoba.services.organizations.api.room import (
    invalid,
    managed,
    organizations,
    page,
    seen,
    the_account,
    violation,
    with_all_features,
)
from hatoba.services.organizations.model import Granted

_SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?")


def _checked(service: str) -> str:
    if not _SERVICE.fullmatch(service):
        raise invalid("UNRECOGNIZED_SERVICE_PRINCIPAL", f"{service} is not a recognized service principal.")
    return service


def _without(granted: tuple[Granted, ...], service: str) -> tuple[Granted, ...]:
    return tuple(one for one in granted if one.service != service)


@organizations.operation
async def enable_aws_service_access(req: t.EnableAWSServiceAccessRequest, call: Call) -> None:
    service = _checked(req["ServicePrincipal"])
    with call.tx() as tx:
        org = managed(tx, call)
        with_all_features(org)
        if service not in [one.service for one in org.trusted]:
            tx.put(model.organizations, replace(org, trusted=(*org.trusted, Granted(service, call.now))))


@organizations.operation
async def disable_aws_service_access(req: t.DisableAWSServiceAccessRequest, call: Call) -> None:
    service = _checked(req["ServicePrincipal"])
    with call.tx() as tx:
        org = managed(tx, call)
        for account in model.members(tx, org):
            if _without(account.delegated, service) != account.delegated:
                raise violation(
                    "DELEGATED_ADMINISTRATOR_EXISTS_FOR_THIS_SERVICE",
                    f"The account {account.id} administers {service}: deregister it first.",
                )
        left = _without(org.trusted, service)
        if left != org.trusted:
            tx.put(model.organizations, replace(org, trusted=left))


@organizations.operation
async def list_aws_service_access_for_organization(
    req: t.ListAWSServiceAccessForOrganizationRequest, call: Call
) -> t.ListAWSServiceAccessForOrganizationResponse:
    org = seen(call.store, call)
    found, more = page(call, org.trusted, req, lambda one: one.service)
    return {"EnabledServicePrincipals": views.trusted(found), **more}


# --- administrators


@organizations.operation
async def register_delegated_administrator(req: t.RegisterDelegatedAdministratorRequest, call: Call) -> None:
    service = _checked(req["ServicePrincipal"])
    with call.tx() as tx:
        org = managed(tx, call)
        with_all_features(org)
        account = the_account(tx, org, req["AccountId"])
        if account.id == org.management:
            raise violation(
                "CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR",
                "The management account can't be a delegated administrator.",
            )
        if account.closed is not None:
            raise violation(
                "CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR",
                "You cannot register a suspended account as a delegated administrator.",
            )
        if service not in [one.service for one in org.trusted]:
            raise violation(
                "SERVICE_ACCESS_NOT_ENABLED", f"{service} has no access to the organization: enable it first."
            )
        if service in [one.service for one in account.delegated]:
            raise t.AccountAlreadyRegisteredException(
                "The account is already a delegated administrator for this service."
            )
        tx.put(model.accounts, replace(account, delegated=(*account.delegated, Granted(service, call.now))))


@organizations.operation
async def deregister_delegated_administrator(req: t.DeregisterDelegatedAdministratorRequest, call: Call) -> None:
    service = _checked(req["ServicePrincipal"])
    with call.tx() as tx:
        account = the_account(tx, managed(tx, call), req["AccountId"])
        left = _without(account.delegated, service)
        if left == account.delegated:
            raise _not_registered()
        tx.put(model.accounts, replace(account, delegated=left))


def _not_registered() -> t.AccountNotRegisteredException:
    return t.AccountNotRegisteredException("The account is not a delegated administrator for this service.")


@organizations.operation
async def list_delegated_administrators(
    req: t.ListDelegatedAdministratorsRequest, call: Call
) -> t.ListDelegatedAdministratorsResponse:
    org, service = seen(call.store, call), req.get("ServicePrincipal")
    rows = [
        account
        for account in model.members(call.store, org)
        if any(service in (None, one.service) for one in account.delegated)
    ]
    found, more = page(call, rows, req, lambda one: one.id, service)
    shown = [views.administrator(one) for one in found]
    return {"DelegatedAdministrators": shown, **more}


@organizations.operation
async def list_delegated_services_for_account(
    req: t.ListDelegatedServicesForAccountRequest, call: Call
) -> t.ListDelegatedServicesForAccountResponse:
    org = seen(call.store, call)
    account = the_account(call.store, org, req["AccountId"])
    if not account.delegated:
        raise _not_registered()
    found, more = page(call, account.delegated, req, lambda one: one.service, account.id)
    return {"DelegatedServices": views.delegated(found), **more}
