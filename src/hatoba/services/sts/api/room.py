"""The room itself, and what its operations share: roles, second factors, new sessions.

What trust policies are told of the moment is told here (`moment`): IAM's authorizer is asked of keys and identities of
the account, and whom a provider vouches for is nobody of it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import msgspec

from hatoba.aws.shapes import iam as ti
from hatoba.aws.shapes import sts as t
from hatoba.core import arn as arns
from hatoba.core.errors import AwsError
from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.core.secret import Secret
from hatoba.gateway.access import SecondFactors
from hatoba.gateway.call import Call, Principal, SessionContext
from hatoba.gateway.membership import Membership, Memberships
from hatoba.gateway.room import Service
from hatoba.services.sts.access import ACCESS
from hatoba.services.sts.model import EVERYWHERE, Session, forget_expired, sessions
from hatoba.services.sts.plan import trust
from hatoba.services.sts.plan.limits import Wish, invalid

sts = Service("sts", access=ACCESS)
Claim = str | Sequence[str] | None

HOUR = 3600  # seconds: how long sessions last unless asked otherwise, and those of a role that assumes another at most


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """What IAM says of a role."""

    arn: str
    name: str
    unique: str
    trust: str  # a document
    longest: int  # seconds
    account: str
    partition: str


def denied(call: Call, action: str, role_arn: str) -> AwsError:
    message = f"User: {call.principal.arn} is not authorized to perform: {action} on resource: {role_arn}"
    return AwsError(message, code="AccessDenied", status=403)


async def find_role(call: Call, role_arn: str) -> Role | None:
    """None where there is none: who may not assume a role learns nothing of it. Raises for what is no role's ARN."""
    parsed = arns.parse(role_arn)
    if parsed is None or parsed.service != "iam" or not parsed.resource.startswith("role/"):
        raise invalid(f"{role_arn} is invalid")
    try:
        door = call.platform.door(call.scope._replace(account=parsed.account), "sts")
        role = (await door.iam.get_role(RoleName=parsed.resource.rpartition("/")[2]))["Role"]
    except ti.NoSuchEntityException:
        return None
    if role["Arn"] != role_arn:
        return None
    return Role(
        arn=role_arn,
        name=role["RoleName"],
        unique=role["RoleId"],
        trust=unquote(role["AssumeRolePolicyDocument"]),
        longest=role.get("MaxSessionDuration", HOUR),
        account=parsed.account,
        partition=parsed.partition,
    )


def session_of(role: Role, name: str, context: SessionContext) -> Principal:
    """The principal of a role's session."""
    return Principal(
        kind="role",
        account=role.account,
        arn=f"arn:{role.partition}:sts::{role.account}:assumed-role/{role.name}/{name}",
        id=f"{role.unique}:{name}",
        role=role.arn,
        session=context,
    )


def context(call: Call, wished: Wish, **rest: Any) -> SessionContext:
    return SessionContext(
        issued=call.now,
        policy=wished.policy,
        policy_arns=wished.policy_arns,
        tags=wished.tags,
        transitive=wished.transitive,
        source_identity=wished.source_identity,
        **rest,
    )


def moment(call: Call) -> dict[str, str | None]:
    """The condition keys that say when and from where."""
    way = call.way
    return {
        "aws:CurrentTime": datetime.fromtimestamp(int(call.now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:EpochTime": str(int(call.now)),
        "aws:SourceIp": call.address if call.address and way is None else None,
        "aws:VpcSourceIp": call.address if way is not None else None,
        "aws:SourceVpc": way.vpc if way is not None else None,
        "aws:SourceVpce": way.endpoint if way is not None else None,
        "aws:UserAgent": call.user_agent or None,
    }


def vouched(
    call: Call, role: Role, action: str, provider: str, name: str, claims: Mapping[str, Claim], wished: Wish
) -> bool:
    """Whether a role trusts whom a provider (an ARN) vouches for, for all that is asked. `claims`: what the provider
    says, by condition key; None for what it does not say."""
    actions = [action]
    if wished.tags:
        actions.append("sts:TagSession")
    if wished.source_identity is not None:
        actions.append("sts:SetSourceIdentity")
    known: dict[str, Claim] = {
        **claims,
        **{f"aws:RequestTag/{key}": value for key, value in wished.tags},
        "aws:TagKeys": [key for key, _ in wished.tags] or None,
        **moment(call),
        "aws:FederatedProvider": provider,
        "sts:RoleSessionName": name,
        "sts:SourceIdentity": wished.source_identity,
    }
    place = call.get(Memberships).of(role.partition, role.account)  # type: ignore[type-abstract]
    known |= _places(call, role, place)
    guard = () if place is None else place.resource_control
    return all(
        trust.allows_federated(role.trust, each, provider, known)
        and trust.guarded(guard, each, role.arn, provider, known)
        for each in actions
    )


def _places(call: Call, role: Role, place: Membership | None) -> dict[str, Claim]:
    """Of whoever is nobody of an account, and of the role."""
    return {
        "aws:PrincipalIsAWSService": "false",
        "aws:PrincipalOrgID": None,
        "aws:PrincipalOrgPaths": None,
        "aws:RequestedRegion": call.scope.region,
        "aws:ResourceAccount": role.account,
        "aws:ResourceOrgID": None if place is None else place.organization,
        "aws:ResourceOrgPaths": None if place is None else (place.path,),
    }


def show_factor(call: Call, req: Mapping[str, Any]) -> bool:
    """Whether the request shows a second factor. Raises AccessDenied for one that is wrong."""
    serial, code = req.get("SerialNumber"), req.get("TokenCode")
    if serial is None and code is None:
        return False
    if serial is None or code is None:
        raise invalid("SerialNumber and TokenCode must be given together.")
    factors: SecondFactors = call.get(SecondFactors)  # type: ignore[type-abstract]
    if call.principal.kind != "user" or not factors.shown(call.scope, call.principal.arn, serial, code):
        raise AwsError(
            "MultiFactorAuthentication failed with invalid MFA one time pass code. ", code="AccessDenied", status=403
        )
    return True


def check_duration(call: Call, seconds: int, role: Role) -> None:
    if call.principal.kind == "service":
        return
    if seconds > role.longest:
        raise invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    if seconds > HOUR and call.principal.kind == "role":
        raise invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )


def issue(
    call: Call, principal: Principal, seconds: float, req: Mapping[str, Any], workload: Key | None = None
) -> t.Credentials:
    """A new session, and what its holder is told of it. `workload`: the fleet's, with which it ends."""
    access_key = "ASIA" + base64.b32encode(bytes.fromhex(call.ids.hex(20))).decode()
    secret, token = call.ids.hex(40), f"FQoG{call.ids.hex(128)}"
    if (least := req.get("MinimumSessionTokenSize", 0)) > len(token):
        token += call.ids.hex(least - len(token))
    expires = call.now + seconds
    held = principal.session or SessionContext(issued=call.now)
    with call.tx() as tx:
        forget_expired(tx, call.now, access_key)
        tx.put(
            sessions,
            Session(
                key=sessions.key(EVERYWHERE, access_key),
                principal=replace(principal, access_key=access_key, session=held),
                secret=Secret(secret),
                token=Secret(token),
                expires=expires,
                workload=workload,
            ),
        )
    return {"AccessKeyId": access_key, "SecretAccessKey": secret, "SessionToken": token, "Expiration": expires}
