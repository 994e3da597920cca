"""SSH public keys of users, for CodeCommit once it has a room."""

from __future__ import annotations

from hatoba.aws.shapes import iam as t
from hatoba.gateway.call import Call
from hatoba.services.iam import views
from hatoba.services.iam.api.of_user import all_of, page_of, switch, the
from hatoba.services.iam.api.room import iam, truncated
from hatoba.services.iam.model import USER, SshKey, exceeded, ssh_keys, unique_id
from hatoba.services.iam.plan import sshkeys

LIMIT = 5  # of one user
_NOUN = "Public Key"


@iam.operation
async def upload_ssh_public_key(req: t.UploadSSHPublicKeyRequest, call: Call) -> t.UploadSSHPublicKeyResponse:
    body = req["SSHPublicKeyBody"]
    user = USER.the(call.store, call.scope, req["UserName"])
    try:
        public = sshkeys.read(body)
    except sshkeys.Unrecognized as error:
        raise t.UnrecognizedPublicKeyEncodingException(str(error)) from error
    except sshkeys.Invalid as error:
        raise t.InvalidPublicKeyException(str(error)) from error
    with call.tx() as tx:
        known = all_of(tx, ssh_keys, user)
        if any(each.public == public for each in known):
            raise t.DuplicateSSHPublicKeyException("The SSH public key is already associated with the IAM user.")
        if len(known) >= LIMIT:
            raise exceeded("SSHPublicKeysPerUser", LIMIT)
        record = SshKey(
            key=ssh_keys.key(call.scope.everywhere(), unique_id(call.ids, "APKA", 16)),
            user=user.name,
            created=call.now,
            body=body,
            public=public,
        )
        tx.put(ssh_keys, record)
    return {"SSHPublicKey": views.ssh_key(record, body)}


@iam.operation
async def get_ssh_public_key(req: t.GetSSHPublicKeyRequest, call: Call) -> t.GetSSHPublicKeyResponse:
    user = USER.the(call.store, call.scope, req["UserName"])
    record = the(call.store, call, ssh_keys, user, req["SSHPublicKeyId"], _NOUN)
    return {"SSHPublicKey": views.ssh_key(record, sshkeys.shown(record.body, record.public, req["Encoding"]))}


@iam.operation
async def list_ssh_public_keys(req: t.ListSSHPublicKeysRequest, call: Call) -> t.ListSSHPublicKeysResponse:
    page, marker = page_of(call, ssh_keys, req)
    return {"SSHPublicKeys": [views.ssh_key_metadata(record) for record in page], **truncated(marker)}


@iam.operation
async def update_ssh_public_key(req: t.UpdateSSHPublicKeyRequest, call: Call) -> None:
    with call.tx() as tx:
        user = USER.the(tx, call.scope, req["UserName"])
        switch(tx, ssh_keys, the(tx, call, ssh_keys, user, req["SSHPublicKeyId"], _NOUN), req["Status"])


@iam.operation
async def delete_ssh_public_key(req: t.DeleteSSHPublicKeyRequest, call: Call) -> None:
    with call.tx() as tx:
        user = USER.the(tx, call.scope, req["UserName"])
        tx.forget(ssh_keys, the(tx, call, ssh_keys, user, req["SSHPublicKeyId"], _NOUN).key)
