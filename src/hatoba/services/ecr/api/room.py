"""The room's declaration, and what its operations share: which repository a request means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import ecr as t
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.services.ecr import model
from hatoba.services.ecr.access import ACCESS
from hatoba.services.ecr.distribution import unknown
from hatoba.services.ecr.model import Repository
from hatoba.services.ecr.registry import Registry
from hatoba.store.store import View

# A layer part has up to 20 MiB, in base64; a manifest up to 4 MiB, escaped.
ecr = Service("ecr", access=ACCESS, body_bytes=32 * 1024 * 1024)

PAGE = 100  # what a list gives when the caller does not say how much


def registry(call: Call) -> Registry:
    return call.get(Registry)


def scope_of(call: Call, req: Mapping[str, Any]) -> Scope:
    """The registry that is meant, as a whole: one's own."""
    account = req.get("registryId", call.scope.account)
    if account != call.scope.account:
        raise _foreign(call, account)
    return call.scope


def _foreign(call: Call, account: str) -> AwsError:
    return AwsError(
        f"User: {call.principal.arn} is not authorized to perform: ecr:{call.operation} on the registry with id "
        f"'{account}' because no resource-based policy allows the ecr:{call.operation} action",
        code="AccessDeniedException",
    )


def find_repository(view: View, scope: Scope, name: str) -> Repository:
    record = view.find(model.repositories, scope, name)
    if record is None:
        raise t.RepositoryNotFoundException(unknown(scope, name))
    return record


def the_repository(view: View, call: Call, req: Mapping[str, Any]) -> Repository:
    """The request's repository. Another account's needs a policy of its own, which was asked whether it allows this
    (`access`)."""
    account = req.get("registryId", call.scope.account)
    if account == call.scope.account:
        return find_repository(view, call.scope, req["repositoryName"])
    record = view.find(model.repositories, call.scope._replace(account=account), req["repositoryName"])
    if record is None or record.policy is None:
        raise _foreign(call, account)
    return record


def invalid(parameter: str, constraint: str) -> AwsError:
    """ECR's wording of what its model does not say."""
    return t.InvalidParameterException(
        f"Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'"
    )


def bad_token() -> AwsError:
    return invalid("nextToken", "must be a token that this operation returned for the same request")
