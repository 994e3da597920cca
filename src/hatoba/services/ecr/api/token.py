"""GetAuthorizationToken: what `docker login` is given."""

from __future__ import annotations

from hatoba.aws.shapes import ecr as t
from hatoba.gateway.call import Call
from hatoba.services.ecr.api.room import ecr, registry, scope_of


@ecr.operation
async def get_authorization_token(req: t.GetAuthorizationTokenRequest, call: Call) -> t.GetAuthorizationTokenResponse:
    """One token per registry that was asked for (deprecated by AWS: one token opens all that its principal may use)."""
    here = registry(call)
    data: list[t.AuthorizationData] = []
    for account in req.get("registryIds", [call.scope.account]):
        scope = scope_of(call, {"registryId": account})
        token, expires = here.tokens.token(call.principal)
        data.append(
            {
                "authorizationToken": token,
                "expiresAt": expires,
                "proxyEndpoint": here.naming.proxy_endpoint(scope),
            }
        )
    return {"authorizationData": data}
