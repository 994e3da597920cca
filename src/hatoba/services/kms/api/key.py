"""Keys: create, describe, list, enable, disable."""

from __future__ import annotations

from hatoba.aws.shapes import kms as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import set_tags
from hatoba.services.kms import model, views
from hatoba.services.kms.access import lockout
from hatoba.services.kms.api.datakey import random_bytes
from hatoba.services.kms.api.room import kms, own_key, page, the_key, threads
from hatoba.services.kms.api.tag import checked as checked_tags
from hatoba.services.kms.crypto import pairs
from hatoba.services.kms.model import KmsKey, Material
from hatoba.services.kms.plan import policies, states
from hatoba.services.kms.plan.naming import invalid
from hatoba.services.kms.plan.specs import SPECS, SYMMETRIC, Spec, usage_of

MOST = (100, 1000)  # in one page


@kms.operation
async def create_key(req: t.CreateKeyRequest, call: Call) -> t.CreateKeyResponse:
    spec = _spec(req)
    usage = usage_of(spec, req.get("KeyUsage"))
    if usage is None:
        wanted = req.get("KeyUsage")
        raise invalid(
            f"You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys: {spec.name}."
            if wanted is None
            else f"KeyUsage {wanted} is not compatible with KeySpec {spec.name}"
        )
    origin = _origin(req)
    policy = req.get("Policy") or policies.default(call.scope)
    policies.check(policy)
    tags = checked_tags({}, req.get("Tags", []))
    multi = req.get("MultiRegion", False)
    data, public = (b"", None) if origin == "EXTERNAL" else await _made(call, spec)
    key = KmsKey(
        key=model.keys.key(call.scope, f"mrk-{call.ids.hex(32)}" if multi else call.ids.uuid()),
        created=call.now,
        spec=spec.name,
        usage=usage,
        state="PendingImport" if origin == "EXTERNAL" else "Enabled",
        origin=origin,
        description=req.get("Description", ""),
        policy=policy,
        material=_material(call, data),
        public=public,
        primary=call.scope.region if multi else None,
    )
    lockout.check(call, req, key.arn)
    with call.tx() as tx:
        key = tx.put(model.keys, key)
        set_tags(tx, call.scope, key.arn, tags)
    return {"KeyMetadata": views.metadata(key)}


def _spec(req: t.CreateKeyRequest) -> Spec:
    new, old = req.get("KeySpec"), req.get("CustomerMasterKeySpec")
    if new is not None and old is not None and new != old:
        raise invalid("You cannot specify KeySpec and CustomerMasterKeySpec in the same request.")
    name = new or old or SYMMETRIC
    spec = SPECS.get(name)
    if spec is None:
        raise t.UnsupportedOperationException(f"Keys of spec {name} are not available here.")
    return spec


def _origin(req: t.CreateKeyRequest) -> model.Origin:
    origin = req.get("Origin", "AWS_KMS")
    if "CustomKeyStoreId" in req:
        raise t.CustomKeyStoreNotFoundException(f"Custom key store {req['CustomKeyStoreId']} does not exist.")
    if origin == "AWS_KMS" or origin == "EXTERNAL":
        return origin
    raise t.UnsupportedOperationException(f"Keys of origin {origin} are not available here: there are no key stores.")


async def _made(call: Call, spec: Spec) -> tuple[bytes, bytes | None]:
    """New material, and the public half of a pair."""
    if not spec.is_pair:
        return random_bytes(call, spec.material[0]), None
    private = await threads.run(pairs.make, spec.name)
    return private, pairs.public_of(private)


def _material(call: Call, data: bytes) -> tuple[Material, ...]:
    return (model.new_material(call.ids, data, since=call.now),) if data else ()


@kms.operation
async def describe_key(req: t.DescribeKeyRequest, call: Call) -> t.DescribeKeyResponse:
    return {"KeyMetadata": views.metadata(the_key(call, req["KeyId"]))}


@kms.operation
async def list_keys(req: t.ListKeysRequest, call: Call) -> t.ListKeysResponse:
    own = "SELF" in req.get("ResourceOwners", ["SELF"])
    rows = call.store.scan(model.keys, call.scope) if own else iter(())
    found, rest = page(call, rows, req, order=lambda key: key.id, most=MOST)
    return {"Keys": [{"KeyId": key.id, "KeyArn": key.arn} for key in found], **rest}


@kms.operation
async def enable_key(req: t.EnableKeyRequest, call: Call) -> None:
    _switch(call, req["KeyId"], "Enabled")


@kms.operation
async def disable_key(req: t.DisableKeyRequest, call: Call) -> None:
    _switch(call, req["KeyId"], "Disabled")


def _switch(call: Call, key_id: str, state: states.State) -> None:
    key = own_key(call, key_id)
    states.check_switchable(key.arn, key.state)
    if key.state != state:
        with call.tx() as tx:
            tx.put(model.keys, replace(key, state=state))


@kms.operation
async def update_key_description(req: t.UpdateKeyDescriptionRequest, call: Call) -> None:
    key = own_key(call, req["KeyId"])
    states.check_kept(key.arn, key.state)
    with call.tx() as tx:
        tx.put(model.keys, replace(key, description=req["Description"]))
