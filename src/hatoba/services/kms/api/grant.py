"""Grants: leave to use a key, for one principal, until they are retired or revoked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hatoba.aws.shapes import kms as t
from hatoba.core import arn
from hatoba.core.secret import Secret
from hatoba.gateway.call import Call
from hatoba.services.kms import model, views
from hatoba.services.kms.api.room import check_request, end_dry_run, kms, own_key, page, the_key
from hatoba.services.kms.model import Grant, KmsKey
from hatoba.services.kms.plan import grants, states
from hatoba.services.kms.plan.naming import invalid, named

MOST = (50, 100)  # in one page
ON_ONE_KEY = 50_000


@kms.operation
async def create_grant(req: t.CreateGrantRequest, call: Call) -> t.CreateGrantResponse:
    check_request(call, req)
    key = own_key(call, req["KeyId"])
    states.check_usable(key.arn, key.state)
    grants.check(req, key.usage)
    end_dry_run(req)
    wanted = Grant(
        key=model.grants.key(key.scope, call.ids.hex(64)),
        target=key.id,
        created=call.now,
        issuer=call.scope.account,
        name=req.get("Name"),
        grantee=req.get("GranteePrincipal"),
        grantee_service=req.get("GranteeServicePrincipal"),
        retiring=req.get("RetiringPrincipal"),
        retiring_service=req.get("RetiringServicePrincipal"),
        operations=tuple(req["Operations"]),
        constraints=msgspec.json.encode(req["Constraints"]) if req.get("Constraints") else b"",
        token=Secret(call.ids.hex(128)),
    )
    with call.tx() as tx:
        there = model.grants_of(tx, key.key) if wanted.name is not None else []
        grant = next((each for each in there if each.says() == wanted.says()), None)
        if grant is None:
            if tx.count(model.grants, "target", (key.scope, key.id)) >= ON_ONE_KEY:
                raise t.LimitExceededException(f"A key can have at most {ON_ONE_KEY} grants.")
            grant = tx.put(model.grants, wanted)
    return {"GrantToken": grant.token.reveal(), "GrantId": grant.id}


@kms.operation
async def list_grants(req: t.ListGrantsRequest, call: Call) -> t.ListGrantsResponse:
    key = the_key(call, req["KeyId"])
    id_, grantee, service = req.get("GrantId"), req.get("GranteePrincipal"), req.get("GranteeServicePrincipal")
    rows = [
        each
        for each in model.grants_of(call.store, key.key)
        if id_ in (None, each.id) and grantee in (None, each.grantee) and service in (None, each.grantee_service)
    ]
    about = (key.id, id_, grantee, service)
    found, rest = page(call, rows, req, order=lambda grant: grant.id, most=MOST, about=about)
    return {"Grants": [views.grant(each) for each in found], **rest}


@kms.operation
async def list_retirable_grants(req: t.ListRetirableGrantsRequest, call: Call) -> t.ListGrantsResponse:
    who, service = req.get("RetiringPrincipal"), req.get("RetiringServicePrincipal")
    if (who is None) == (service is None):
        raise invalid("You must specify either RetiringPrincipal or RetiringServicePrincipal.")
    if who is not None and not _own(call, who):
        raise t.InvalidArnException("RetiringPrincipal must be a principal of your account.")
    rows = call.store.index(model.grants, "retiring", (call.scope.partition, call.scope.region, who or service))
    if who is None:
        rows = [each for each in rows if each.key.account == call.scope.account]
    found, rest = page(call, rows, req, order=lambda grant: grant.id, most=MOST, about=(who, service))
    return {"Grants": [views.grant(each) for each in found], **rest}


@kms.operation
async def revoke_grant(req: t.RevokeGrantRequest, call: Call) -> None:
    key = own_key(call, req["KeyId"])
    states.check_kept(key.arn, key.state)
    _forget(call, _grant(call, key, req["GrantId"]), req)


@kms.operation
async def retire_grant(req: t.RetireGrantRequest, call: Call) -> None:
    token, key_id, grant_id = req.get("GrantToken"), req.get("KeyId"), req.get("GrantId")
    if token is not None:
        if key_id is not None or grant_id is not None:
            raise invalid("You must specify a grant token, or a key ID and a grant ID, but not both.")
        found = model.grant_by(call.store, call.scope, token)
        if found is None:
            raise t.InvalidGrantTokenException("The grant token is not valid.")
        _forget(call, found, req)
        return
    if key_id is None or grant_id is None:
        raise invalid("You must specify a grant token, or a key ID and a grant ID.")
    if named(call.scope, key_id).alias is not None:
        raise t.InvalidArnException("RetireGrant takes the ARN of a key.")
    _forget(call, _grant(call, the_key(call, key_id), grant_id), req)


def _own(call: Call, principal: str) -> bool:
    parsed = arn.parse(principal)
    return parsed is None or parsed.account == call.scope.account


def _grant(call: Call, key: KmsKey, grant_id: str) -> Grant:
    grant = call.store.find(model.grants, key.scope, grant_id)
    if grant is None or grant.target != key.id:
        raise t.NotFoundException(f"Grant ID {grant_id} not found")
    return grant


def _forget(call: Call, grant: Grant, req: Mapping[str, Any]) -> None:
    end_dry_run(req)
    with call.tx() as tx:
        tx.forget(model.grants, grant.key)
