"""Invitations of accounts that stand alone.

There is no post here: whoever is invited looks for it, with ListHandshakesForAccount. Only the invited account's own
principals can accept: joining puts the account below the organisation's control policies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from hatoba.aws.shapes import organizations as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import NextToken
from hatoba.gateway.tags import set_tags
from hatoba.services.organizations import model, views
from hatoba.services.organizations.api.room import (
    ACCOUNTS,
    checked_tags,
    invalid,
    managed,
    no_access,
    organizations,
    own_account,
    page,
    seen,
)
from hatoba.services.organizations.controller.openings import defaults
from hatoba.services.organizations.model import Handshake, Organization
from hatoba.store import Tx
from hatoba.store.store import View

DAY = 24 * 3600.0
OPEN = 15 * DAY  # an invitation
KEPT = 30 * DAY  # once it has ended
_NUMBER = re.compile(r"\d{12}")


def _violation(reason: t.HandshakeConstraintViolationExceptionReason, message: str) -> AwsError:
    return t.HandshakeConstraintViolationException(message, Reason=reason)


def _shown(view: View, one: Handshake, now: float) -> t.Handshake:
    org = view.find(model.organizations, one.scope, one.organization)
    return views.handshake(one, org, model.find_account(view, one.key.partition, one.key.account), now)


# --- inviting


@organizations.operation
async def invite_account_to_organization(
    req: t.InviteAccountToOrganizationRequest, call: Call
) -> t.InviteAccountToOrganizationResponse:
    tags = checked_tags(req.get("Tags"))
    with call.tx() as tx:
        org = managed(tx, call)
        number, email = _invited(tx, call, req["Target"])
        if model.member(tx, org, number) is not None:
            raise _violation("ALREADY_IN_AN_ORGANIZATION", "The account is already a member of the organization.")
        _check_number(tx, call, org, number)
        one = Handshake(
            key=model.handshakes.key(org.scope, f"h-{call.ids.hex(32)}"),
            organization=org.id,
            target=number,
            email=email,
            notes=req.get("Notes"),
            tags=tuple(tags.items()),
            requested=call.now,
            expires=call.now + OPEN,
        )
        one = tx.put(model.handshakes, one)
        return {"Handshake": _shown(tx, one, call.now)}


def _invited(view: View, call: Call, target: t.HandshakeParty) -> tuple[str, str | None]:
    """The account's number, and the address by which it was named."""
    id_ = target["Id"]
    if target["Type"] == "EMAIL":
        found = view.index(model.accounts, "email", (call.scope.partition, id_.lower()))
        if not found:
            raise invalid("INVALID_EMAIL_ADDRESS_TARGET", f"No account is known here by the address {id_[:64]}.")
        return found[0].id, id_
    if target["Type"] != "ACCOUNT":
        raise invalid("INVALID_PARTY_TYPE_TARGET", "Only an ACCOUNT or an EMAIL can be invited.")
    if not _NUMBER.fullmatch(id_):
        raise invalid("INVALID_PATTERN", "The id of an account has twelve digits.")
    return id_, None


def _check_number(tx: Tx, call: Call, org: Organization, number: str) -> None:
    """Invitations count like accounts. Old ones are forgotten on the way."""
    waiting = late = 0
    for one in tx.index(model.handshakes, "organization", org.id):
        if not one.open_at(call.now) and one.expires < call.now + OPEN - KEPT:
            tx.forget(model.handshakes, one.key)
            continue
        if one.open_at(call.now):
            waiting += 1
            if one.target == number:
                raise t.DuplicateHandshakeException("The account has an open invitation from this organization.")
        late += one.requested > call.now - DAY
    if late >= ACCOUNTS:
        raise _violation("HANDSHAKE_RATE_LIMIT_EXCEEDED", "You have sent too many invitations in one day.")
    if len(model.members(tx, org)) + model.creations_under_way(tx, org) + waiting >= ACCOUNTS:
        raise _violation("ACCOUNT_NUMBER_LIMIT_EXCEEDED", f"An organization can have at most {ACCOUNTS} accounts.")


# --- answering


def _the_handshake(view: View, call: Call, id_: str) -> Handshake:
    """For its two parties. Raises HandshakeNotFoundException."""
    found = model.find_handshake(view, call.scope.partition, id_)
    if found is None or call.scope.account not in (found.target, found.key.account):
        raise t.HandshakeNotFoundException("You specified a handshake that doesn't exist.")
    return found


def _ended(tx: Tx, call: Call, id_: str, party: str, state: Literal["ACCEPTED", "DECLINED", "CANCELED"]) -> Handshake:
    """By the one party that may end it so: the `target`, or the organisation's account."""
    one = _the_handshake(tx, call, id_)
    if call.scope.account != (one.target if party == "target" else one.key.account):
        raise no_access()
    if one.state == state:
        raise t.HandshakeAlreadyInStateException(f"The handshake is already {state}.")
    if not one.open_at(call.now):
        raise t.InvalidHandshakeTransitionException(f"The handshake is not open any more: it cannot be {state}.")
    return tx.put(model.handshakes, replace(one, state=state))


@organizations.operation
async def accept_handshake(req: t.AcceptHandshakeRequest, call: Call) -> t.AcceptHandshakeResponse:
    with call.tx() as tx:
        one = _ended(tx, call, req["HandshakeId"], "target", "ACCEPTED")
        org = tx.find(model.organizations, one.scope, one.organization)
        assert org is not None  # it takes its invitations along
        account = own_account(tx, call)
        if account.organization is not None:
            raise _violation(
                "ALREADY_IN_AN_ORGANIZATION", "The account is a member of an organization: leave it first."
            )
        account = tx.put(
            model.accounts,
            replace(
                account,
                organization=org.id,
                management=org.management,
                parent=org.root,
                joined=call.now,
                method="INVITED",
                policies=defaults(org),
            ),
        )
        set_tags(tx, org.scope, account.arn, dict(one.tags))
        return {"Handshake": _shown(tx, one, call.now)}


@organizations.operation
async def decline_handshake(req: t.DeclineHandshakeRequest, call: Call) -> t.DeclineHandshakeResponse:
    with call.tx() as tx:
        one = _ended(tx, call, req["HandshakeId"], "target", "DECLINED")
        return {"Handshake": _shown(tx, one, call.now)}


@organizations.operation
async def cancel_handshake(req: t.CancelHandshakeRequest, call: Call) -> t.CancelHandshakeResponse:
    with call.tx() as tx:
        one = _ended(tx, call, req["HandshakeId"], "organization", "CANCELED")
        return {"Handshake": _shown(tx, one, call.now)}


# --- looking


@organizations.operation
async def describe_handshake(req: t.DescribeHandshakeRequest, call: Call) -> t.DescribeHandshakeResponse:
    return {"Handshake": _shown(call.store, _the_handshake(call.store, call, req["HandshakeId"]), call.now)}


@organizations.operation
async def list_handshakes_for_account(
    req: t.ListHandshakesForAccountRequest, call: Call
) -> t.ListHandshakesForAccountResponse:
    rows = call.store.index(model.handshakes, "target", (call.scope.partition, call.scope.account))
    found, more = _page(call, rows, req)
    return {"Handshakes": found, **more}


@organizations.operation
async def list_handshakes_for_organization(
    req: t.ListHandshakesForOrganizationRequest, call: Call
) -> t.ListHandshakesForOrganizationResponse:
    org = seen(call.store, call)
    found, more = _page(call, call.store.index(model.handshakes, "organization", org.id), req)
    return {"Handshakes": found, **more}


def _page(call: Call, rows: Iterable[Handshake], req: Mapping[str, Any]) -> tuple[list[t.Handshake], NextToken]:
    """All of them are invitations, and none has a parent."""
    wanted: Mapping[str, Any] = req.get("Filter") or {}
    if len(wanted) > 1:
        raise invalid("MAX_LIMIT_EXCEEDED_FILTER", "You can specify only one filter parameter.")
    shown = rows if wanted.get("ActionType", "INVITE") == "INVITE" and "ParentHandshakeId" not in wanted else ()
    found, more = page(call, shown, req, lambda one: one.id, sorted(map(str, wanted.items())))
    return [_shown(call.store, one, call.now) for one in found], more
