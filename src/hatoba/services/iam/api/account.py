"""The account: its alias, and how much there is in it."""

from __future__ import annotations

from typing import TypeVar

from hatoba.aws.shapes import iam as t
from hatoba.core.records import Record
from hatoba.gateway.call import Call
from hatoba.services.iam.api import attachment, group, inline, policy, role
from hatoba.services.iam.api.access_key import LIMIT as KEYS
from hatoba.services.iam.api.room import iam
from hatoba.services.iam.model import (
    Alias,
    aliases,
    groups,
    instance_profiles,
    mfa_devices,
    oidc_providers,
    policies,
    roles,
    saml_providers,
    users,
)
from hatoba.store import Table

R = TypeVar("R", bound=Record)


def _count(call: Call, table: Table[R]) -> int:
    return sum(1 for _ in call.store.scan(table, call.scope.everywhere()))


@iam.operation
async def get_account_summary(req: object, call: Call) -> t.GetAccountSummaryResponse:
    return {
        "SummaryMap": {
            "AccessKeysPerUserQuota": KEYS,
            "AccountAccessKeysPresent": 0,  # root's is not a record
            "AccountMFAEnabled": 0,
            "AccountPasswordPresent": 0,
            "AccountSigningCertificatesPresent": 0,
            "AssumeRolePolicySizeQuota": role.TRUST_SIZE,
            "AttachedPoliciesPerGroupQuota": attachment.LIMIT,
            "AttachedPoliciesPerRoleQuota": attachment.LIMIT,
            "AttachedPoliciesPerUserQuota": attachment.LIMIT,
            "GroupPolicySizeQuota": inline.SIZES["group"],
            "Groups": _count(call, groups),
            "GroupsPerUserQuota": group.LIMIT,
            "InstanceProfiles": _count(call, instance_profiles),
            "MFADevices": _count(call, mfa_devices),
            "MFADevicesInUse": sum(
                device.user is not None for device in call.store.scan(mfa_devices, call.scope.everywhere())
            ),
            "Policies": _count(call, policies),
            "PolicySizeQuota": policy.SIZE,
            "Providers": _count(call, oidc_providers) + _count(call, saml_providers),
            "RolePolicySizeQuota": inline.SIZES["role"],
            "Roles": _count(call, roles),
            "UserPolicySizeQuota": inline.SIZES["user"],
            "Users": _count(call, users),
            "VersionsPerPolicyQuota": policy.VERSIONS,
        }
    }


@iam.operation
async def create_account_alias(req: t.CreateAccountAliasRequest, call: Call) -> None:
    """In the place of the one that there may be. Aliases are unique among all accounts."""
    name, scope = req["AccountAlias"], call.scope.everywhere()
    with call.tx() as tx:
        if any(alias.scope != scope for alias in tx.index(aliases, "id", name)):
            raise t.EntityAlreadyExistsException(f"The account alias {name} already exists.")
        for old in list(tx.scan(aliases, scope)):
            tx.forget(aliases, old.key)
        tx.put(aliases, Alias(key=aliases.key(scope, name)))


@iam.operation
async def delete_account_alias(req: t.DeleteAccountAliasRequest, call: Call) -> None:
    with call.tx() as tx:
        if tx.forget(aliases, aliases.key(call.scope.everywhere(), req["AccountAlias"])) is None:
            raise t.NoSuchEntityException(f"The account alias {req['AccountAlias']} cannot be found.")


@iam.operation
async def list_account_aliases(req: t.ListAccountAliasesRequest, call: Call) -> t.ListAccountAliasesResponse:
    names = [alias.id for alias in call.store.scan(aliases, call.scope.everywhere())]
    return {"AccountAliases": names, "IsTruncated": False}
