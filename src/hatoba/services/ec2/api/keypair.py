"""Key pairs for SSH: made here, or imported; described and deleted.

There are no machines to log in to: they are kept for the tools that make them on their way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import ec2 as t
from hatoba.core.ids import resource_id
from hatoba.gateway.call import Call
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2 import sshkeys, views
from hatoba.services.ec2.api.room import ec2, own_tags, tag_new
from hatoba.services.ec2.filters import matching
from hatoba.services.ec2.model.arns import arn
from hatoba.services.ec2.model.errors import invalid, not_found
from hatoba.services.ec2.model.keypair import KEY_PAIRS, KeyPair, by_name, key_pairs, the_pair
from hatoba.store import Tx


@ec2.operation
async def create_key_pair(req: t.CreateKeyPairRequest, call: Call) -> t.KeyPair:
    name, kind = _name(req["KeyName"]), req.get("KeyType", "rsa")
    if kind not in ("rsa", "ed25519"):
        raise invalid(f"Value ({kind}) for parameter KeyType is invalid. Valid values: rsa, ed25519.")
    if (form := req.get("KeyFormat", "pem")) not in ("pem", "ppk"):
        raise invalid(f"Value ({form}) for parameter KeyFormat is invalid. Valid values: pem, ppk.")
    _check_new(call, name)
    made = await asyncio.to_thread(sshkeys.new_pair, kind, form, name)
    pair = _put(req, call, sshkeys.Public(kind, made.public, made.fingerprint))
    return {
        "KeyName": pair.name,
        "KeyPairId": pair.id,
        "KeyFingerprint": pair.fingerprint,
        "KeyMaterial": made.private,
        "Tags": views.tags(own_tags(call, pair.id)),
    }


@ec2.operation
async def import_key_pair(req: t.ImportKeyPairRequest, call: Call) -> t.ImportKeyPairResult:
    _name(req["KeyName"])
    try:
        public = sshkeys.read_public(req["PublicKeyMaterial"])
    except sshkeys.BadKey:
        raise invalid("Key is not in valid OpenSSH public key format", "InvalidKey.Format") from None
    pair = _put(req, call, public)
    return {
        "KeyName": pair.name,
        "KeyPairId": pair.id,
        "KeyFingerprint": pair.fingerprint,
        "Tags": views.tags(own_tags(call, pair.id)),
    }


def _name(name: str) -> str:
    if not (name.isascii() and name.isprintable() and 1 <= len(name) <= 255 and name == name.strip()):
        raise invalid(
            f"Value ({name}) for parameter KeyName is invalid. It has up to 255 ASCII characters, and no spaces at its "
            "ends."
        )
    return name


def _check_new(call: Call, name: str) -> None:
    """Before a key is made for nothing. Raises InvalidKeyPair.Duplicate."""
    if by_name(call.store, call.scope, name) is not None:
        raise invalid("The keypair already exists", "InvalidKeyPair.Duplicate")


def _put(req: Mapping[str, Any], call: Call, public: sshkeys.Public) -> KeyPair:
    """Raises InvalidKeyPair.Duplicate, KeyPairLimitExceeded."""
    with call.tx() as tx:
        _check_new(call, req["KeyName"])
        if tx.count(key_pairs, "scope", tuple(call.scope)) >= KEY_PAIRS:
            raise invalid("The maximum number of key pairs has been reached.", "KeyPairLimitExceeded")
        pair = tx.put(
            key_pairs,
            KeyPair(
                key=key_pairs.key(call.scope, resource_id(call.ids, "key")),
                name=req["KeyName"],
                kind=public.kind,
                public=public.public,
                fingerprint=public.fingerprint,
                created=call.now,
            ),
        )
        tag_new(tx, call, pair.id, req)
    return pair


@ec2.operation
async def describe_key_pairs(req: t.DescribeKeyPairsRequest, call: Call) -> t.DescribeKeyPairsResult:
    found = list(call.store.scan(key_pairs, call.scope))
    if names := req.get("KeyNames"):
        found = [the_pair(call.store, call.scope, name) for name in dict.fromkeys(names)]
    if ids := req.get("KeyPairIds"):
        known = {pair.id: pair for pair in found}
        if wrong := [id_ for id_ in ids if id_ not in known]:
            raise not_found(wrong[0], "key")
        found = [known[id_] for id_ in dict.fromkeys(ids)]
    found = matching(
        found,
        req.get("Filters", []),
        {
            "fingerprint": lambda pair: (pair.fingerprint,),
            "key-name": lambda pair: (pair.name,),
            "key-pair-id": lambda pair: (pair.id,),
        },
        lambda pair: own_tags(call, pair.id),
    )
    public = bool(req.get("IncludePublicKey"))
    return {"KeyPairs": [_view(call, pair, public) for pair in sorted(found, key=lambda pair: pair.name)]}


def _view(call: Call, pair: KeyPair, public: bool) -> t.KeyPairInfo:
    shown: t.KeyPairInfo = {
        "KeyPairId": pair.id,
        "KeyName": pair.name,
        "KeyType": pair.kind,
        "KeyFingerprint": pair.fingerprint,
        "CreateTime": pair.created,
        "Tags": views.tags(own_tags(call, pair.id)),
    }
    if public:
        shown["PublicKey"] = f"{pair.public} {pair.name}"
    return shown


@ec2.operation
async def delete_key_pair(req: t.DeleteKeyPairRequest, call: Call) -> t.DeleteKeyPairResult:
    """One that is not there is gone already."""
    if "KeyName" not in req and "KeyPairId" not in req:
        raise invalid("The request must contain the parameter KeyName or KeyPairId", "MissingParameter")
    with call.tx() as tx:
        pair = _named(tx, call, req)
        if pair is None:
            return {"Return": True}
        tx.forget(key_pairs, pair.key)
        forget_tags(tx, call.scope, arn(call.scope, pair.id))
    return {"Return": True, "KeyPairId": pair.id}


def _named(tx: Tx, call: Call, req: t.DeleteKeyPairRequest) -> KeyPair | None:
    """By name, by id, or by both, which then must be of the same."""
    pair = tx.find(key_pairs, call.scope, req["KeyPairId"]) if "KeyPairId" in req else None
    if "KeyName" not in req:
        return pair
    named = by_name(tx, call.scope, req["KeyName"])
    if "KeyPairId" in req and named is not pair:
        raise invalid("The key pair's name and id are not of the same.", "InvalidParameterCombination")
    return named
