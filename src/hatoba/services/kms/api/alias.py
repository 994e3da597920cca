"""Aliases: names of keys. An update points one at another key of the same kind and usage."""

from __future__ import annotations

from hatoba.aws.shapes import kms as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.kms import model, views
from hatoba.services.kms.api.room import kms, own_key, page, the_key
from hatoba.services.kms.model import Alias
from hatoba.services.kms.plan import states
from hatoba.services.kms.plan.naming import alias_arn, checked_alias, no_alias

MOST = (50, 100)  # in one page
ON_ONE_KEY = 50


@kms.operation
async def create_alias(req: t.CreateAliasRequest, call: Call) -> None:
    name = checked_alias(req["AliasName"])
    key = own_key(call, req["TargetKeyId"])
    states.check_kept(key.arn, key.state)
    with call.tx() as tx:
        if tx.find(model.aliases, call.scope, name) is not None:
            raise t.AlreadyExistsException(f"An alias with the name {alias_arn(call.scope, name)} already exists")
        if len(model.aliases_of(tx, key.key)) >= ON_ONE_KEY:
            raise t.LimitExceededException(f"A key can have at most {ON_ONE_KEY} aliases.")
        record = Alias(key=model.aliases.key(call.scope, name), target=key.id, created=call.now, updated=call.now)
        tx.put(model.aliases, record)


@kms.operation
async def update_alias(req: t.UpdateAliasRequest, call: Call) -> None:
    alias = _alias(call, checked_alias(req["AliasName"]))
    key = own_key(call, req["TargetKeyId"])
    states.check_kept(key.arn, key.state)
    before = model.find_key(call.store, call.scope, alias.target)
    if before is not None and (before.kind.kind, before.usage) != (key.kind.kind, key.usage):
        raise AwsError(
            "The current and the new key of an alias must be of the same type and have the same key usage.",
            code="ValidationException",
        )
    with call.tx() as tx:
        tx.put(model.aliases, replace(alias, target=key.id, updated=call.now))


@kms.operation
async def delete_alias(req: t.DeleteAliasRequest, call: Call) -> None:
    alias = _alias(call, checked_alias(req["AliasName"]))
    with call.tx() as tx:
        tx.forget(model.aliases, alias.key)


@kms.operation
async def list_aliases(req: t.ListAliasesRequest, call: Call) -> t.ListAliasesResponse:
    key_id = req.get("KeyId")
    if key_id is None:
        rows = list(call.store.scan(model.aliases, call.scope))
    else:
        rows = model.aliases_of(call.store, the_key(call, key_id).key)
    found, rest = page(call, rows, req, order=lambda alias: alias.id, most=MOST, about=key_id)
    return {"Aliases": [views.alias(each) for each in found], **rest}


def _alias(call: Call, name: str) -> Alias:
    alias = call.store.find(model.aliases, call.scope, name)
    if alias is None:
        raise no_alias(call.scope, name)
    return alias
