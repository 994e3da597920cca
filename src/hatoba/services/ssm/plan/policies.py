"""Parameters' policies: Expiration, ExpirationNotification, NoChangeNotification. Pure.

The form is the user guide's ("Assigning parameter policies"): a JSON array of
`{"Type": …, "Version": "1.0", "Attributes": {…}}`. A policy is due at a time that follows from its attributes and from
when the parameter was changed; the controller carries it out and notes how that went.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from hatoba.aws.shapes import ssm as t
from hatoba.services.ssm.plan.names import invalid

MOST = 10
_UNITS = {"Days": 86400.0, "Hours": 3600.0}
Status = Literal["Pending", "InProgress", "Finished", "Failed"]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    text: str  # as it was given
    type: Literal["Expiration", "ExpirationNotification", "NoChangeNotification"]
    at: float | None = None  # of an expiration
    offset: float | None = None  # of a notification: seconds before the expiration, or after the last change
    status: Status = "Pending"


def parse(text: str) -> tuple[Policy, ...]:
    """The policies in PutParameter's text; none for `{}` and `[]`. Raises for what is not right."""
    try:
        documents = json.loads(text)
    except (ValueError, RecursionError):
        raise invalid("Invalid policies input: the policies are not valid JSON.") from None
    if documents in ({}, []):
        return ()
    if not isinstance(documents, list):
        raise invalid("Invalid policies input: the policies must be a JSON array.")
    if len(documents) > MOST:
        raise t.PoliciesLimitExceededException(
            f"You specified more than the maximum number of allowed policies for the parameter. The maximum is {MOST}."
        )
    policies = tuple(_policy(document) for document in documents)
    _check_together(policies)
    return policies


def _policy(document: Any) -> Policy:
    if not isinstance(document, dict) or not isinstance(attributes := document.get("Attributes"), dict):
        raise _wrong("A policy is an object with Type, Version and Attributes")
    if document.get("Version") != "1.0":
        raise _wrong("The Version of a policy must be 1.0")
    text, kind = json.dumps(document, separators=(",", ":")), document.get("Type")
    match kind:
        case "Expiration":
            return Policy(text=text, type="Expiration", at=_timestamp(attributes.get("Timestamp")))
        case "ExpirationNotification":
            return Policy(text=text, type="ExpirationNotification", offset=_span(attributes, "Before"))
        case "NoChangeNotification":
            return Policy(text=text, type="NoChangeNotification", offset=_span(attributes, "After"))
    raise t.InvalidPolicyTypeException(
        "The policy type isn't supported. Parameter Store supports the following policy types: Expiration, "
        "ExpirationNotification, and NoChangeNotification."
    )


def _check_together(policies: Sequence[Policy]) -> None:
    expirations = sum(policy.type == "Expiration" for policy in policies)
    if expirations > 1:
        raise t.IncompatiblePolicyException("A parameter can have only one policy of type Expiration.")
    if not expirations and any(policy.type == "ExpirationNotification" for policy in policies):
        raise t.IncompatiblePolicyException(
            "A policy of type ExpirationNotification requires a policy of type Expiration."
        )


def _timestamp(value: Any) -> float:
    if not isinstance(value, str):
        raise _wrong("An Expiration policy needs the attribute Timestamp")
    try:
        moment = datetime.datetime.fromisoformat(value)
    except ValueError:
        raise _wrong(f"The Timestamp {value[:64]} is not in the ISO 8601 format") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    try:
        return moment.timestamp()
    except OverflowError:
        raise _wrong(f"The Timestamp {value[:64]} is out of range") from None


def _span(attributes: dict[str, Any], name: str) -> float:
    count, unit = attributes.get(name), attributes.get("Unit")
    if not isinstance(count, str | int) or isinstance(count, bool) or not str(count).isdecimal():
        raise _wrong(f"The attribute {name} must be a number")
    if not isinstance(unit, str) or unit not in _UNITS:
        raise _wrong("The attribute Unit must be Days or Hours")
    if len(str(count)) > 5 or int(count) < 1:
        raise _wrong(f"The attribute {name} is out of range")
    return int(count) * _UNITS[unit]


def _wrong(message: str) -> t.InvalidPolicyAttributeException:
    return t.InvalidPolicyAttributeException(f"{message}.")


# --- when


def expires(policies: Sequence[Policy]) -> float | None:
    return next((policy.at for policy in policies if policy.type == "Expiration"), None)


def due(policy: Policy, policies: Sequence[Policy], modified: float) -> float | None:
    """When the policy is to be carried out; None when it has been."""
    if policy.status != "Pending":
        return None
    if policy.type == "Expiration":
        return policy.at
    assert policy.offset is not None
    if policy.type == "NoChangeNotification":
        return modified + policy.offset
    expiration = expires(policies)
    return None if expiration is None else expiration - policy.offset


def renewed(policies: Sequence[Policy]) -> tuple[Policy, ...]:
    """After a change of the parameter: a wait for no change begins again."""
    again = msgspec.structs.replace
    return tuple(
        again(policy, status="Pending") if policy.type == "NoChangeNotification" else policy for policy in policies
    )
