"""The room itself, and what its operations share: whose organisation it is, who may ask, pages, tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from hatoba.aws.shapes import organizations as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.gateway.continued import NextToken, next_token
from hatoba.gateway.room import Service
from hatoba.services.organizations import model
from hatoba.services.organizations.access import ACCESS
from hatoba.services.organizations.model import Account, Organization, Target
from hatoba.store.store import View

organizations = Service("organizations", access=ACCESS)

T = TypeVar("T")
PAGE = 20  # as many as one may ask for
TAGS = 50  # of one resource
ACCOUNTS = 1000  # of one organisation
UNITS = 1000
POLICIES = 1000  # of each type
DEPTH = 5  # units below each other
AT_ONCE = 5  # accounts that come to be


# --- whose it is, and who may ask


def joined(view: View, call: Call) -> tuple[Organization, Account]:
    """The caller's organisation and account. Raises AWSOrganizationsNotInUseException."""
    account = model.find_account(view, call.scope.partition, call.scope.account)
    org = model.organization_of(view, account) if account is not None else None
    if account is None or org is None:
        raise t.AWSOrganizationsNotInUseException("Your account is not a member of an organization.")
    return org, account


def own_account(view: View, call: Call) -> Account:
    """The caller's. One of which nothing was said yet has no name but its number: nobody here has told another."""
    number = call.scope.account
    return model.find_account(view, call.scope.partition, number) or Account(
        key=model.accounts.key(call.scope.everywhere(), number), name=number, email=f"root+{number}@hatoba.internal"
    )


def managed(view: View, call: Call) -> Organization:
    """For operations of the management account. Raises AccessDeniedException for any other's."""
    org, account = joined(view, call)
    if account.id != org.management:
        raise no_access()
    return org


def seen(view: View, call: Call) -> Organization:
    """For operations that only look: also those of accounts that administer a service for the organisation."""
    org, account = joined(view, call)
    if account.id != org.management and not account.delegated:
        raise no_access()
    return org


def no_access() -> AwsError:
    return t.AccessDeniedException("You don't have permissions to access this resource.")


def with_all_features(org: Organization) -> None:
    if org.features != "ALL":
        raise violation(
            "ORGANIZATION_NOT_IN_ALL_FEATURES_MODE", "This operation needs an organization with all features enabled."
        )


# --- what is named


def the_account(view: View, org: Organization, number: str) -> Account:
    account = model.member(view, org, number)
    if account is None:
        raise t.AccountNotFoundException("You specified an account that doesn't exist.")
    return account


def the_parent(view: View, org: Organization, id_: str) -> Target:
    """A root or a unit. Raises ParentNotFoundException."""
    found = model.find_target(view, org, id_) if id_.startswith(("r-", "ou-")) else None
    if found is None:
        raise t.ParentNotFoundException("You specified parent that doesn't exist.")
    return found


def the_target(view: View, org: Organization, id_: str) -> Target:
    found = model.find_target(view, org, id_)
    if found is None:
        raise t.TargetNotFoundException("You specified a target that doesn't exist.")
    return found


# --- refusals


def violation(reason: t.ConstraintViolationExceptionReason, message: str) -> AwsError:
    return t.ConstraintViolationException(message, Reason=reason)


def invalid(reason: t.InvalidInputExceptionReason, message: str) -> AwsError:
    return t.InvalidInputException(message, Reason=reason)


# --- pages


def page(
    call: Call, rows: Iterable[T], req: Mapping[str, Any], order: Callable[[T], str], about: object = None
) -> tuple[list[T], NextToken]:
    """One page, and what the answer says of the next."""
    found, token = call.page(
        sorted(rows, key=order),
        order=order,
        token=req.get("NextToken"),
        limit=req.get("MaxResults", PAGE),
        filters=about,
        bad_token=lambda: invalid("INVALID_NEXT_TOKEN", "You provided an invalid NextToken."),
    )
    return found, next_token(token)


# --- tags


def checked_tags(given: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for tag in given or ():
        key = tag["Key"]
        if key.lower().startswith("aws:"):
            raise invalid("INVALID_SYSTEM_TAGS_PARAMETER", "Tag keys that begin with aws: are reserved.")
        if key in found:
            raise invalid("DUPLICATE_TAG_KEY", "Tag keys must be unique.")
        found[key] = tag["Value"]
    if len(found) > TAGS:
        raise violation("MAX_TAG_LIMIT_EXCEEDED", f"A resource can have at most {TAGS} tags.")
    return found
