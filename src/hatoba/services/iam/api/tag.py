"""Tags of everything that has some: the same three operations for each.

They differ in nothing but how a request names the thing (`Find`): by its name, its ARN or its serial number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hatoba.aws.shapes import iam as t
from hatoba.gateway.call import Call
from hatoba.gateway.tags import tags_of
from hatoba.services.iam.api.mfa import the_device
from hatoba.services.iam.api.oidc import the_oidc_provider
from hatoba.services.iam.api.room import drop_tags, iam, marked_page, put_tags, truncated
from hatoba.services.iam.api.saml import the_saml_provider
from hatoba.services.iam.model import CERTIFICATE, MFA, POLICY, PROFILE, ROLE, SAML, USER, Kind, Named, the_policy
from hatoba.store.store import View

N = TypeVar("N", bound=Named)
Find = Callable[[View, Call, Mapping[str, Any]], str]  # the ARN of what a request names; raises NoSuchEntity


def _named(kind: Kind[N]) -> Find:
    return lambda view, call, req: kind.arn(kind.the(view, call.scope, req[f"{kind.title}Name"]))


_USER, _ROLE, _PROFILE, _CERTIFICATE = _named(USER), _named(ROLE), _named(PROFILE), _named(CERTIFICATE)


def _policy(view: View, call: Call, req: Mapping[str, Any]) -> str:
    return POLICY.arn(the_policy(view, call.scope, req["PolicyArn"]))


def _device(view: View, call: Call, req: Mapping[str, Any]) -> str:
    return MFA.arn(the_device(view, call, req["SerialNumber"]))


def _oidc(view: View, call: Call, req: Mapping[str, Any]) -> str:
    return the_oidc_provider(view, call, req["OpenIDConnectProviderArn"]).arn


def _saml(view: View, call: Call, req: Mapping[str, Any]) -> str:
    return SAML.arn(the_saml_provider(view, call, req["SAMLProviderArn"]))


def _tag(call: Call, find: Find, req: Mapping[str, Any]) -> None:
    with call.tx() as tx:
        put_tags(tx, call.scope.everywhere(), find(tx, call, req), req["Tags"])


def _untag(call: Call, find: Find, req: Mapping[str, Any]) -> None:
    with call.tx() as tx:
        drop_tags(tx, call.scope.everywhere(), find(tx, call, req), req["TagKeys"])


def _listed(call: Call, find: Find, req: Mapping[str, Any]) -> t.ListRoleTagsResponse:
    """All lists look alike."""
    arn = find(call.store, call, req)
    own = tags_of(call.store, call.scope.everywhere(), arn)
    page, marker = marked_page(call, sorted(own), req, lambda key: key, arn)
    return {"Tags": [{"Key": key, "Value": own[key]} for key in page], **truncated(marker)}


# --- users


@iam.operation
async def tag_user(req: t.TagUserRequest, call: Call) -> None:
    _tag(call, _USER, req)


@iam.operation
async def untag_user(req: t.UntagUserRequest, call: Call) -> None:
    _untag(call, _USER, req)


@iam.operation
async def list_user_tags(req: t.ListUserTagsRequest, call: Call) -> t.ListRoleTagsResponse:
    return _listed(call, _USER, req)


# --- roles


@iam.operation
async def tag_role(req: t.TagRoleRequest, call: Call) -> None:
    _tag(call, _ROLE, req)


@iam.operation
async def untag_role(req: t.UntagRoleRequest, call: Call) -> None:
    _untag(call, _ROLE, req)


@iam.operation
async def list_role_tags(req: t.ListRoleTagsRequest, call: Call) -> t.ListRoleTagsResponse:
    return _listed(call, _ROLE, req)


# --- policies


@iam.operation
async def tag_policy(req: t.TagPolicyRequest, call: Call) -> None:
    _tag(call, _policy, req)


@iam.operation
async def untag_policy(req: t.UntagPolicyRequest, call: Call) -> None:
    _untag(call, _policy, req)


@iam.operation
async def list_policy_tags(req: t.ListPolicyTagsRequest, call: Call) -> t.ListRoleTagsResponse:
    return _listed(call, _policy, req)


# --- instance profiles


@iam.operation
async def tag_instance_profile(req: t.TagInstanceProfileRequest, call: Call) -> None:
    _tag(call, _PROFILE, req)


@iam.operation
async def untag_instance_profile(req: t.UntagInstanceProfileRequest, call: Call) -> None:
    _untag(call, _PROFILE, req)


@iam.operation
async def list_instance_profile_tags(req: t.ListInstanceProfileTagsRequest, call: Call) -> t.ListRoleTagsResponse:
    return _listed(call, _PROFILE, req)


# --- server certificates


@iam.operation
async def tag_server_certificate(req: t.TagServerCertificateRequest, call: Call) -> None:
    _tag(call, _CERTIFICATE, req)


@iam.operation
async def untag_server_certificate(req: t.UntagServerCertificateRequest, call: Call) -> None:
    _untag(call, _CERTIFICATE, req)


@iam.operation
async def list_server_certificate_tags(req: t.ListServerCertificateTagsRequest, call: Call) -> t.ListRoleTagsResponse:
    return _listed(call, _CERTIFICATE, req)


# --- second factors


@iam.operation
async def tag_mfa_device(req: t.TagMFADeviceRequest, call: Call) -> None:
    _tag(call, _device, req)


@iam.operation
async def untag_mfa_device(req: t.UntagMFADeviceRequest, call: Call) -> None:
    _untag(call, _device, req)


@iam.operation
async def list_mfa_device_tags(req: t.ListMFADeviceTagsRequest, call: Call) -> t.ListRoleTagsResponse:
    return _listed(call, _device, req)


# --- OpenID providers


@iam.operation
async def tag_open_id_connect_provider(req: t.TagOpenIDConnectProviderRequest, call: Call) -> None:
    _tag(call, _oidc, req)


@iam.operation
async def untag_open_id_connect_provider(req: t.UntagOpenIDConnectProviderRequest, call: Call) -> None:
    _untag(call, _oidc, req)


@iam.operation
async def list_open_id_connect_provider_tags(
    req: t.ListOpenIDConnectProviderTagsRequest, call: Call
) -> t.ListRoleTagsResponse:
    return _listed(call, _oidc, req)


# --- SAML providers


@iam.operation
async def tag_saml_provider(req: t.TagSAMLProviderRequest, call: Call) -> None:
    _tag(call, _saml, req)


@iam.operation
async def untag_saml_provider(req: t.UntagSAMLProviderRequest, call: Call) -> None:
    _untag(call, _saml, req)


@iam.operation
async def list_saml_provider_tags(req: t.ListSAMLProviderTagsRequest, call: Call) -> t.ListRoleTagsResponse:
    return _listed(call, _saml, req)
