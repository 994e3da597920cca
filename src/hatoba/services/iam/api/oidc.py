"""OpenID Connect providers: who may vouch for identities that assume roles with a token.

Thumbprints are what their users were told of the provider's certificate; none are needed where the machine trusts it
anyway (`sts.oidc` asks the provider, when a token comes).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from hatoba.aws.shapes import iam as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import forget_tags, tags_of
from hatoba.services.iam import views
from hatoba.services.iam.api.room import iam, put_tags
from hatoba.services.iam.model import OidcProvider, exceeded, oidc_providers
from hatoba.store.store import View

CLIENTS, THUMBPRINTS = 100, 5  # of a provider
LIMIT = 100  # providers of an account
_ARN = re.compile(r"arn:[\w-]+:iam::\d{12}:oidc-provider/(.+)")
_URL = re.compile(r"https://[!-~]+")


def the_oidc_provider(view: View, call: Call, arn: str) -> OidcProvider:
    """Raises NoSuchEntity, and InvalidInput for what is no provider's ARN."""
    named = _ARN.fullmatch(arn)
    if named is None:
        raise t.InvalidInputException(f"Invalid ARN: {arn}")
    provider = view.find(oidc_providers, call.scope.everywhere(), named[1])
    if provider is None or provider.arn != arn:
        raise t.NoSuchEntityException(f"OpenIDConnect Provider not found for arn {arn}")
    return provider


def _name(url: str) -> str:
    """The URL without its scheme. Raises ValidationError."""
    try:
        parts = urlsplit(url)
        sound = parts.hostname and parts.port != 0 and parts.username is None and not parts.query + parts.fragment
    except ValueError:
        sound = False
    if not sound or not _URL.fullmatch(url):
        raise AwsError("Invalid Open ID Connect Provider URL", code="ValidationError")
    return url.removeprefix("https://")


def _thumbprints(given: Sequence[str]) -> tuple[str, ...]:
    if len(given) > THUMBPRINTS:
        raise t.InvalidInputException(f"Thumbprint list must contain no more than {THUMBPRINTS} entries.")
    return tuple(given)


def _clients(given: Sequence[str]) -> tuple[str, ...]:
    unlike = tuple(dict.fromkeys(given))
    if len(unlike) > CLIENTS:
        raise t.LimitExceededException(f"Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {CLIENTS}")
    return unlike


@iam.operation
async def create_open_id_connect_provider(
    req: t.CreateOpenIDConnectProviderRequest, call: Call
) -> t.CreateOpenIDConnectProviderResponse:
    name, scope = _name(req["Url"]), call.scope.everywhere()
    with call.tx() as tx:
        if tx.find(oidc_providers, scope, name) is not None:
            raise t.EntityAlreadyExistsException(f"Provider with url {req['Url']} already exists.")
        if tx.size(oidc_providers, scope) >= LIMIT:
            raise exceeded("OpenIdConnectProvidersPerAccount", LIMIT)
        provider = OidcProvider(
            key=oidc_providers.key(scope, name),
            clients=_clients(req.get("ClientIDList", ())),
            thumbprints=_thumbprints(req.get("ThumbprintList", ())),
            created=call.now,
        )
        tx.put(oidc_providers, provider)
        put_tags(tx, scope, provider.arn, req.get("Tags", ()))
    return {
        "OpenIDConnectProviderArn": provider.arn,
        "Tags": views.tags(tags_of(call.store, provider.scope, provider.arn)),
    }


@iam.operation
async def get_open_id_connect_provider(
    req: t.GetOpenIDConnectProviderRequest, call: Call
) -> t.GetOpenIDConnectProviderResponse:
    provider = the_oidc_provider(call.store, call, req["OpenIDConnectProviderArn"])
    return {
        "Url": provider.id,
        "ClientIDList": list(provider.clients),
        "ThumbprintList": list(provider.thumbprints),
        "CreateDate": provider.created,
        "Tags": views.tags(tags_of(call.store, provider.scope, provider.arn)),
    }


@iam.operation
async def list_open_id_connect_providers(
    req: t.ListOpenIDConnectProvidersRequest, call: Call
) -> t.ListOpenIDConnectProvidersResponse:
    known = call.store.scan(oidc_providers, call.scope.everywhere())
    return {"OpenIDConnectProviderList": [{"Arn": provider.arn} for provider in known]}


@iam.operation
async def add_client_id_to_open_id_connect_provider(
    req: t.AddClientIDToOpenIDConnectProviderRequest, call: Call
) -> None:
    with call.tx() as tx:
        provider = the_oidc_provider(tx, call, req["OpenIDConnectProviderArn"])
        tx.put(oidc_providers, replace(provider, clients=_clients((*provider.clients, req["ClientID"]))))


@iam.operation
async def remove_client_id_from_open_id_connect_provider(
    req: t.RemoveClientIDFromOpenIDConnectProviderRequest, call: Call
) -> None:
    with call.tx() as tx:
        provider = the_oidc_provider(tx, call, req["OpenIDConnectProviderArn"])
        left = tuple(client for client in provider.clients if client != req["ClientID"])
        tx.put(oidc_providers, replace(provider, clients=left))


@iam.operation
async def update_open_id_connect_provider_thumbprint(
    req: t.UpdateOpenIDConnectProviderThumbprintRequest, call: Call
) -> None:
    with call.tx() as tx:
        provider = the_oidc_provider(tx, call, req["OpenIDConnectProviderArn"])
        tx.put(oidc_providers, replace(provider, thumbprints=_thumbprints(req["ThumbprintList"])))


@iam.operation
async def delete_open_id_connect_provider(req: t.DeleteOpenIDConnectProviderRequest, call: Call) -> None:
    """One that is not there is deleted already, as IAM has it."""
    with call.tx() as tx:
        try:
            provider = the_oidc_provider(tx, call, req["OpenIDConnectProviderArn"])
        except t.NoSuchEntityException:
            return
        tx.forget(oidc_providers, provider.key)
        forget_tags(tx, provider.scope, provider.arn)
