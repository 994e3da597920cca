"""Accounts of the organisation: seen, moved, closed, and gone their own way."""

from __future__ import annotations

from hatoba.aws.shapes import organizations as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import forget_tags
from hatoba.services.organizations import model, views
from hatoba.services.organizations.api.room import (
    joined,
    managed,
    organizations,
    page,
    seen,
    the_account,
    the_parent,
    violation,
)
from hatoba.services.organizations.model import Account, Organization, Target
from hatoba.store import Tx

MONTH = 30 * 24 * 3600.0
FEW = 10  # accounts that may be closed in a month, however small the organisation is
MANY = 1000  # however large


@organizations.operation
async def describe_account(req: t.DescribeAccountRequest, call: Call) -> t.DescribeAccountResponse:
    org = seen(call.store, call)
    account = the_account(call.store, org, req["AccountId"])
    where = model.path(org, model.above(call.store, org, account))
    return {"Account": {**views.account(account), "Paths": [f"{where}{account.id}/"]}}


@organizations.operation
async def list_accounts(req: t.ListAccountsRequest, call: Call) -> t.ListAccountsResponse:
    org = seen(call.store, call)
    found, more = page(call, model.members(call.store, org), req, lambda one: one.id)
    return {"Accounts": [views.account(one) for one in found], **more}


@organizations.operation
async def list_accounts_for_parent(req: t.ListAccountsForParentRequest, call: Call) -> t.ListAccountsForParentResponse:
    org = seen(call.store, call)
    the_parent(call.store, org, req["ParentId"])
    _, accounts = model.children(call.store, org, req["ParentId"])
    found, more = page(call, accounts, req, lambda one: one.id, req["ParentId"])
    return {"Accounts": [views.account(one) for one in found], **more}


@organizations.operation
async def move_account(req: t.MoveAccountRequest, call: Call) -> None:
    source, destination = req["SourceParentId"], req["DestinationParentId"]
    with call.tx() as tx:
        org = managed(tx, call)
        account = the_account(tx, org, req["AccountId"])
        if not _is_parent(tx, org, source) or account.parent != source:
            raise t.SourceParentNotFoundException("You specified a source parent that the account is not in.")
        if not _is_parent(tx, org, destination):
            raise t.DestinationParentNotFoundException("You specified a destination parent that doesn't exist.")
        if source == destination:
            raise t.DuplicateAccountException("The account is already in the specified destination.")
        tx.put(model.accounts, replace(account, parent=destination))


def _is_parent(tx: Tx, org: Organization, id_: str) -> bool:
    found: Target | None = model.find_target(tx, org, id_)
    return found is not None and not isinstance(found, Account)


@organizations.operation
async def close_account(req: t.CloseAccountRequest, call: Call) -> None:
    """At once: from the next request on its keys do not work. The controller stops what runs in it."""
    with call.tx() as tx:
        org = managed(tx, call)
        account = the_account(tx, org, req["AccountId"])
        if account.id == org.management:
            raise violation("CANNOT_CLOSE_MANAGEMENT_ACCOUNT", "You cannot close the management account.")
        if account.closed is not None:
            raise t.AccountAlreadyClosedException("You attempted to close an account that is already closed.")
        _check_delegated(account)
        _check_closed(tx, call, org)
        tx.put(model.accounts, replace(account, closed=call.now))


def _check_closed(tx: Tx, call: Call, org: Organization) -> None:
    """A tenth of the accounts in thirty days, ten at least."""
    members = model.members(tx, org)
    late = sum(one.closed is not None and one.closed > call.now - MONTH for one in members)
    if late >= min(MANY, max(FEW, len(members) // 10)):
        raise violation("CLOSE_ACCOUNT_QUOTA_EXCEEDED", "You have closed too many accounts in the past 30 days.")


@organizations.operation
async def remove_account_from_organization(req: t.RemoveAccountFromOrganizationRequest, call: Call) -> None:
    with call.tx() as tx:
        org = managed(tx, call)
        account = the_account(tx, org, req["AccountId"])
        _check_leaves(org, account)
        leave(tx, org, account)


@organizations.operation
async def leave_organization(req: None, call: Call) -> None:
    with call.tx() as tx:
        org, account = joined(tx, call)
        _check_leaves(org, account)
        leave(tx, org, account)


def _check_leaves(org: Organization, account: Account) -> None:
    if account.id == org.management:
        raise t.MasterCannotLeaveOrganizationException(
            "You can't remove the management account from its organization: delete the organization instead."
        )
    _check_delegated(account)


def _check_delegated(account: Account) -> None:
    if account.delegated:
        raise violation(
            "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG",
            f"The account administers {account.delegated[0].service} for the organization: deregister it first.",
        )


def leave(tx: Tx, org: Organization, account: Account) -> None:
    """The account stands alone; its own resources and roles are as they were."""
    forget_tags(tx, org.scope, account.arn)
    alone = replace(account, organization=None, management="", parent="", policies=(), delegated=())
    tx.put(model.accounts, alone)
