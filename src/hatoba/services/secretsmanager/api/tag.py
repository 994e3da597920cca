"""Tags of secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hatoba.aws.shapes import secretsmanager as t
from hatoba.gateway.call import Call
from hatoba.gateway.tags import remove_tags, set_tags, tags_of
from hatoba.services.secretsmanager.api.room import changeable, secretsmanager

LIMIT = 50


@secretsmanager.operation
async def tag_resource(req: t.TagResourceRequest, call: Call) -> None:
    with call.tx() as tx:
        secret = changeable(tx, call, req["SecretId"])
        set_tags(tx, secret.scope, secret.arn, checked(tags_of(tx, secret.scope, secret.arn), req["Tags"]))


@secretsmanager.operation
async def untag_resource(req: t.UntagResourceRequest, call: Call) -> None:
    with call.tx() as tx:
        secret = changeable(tx, call, req["SecretId"])
        remove_tags(tx, secret.scope, secret.arn, req["TagKeys"])


def checked(present: Mapping[str, str], new: Sequence[t.Tag]) -> dict[str, str]:
    """The new tags. Raises for names that are missing, reserved or given twice, and for too many."""
    found: dict[str, str] = {}
    for tag in new:
        key = tag.get("Key")
        if key is None:
            raise t.InvalidParameterException("A tag must have a Key.")
        if key.lower().startswith("aws:"):
            raise t.InvalidParameterException("Tag keys that start with aws: are reserved.")
        if key in found:
            raise t.InvalidParameterException(f"The tag key {key} is given twice.")
        found[key] = tag.get("Value", "")
    if len({**present, **found}) > LIMIT:
        raise t.InvalidRequestException(f"A secret can have at most {LIMIT} tags.")
    return found
