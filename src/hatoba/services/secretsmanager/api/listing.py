"""ListSecrets: filtered, in the order that is asked for, in pages."""

from __future__ import annotations

from hatoba.aws.shapes import secretsmanager as t
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.gateway.tags import tags_of
from hatoba.services.secretsmanager import model, views
from hatoba.services.secretsmanager.api.room import bad_token, secretsmanager
from hatoba.services.secretsmanager.model import StoredSecret
from hatoba.services.secretsmanager.plan import filters
from hatoba.services.secretsmanager.plan.filters import Facts

PAGE = 100


@secretsmanager.operation
async def list_secrets(req: t.ListSecretsRequest, call: Call) -> t.ListSecretsResponse:
    wanted, deleted = filters.checked(req.get("Filters", [])), req.get("IncludePlannedDeletion", False)
    by, descending = req.get("SortBy", "created-date"), req.get("SortOrder", "desc") == "desc"
    page, token = call.page(
        matching(call, wanted, deleted=deleted, by=by, descending=descending),
        order=lambda found: found[0],
        token=req.get("NextToken"),
        limit=req.get("MaxResults", PAGE),
        filters=(wanted, deleted, by, descending),
        bad_token=bad_token,
    )
    shown = [
        views.listed(secret, model.versions_of(call.store, secret), tags_of(call.store, call.scope, secret.arn))
        for _, secret in page
    ]
    return {"SecretList": shown, **next_token(token)}


def matching(
    call: Call,
    wanted: tuple[tuple[str, tuple[str, ...]], ...],
    *,
    deleted: bool,
    by: str = "created-date",
    descending: bool = True,
) -> list[tuple[str, StoredSecret]]:
    """The secrets that match, each with its place in the order, in that order."""
    found = []
    for secret in call.store.scan(model.secrets, call.scope):
        if secret.deletion is not None and not deleted:
            continue
        facts = _facts(call, secret)
        if filters.matches(wanted, facts):
            found.append((filters.order(facts, by, descending=descending), secret))
    return sorted(found, key=lambda each: each[0])


def _facts(call: Call, secret: StoredSecret) -> Facts:
    return Facts(
        name=secret.id,
        description=secret.description or "",
        tags=tags_of(call.store, call.scope, secret.arn),
        primary=secret.primary or secret.key.region,
        owner="",
        created=secret.created,
        changed=secret.changed,
        accessed=secret.accessed or 0.0,
    )
