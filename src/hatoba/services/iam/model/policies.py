"""Managed policies: customers' are records, AWS's are in `managed`."""

from __future__ import annotations

from typing import Any

import msgspec

from hatoba.aws.shapes import iam as t
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.services.iam import managed
from hatoba.services.iam.model.named import Kind, Named
from hatoba.store import Table
from hatoba.store.store import View


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    id: str  # v1, v2 …: never used twice
    document: str
    created: float


class Policy(Named, frozen=True, kw_only=True):
    """A customer's managed policy."""

    description: str | None = None
    versions: tuple[PolicyVersion, ...]  # the newest last
    default: str = "v1"
    made: int = 1  # versions so far
    updated: float


def _with_versions(row: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 had one document."""
    version = {"id": "v1", "document": row.pop("document"), "created": row["created"]}
    return {**row, "versions": [version], "updated": row["created"]}


policies = Table("iam.policies", Policy, schema=2, migrations={1: _with_versions})

POLICY = Kind(
    noun="policy",
    table=policies,
    resource="policy",
    prefix="ANPA",
    taken="A policy called {name} already exists. Duplicate names are not allowed.",
    quota=("PoliciesPerAccount", 1500),
)


def the_policy(view: View, scope: Scope, arn: str) -> Policy:
    """A customer's. Raises NoSuchEntity, and AccessDenied for one that is not theirs to change."""
    if is_managed_by_aws(arn) and managed.find(arn) is not None:
        raise AwsError("Policy is outside your own account.", code="AccessDenied", status=403)
    policy = POLICY.find(view, scope, arn.rpartition("/")[2])
    if policy is None or POLICY.arn(policy) != arn:
        raise t.NoSuchEntityException(f"Policy {arn} was not found.")
    return policy


def the_document(view: View, scope: Scope, arn: str) -> str | None:
    """What a managed policy says now, AWS's or a customer's of this account; None when it is not there."""
    if is_managed_by_aws(arn):
        return managed.document(arn)
    policy = POLICY.find(view, scope, arn.rpartition("/")[2])
    if policy is None or POLICY.arn(policy) != arn:
        return None
    return next(version.document for version in policy.versions if version.id == policy.default)


def is_managed_by_aws(arn: str) -> bool:
    return ":iam::aws:policy/" in arn
