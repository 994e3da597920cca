"""Sessions for identities that OpenID providers vouch for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hatoba.aws.shapes import iam as ti
from hatoba.aws.shapes import sts as t
from hatoba.core import arn as arns
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call, Vouched
from hatoba.services.sts.api.room import HOUR, check_duration, context, find_role, issue, session_of, sts, vouched
from hatoba.services.sts.oidc import Keys, Unreachable
from hatoba.services.sts.plan import jwt
from hatoba.services.sts.plan.limits import Wish, invalid, packed, wish

ACTION = "sts:AssumeRoleWithWebIdentity"
_TAGS = "https://aws.amazon.com/tags"
_SOURCE = "https://aws.amazon.com/source_identity"


@sts.operation
async def assume_role_with_web_identity(
    req: t.AssumeRoleWithWebIdentityRequest, call: Call
) -> t.AssumeRoleWithWebIdentityResponse:
    """Unsigned: the token says who asks, the provider's keys that it is true, the role's policy whether it suffices."""
    if "ProviderId" in req:
        raise invalid("OAuth 2.0 access tokens are not supported: only OpenID Connect ID tokens are.")
    parsed = arns.parse(req["RoleArn"])
    if parsed is None or parsed.service != "iam" or not parsed.resource.startswith("role/"):
        raise invalid(f"{req['RoleArn']} is invalid")
    try:
        token = jwt.parse(req["WebIdentityToken"])
        issuer, subject = token.text("iss"), token.text("sub")
    except jwt.BadToken as error:
        raise t.InvalidIdentityTokenException(str(error)) from error
    provider = f"arn:{parsed.partition}:iam::{parsed.account}:oidc-provider/{issuer.removeprefix('https://')}"
    audience = await _verify(call, token, issuer, provider, parsed.account)
    name = issuer.removeprefix("https://")
    who = Vouched(kind="WebIdentityUser", id=f"{name}:{audience}:{subject}", name=subject, provider=name)
    call.vouched_for(who, parsed.account)
    wished = _wish(req, token)
    size = packed(wished)
    role = await find_role(call, req["RoleArn"])
    claims = _claims(token, issuer, subject, audience)
    if role is None or not vouched(call, role, ACTION, provider, req["RoleSessionName"], claims, wished):
        raise AwsError(f"Not authorized to perform {ACTION}", code="AccessDenied", status=403)
    seconds = req.get("DurationSeconds", HOUR)
    check_duration(call, seconds, role)
    held = context(call, wished, provider=provider, claims=tuple(claims.items()))
    principal = session_of(role, req["RoleSessionName"], held)
    answer: t.AssumeRoleWithWebIdentityResponse = {
        "Credentials": issue(call, principal, seconds, req),
        "SubjectFromWebIdentityToken": subject,
        "AssumedRoleUser": {"AssumedRoleId": principal.id, "Arn": principal.arn},
        "PackedPolicySize": size,
        "Provider": provider,
        "Audience": audience,
    }
    if wished.source_identity is not None:
        answer["SourceIdentity"] = wished.source_identity
    return answer


async def _verify(call: Call, token: jwt.Token, issuer: str, provider: str, account: str) -> str:
    """The audience, once all of the token is found to be true. Raises what STS says of tokens."""
    aws = call.platform.door(call.scope._replace(account=account), "sts")
    if not issuer.startswith("https://"):
        raise t.InvalidIdentityTokenException(f"Issuer must be a valid HTTPS URL: {issuer[:128]}")
    try:
        known = await aws.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    except (ti.NoSuchEntityException, ti.InvalidInputException):
        raise t.InvalidIdentityTokenException(
            f"No OpenIDConnect provider found in your account for {issuer[:255]}"
        ) from None
    try:
        keys = await _keys(call).of(issuer, known.get("ThumbprintList") or (), token.key_id)
    except Unreachable as error:
        raise t.IDPCommunicationErrorException(
            "Couldn't retrieve verification key from your identity provider, please reference "
            "AssumeRoleWithWebIdentity documentation for requirements"
        ) from error
    try:
        jwt.verify(token, keys)
        _check_times(call, token)
        return _audience(token, known.get("ClientIDList") or ())
    except jwt.BadToken as error:
        raise t.InvalidIdentityTokenException(str(error)) from error


def _keys(call: Call) -> Keys:
    return call.get(Keys)


def _check_times(call: Call, token: jwt.Token) -> None:
    ends, begins = token.time("exp"), token.time("nbf")
    if ends is None:
        raise jwt.BadToken("Missing a required claim: exp")
    if ends <= call.now:
        raise t.ExpiredTokenException(
            f"Token expired: current date/time {int(call.now)} must be before the expiration date/time {int(ends)}"
        )
    issued = token.time("iat")
    if any(time is not None and time > call.now + jwt.SKEW for time in (begins, issued)):
        raise jwt.BadToken("The token is not valid yet")


def _audience(token: jwt.Token, clients: Sequence[str]) -> str:
    """The authorised party, where the token names one, else its audience: one that the provider lists."""
    audiences, party = token.audiences, token.claims.get("azp")
    if len(audiences) > 1 and not isinstance(party, str):
        raise jwt.BadToken("A token with several audiences must name the authorized party (azp)")
    found = party if isinstance(party, str) and party else audiences[0]
    if found not in clients:
        raise jwt.BadToken("Incorrect token audience")
    return found


def _claims(token: jwt.Token, issuer: str, subject: str, audience: str) -> dict[str, str]:
    """By the condition keys under which policies ask for them."""
    name = issuer.removeprefix("https://")
    found = {f"{name}:aud": audience, f"{name}:sub": subject, f"{name}:oaud": token.audiences[0]}
    amr = token.claims.get("amr")
    if isinstance(amr, str):
        found[f"{name}:amr"] = amr
    return found


def _wish(req: t.AssumeRoleWithWebIdentityRequest, token: jwt.Token) -> Wish:
    """What the request asks, and the tags and the source identity that the provider put into the token."""
    asked: dict[str, Any] = {key: req.get(key) for key in ("Policy", "PolicyArns")}
    tagged = token.claims.get(_TAGS)
    if isinstance(tagged, dict):
        principal = tagged.get("principal_tags")
        pairs = principal.items() if isinstance(principal, dict) else ()
        asked["Tags"] = [{"Key": str(key), "Value": str(_only(value))} for key, value in pairs]
        transitive = tagged.get("transitive_tag_keys")
        asked["TransitiveTagKeys"] = [str(key) for key in transitive] if isinstance(transitive, list) else []
    source = token.claims.get(_SOURCE)
    asked["SourceIdentity"] = source if isinstance(source, str) and source else None
    return wish(asked)


def _only(value: object) -> object:
    """Tags' values come as lists of one."""
    return value[0] if isinstance(value, list) and value else value
