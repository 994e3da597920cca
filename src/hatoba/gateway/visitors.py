"""Who asks for a page of our own that shows what an AWS operation shows: signed as that would be, and allowed.

The page first carries the operation out under the visitor's name: so the same policies, refusals and counts apply, and
nobody sees by a page what they may not see by a call.
"""

from __future__ import annotations

from typing import Any, cast

from hatoba.aws import models, sigv4
from hatoba.aws.wire import WireRequest
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.gateway import access
from hatoba.gateway.access import Identities
from hatoba.gateway.call import Call, Platform, Principal
from hatoba.gateway.http import Request
from hatoba.gateway.operations import Operations
from hatoba.gateway.path import Settings


class Visitors:
    def __init__(self, platform: Platform, operations: Operations, identities: Identities, settings: Settings) -> None:
        self._platform = platform
        self._operations = operations
        self._identities = identities
        self._settings = settings

    async def ask(
        self, request: Request, service: str, operation: str, scope: Scope, params: dict[str, Any]
    ) -> dict[str, Any]:
        """The operation's answer to whoever signed the request for a page, in `scope` (which must be of their account).

        `service` and `operation` by the SDKs' names. Raises `AwsError`.
        """
        bound = self._operations.find_snake(service, operation)
        principal = self._principal(request, models.load(bound.operation.service).signing_name)
        if principal.account != scope.account:
            raise AwsError(f"The account {principal.account} sees nothing of others.", code="AccessDenied", status=403)
        call = Call(
            self._platform,
            scope=scope,
            service=bound.operation.service,
            operation=bound.operation.name,
            principal=principal,
            request_id=self._platform.ids.uuid(),
            source_ip=request.peer,
            user_agent=request.headers.get("user-agent", ""),
            secure=request.secure,
        )
        return await self._operations.perform(bound, params, call)

    def _principal(self, request: Request, signing_name: str) -> Principal:
        path, _, query = request.target.partition("?")
        wire = WireRequest(method=request.method, path=path, query=query, headers=request.headers)
        if not self._settings.auth:
            return self._believed(request, wire)
        verified = sigv4.verify(wire, self._identities.find, self._platform.clock.now())
        if verified.service != signing_name:
            raise AwsError(
                f"Credential should be scoped to correct service: '{signing_name}'. ",
                code="InvalidSignatureException",
                status=403,
            )
        return cast(Principal, verified.credential.principal)

    def _believed(self, request: Request, wire: WireRequest) -> Principal:
        """With `--auth off`: the root of the account that the key names."""
        if access.foreign_page(request.headers):
            raise AwsError("A page of another site may not look in here.", code="AccessDenied", status=403)
        claim = sigv4.signing_scope(wire)
        key = claim[0] if claim is not None else None
        known = self._identities.find(key) if key is not None else None
        if known is not None:
            return cast(Principal, known.principal)
        return access.root("aws", access.account_of(key, self._settings.account), key)
