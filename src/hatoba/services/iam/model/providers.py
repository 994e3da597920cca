"""Who vouches for identities: OpenID providers and SAML providers."""

from __future__ import annotations

import msgspec

from hatoba.core.records import Record
from hatoba.core.secret import Secret
from hatoba.services.iam.model.named import Kind, Named
from hatoba.store import Table


class OidcProvider(Record, frozen=True, kw_only=True):
    """Who vouches for identities with tokens. The id is its URL without `https://`."""

    clients: tuple[str, ...] = ()  # audiences
    thumbprints: tuple[str, ...] = ()
    created: float

    @property
    def arn(self) -> str:
        return f"arn:{self.key.partition}:iam::{self.key.account}:oidc-provider/{self.id}"


class SamlKey(msgspec.Struct, frozen=True, kw_only=True):
    """With which a provider's encrypted assertions are opened."""

    id: str
    key: Secret  # PEM, PKCS #8
    added: float


class SamlProvider(Named, frozen=True, kw_only=True):
    metadata: str  # XML
    ends: float | None = None
    encryption: str | None = None
    keys: tuple[SamlKey, ...] = ()  # the newest last


oidc_providers = Table("iam.oidc_providers", OidcProvider)
saml_providers: Table[SamlProvider] = Table("iam.saml_providers", SamlProvider)

SAML = Kind(
    noun="saml provider",
    table=saml_providers,
    resource="saml-provider",
    prefix="ASSP",
    absent="SAMLProvider not found for arn {name}",
    taken="SAMLProvider {name} already exists.",
    quota=("SAMLProvidersPerAccount", 100),
)
