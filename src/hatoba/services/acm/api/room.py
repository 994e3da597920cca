"""The room, and what its operations share."""

from __future__ import annotations

from collections.abc import Sequence

from hatoba.aws.shapes import acm as t
from hatoba.core import arn
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.services.acm.access import ACCESS
from hatoba.services.acm.model import SERVICE, Certificate, find_certificate
from hatoba.store.store import View

acm = Service("acm", access=ACCESS)

MOST_TAGS = 50


def the_certificate(view: View, call: Call, reference: str) -> Certificate:
    parsed = arn.parse(reference)
    if parsed is None or parsed.service != SERVICE:
        raise t.InvalidArnException(f"Invalid ARN: {reference}")
    found = find_certificate(view, call.scope, reference)
    if found is None:
        raise t.ResourceNotFoundException(f"Could not find certificate {reference} in account {call.scope.account}.")
    return found


def checked_tags(tags: Sequence[t.Tag] | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for tag in tags or ():
        if tag["Key"].lower().startswith("aws:"):
            raise t.InvalidTagException("Tag keys beginning with aws: are reserved.")
        if tag["Key"] in found:
            raise t.InvalidTagException(f"The tag key {tag['Key']} was specified more than once.")
        found[tag["Key"]] = tag.get("Value") or ""
    if len(found) > MOST_TAGS:
        raise t.TooManyTagsException(f"A certificate can have at most {MOST_TAGS} tags.")
    return found
