"""Sessions of users themselves: with a second factor, or for somebody whom they vouch for."""

from __future__ import annotations

from hatoba.aws.shapes import sts as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call, Principal, SessionContext
from hatoba.services.sts.api.room import HOUR, context, issue, show_factor, sts
from hatoba.services.sts.plan.limits import packed, wish


def _with_own_keys(call: Call) -> Principal:
    """A user or root, with keys that do not expire. Raises AccessDenied."""
    if call.principal.kind not in ("root", "user") or call.principal.session is not None:
        raise AwsError(f"Cannot call {call.operation} with session credentials", code="AccessDenied", status=403)
    return call.principal


def _seconds(principal: Principal, asked: int) -> int:
    """Those of root last an hour at most."""
    return min(asked, HOUR) if principal.kind == "root" else asked


@sts.operation
async def get_session_token(req: t.GetSessionTokenRequest, call: Call) -> t.GetSessionTokenResponse:
    own = _with_own_keys(call)
    at = call.now if show_factor(call, req) else None
    principal = replace(own, session=SessionContext(issued=call.now, mfa_at=at))
    return {"Credentials": issue(call, principal, _seconds(own, req.get("DurationSeconds", 12 * HOUR)), req)}


@sts.operation
async def get_federation_token(req: t.GetFederationTokenRequest, call: Call) -> t.GetFederationTokenResponse:
    """May do what both the user and the session's policies allow: nothing without any."""
    own, name = _with_own_keys(call), req["Name"]
    wished = wish(req)
    size = packed(wished)
    arn, id_ = f"arn:{call.scope.partition}:sts::{own.account}:federated-user/{name}", f"{own.account}:{name}"
    held = context(call, wished, user=own.arn)
    principal = Principal(kind="federated", account=own.account, arn=arn, id=id_, session=held)
    return {
        "Credentials": issue(call, principal, _seconds(own, req.get("DurationSeconds", 12 * HOUR)), req),
        "FederatedUser": {"FederatedUserId": id_, "Arn": arn},
        "PackedPolicySize": size,
    }
