"""STS's operations."""

from __future__ import annotations

import base64
from urllib.parse import unquote

from hatoba.aws.shapes import iam as ti
from hatoba.aws.shapes import sts as t
from hatoba.core import arn as arns
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.core.secret import Secret
from hatoba.gateway.call import Call, Principal, SessionContext
from hatoba.gateway.room import Service
from hatoba.services.sts import trust
from hatoba.services.sts.access import ACCESS
from hatoba.services.sts.model import EVERYWHERE, Session, forget_expired, sessions

sts = Service("sts", access=ACCESS)

HOUR = 3600  # seconds: how long sessions last unless asked otherwise, and those of a role that assumes another at most

# The service principals that a room's service-linked role acts as when it assumes a role for its users.
_ACTS_AS = {"ecs": ("ecs-tasks.amazonaws.com", "ecs.amazonaws.com")}


def _denied(call: Call, role_arn: str) -> AwsError:
    message = f"User: {call.principal.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
    return AwsError(message, code="AccessDenied", status=403)


def _issue(call: Call, principal: Principal, seconds: float) -> t.Credentials:
    """A new session, and what its holder is told of it."""
    access_key = "ASIA" + base64.b32encode(bytes.fromhex(call.ids.hex(20))).decode()
    secret, token = call.ids.hex(40), f"FQoG{call.ids.hex(128)}"
    expires = call.now + seconds
    with call.tx() as tx:
        forget_expired(tx, call.now, access_key)
        tx.put(
            sessions,
            Session(
                key=sessions.key(EVERYWHERE, access_key),
                principal=replace(principal, access_key=access_key, session=SessionContext(issued=call.now)),
                secret=Secret(secret),
                token=Secret(token),
                expires=expires,
            ),
        )
    return {"AccessKeyId": access_key, "SecretAccessKey": secret, "SessionToken": token, "Expiration": expires}


@sts.operation
async def get_caller_identity(req: t.GetCallerIdentityRequest, call: Call) -> t.GetCallerIdentityResponse:
    return {"UserId": call.principal.id, "Account": call.principal.account, "Arn": call.principal.arn}


@sts.operation
async def assume_role(req: t.AssumeRoleRequest, call: Call) -> t.AssumeRoleResponse:
    role_arn, name = req["RoleArn"], req["RoleSessionName"]
    parsed = arns.parse(role_arn)
    if parsed is None or parsed.service != "iam" or not parsed.resource.startswith("role/"):
        raise AwsError(f"{role_arn} is invalid", code="ValidationError")
    if req.get("Policy") or req.get("PolicyArns"):
        # A session that may do more than was asked for would be worse than none.
        raise AwsError("Session policies are not supported here yet.", code="ValidationError")
    try:
        door = call.platform.door(call.scope._replace(account=parsed.account), "sts")
        role = (await door.iam.get_role(RoleName=parsed.resource.rpartition("/")[2]))["Role"]
    except ti.NoSuchEntityException:
        raise _denied(call, role_arn) from None
    services = _ACTS_AS.get(call.principal.id.rpartition(":")[2], ()) if call.principal.kind == "service" else ()
    document = unquote(role["AssumeRolePolicyDocument"])
    if role["Arn"] != role_arn or not trust.allows(
        document, "sts:AssumeRole", call.principal, services, _context(req, call)
    ):
        raise _denied(call, role_arn)
    seconds = req.get("DurationSeconds", HOUR)
    _check_duration(call, seconds, role.get("MaxSessionDuration", HOUR))
    arn = f"arn:{parsed.partition}:sts::{parsed.account}:assumed-role/{role['RoleName']}/{name}"
    id_ = f"{role['RoleId']}:{name}"
    principal = Principal(kind="role", account=parsed.account, arn=arn, id=id_, role=role_arn)
    return {
        "Credentials": _issue(call, principal, seconds),
        "AssumedRoleUser": {"AssumedRoleId": id_, "Arn": arn},
    }


def _check_duration(call: Call, seconds: int, longest: int) -> None:
    if call.principal.kind == "service":
        return
    if seconds > longest:
        raise AwsError(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", code="ValidationError"
        )
    if seconds > HOUR and call.principal.kind == "role":
        raise AwsError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            code="ValidationError",
        )


def _context(req: t.AssumeRoleRequest, call: Call) -> dict[str, str | None]:
    """The condition keys that a trust policy may ask for; None for those that are not there."""
    asks, service = call.principal, call.principal.kind == "service"
    # A service asks for its user's sake: whose, and for what.
    session = f"arn:{call.scope.partition}:{asks.id.rpartition(':')[2]}:{call.scope.region}:{asks.account}"
    return {
        "sts:ExternalId": req.get("ExternalId"),
        "sts:RoleSessionName": req["RoleSessionName"],
        "aws:MultiFactorAuthPresent": None,
        "aws:PrincipalAccount": None if service else asks.account,
        "aws:PrincipalArn": None if service else asks.role or asks.arn,
        "aws:PrincipalIsAWSService": str(service).lower(),
        "aws:PrincipalOrgID": None,
        "aws:PrincipalType": {"root": "Account", "user": "User", "role": "AssumedRole"}.get(asks.kind),
        "aws:RequestedRegion": call.scope.region,
        "aws:SourceAccount": asks.account if service else None,
        "aws:SourceArn": f"{session}:{req['RoleSessionName']}" if service else None,
        "aws:userid": asks.id,
    }


@sts.operation
async def get_session_token(req: t.GetSessionTokenRequest, call: Call) -> t.GetSessionTokenResponse:
    if call.principal.kind not in ("root", "user"):
        raise AwsError("Cannot call GetSessionToken with session credentials", code="AccessDenied", status=403)
    return {"Credentials": _issue(call, call.principal, req.get("DurationSeconds", 12 * HOUR))}
