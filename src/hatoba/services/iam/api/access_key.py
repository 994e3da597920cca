"""Access keys."""

from __future__ import annotations

from hatoba.aws.shapes import iam as t
from hatoba.core.records import replace
from hatoba.core.secret import Secret
from hatoba.gateway.call import Call
from hatoba.services.iam import usage, views
from hatoba.services.iam.api.room import iam, marked_page, truncated
from hatoba.services.iam.api.user import asked
from hatoba.services.iam.model import AccessKey, User, access_keys, exceeded, unique_id
from hatoba.store.store import View

LIMIT = 2  # access keys of one user


def _key(view: View, call: Call, user: User, id_: str) -> AccessKey:
    key = view.find(access_keys, call.scope.everywhere(), id_)
    if key is None or key.user.lower() != user.id:
        raise t.NoSuchEntityException(f"The Access Key with id {id_} cannot be found.")
    return key


@iam.operation
async def create_access_key(req: t.CreateAccessKeyRequest, call: Call) -> t.CreateAccessKeyResponse:
    with call.tx() as tx:
        user = asked(tx, call, req.get("UserName"))
        if tx.count(access_keys, "user", (user.key.account, user.id)) >= LIMIT:
            raise exceeded("AccessKeysPerUser", LIMIT)
        secret = call.ids.hex(40)
        key = tx.put(
            access_keys,
            AccessKey(
                key=access_keys.key(call.scope.everywhere(), unique_id(call.ids, "AKIA", 16)),
                user=user.name,
                secret=Secret(secret),
                created=call.now,
            ),
        )
    return {
        "AccessKey": {
            "UserName": key.user,
            "AccessKeyId": key.id,
            "Status": "Active",
            "SecretAccessKey": secret,
            "CreateDate": key.created,
        }
    }


@iam.operation
async def list_access_keys(req: t.ListAccessKeysRequest, call: Call) -> t.ListAccessKeysResponse:
    user = asked(call.store, call, req.get("UserName"))
    rows = call.store.index(access_keys, "user", (user.key.account, user.id))
    page, marker = marked_page(call, rows, req, lambda key: key.id, user.id)
    return {"AccessKeyMetadata": [views.access_key(key) for key in page], **truncated(marker)}


@iam.operation
async def update_access_key(req: t.UpdateAccessKeyRequest, call: Call) -> None:
    with call.tx() as tx:
        user = asked(tx, call, req.get("UserName"))
        tx.put(access_keys, replace(_key(tx, call, user, req["AccessKeyId"]), status=req["Status"]))


@iam.operation
async def delete_access_key(req: t.DeleteAccessKeyRequest, call: Call) -> None:
    with call.tx() as tx:
        user = asked(tx, call, req.get("UserName"))
        tx.forget(access_keys, _key(tx, call, user, req["AccessKeyId"]).key)
        usage.forget(tx, call.scope, req["AccessKeyId"])


@iam.operation
async def get_access_key_last_used(req: t.GetAccessKeyLastUsedRequest, call: Call) -> t.GetAccessKeyLastUsedResponse:
    key = call.store.find(access_keys, call.scope.everywhere(), req["AccessKeyId"])
    if key is None:
        raise t.NoSuchEntityException(f"The Access Key with id {req['AccessKeyId']} cannot be found.")
    last = usage.last(call.store, key.scope, key.id)
    if last is None:
        return {"UserName": key.user, "AccessKeyLastUsed": {"ServiceName": "N/A", "Region": "N/A"}}
    service, used = last
    shown: t.AccessKeyLastUsed = {"LastUsedDate": used.at, "ServiceName": service, "Region": used.region}
    return {"UserName": key.user, "AccessKeyLastUsed": shown}
