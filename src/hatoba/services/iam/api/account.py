"""The account: its alias, and how much there is in it."""

from __future__ import annotations

from typing import Any

from hatoba.aws.shapes import iam as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.iam.api import attachment, group, inline, policy, role, signing
from hatoba.services.iam.api.access_key import LIMIT as KEYS
from hatoba.services.iam.api.room import iam
from hatoba.services.iam.model import (
    CERTIFICATE,
    GROUP,
    MFA,
    POLICY,
    PROFILE,
    ROLE,
    SAML,
    USER,
    Alias,
    Kind,
    Preferences,
    aliases,
    mfa_devices,
    oidc_providers,
    preferences,
    roles,
)
from hatoba.store.store import View


def _quota(kind: Kind[Any]) -> int:
    return kind.quota[1] if kind.quota is not None else 0


def _preferences(view: View, call: Call) -> Preferences:
    scope = call.scope.everywhere()
    return view.find(preferences, scope, "account") or Preferences(key=preferences.key(scope, "account"))


@iam.operation
async def set_security_token_service_preferences(req: t.SetSecurityTokenServicePreferencesRequest, call: Call) -> None:
    """Kept and told. Sessions are good in every region, whichever it is: there are none to be enabled."""
    with call.tx() as tx:
        tokens = int(req["GlobalEndpointTokenVersion"][1])  # v1Token, v2Token
        tx.put(preferences, replace(_preferences(tx, call), tokens=tokens))


@iam.operation
async def get_account_summary(req: object, call: Call) -> t.GetAccountSummaryResponse:
    view, scope = call.store, call.scope.everywhere()
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
            "GlobalEndpointTokenVersion": _preferences(view, call).tokens,
            "GroupPolicySizeQuota": inline.SIZES["group"],
            "Groups": GROUP.held(view, scope),
            "GroupsPerUserQuota": group.LIMIT,
            "GroupsQuota": _quota(GROUP),
            "InstanceProfiles": PROFILE.held(view, scope),
            "InstanceProfilesQuota": _quota(PROFILE),
            "MFADevices": MFA.held(view, scope),
            "MFADevicesInUse": sum(device.user is not None for device in view.scan(mfa_devices, scope)),
            "Policies": POLICY.held(view, scope),
            "PoliciesQuota": _quota(POLICY),
            "PolicySizeQuota": policy.SIZE,
            "Providers": view.size(oidc_providers, scope) + SAML.held(view, scope),
            "RolePolicySizeQuota": inline.SIZES["role"],
            "Roles": view.size(roles, scope),
            "RolesQuota": _quota(ROLE),
            "ServerCertificates": CERTIFICATE.held(view, scope),
            "ServerCertificatesQuota": _quota(CERTIFICATE),
            "SigningCertificatesPerUserQuota": signing.LIMIT,
            "UserPolicySizeQuota": inline.SIZES["user"],
            "Users": USER.held(view, scope),
            "UsersQuota": _quota(USER),
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
