"""Grants, as policies see them: a further statement of the key's policy, for who asks and what is asked.

So a grant gives what the key policy would give by naming the principal, and an explicit deny is stronger than it.
Source: the developer guide, "Grants in AWS KMS", "Grant constraints".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hatoba.gateway.call import Call
from hatoba.gateway.needs import Params
from hatoba.services.kms import model
from hatoba.services.kms.access.targets import Target, grant_of
from hatoba.services.kms.model import Grant


def with_grants(target: Target, action: str, req: Params, context: Mapping[str, str], call: Call) -> str | None:
    """The policy that decides, with what a grant adds to it. `action`: `kms:Decrypt`."""
    operation = action.removeprefix("kms:")
    if target.key is None:
        return target.policy
    for name, grants in _of(target, call):
        if any(_allows(grant, operation, req, context, call) for grant in grants):
            return _added(target.policy, action, name)
    return target.policy


def retiring(action: str, req: Params, call: Call) -> str | None:
    """Who a grant says may retire it, or uses it and may; key policies have no say in this."""
    grant = grant_of(req, call)
    if grant is None:
        return None
    own = {grant.retiring, *([grant.grantee] if "RetireGrant" in grant.operations else [])}
    services = {grant.retiring_service, *([grant.grantee_service] if "RetireGrant" in grant.operations else [])}
    for name in _names(call):
        if name in own:
            return _added(None, action, name)
    return _added(None, action, call.principal.arn) if services.intersection(_services(call)) else None


def _of(target: Target, call: Call) -> Iterator[tuple[str, Iterable[Grant]]]:
    """The key's grants to who asks, found by both, however many others there are; and as whom the grantee is named."""
    assert target.key is not None
    scope, id_ = target.key.scope, target.key.id
    for name in _names(call):
        yield name, call.store.index(model.grants, "grantee", (scope, id_, name))
    for service in _services(call):
        yield call.principal.arn, call.store.index(model.grants, "grantee", (scope, id_, service))


def _names(call: Call) -> list[str]:
    """A grant to a role is one to its sessions."""
    who = call.principal
    return [who.arn] if who.role is None else [who.arn, who.role]


def _services(call: Call) -> list[str]:
    role = (call.principal.role or "").partition(":role/aws-service-role/")[2]
    return [role.partition("/")[0]] if call.principal.kind == "service" and role else []


def _allows(grant: Grant, operation: str, req: Params, context: Mapping[str, str], call: Call) -> bool:
    if operation not in grant.operations:
        return False
    constraints: dict[str, Any] = json.loads(grant.constraints) if grant.constraints else {}
    if constraints.get("SourceArn", call.source) != call.source:  # of services that act for a resource of theirs
        return False
    if operation == "CreateGrant":  # a grant of less
        asked = req.get("Constraints") or {}
        return set(req.get("Operations") or ()) <= set(grant.operations) and constraints in ({}, asked)
    equals, subset = constraints.get("EncryptionContextEquals"), constraints.get("EncryptionContextSubset")
    if operation not in _CONSTRAINED:
        return True
    return (equals is None or equals == context) and (subset is None or subset.items() <= context.items())


# Operations with an encryption context; others are not constrained by it.
_CONSTRAINED = (
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
)


def _added(policy: str | None, action: str, name: str) -> str:
    """`name`: what the grant calls the grantee. One to a role leaves its sessions within what limits them."""
    document: dict[str, Any] = json.loads(policy) if policy is not None else {"Version": "2012-10-17", "Statement": []}
    statements = document.get("Statement")
    given = {"Effect": "Allow", "Principal": {"AWS": name}, "Action": action, "Resource": "*"}
    document["Statement"] = [*(statements if isinstance(statements, list) else [statements]), given]
    return json.dumps(document)
