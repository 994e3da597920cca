"""What IAM's operations need to be allowed.

Users, groups and roles are needed by their whole ARNs, paths included; what is not there by the name that it is given.
Lists are needed as the path that they are of (`user/`, `role/team/`), as IAM's refusals show. Sources: the service
authorisation reference, "AWS Identity and Access Management"; the user guide, "IAM and AWS STS condition context keys",
"Tags for IAM resources"; the references of UpdateUser and UpdateGroup.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hatoba.gateway.call import Call
from hatoba.gateway.needs import (
    EVERYTHING,
    Access,
    Extra,
    Keys,
    Need,
    Params,
    Passed,
    Rule,
    Values,
    all_of,
    on,
    pass_role,
    tag_keys,
    untagged,
    when,
)
from hatoba.gateway.tags import tags_of
from hatoba.services.iam.model import (
    CERTIFICATE,
    GROUP,
    POLICY,
    PROFILE,
    ROLE,
    USER,
    Kind,
    Principal,
    service_credentials,
)
from hatoba.services.iam.naming import linked_role
from hatoba.services.iam.targets import (
    Find,
    arn_of,
    by_name,
    new,
    new_device,
    new_oidc,
    new_saml,
    of_device,
    of_key,
    policy,
    renamed,
    said,
    under,
)

MACHINES = "ec2.amazonaws.com"  # whom instance profiles hand roles to


# --- rules


def at(find: Find, *, action: str | None = None, keys: Extra | None = None, bounded: bool = False) -> Rule:
    """The action on what is found, with its tags. `bounded`: what may be asked of its permissions boundary, too."""

    def rule(own: str, req: Params, call: Call) -> Iterator[Need]:
        target = find(req, call)
        known: dict[str, Values] = dict(keys(req, call)) if keys is not None else {}
        if bounded and isinstance(target.record, Principal) and target.record.boundary is not None:
            known["iam:PermissionsBoundary"] = target.record.boundary
        if target.resource != EVERYTHING:
            tags = tags_of(call.store, call.scope.everywhere(), target.resource)
            known |= {f"iam:ResourceTag/{key}": value for key, value in tags.items()}
        yield Need(action=action or own, resource=target.resource, keys=known)

    return rule


def making(kind: Kind[Any]) -> Rule:
    return tagged(new(kind), f"iam:Tag{kind.title}")


def tagged(find: Find, action: str) -> Rule:
    """With tags, the right to tag as well."""
    return all_of(at(find, keys=of_new), when(lambda req: req.get("Tags"), at(find, action=action, keys=of_new)))


def renaming(kind: Kind[Any]) -> Rule:
    both = all_of(at(by_name(kind)), at(renamed(kind)))

    def rule(action: str, req: Params, call: Call) -> Iterator[Need]:
        seen = set()
        for need in both(action, req, call):
            if need.resource not in seen:
                seen.add(need.resource)
                yield need

    return rule


def linked(action: str, req: Params, call: Call) -> Iterator[Need]:
    service = str(req.get("AWSServiceName") or "")
    name = linked_role(service, req.get("CustomSuffix"))
    yield _of_linked(action, call, service, name)


def unlinked(action: str, req: Params, call: Call) -> Iterator[Need]:
    target = ROLES(req, call)
    path = target.record.path if target.record is not None else ""
    keys = {"iam:AWSServiceName": path.split("/")[2]} if path.startswith("/aws-service-role/") else {}
    yield Need(action=action, resource=target.resource, keys=keys)


def deletion(action: str, req: Params, call: Call) -> Iterator[Need]:
    """`task/aws-service-role/<service>/<role>/<id>`."""
    parts = str(req.get("DeletionTaskId") or "").split("/")
    if len(parts) == 5:
        yield _of_linked(action, call, parts[2], parts[3])
    else:
        yield Need(action=action)


def _of_linked(action: str, call: Call, service: str, name: str) -> Need:
    resource = arn_of(call, f"role/aws-service-role/{service}/{name}")
    return Need(action=action, resource=resource, keys={"iam:AWSServiceName": service})


def handing_over(action: str, req: Params, call: Call) -> Iterator[Need]:
    """A role, to the machines that have the instance profile."""
    role = ROLES(req, call).resource
    yield from pass_role({"role": role}, Passed(member="role", to=MACHINES))


# --- condition keys


def of_new(req: Params, call: Call) -> Keys:
    boundary = req.get("PermissionsBoundary")
    return {**({"iam:PermissionsBoundary": boundary} if boundary else {}), **tag_keys(req.get("Tags"))}


def bounding(req: Params, call: Call) -> Keys:
    return {"iam:PermissionsBoundary": str(req.get("PermissionsBoundary") or "")}


def attached(req: Params, call: Call) -> Keys:
    return {"iam:PolicyARN": str(req.get("PolicyArn") or "")}


def of_service(req: Params, call: Call) -> Keys:
    """Of credentials for one service, where the request says which."""
    days = req.get("CredentialAgeDays")
    return {
        "iam:ServiceSpecificCredentialServiceName": str(req.get("ServiceName") or ""),
        **({"iam:ServiceSpecificCredentialAgeDays": str(days)} if days is not None else {}),
    }


def of_credential(req: Params, call: Call) -> Keys:
    """Likewise, where it names one."""
    id_ = str(req.get("ServiceSpecificCredentialId") or "")
    record = call.store.find(service_credentials, call.scope.everywhere(), id_)
    return {"iam:ServiceSpecificCredentialServiceName": record.service} if record is not None else {}


def given(req: Params, call: Call) -> Keys:
    return tag_keys(req.get("Tags"))


# --- the table

USERS, GROUPS, ROLES, PROFILES = by_name(USER), by_name(GROUP), by_name(ROLE), by_name(PROFILE)
GROUP_, ROLE_, USER_, POLICY_, PROFILE_ = at(GROUPS), at(ROLES), at(USERS), at(policy), at(PROFILES)
GONE = untagged("TagKeys")

ACCOUNT = {
    "CreateAccountAlias": on(),
    "DeleteAccountAlias": on(),
    "DeleteAccountPasswordPolicy": on(),
    "GenerateCredentialReport": on(),
    "GenerateOrganizationsAccessReport": on(),
    "GenerateServiceLastAccessedDetails": at(said("Arn")),
    "GetAccountAuthorizationDetails": on(),
    "GetAccountPasswordPolicy": on(),
    "GetAccountSummary": on(),
    "GetCredentialReport": on(),
    "GetOrganizationsAccessReport": on(),
    "GetServiceLastAccessedDetails": on(),
    "GetServiceLastAccessedDetailsWithEntities": on(),
    "ListAccountAliases": on(),
    "ListPoliciesGrantingServiceAccess": at(said("Arn")),
    "SetSecurityTokenServicePreferences": on(),
    "UpdateAccountPasswordPolicy": on(),
}
POLICIES = {
    "CreatePolicy": making(POLICY),
    "CreatePolicyVersion": POLICY_,
    "DeletePolicy": POLICY_,
    "DeletePolicyVersion": POLICY_,
    "GetPolicy": POLICY_,
    "GetPolicyVersion": POLICY_,
    "ListEntitiesForPolicy": POLICY_,
    "ListPolicies": on(),
    "ListPolicyTags": POLICY_,
    "ListPolicyVersions": POLICY_,
    "SetDefaultPolicyVersion": POLICY_,
    "TagPolicy": at(policy, keys=given),
    "UntagPolicy": at(policy, keys=GONE),
}
OF_USERS = {
    "AttachUserPolicy": at(USERS, keys=attached, bounded=True),
    "ChangePassword": USER_,
    "CreateAccessKey": USER_,
    "CreateLoginProfile": USER_,
    "CreateServiceSpecificCredential": at(USERS, keys=of_service),
    "CreateUser": making(USER),
    "DeleteAccessKey": USER_,
    "DeleteLoginProfile": USER_,
    "DeleteSSHPublicKey": USER_,
    "DeleteServiceSpecificCredential": at(USERS, keys=of_credential),
    "DeleteSigningCertificate": USER_,
    "DeleteUser": USER_,
    "DeleteUserPermissionsBoundary": at(USERS, bounded=True),
    "DeleteUserPolicy": at(USERS, bounded=True),
    "DetachUserPolicy": at(USERS, keys=attached, bounded=True),
    "GetAccessKeyLastUsed": at(of_key),
    "GetLoginProfile": USER_,
    "GetSSHPublicKey": USER_,
    "GetUser": USER_,
    "GetUserPolicy": USER_,
    "ListAccessKeys": USER_,
    "ListAttachedUserPolicies": USER_,
    "ListGroupsForUser": USER_,
    "ListUserPolicies": USER_,
    "ListSSHPublicKeys": USER_,
    "ListServiceSpecificCredentials": USER_,
    "ListSigningCertificates": USER_,
    "ListUserTags": USER_,
    "ListUsers": at(under(USER)),
    "PutUserPermissionsBoundary": at(USERS, keys=bounding),
    "PutUserPolicy": at(USERS, bounded=True),
    "ResetServiceSpecificCredential": at(USERS, keys=of_credential),
    "TagUser": at(USERS, keys=given),
    "UntagUser": at(USERS, keys=GONE),
    "UpdateAccessKey": USER_,
    "UpdateLoginProfile": USER_,
    "UpdateSSHPublicKey": USER_,
    "UpdateServiceSpecificCredential": at(USERS, keys=of_credential),
    "UpdateSigningCertificate": USER_,
    "UpdateUser": renaming(USER),
    "UploadSSHPublicKey": USER_,
    "UploadSigningCertificate": USER_,
}
CERTIFICATES = by_name(CERTIFICATE)
OF_CERTIFICATES = {
    "DeleteServerCertificate": at(CERTIFICATES),
    "GetServerCertificate": at(CERTIFICATES),
    "ListServerCertificateTags": at(CERTIFICATES),
    "ListServerCertificates": on(),
    "TagServerCertificate": at(CERTIFICATES, keys=given),
    "UntagServerCertificate": at(CERTIFICATES, keys=GONE),
    "UpdateServerCertificate": renaming(CERTIFICATE),
    "UploadServerCertificate": making(CERTIFICATE),
}
OF_GROUPS = {
    "AddUserToGroup": GROUP_,
    "AttachGroupPolicy": at(GROUPS, keys=attached),
    "CreateGroup": at(new(GROUP)),
    "DeleteGroup": GROUP_,
    "DeleteGroupPolicy": GROUP_,
    "DetachGroupPolicy": at(GROUPS, keys=attached),
    "GetGroup": GROUP_,
    "GetGroupPolicy": GROUP_,
    "ListAttachedGroupPolicies": GROUP_,
    "ListGroupPolicies": GROUP_,
    "ListGroups": at(under(GROUP)),
    "PutGroupPolicy": GROUP_,
    "RemoveUserFromGroup": GROUP_,
    "UpdateGroup": renaming(GROUP),
}
OF_ROLES = {
    "AttachRolePolicy": at(ROLES, keys=attached, bounded=True),
    "CreateRole": making(ROLE),
    "CreateServiceLinkedRole": linked,
    "DeleteRole": ROLE_,
    "DeleteRolePermissionsBoundary": at(ROLES, bounded=True),
    "DeleteRolePolicy": at(ROLES, bounded=True),
    "DeleteServiceLinkedRole": unlinked,
    "DetachRolePolicy": at(ROLES, keys=attached, bounded=True),
    "GetRole": ROLE_,
    "GetRolePolicy": ROLE_,
    "GetServiceLinkedRoleDeletionStatus": deletion,
    "ListAttachedRolePolicies": ROLE_,
    "ListInstanceProfilesForRole": ROLE_,
    "ListRolePolicies": ROLE_,
    "ListRoleTags": ROLE_,
    "ListRoles": at(under(ROLE)),
    "PutRolePermissionsBoundary": at(ROLES, keys=bounding),
    "PutRolePolicy": at(ROLES, bounded=True),
    "TagRole": at(ROLES, keys=given),
    "UntagRole": at(ROLES, keys=GONE),
    "UpdateAssumeRolePolicy": ROLE_,
    "UpdateRole": ROLE_,
    "UpdateRoleDescription": ROLE_,
}
OF_PROFILES = {
    "AddRoleToInstanceProfile": all_of(PROFILE_, handing_over),
    "CreateInstanceProfile": making(PROFILE),
    "DeleteInstanceProfile": PROFILE_,
    "GetInstanceProfile": PROFILE_,
    "ListInstanceProfileTags": PROFILE_,
    "ListInstanceProfiles": at(under(PROFILE)),
    "RemoveRoleFromInstanceProfile": PROFILE_,
    "TagInstanceProfile": at(PROFILES, keys=given),
    "UntagInstanceProfile": at(PROFILES, keys=GONE),
}

DEVICE, OIDC, SAML = said("SerialNumber"), said("OpenIDConnectProviderArn"), said("SAMLProviderArn")
OF_DEVICES = {
    "CreateVirtualMFADevice": tagged(new_device, "iam:TagMFADevice"),
    "DeactivateMFADevice": USER_,
    "DeleteVirtualMFADevice": at(DEVICE),
    "EnableMFADevice": USER_,
    "GetMFADevice": at(of_device),
    "ListMFADeviceTags": at(DEVICE),
    "ListMFADevices": USER_,
    "ListVirtualMFADevices": on(),
    "ResyncMFADevice": USER_,
    "TagMFADevice": at(DEVICE, keys=given),
    "UntagMFADevice": at(DEVICE, keys=GONE),
}
OF_PROVIDERS = {
    "AddClientIDToOpenIDConnectProvider": at(OIDC),
    "CreateOpenIDConnectProvider": tagged(new_oidc, "iam:TagOpenIDConnectProvider"),
    "DeleteOpenIDConnectProvider": at(OIDC),
    "GetOpenIDConnectProvider": at(OIDC),
    "ListOpenIDConnectProviderTags": at(OIDC),
    "ListOpenIDConnectProviders": on(),
    "RemoveClientIDFromOpenIDConnectProvider": at(OIDC),
    "TagOpenIDConnectProvider": at(OIDC, keys=given),
    "UntagOpenIDConnectProvider": at(OIDC, keys=GONE),
    "UpdateOpenIDConnectProviderThumbprint": at(OIDC),
    "CreateSAMLProvider": tagged(new_saml, "iam:TagSAMLProvider"),
    "DeleteSAMLProvider": at(SAML),
    "GetSAMLProvider": at(SAML),
    "ListSAMLProviderTags": at(SAML),
    "ListSAMLProviders": on(),
    "TagSAMLProvider": at(SAML, keys=given),
    "UntagSAMLProvider": at(SAML, keys=GONE),
    "UpdateSAMLProvider": at(SAML),
}

SOURCE = said("PolicySourceArn")
TRIED = {
    "GetContextKeysForCustomPolicy": on(),
    "GetContextKeysForPrincipalPolicy": at(SOURCE),
    "SimulateCustomPolicy": on(),
    "SimulatePrincipalPolicy": at(SOURCE),
}

ACCESS = Access(
    "iam",
    {
        **ACCOUNT,
        **POLICIES,
        **OF_USERS,
        **OF_GROUPS,
        **OF_ROLES,
        **OF_PROFILES,
        **OF_CERTIFICATES,
        **OF_DEVICES,
        **OF_PROVIDERS,
        **TRIED,
    },
)
