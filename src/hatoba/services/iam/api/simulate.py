"""What if somebody asked? Policies tried out on made-up requests, and the condition keys that they ask for.

Somebody's own policies (a user's with those of the groups), less those that the request leaves out, and further ones
of the request; within the control policies of the account's organisation, or in their place the request's. The caller's
ARN gives condition keys of its own, which the request's entries go before. Decided by `plan.simulation`, which is the
engine that decides real requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

from hatoba.aws.shapes import iam as t
from hatoba.core import arn as arns
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.membership import Level, Memberships
from hatoba.policy.document import Malformed, parse
from hatoba.policy.principals import Caller
from hatoba.policy.request import Values
from hatoba.services.iam.api.room import iam, marked_page, truncated
from hatoba.services.iam.authorizer.standing import of_holder
from hatoba.services.iam.model import GROUP, ROLE, USER, Group, Role, User, is_managed_by_aws
from hatoba.services.iam.plan.simulation import Setting, Source, Verdict, context_keys, judge, side
from hatoba.services.iam.plan.spans import position, spans

Held = Literal["user", "group", "role"]
_HOLDERS = {"user": USER, "group": GROUP, "role": ROLE}


def _invalid(message: str) -> AwsError:
    return t.InvalidInputException(message)


# --- whose policies


def _entity(call: Call, arn: str) -> User | Group | Role:
    """Raises NoSuchEntity, InvalidInput."""
    parsed = arns.parse(arn)
    kind, _, path = parsed.resource.partition("/") if parsed is not None else ("", "", "")
    if parsed is None or parsed.service != "iam" or kind not in _HOLDERS:
        raise _invalid(f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    found: Any = _HOLDERS[kind]
    record: User | Group | Role | None = found.find(call.store, call.scope, path.rpartition("/")[2])
    if record is None or found.arn(record) != arn:
        raise t.NoSuchEntityException(f"Specified entity does not exist: {arn}")
    return record


def _holders(call: Call, entity: User | Group | Role) -> Iterator[tuple[Held, User | Group | Role]]:
    """The entity, and the groups of a user, each on its own."""
    match entity:
        case User():
            yield "user", replace(entity, groups=())
            found = (GROUP.find(call.store, call.scope, group) for group in entity.groups)
            yield from (("group", group) for group in found if group is not None)
        case Role():
            yield "role", entity
        case Group():
            yield "group", entity


def _sources(call: Call, entity: User | Group | Role, excluded: Sequence[Any] = ()) -> tuple[Source, ...]:
    found: list[Source] = []
    for kind, holder in _holders(call, entity):
        inline = len(holder.inline)
        for place, (name, text) in enumerate(of_holder(call.store, holder).identity):
            if place < inline:
                gone = any(_is_inline(one, kind, holder.name, name) for one in excluded)
                source = Source(id=f"{kind}_{holder.name}_{name}", kind=kind, text=text)
            else:
                managed = _managed(name)
                gone = any(_is_managed(one, managed, name) for one in excluded)
                source = Source(id=name.rpartition("/")[2], kind=managed, text=text)
            if not gone:
                found.append(source)
    return tuple(found)


def _managed(arn: str) -> Literal["aws-managed", "user-managed"]:
    return "aws-managed" if is_managed_by_aws(arn) else "user-managed"


def _is_inline(excluded: Mapping[str, Any], kind: str, holder: str, name: str) -> bool:
    one = excluded.get("InlinePolicyIdentifier")
    if one is None:
        return excluded.get("PolicyType") == "inline"
    return (one["PolicyName"], one["AttachmentType"].lower(), one["AttachmentName"]) == (name, kind, holder)


def _is_managed(excluded: Mapping[str, Any], kind: str, arn: str) -> bool:
    pattern = excluded.get("PolicyArn")
    if pattern is None:
        return excluded.get("PolicyType") == kind
    return fnmatchcase(arn, pattern.replace("[", "[[]"))


def _given(texts: Iterable[str] | None, called: str) -> tuple[Source, ...]:
    """Policies of the request. Raises InvalidInput for one that cannot be."""
    found = tuple(Source(id=f"{called}.{number}", kind="none", text=text) for number, text in enumerate(texts or (), 1))
    for source in found:
        try:
            parse(source.text)
        except Malformed as error:
            raise _invalid(f"The policy {source.id} is malformed: {error}") from None
    return found


def _boundary(call: Call, entity: User | Group | Role | None, req: Mapping[str, Any]) -> tuple[Source, ...] | None:
    """The request's, in place of the entity's own."""
    given = _given(req.get("PermissionsBoundaryPolicyInputList"), "PermissionsBoundaryPolicyInputList")
    if given:
        return given
    own = of_holder(call.store, entity).boundary if entity is not None else None
    if own is None or any(one.get("PolicyType") == "permission-boundary" for one in req.get("PolicyExclusionList", ())):
        return None
    return (Source(id=own[0].rpartition("/")[2], kind=_managed(own[0]), text=own[1]),)


def _levels(call: Call, req: Mapping[str, Any], entity: User | Group | Role | None) -> list[tuple[Source, ...]]:
    """Of an organisation, from its root on: the request's, in place of those above the entity's account."""
    if "OrderedOrganizationPolicyInputList" not in req:
        place = call.get(Memberships).of(call.scope.partition, call.scope.account)  # type: ignore[type-abstract]
        return [] if place is None or entity is None else [_control(level) for level in place.service_control]
    found = [level.get("ServiceControlPolicyInputList") for level in req["OrderedOrganizationPolicyInputList"]]
    return [_given(level, f"ServiceControlPolicyInputList.{number}") for number, level in enumerate(found, 1)]


def _control(level: Level) -> tuple[Source, ...]:
    return tuple(Source(id=arn.rpartition("/")[2], kind="none", text=text) for arn, text in level)


# --- who asks, and what is known


def _caller(call: Call, arn: str | None) -> tuple[Caller, dict[str, Values]]:
    """With the condition keys that the caller has. Raises InvalidInput."""
    if arn is None:
        return Caller(account=call.scope.account), {}
    parsed = arns.parse(arn)
    kind, _, path = parsed.resource.partition("/") if parsed is not None else ("", "", "")
    if parsed is None or parsed.service != "iam" or kind not in _HOLDERS:
        raise _invalid(f"Invalid CallerArn: {arn}")
    keys: dict[str, Values] = {"aws:principalarn": (arn,), "aws:principalaccount": (parsed.account,)}
    if kind == "user":
        keys |= {"aws:username": (path.rpartition("/")[2],), "aws:principaltype": ("User",)}
    role = arn if kind == "role" else ""
    return Caller(account=parsed.account, arn=arn, role=role), keys


def _owner(req: Mapping[str, Any], caller: Caller, resource: str) -> str:
    parsed, said = arns.parse(resource), req.get("ResourceOwner")
    if parsed is not None and parsed.account:
        return parsed.account
    owner = arns.parse(said) if said is not None else None
    return owner.account if owner is not None else said or caller.account


def _simulate(
    call: Call, req: Mapping[str, Any], identity: tuple[Source, ...], entity: User | Group | Role | None
) -> t.SimulatePolicyResponse:
    if "ResourceHandlingOption" in req:
        raise _invalid("ResourceHandlingOption is not supported here: name the resources of each scenario.")
    for action in req["ActionNames"]:
        if ":" not in action.strip(":"):
            raise _invalid(f"Invalid Entity Action: {action}")
    policy = req.get("ResourcePolicy")
    source = req.get("CallerArn") or req.get("PolicySourceArn")
    if policy is not None and source is None:
        raise _invalid("CallerArn is required with a ResourcePolicy.")
    caller, keys = _caller(call, source)
    boundary, levels = _boundary(call, entity, req), _levels(call, req, entity)
    resource = _given([policy] if policy is not None else (), "ResourcePolicy")
    resource = tuple(replace(one, id="ResourcePolicy", kind="resource") for one in resource)
    texts = [one.text for one in (*identity, *resource, *(boundary or ()))]
    keys |= {one["ContextKeyName"].lower(): tuple(one["ContextKeyValues"]) for one in _entries(req)}
    setting = Setting(
        caller=caller,
        identity=side(identity),
        boundary=None if boundary is None else side(boundary),
        resource=side(resource) if resource else None,
        control=tuple(side(level) for level in levels),
        keys=keys,
        names={key.lower(): key for key in context_keys(texts)},
    )
    resources = req.get("ResourceArns") or ["*"]
    # One after the other: of long lists there are more pairs than anybody has memory for.
    rows = (
        (f"{number:012d}", action, one) for number, (action, one) in enumerate(_pairs(req["ActionNames"], resources))
    )
    page, marker = marked_page(call, rows, req, lambda row: row[0], _filters(req))
    found: list[t.EvaluationResult] = []
    for _, action, one in page:
        # Without a policy of its own nobody can say what a resource's owner allows.
        same = setting.resource is None or _owner(req, caller, one) == caller.account
        found.append(_told(action, one, judge(replace(setting, same_account=same), action, one)))
    return {"EvaluationResults": found, **truncated(marker)}


def _filters(req: Mapping[str, Any]) -> list[str]:
    return sorted(str(item) for item in req.items() if item[0] not in ("Marker", "MaxItems"))


def _entries(req: Mapping[str, Any]) -> list[Any]:
    entries: list[Any] = req.get("ContextEntries") or []
    for entry in entries:
        if "ContextKeyName" not in entry or "ContextKeyValues" not in entry:
            raise _invalid("A context entry needs a name and values.")
    return entries


def _pairs(actions: Sequence[str], resources: Sequence[str]) -> Iterator[tuple[str, str]]:
    return ((action, resource) for action in actions for resource in resources)


# --- the answer


def _told(action: str, resource: str, verdict: Verdict) -> t.EvaluationResult:
    found: t.EvaluationResult = {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": verdict.decision,
        "MatchedStatements": [_statement(one.source, one.index) for one in verdict.matched],
        "MissingContextValues": list(verdict.missing),
    }
    if verdict.within_boundary is not None:
        found["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": verdict.within_boundary}
    if verdict.within_control is not None:
        found["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": verdict.within_control}
    return found


def _statement(source: Source, index: int) -> t.Statement:
    found: t.Statement = {"SourcePolicyId": source.id, "SourcePolicyType": source.kind}
    where = spans(source.text)
    if index < len(where):
        (line, column), (last, behind) = (position(source.text, offset) for offset in where[index])
        found["StartPosition"] = {"Line": line, "Column": column}
        found["EndPosition"] = {"Line": last, "Column": behind}
    return found


# --- the operations


@iam.operation
async def simulate_custom_policy(req: t.SimulateCustomPolicyRequest, call: Call) -> t.SimulatePolicyResponse:
    return _simulate(call, req, _given(req["PolicyInputList"], "PolicyInputList"), None)


@iam.operation
async def simulate_principal_policy(req: t.SimulatePrincipalPolicyRequest, call: Call) -> t.SimulatePolicyResponse:
    entity = _entity(call, req["PolicySourceArn"])
    excluded: list[Any] = req.get("PolicyExclusionList") or []
    given = _given(req.get("PolicyInputList"), "PolicyInputList")
    return _simulate(call, req, (*_sources(call, entity, excluded), *given), entity)


@iam.operation
async def get_context_keys_for_custom_policy(
    req: t.GetContextKeysForCustomPolicyRequest, call: Call
) -> t.GetContextKeysForPolicyResponse:
    given = _given(req["PolicyInputList"], "PolicyInputList")
    return {"ContextKeyNames": context_keys(one.text for one in given)}


@iam.operation
async def get_context_keys_for_principal_policy(
    req: t.GetContextKeysForPrincipalPolicyRequest, call: Call
) -> t.GetContextKeysForPolicyResponse:
    own = _sources(call, _entity(call, req["PolicySourceArn"]))
    given = _given(req.get("PolicyInputList"), "PolicyInputList")
    return {"ContextKeyNames": context_keys(one.text for one in (*own, *given))}
