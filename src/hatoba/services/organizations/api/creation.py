"""New accounts: asked for here, made by the controller."""

from __future__ import annotations

from hatoba.aws.shapes import organizations as t
from hatoba.gateway.call import Call
from hatoba.services.organizations import model, views
from hatoba.services.organizations.api.room import (
    ACCOUNTS,
    AT_ONCE,
    checked_tags,
    invalid,
    managed,
    organizations,
    page,
    seen,
    violation,
)
from hatoba.services.organizations.model import Creation, Organization
from hatoba.store import Tx

KEPT = 90 * 24 * 3600.0  # seconds that a request is remembered once it has ended
ROLE = "OrganizationAccountAccessRole"


@organizations.operation
async def create_account(req: t.CreateAccountRequest, call: Call) -> t.CreateAccountResponse:
    role, tags = req.get("RoleName", ROLE), checked_tags(req.get("Tags"))
    if not role or role.startswith("AWSServiceRoleFor"):
        raise invalid("INVALID_ROLE_NAME", f"You provided a role name that isn't valid: '{role}'.")
    with call.tx() as tx:
        org = managed(tx, call)
        _forget_old(tx, call, org)
        under_way = model.creations_under_way(tx, org)
        if under_way >= AT_ONCE:
            raise violation(
                "ACCOUNT_CREATION_RATE_LIMIT_EXCEEDED", f"At most {AT_ONCE} accounts can be in progress at a time."
            )
        if len(model.members(tx, org)) + under_way >= ACCOUNTS:
            raise violation("ACCOUNT_NUMBER_LIMIT_EXCEEDED", f"An organization can have at most {ACCOUNTS} accounts.")
        creation = tx.put(
            model.creations,
            Creation(
                key=model.creations.key(org.scope, f"car-{call.ids.hex(32)}"),
                organization=org.id,
                account=_number(tx, call),
                name=req["AccountName"],
                email=req["Email"],
                role=role,
                region=call.scope.region,
                tags=tuple(tags.items()),
                requested=call.now,
            ),
        )
    return {"CreateAccountStatus": views.creation(creation)}


def _forget_old(tx: Tx, call: Call, org: Organization) -> None:
    for one in tx.index(model.creations, "organization", org.id):
        if one.completed is not None and one.completed < call.now - KEPT:
            tx.forget(model.creations, one.key)


def _number(tx: Tx, call: Call) -> str:
    """One that no account has."""
    while True:
        number = call.ids.digits(12)
        if model.find_account(tx, call.scope.partition, number) is None:
            return number


@organizations.operation
async def describe_create_account_status(
    req: t.DescribeCreateAccountStatusRequest, call: Call
) -> t.DescribeCreateAccountStatusResponse:
    org = seen(call.store, call)
    creation = call.store.find(model.creations, org.scope, req["CreateAccountRequestId"])
    if creation is None or creation.organization != org.id:
        raise t.CreateAccountStatusNotFoundException("You specified a create account request that doesn't exist.")
    return {"CreateAccountStatus": views.creation(creation)}


@organizations.operation
async def list_create_account_status(
    req: t.ListCreateAccountStatusRequest, call: Call
) -> t.ListCreateAccountStatusResponse:
    org, states = seen(call.store, call), req.get("States")
    rows = call.store.index(model.creations, "organization", org.id)
    wanted = [one for one in rows if not states or one.state in states]
    found, more = page(call, wanted, req, lambda one: one.id, sorted(states or ()))
    return {"CreateAccountStatuses": [views.creation(one) for one in found], **more}
