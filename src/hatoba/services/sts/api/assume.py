"""AssumeRole: a role's session, for whom its trust policy names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from hatoba.aws import index
from hatoba.aws.shapes import sts as t
from hatoba.core.errors import AwsError
from hatoba.core.keys import Key
from hatoba.fleet.model import workloads
from hatoba.gateway.call import Call
from hatoba.gateway.membership import Memberships
from hatoba.gateway.needs import Need, Values, tag_keys
from hatoba.services.sts.api.room import (
    HOUR,
    Role,
    check_duration,
    context,
    denied,
    find_role,
    issue,
    moment,
    session_of,
    show_factor,
    sts,
)
from hatoba.services.sts.plan import trust
from hatoba.services.sts.plan.limits import Wish, invalid, packed, wish

# The service principals that a room's service-linked role acts as beside its own, when it assumes a role for its users.
_ACTS_AS = {"ecs": ("ecs-tasks.amazonaws.com",)}

# A context that only the platform's own services can provide: the workload with which the session ends.
WORKLOAD = "arn:{partition}:iam::aws:contextProvider/HatobaWorkload"


@sts.operation
async def assume_role(req: t.AssumeRoleRequest, call: Call) -> t.AssumeRoleResponse:
    name, seconds = req["RoleSessionName"], req.get("DurationSeconds", HOUR)
    wished = wish(req, call.principal.session)
    size, workload = packed(wished), _workload(req, call)
    role = await find_role(call, req["RoleArn"])
    if role is None:
        raise denied(call, "sts:AssumeRole", req["RoleArn"])
    factor = show_factor(call, req)
    _check_trust(req, call, role, wished, factor=factor)
    check_duration(call, seconds, role)
    principal = session_of(role, name, context(call, wished))
    answer: t.AssumeRoleResponse = {
        "Credentials": issue(call, principal, seconds, req, workload),
        "AssumedRoleUser": {"AssumedRoleId": principal.id, "Arn": principal.arn},
    }
    if wished.policy or wished.policy_arns or wished.tags:
        answer["PackedPolicySize"] = size
    if wished.source_identity is not None:
        answer["SourceIdentity"] = wished.source_identity
    return answer


def _workload(req: t.AssumeRoleRequest, call: Call) -> Key | None:
    """The one with which the session ends, as a service says."""
    own = WORKLOAD.format(partition=call.scope.partition)
    found = None
    for provided in req.get("ProvidedContexts") or ():
        if call.principal.kind != "service" or provided.get("ProviderArn") != own:
            raise invalid(f"The context provider {provided.get('ProviderArn')} is not known here.")
        found = workloads.key(call.scope, provided.get("ContextAssertion", ""))
    return found


def _check_trust(req: t.AssumeRoleRequest, call: Call, role: Role, wished: Wish, *, factor: bool) -> None:
    """The role has to trust the caller, for all that is asked; and the caller to be allowed it. Raises AccessDenied."""
    asked, services = _context(req, call, factor), _services(call)
    for action in _actions(req, wished):
        keys: dict[str, Values] = {key: value for key, value in asked.items() if value}
        own = Need(action=action, resource=role.arn, keys=keys)
        try:
            if call.principal.kind != "service":
                call.demand(replace(own, policy=role.trust, trusts_account=False))
                continue
            if not trust.allows(role.trust, action, call.principal, services, asked):
                raise denied(call, action, role.arn)
            # It acts for what the role trusts: that has been found out.
            call.demand(own)
        except AwsError:
            # Why would tell that there is such a role, and whom it trusts.
            raise denied(call, action, role.arn) from None


def _actions(req: t.AssumeRoleRequest, wished: Wish) -> Iterator[str]:
    yield "sts:AssumeRole"
    if wished.tags:
        yield "sts:TagSession"
    if req.get("SourceIdentity") is not None:
        yield "sts:SetSourceIdentity"


def _services(call: Call) -> tuple[str, ...]:
    if call.principal.kind != "service":
        return ()
    room = call.principal.id.rpartition(":")[2]
    return (f"{index.signing_name(room)}.amazonaws.com", *_ACTS_AS.get(room, ()))


def _context(req: t.AssumeRoleRequest, call: Call, factor: bool) -> dict[str, str | Sequence[str] | None]:
    """The condition keys that a trust policy may ask for; None for those that are not there."""
    asks, service = call.principal, call.principal.kind == "service"
    shown = factor or (asks.session is not None and asks.session.mfa_at is not None)
    at = call.now if factor else asks.session.mfa_at if asks.session is not None else None
    source = call.get(Memberships).of(call.scope.partition, asks.account) if service else None  # type: ignore[type-abstract]
    own = {f"aws:PrincipalTag/{key}": value for key, value in asks.session.tags} if asks.session is not None else {}
    return {
        "sts:ExternalId": req.get("ExternalId"),
        "sts:RoleSessionName": req["RoleSessionName"],
        "sts:SourceIdentity": req.get("SourceIdentity"),
        "aws:SourceIdentity": asks.session.source_identity if asks.session is not None else None,
        "aws:MultiFactorAuthPresent": "true" if shown else "false" if asks.session is not None else None,
        "aws:MultiFactorAuthAge": None if at is None else str(int(call.now - at)),
        "aws:PrincipalAccount": None if service else asks.account,
        "aws:PrincipalArn": None if service else asks.role or asks.arn,
        "aws:PrincipalIsAWSService": str(service).lower(),
        "aws:PrincipalOrgID": None,
        "aws:PrincipalOrgPaths": None,
        "aws:PrincipalType": {"root": "Account", "user": "User", "role": "AssumedRole"}.get(asks.kind),
        "aws:RequestedRegion": call.scope.region,
        "aws:SourceAccount": asks.account if service else None,
        "aws:SourceArn": call.source or None,
        "aws:SourceOrgID": None if source is None else source.organization,
        "aws:SourceOrgPaths": None if source is None else (source.path,),
        "aws:userid": asks.id,
        "sts:TransitiveTagKeys": req.get("TransitiveTagKeys") or None,
        "aws:TagKeys": None,
        **tag_keys(req.get("Tags")),
        **moment(call),
        **own,
    }
