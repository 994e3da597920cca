"""Sessions for identities that SAML providers vouch for."""

from __future__ import annotations

import asyncio
from typing import Any

from hatoba.aws.shapes import iam as ti
from hatoba.aws.shapes import sts as t
from hatoba.core import arn as arns
from hatoba.core.arn import Arn
from hatoba.core.errors import AwsError
from hatoba.gateway.access import SamlKeys, Unwrap
from hatoba.gateway.call import Call, Vouched
from hatoba.services.sts.api.room import (
    HOUR,
    Claim,
    check_duration,
    context,
    find_role,
    issue,
    session_of,
    sts,
    vouched,
)
from hatoba.services.sts.plan.limits import Wish, invalid, packed, wish
from hatoba.services.sts.plan.saml import keys
from hatoba.services.sts.plan.saml.assertion import Assertion
from hatoba.services.sts.plan.saml.words import BadAssertion, Late, Rejected

ACTION = "sts:AssumeRoleWithSAML"


@sts.operation
async def assume_role_with_saml(req: t.AssumeRoleWithSAMLRequest, call: Call) -> t.AssumeRoleWithSAMLResponse:
    """Unsigned: the assertion says who asks, the provider's key that it is true, the role's policy whether it does."""
    provider = req["PrincipalArn"]
    parsed, role_parsed = _of_iam(provider, "saml-provider/"), _of_iam(req["RoleArn"], "role/")
    assertion = await _believed(req, call, parsed)
    claims = _claims(assertion, parsed)
    call.vouched_for(_somebody(assertion, str(claims["saml:namequalifier"])), parsed.account)
    wished = _wish(req, assertion)
    size = packed(wished)
    role = await find_role(call, req["RoleArn"]) if role_parsed.account == parsed.account else None
    listed = any({req["RoleArn"], provider} == set(pair) for pair in assertion.roles)
    if role is None or not listed or not vouched(call, role, ACTION, provider, assertion.session, claims, wished):
        raise AwsError(f"Not authorized to perform {ACTION}", code="AccessDenied", status=403)
    seconds: float = req.get("DurationSeconds", HOUR)
    check_duration(call, int(seconds), role)
    if assertion.until is not None:
        seconds = min(seconds, assertion.until - call.now)
    principal = session_of(
        role, assertion.session, context(call, wished, provider=provider, claims=tuple(_pairs(claims)))
    )
    answer: t.AssumeRoleWithSAMLResponse = {
        "Credentials": issue(call, principal, seconds, req),
        "AssumedRoleUser": {"AssumedRoleId": principal.id, "Arn": principal.arn},
        "PackedPolicySize": size,
        "Subject": assertion.subject,
        "SubjectType": keys.kind(assertion.format),
        "Issuer": assertion.issuer,
        "Audience": assertion.recipient,
        "NameQualifier": str(claims["saml:namequalifier"]),
    }
    if wished.source_identity is not None:
        answer["SourceIdentity"] = wished.source_identity
    return answer


def _of_iam(reference: str, kind: str) -> Arn:
    parsed = arns.parse(reference)
    if parsed is None or parsed.service != "iam" or not parsed.resource.startswith(kind):
        raise invalid(f"{reference} is invalid")
    return parsed


async def _believed(req: t.AssumeRoleWithSAMLRequest, call: Call, provider: Arn) -> Assertion:
    """What the assertion says, once all of it is found to be true. Raises what STS says of assertions."""
    aws = call.platform.door(call.scope._replace(account=provider.account), "sts")
    try:
        known = await aws.iam.get_saml_provider(SAMLProviderArn=req["PrincipalArn"])
    except (ti.NoSuchEntityException, ti.InvalidInputException):
        raise t.InvalidIdentityTokenException("Specified provider doesn't exist.") from None
    if known.get("ValidUntil", call.now + 1) <= call.now:
        raise t.InvalidIdentityTokenException("The metadata of the specified provider is not valid any more.")
    held: SamlKeys = call.get(SamlKeys)  # type: ignore[type-abstract]
    try:
        # Milliseconds of XML and cryptography that strangers may ask for: not on the loop.
        return await asyncio.to_thread(_read, req["SAMLAssertion"], known, held.of(req["PrincipalArn"]), call.now)
    except Late as error:
        raise t.ExpiredTokenException(str(error)) from error
    except Rejected as error:
        raise t.IDPRejectedClaimException(str(error)) from error
    except BadAssertion as error:
        raise t.InvalidIdentityTokenException(str(error)) from error


def _read(text: str, known: ti.GetSAMLProviderResponse, unwrap: Unwrap, now: float) -> Assertion:
    # With the libraries behind it, which take a tenth of a second: most platforms never see an assertion.
    from hatoba.services.sts.plan.saml.reading import read

    encrypted = known.get("AssertionEncryptionMode") == "Required"
    return read(text, known["SAMLMetadataDocument"], known["SAMLProviderUUID"], unwrap, now, encrypted=encrypted)


def _somebody(assertion: Assertion, qualifier: str) -> Vouched:
    return Vouched(kind="SAMLUser", id=f"{qualifier}:{assertion.subject}", name=assertion.subject, provider=qualifier)


def _wish(req: t.AssumeRoleWithSAMLRequest, assertion: Assertion) -> Wish:
    """What the request asks, and the tags and the source identity that the provider put into the assertion."""
    asked: dict[str, Any] = {key: req.get(key) for key in ("Policy", "PolicyArns")}
    asked["Tags"] = [{"Key": key, "Value": value} for key, value in assertion.tags]
    asked["TransitiveTagKeys"] = list(assertion.transitive)
    asked["SourceIdentity"] = assertion.source
    return wish(asked)


def _claims(assertion: Assertion, provider: Arn) -> dict[str, Claim]:
    """By the condition keys under which policies ask for them; of all others it is known that they are not there."""
    name = provider.resource.rpartition("/")[2]
    return {
        **{f"saml:{key}": None for key in keys.EVERY},
        **keys.claimed(assertion.attributes),
        "saml:aud": assertion.recipient,
        "saml:iss": assertion.issuer,
        "saml:sub": assertion.subject,
        "saml:sub_type": keys.kind(assertion.format),
        "saml:namequalifier": keys.qualifier(assertion.issuer, provider.account, name),
        "saml:doc": f"{provider.account}/{name}",
    }


def _pairs(claims: dict[str, Claim]) -> list[tuple[str, str]]:
    return [
        (key, value) for key, said in claims.items() for value in ((said,) if isinstance(said, str) else said or ())
    ]
