"""SAML providers: their metadata, kept and looked at. Assertions are not accepted (`sts`)."""

from __future__ import annotations

import re

from hatoba.aws.shapes import iam as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.iam import views
from hatoba.services.iam.api.room import forget, iam, new, own_tags, put_new
from hatoba.services.iam.model import SAML, SamlProvider, saml_providers
from hatoba.services.iam.plan import saml
from hatoba.store.store import View

LIMIT = 100  # of an account
_ARN = re.compile(r"arn:[\w-]+:iam::\d{12}:saml-provider/([\w._-]+)")


def the_saml_provider(view: View, call: Call, arn: str) -> SamlProvider:
    """Raises NoSuchEntity, and InvalidInput for what is no provider's ARN."""
    named = _ARN.fullmatch(arn)
    if named is None:
        raise t.InvalidInputException(f"Invalid ARN: {arn}")
    provider = SAML.find(view, call.scope, named[1])
    if provider is None or SAML.arn(provider) != arn:
        raise t.NoSuchEntityException(f"SAMLProvider not found for arn {arn}")
    return provider


def _ends(document: str) -> float | None:
    try:
        return saml.ends(document)
    except saml.Unreadable as error:
        raise t.InvalidInputException(f"Could not parse metadata: {error}") from error


def _without_keys(req: t.CreateSAMLProviderRequest | t.UpdateSAMLProviderRequest) -> None:
    if "AddPrivateKey" in req or "RemovePrivateKey" in req:
        raise t.InvalidInputException("Private keys of SAML providers are not supported here.")


@iam.operation
async def create_saml_provider(req: t.CreateSAMLProviderRequest, call: Call) -> t.CreateSAMLProviderResponse:
    _without_keys(req)
    document = req["SAMLMetadataDocument"]
    ends = _ends(document)
    with call.tx() as tx:
        if sum(1 for _ in tx.scan(saml_providers, call.scope.everywhere())) >= LIMIT:
            raise t.LimitExceededException(f"Cannot exceed quota for SAMLProvidersPerAccount: {LIMIT}")
        named = new(call, SAML, {"SamlProviderName": req["Name"]})
        encryption = req.get("AssertionEncryptionMode")
        provider = SamlProvider(**named, metadata=document, ends=ends, encryption=encryption)
        provider = put_new(tx, SAML, provider, req)
    return {"SAMLProviderArn": SAML.arn(provider), "Tags": views.tags(own_tags(call.store, SAML, provider))}


@iam.operation
async def update_saml_provider(req: t.UpdateSAMLProviderRequest, call: Call) -> t.UpdateSAMLProviderResponse:
    _without_keys(req)
    with call.tx() as tx:
        provider = the_saml_provider(tx, call, req["SAMLProviderArn"])
        if "SAMLMetadataDocument" in req:
            document = req["SAMLMetadataDocument"]
            provider = replace(provider, metadata=document, ends=_ends(document))
        tx.put(saml_providers, replace(provider, encryption=req.get("AssertionEncryptionMode", provider.encryption)))
    return {"SAMLProviderArn": SAML.arn(provider)}


@iam.operation
async def get_saml_provider(req: t.GetSAMLProviderRequest, call: Call) -> t.GetSAMLProviderResponse:
    provider = the_saml_provider(call.store, call, req["SAMLProviderArn"])
    shown: t.GetSAMLProviderResponse = {
        "SAMLProviderUUID": provider.unique,
        "SAMLMetadataDocument": provider.metadata,
        "CreateDate": provider.created,
        "Tags": views.tags(own_tags(call.store, SAML, provider)),
    }
    if provider.ends is not None:
        shown["ValidUntil"] = provider.ends
    if provider.encryption is not None:
        shown["AssertionEncryptionMode"] = "Required" if provider.encryption == "Required" else "Allowed"
    return shown


@iam.operation
async def list_saml_providers(req: object, call: Call) -> t.ListSAMLProvidersResponse:
    return {"SAMLProviderList": [_listed(each) for each in call.store.scan(saml_providers, call.scope.everywhere())]}


def _listed(provider: SamlProvider) -> t.SAMLProviderListEntry:
    shown: t.SAMLProviderListEntry = {"Arn": SAML.arn(provider), "CreateDate": provider.created}
    if provider.ends is not None:
        shown["ValidUntil"] = provider.ends
    return shown


@iam.operation
async def delete_saml_provider(req: t.DeleteSAMLProviderRequest, call: Call) -> None:
    with call.tx() as tx:
        forget(tx, SAML, the_saml_provider(tx, call, req["SAMLProviderArn"]))
