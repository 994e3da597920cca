"""SAML providers: their metadata, and the keys that open what they encrypt. Assertions are `sts`'s business."""

from __future__ import annotations

import asyncio
import re

from hatoba.aws.shapes import iam as t
from hatoba.core.records import replace
from hatoba.core.secret import Secret
from hatoba.gateway.call import Call
from hatoba.services.iam import views
from hatoba.services.iam.api.room import forget, iam, new, own_tags, put_new
from hatoba.services.iam.model import SAML, SamlKey, SamlProvider, exceeded, saml_providers, unique_id
from hatoba.services.iam.plan import saml, samlkeys
from hatoba.store.store import View

KEYS = 2  # of one provider
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
    except saml.TooManyKeys:
        raise exceeded("KeysPerSAMLProvider", saml.MOST_KEYS) from None


async def _new_key(req: t.CreateSAMLProviderRequest | t.UpdateSAMLProviderRequest, call: Call) -> tuple[SamlKey, ...]:
    """The one that comes with the request. A long one takes its time to check: not on the loop."""
    if "AddPrivateKey" not in req:
        return ()
    try:
        key = await asyncio.to_thread(samlkeys.read, req["AddPrivateKey"])
    except samlkeys.Unusable as error:
        raise t.InvalidInputException(str(error)) from error
    return (SamlKey(id=call.ids.hex(32).upper(), key=Secret(key), added=call.now),)


def _checked(provider: SamlProvider) -> SamlProvider:
    if provider.encryption == "Required" and not provider.keys:
        raise t.InvalidInputException(
            "Unable to set assertion encryption mode to Required because no private key is provided."
        )
    return provider


@iam.operation
async def create_saml_provider(req: t.CreateSAMLProviderRequest, call: Call) -> t.CreateSAMLProviderResponse:
    document = req["SAMLMetadataDocument"]
    ends, keys = _ends(document), await _new_key(req, call)
    with call.tx() as tx:
        provider = SamlProvider(
            **{
                **new(call, SAML, {"SamlProviderName": req["Name"]}),
                "unique": unique_id(call.ids, SAML.prefix, 18),  # at least 22 characters, as the model has it
            },
            metadata=document,
            ends=ends,
            encryption=req.get("AssertionEncryptionMode"),
            keys=keys,
        )
        provider = put_new(tx, SAML, _checked(provider), req)
    return {"SAMLProviderArn": SAML.arn(provider), "Tags": views.tags(own_tags(call.store, SAML, provider))}


@iam.operation
async def update_saml_provider(req: t.UpdateSAMLProviderRequest, call: Call) -> t.UpdateSAMLProviderResponse:
    if len(req) == 1:
        raise t.InvalidInputException(
            "Unable to update identity provider. No updates are defined for metadata or encryption assertion."
        )
    if "AddPrivateKey" in req and "RemovePrivateKey" in req:
        raise t.InvalidInputException(
            "Unable to add and remove private keys in the same request. Set a value for only one of the two parameters."
        )
    added = await _new_key(req, call)
    with call.tx() as tx:
        provider = the_saml_provider(tx, call, req["SAMLProviderArn"])
        if "SAMLMetadataDocument" in req:
            document = req["SAMLMetadataDocument"]
            provider = replace(provider, metadata=document, ends=_ends(document))
        encryption = req.get("AssertionEncryptionMode", provider.encryption)
        provider = replace(provider, encryption=encryption, keys=_keys(req, provider, added))
        tx.put(saml_providers, _checked(provider))
    return {"SAMLProviderArn": SAML.arn(provider)}


def _keys(req: t.UpdateSAMLProviderRequest, provider: SamlProvider, added: tuple[SamlKey, ...]) -> tuple[SamlKey, ...]:
    if len(provider.keys) + len(added) > KEYS:
        raise t.LimitExceededException(f"Private key limit of {KEYS} is reached.")
    if "RemovePrivateKey" not in req:
        return (*provider.keys, *added)
    left = tuple(key for key in provider.keys if key.id != req["RemovePrivateKey"])
    if len(left) == len(provider.keys):
        raise t.InvalidInputException("Failed to remove private key because the Key ID does not match a private key.")
    if not left and req.get("AssertionEncryptionMode", provider.encryption) == "Required":
        raise t.InvalidInputException("Failed to remove private key. Encryption is required, which needs one.")
    return left


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
    if provider.keys:
        shown["PrivateKeyList"] = [{"KeyId": key.id, "Timestamp": key.added} for key in provider.keys]
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
