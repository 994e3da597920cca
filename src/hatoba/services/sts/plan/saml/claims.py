"""What an assertion says, once it is believed: for whom, until when, at which place, which roles. Pure.

An assertion is good for five minutes after it was issued, and as often as it is shown within them, as with AWS.

Sources: the IAM user guide, "Configure SAML assertions for the authentication response" and "Troubleshoot SAML
federation with IAM"; SAML 2.0 Core, 2.3 to 2.7; SAML 2.0 Profiles, 4.1.4.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from hatoba.services.sts.plan.saml.assertion import Assertion
from hatoba.services.sts.plan.saml.tree import Element, all_text
from hatoba.services.sts.plan.saml.words import ASSERTION, UNREADABLE, BadAssertion, Late

SKEW = 300.0  # seconds that clocks may differ
_GOOD = 300.0  # seconds after it was issued
_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
_OURS = ("https://aws.amazon.com/SAML/Attributes/", "https://www.amazonaws.cn/SAML/Attributes/")
_NAME = re.compile(r"[a-zA-Z_0-9+=,.@-]{2,64}")
_TAG = re.compile(r"[\w .:/=+\-@]{1,128}")
_VALUE = re.compile(r"[\w .:/=+\-@]{0,256}")
# Where AWS's consoles are, and what providers call them: theirs need not be told anything else for us.
_PLACE = re.compile(
    r"https://([a-z]{2}(-[a-z]+)+-\d\.)?signin\.(aws\.amazon\.com|amazonaws\.cn|amazonaws-us-gov\.com)"
    r"(/static)?/saml(/acs/(?P<id>[A-Z0-9]+))?"
)
_AUDIENCES = re.compile(r"urn:amazon:webservices(:cn-north-1|:govcloud)?")


def read(assertion: Element, issuer: str, provider: str, now: float) -> Assertion:
    """`issuer` is the provider's own name, `provider` its unique id. Raises `BadAssertion`."""
    if all_text(_only(assertion, "Issuer")) != issuer:
        raise BadAssertion("Issuer not present in specified provider")
    _check_times(assertion, now)
    _check_audience(assertion, provider)
    subject = _only(assertion, "Subject")
    name = _only(subject, "NameID")
    if not all_text(name):
        raise BadAssertion("NameID is required in AuthnResponse")
    attributes = dict(_attributes(assertion))
    ours = {
        key.removeprefix(prefix): value
        for key, value in attributes.items()
        for prefix in _OURS
        if key.startswith(prefix)
    }
    return Assertion(
        issuer=issuer,
        subject=all_text(name),
        format=name.get("Format") or _UNSPECIFIED,
        recipient=_recipient(subject, provider, now),
        session=_session(ours),
        roles=_roles(ours),
        tags=tuple(_tags(ours)),
        transitive=ours.get("TransitiveTagKeys", ()),
        source=_source(ours),
        until=_until(assertion, now),
        attributes=attributes,
    )


# --- when, where and for whom


def _check_times(assertion: Element, now: float) -> None:
    issued = _time(assertion, "IssueInstant")
    if issued is None or issued > now + SKEW:
        raise BadAssertion("The assertion is not valid yet")
    for conditions in assertion.findall(f"{ASSERTION}Conditions"):
        begins, ends = _time(conditions, "NotBefore"), _time(conditions, "NotOnOrAfter")
        if begins is not None and begins > now + SKEW:
            raise BadAssertion("The assertion is not valid yet")
        if ends is not None and ends <= now:
            raise Late("Response has expired")
    if issued <= now - _GOOD:
        raise Late("Token must be redeemed within 5 minutes of issuance")


def _check_audience(assertion: Element, provider: str) -> None:
    """Of each restriction one audience has to be AWS; without any it is for nobody in particular."""
    restrictions = assertion.findall(f"{ASSERTION}Conditions/{ASSERTION}AudienceRestriction")
    meant = (
        any(
            _AUDIENCES.fullmatch(audience) or _is_place(audience, provider)
            for audience in map(all_text, restriction.findall(f"{ASSERTION}Audience"))
        )
        for restriction in restrictions
    )
    if not restrictions or not all(meant):
        raise BadAssertion("Response does not contain the required audience.")


def _recipient(subject: Element, provider: str, now: float) -> str:
    confirmation = _only(subject, "SubjectConfirmation")
    data = _only(confirmation, "SubjectConfirmationData")
    recipient, ends = data.get("Recipient") or "", _time(data, "NotOnOrAfter")
    begins = _time(data, "NotBefore")
    if confirmation.get("Method") != _BEARER or ends is None or not _is_place(recipient, provider):
        raise BadAssertion("Response does not contain the required recipient.")
    if begins is not None and begins > now + SKEW:
        raise BadAssertion("The assertion is not valid yet")
    if ends <= now:
        raise Late("Response has expired")
    return str(recipient)


def _is_place(url: str, provider: str) -> bool:
    found = _PLACE.fullmatch(url)
    return found is not None and found["id"] in (None, provider)


def _until(assertion: Element, now: float) -> float | None:
    times = [_time(each, "SessionNotOnOrAfter") for each in assertion.findall(f"{ASSERTION}AuthnStatement")]
    until = min((each for each in times if each is not None), default=None)
    if until is not None and until <= now:
        raise Late("Response has expired")
    return until


# --- attributes


def _attributes(assertion: Element) -> Iterator[tuple[str, tuple[str, ...]]]:
    for each in assertion.findall(f"{ASSERTION}AttributeStatement/{ASSERTION}Attribute"):
        values = tuple(all_text(value) for value in each.findall(f"{ASSERTION}AttributeValue"))
        yield each.get("Name") or "", tuple(value for value in values if value)


def _session(ours: dict[str, tuple[str, ...]]) -> str:
    found = ours.get("RoleSessionName", ())
    if not found:
        raise BadAssertion("RoleSessionName is required in AuthnResponse")
    if len(found) > 1 or not _NAME.fullmatch(found[0]):
        raise BadAssertion("RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}")
    return found[0]


def _roles(ours: dict[str, tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    found = ours.get("Role", ())
    if not found:
        raise BadAssertion("Role is required in AuthnResponse")
    return tuple(tuple(part.strip() for part in each.split(",")) for each in found)


def _tags(ours: dict[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    for name, values in ours.items():
        if not name.startswith("PrincipalTag:"):
            continue
        key = name.removeprefix("PrincipalTag:")
        if len(values) > 1 or not _TAG.fullmatch(key) or not all(map(_VALUE.fullmatch, values)):
            raise BadAssertion(f"The principal tag {key[:128]} in AuthnResponse is not valid")
        yield key, "".join(values)


def _source(ours: dict[str, tuple[str, ...]]) -> str | None:
    found = ours.get("SourceIdentity", ())
    if not found:
        return None
    if len(found) > 1 or not _NAME.fullmatch(found[0]) or found[0].lower().startswith("aws:"):
        raise BadAssertion('Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"')
    return found[0]


# --- pieces


def _only(element: Element, name: str) -> Element:
    """The one child of a name. Raises `BadAssertion` for none, and for several."""
    found = element.findall(f"{ASSERTION}{name}")
    if len(found) != 1:
        raise BadAssertion(f"{name} is required in AuthnResponse" if not found else UNREADABLE)
    return found[0]


def _time(element: Element, name: str) -> float | None:
    said = element.get(name)
    if said is None:
        return None
    try:
        moment = datetime.fromisoformat(said.strip())
    except ValueError:
        raise BadAssertion(f"{name} in AuthnResponse is not a time") from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
