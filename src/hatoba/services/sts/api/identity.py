"""Who asks, whose key it is, and why somebody was refused."""

from __future__ import annotations

from typing import cast

from hatoba.aws.shapes import sts as t
from hatoba.core.verdicts import NotOurs, Verdicts
from hatoba.gateway.access import Identities
from hatoba.gateway.call import Call, Principal
from hatoba.services.sts.api.room import sts
from hatoba.services.sts.plan.limits import invalid


@sts.operation
async def get_caller_identity(req: t.GetCallerIdentityRequest, call: Call) -> t.GetCallerIdentityResponse:
    return {"UserId": call.principal.id, "Account": call.principal.account, "Arn": call.principal.arn}


@sts.operation
async def get_access_key_info(req: t.GetAccessKeyInfoRequest, call: Call) -> t.GetAccessKeyInfoResponse:
    """The account of a key that works now."""
    identities: Identities = call.get(Identities)  # type: ignore[type-abstract]
    found = identities.find(req["AccessKeyId"])
    if found is None:
        raise invalid("Access key ID is invalid.")
    return {"Account": cast(Principal, found.principal).account}


@sts.operation
async def decode_authorization_message(
    req: t.DecodeAuthorizationMessageRequest, call: Call
) -> t.DecodeAuthorizationMessageResponse:
    try:
        return {"DecodedMessage": call.get(Verdicts).decode(call.scope.account, req["EncodedMessage"])}
    except NotOurs:
        raise t.InvalidAuthorizationMessageException("Message is not valid") from None
