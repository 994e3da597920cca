"""Which key a KMS request is about, whatever it names it by, with the policy that decides about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.gateway.call import Call
from hatoba.gateway.needs import EVERYTHING, Params
from hatoba.services.kms import managed, model
from hatoba.services.kms.crypto import envelope
from hatoba.services.kms.model import Grant, KmsKey
from hatoba.services.kms.plan import policies
from hatoba.services.kms.plan.naming import AWS, alias_arn, key_arn, named


class Target(NamedTuple):
    resource: str
    key: KmsKey | None = None
    alias: str | None = None  # by which it was named
    policy: str | None = None


Find = Callable[[Params, Call], Target]


def key_named(call: Call, text: str) -> Target:
    """By id, ARN, alias or alias's ARN. What does not exist is needed as it was named, and has no policy."""
    try:
        name = named(call.scope, text)
    except AwsError:
        return Target(text)
    if name.alias is None:
        assert name.key is not None
        return _key(call, name.scope, name.key)
    alias = call.store.find(model.aliases, name.scope, name.alias)
    if alias is not None:
        return _key(call, name.scope, alias.target)._replace(alias=name.alias)
    if name.alias in managed.NAMES:  # it will be made when it is first used
        policy = policies.managed(name.scope, name.alias.removeprefix(AWS))
        return Target(alias_arn(name.scope, name.alias), alias=name.alias, policy=policy)
    return Target(alias_arn(name.scope, name.alias), alias=name.alias)


def _key(call: Call, scope: Scope, id_: str) -> Target:
    key = model.find_key(call.store, scope, id_)
    return Target(key_arn(scope, id_), key, policy=key.policy if key is not None else None)


def by(member: str) -> Find:
    def find(req: Params, call: Call) -> Target:
        text = req.get(member)
        return key_named(call, text) if isinstance(text, str) and text else Target(EVERYTHING)

    return find


def behind(member: str) -> Find:
    """The key that a ciphertext names, unless the request does."""
    name = by(member)

    def find(req: Params, call: Call) -> Target:
        if req.get(member):
            return name(req, call)
        try:
            head = envelope.head_of(req.get("CiphertextBlob") or b"")
        except envelope.Broken:
            return Target(EVERYTHING)
        return _key(call, call.scope._replace(account=head.account), head.key)

    return find


def grant_of(req: Params, call: Call) -> Grant | None:
    """The one that RetireGrant names, by its token or by its id."""
    token, id_, key = req.get("GrantToken"), req.get("GrantId"), req.get("KeyId")
    if isinstance(token, str):
        return model.grant_by(call.store, call.scope, token)
    if not isinstance(id_, str):
        return None
    try:
        scope = named(call.scope, key).scope if isinstance(key, str) else call.scope
    except AwsError:
        return None
    return call.store.find(model.grants, scope, id_)


def behind_grant(req: Params, call: Call) -> Target:
    grant = grant_of(req, call)
    return by("KeyId")(req, call) if grant is None else _key(call, grant.scope, grant.target)
