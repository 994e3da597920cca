"""Control policies: made, changed, deleted, seen; and which types of them there are in the root.

What is written here decides from the next request on (`places`). A type that is enabled begins with the policy that
allows everything, attached everywhere, so that enabling it changes nothing.
"""

from __future__ import annotations

from hatoba.aws.shapes import organizations as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import forget_tags, set_tags
from hatoba.services.organizations import model, views
from hatoba.services.organizations.api.room import (
    POLICIES,
    checked_tags,
    invalid,
    managed,
    organizations,
    page,
    seen,
    violation,
)
from hatoba.services.organizations.model import Organization, Policy, Target
from hatoba.services.organizations.plan import documents
from hatoba.services.organizations.plan.managed import KINDS, Managed, Type
from hatoba.services.organizations.plan.managed import POLICIES as MANAGED
from hatoba.store import Tx
from hatoba.store.store import View


def the_policy(view: View, org: Organization, id_: str) -> Policy | Managed:
    """A customer's, or one that AWS brings along."""
    found = MANAGED.get(id_) or view.find(model.policies, org.scope, id_)
    if found is None:
        raise t.PolicyNotFoundException("You specified a policy that doesn't exist.")
    return found


def _changeable(view: View, org: Organization, id_: str) -> Policy:
    found = the_policy(view, org, id_)
    if isinstance(found, Managed):
        raise invalid("IMMUTABLE_POLICY", f"{found.name} is managed by AWS and can't be modified.")
    return found


def _available(org: Organization, type_: str) -> Type:
    """Raises for the types that nothing here would act on."""
    known = next((kind for kind in KINDS if kind == type_), None)
    if known is None:
        raise t.PolicyTypeNotAvailableForOrganizationException(
            f"Policies of the type {type_} are not available: only service and resource control policies are."
        )
    if org.features != "ALL":
        raise t.PolicyTypeNotAvailableForOrganizationException(
            f"The type {type_} is available only with all features enabled: this organization has {org.features}."
        )
    return known


def _checked(type_: Type, content: str) -> str:
    most = KINDS[type_].characters
    if len(content) > most:
        raise violation("POLICY_CONTENT_LIMIT_EXCEEDED", f"The policy is larger than {most} characters.")
    try:
        documents.check(type_, content)
    except documents.Unfit as error:
        raise t.MalformedPolicyDocumentException(str(error)) from None
    return content


def _check_free(view: View, org: Organization, type_: str, name: str, but: str = "") -> None:
    taken = any(one.name == name and one.id != but for one in view.index(model.policies, "type", (org.id, type_)))
    if taken or any(one.name == name and one.type == type_ for one in MANAGED.values()):
        raise t.DuplicatePolicyException("A policy with the same name already exists.")


def _shown(one: Policy | Managed, org: Organization) -> t.Policy:
    return {"PolicySummary": views.policy(one, org.key.partition), "Content": one.content}


@organizations.operation
async def create_policy(req: t.CreatePolicyRequest, call: Call) -> t.CreatePolicyResponse:
    tags = checked_tags(req.get("Tags"))
    with call.tx() as tx:
        org = managed(tx, call)
        type_ = _available(org, req["Type"])
        content = _checked(type_, req["Content"])
        _check_free(tx, org, type_, req["Name"])
        if tx.count(model.policies, "type", (org.id, type_)) >= POLICIES:
            raise violation(
                "POLICY_NUMBER_LIMIT_EXCEEDED", f"An organization can have at most {POLICIES} policies of a type."
            )
        policy = Policy(
            key=model.policies.key(org.scope, f"p-{call.ids.hex(10)}"),
            organization=org.id,
            type=type_,
            name=req["Name"],
            description=req["Description"],
            content=content,
        )
        policy = tx.put(model.policies, policy)
        set_tags(tx, org.scope, policy.arn, tags)
    return {"Policy": _shown(policy, org)}


@organizations.operation
async def update_policy(req: t.UpdatePolicyRequest, call: Call) -> t.UpdatePolicyResponse:
    with call.tx() as tx:
        org = managed(tx, call)
        policy = _changeable(tx, org, req["PolicyId"])
        name = req.get("Name", policy.name)
        _check_free(tx, org, policy.type, name, but=policy.id)
        content = _checked(policy.type, req["Content"]) if "Content" in req else policy.content
        wanted = replace(policy, name=name, description=req.get("Description", policy.description), content=content)
        if wanted != policy:
            policy = tx.put(model.policies, wanted)
    return {"Policy": _shown(policy, org)}


@organizations.operation
async def delete_policy(req: t.DeletePolicyRequest, call: Call) -> None:
    with call.tx() as tx:
        org = managed(tx, call)
        policy = _changeable(tx, org, req["PolicyId"])
        if model.targets_of(tx, org, policy.id):
            raise t.PolicyInUseException(
                "The policy is attached to one or more entities: detach it from all of them first."
            )
        forget_tags(tx, org.scope, policy.arn)
        tx.forget(model.policies, policy.key)


@organizations.operation
async def describe_policy(req: t.DescribePolicyRequest, call: Call) -> t.DescribePolicyResponse:
    org = seen(call.store, call)
    return {"Policy": _shown(the_policy(call.store, org, req["PolicyId"]), org)}


@organizations.operation
async def list_policies(req: t.ListPoliciesRequest, call: Call) -> t.ListPoliciesResponse:
    """Of the types that are not available there are none."""
    org, type_ = seen(call.store, call), req["Filter"]
    rows: list[Policy | Managed] = [*call.store.index(model.policies, "type", (org.id, type_))]
    rows += [one for one in MANAGED.values() if one.type == type_]
    found, more = page(call, rows, req, lambda one: one.id, type_)
    shown = [views.policy(one, org.key.partition) for one in found]
    return {"Policies": shown, **more}


# --- types


@organizations.operation
async def enable_policy_type(req: t.EnablePolicyTypeRequest, call: Call) -> t.EnablePolicyTypeResponse:
    """Everything there is gets the policy that allows all, so that nothing changes by it."""
    with call.tx() as tx:
        org = _with_root(tx, call, req["RootId"])
        type_ = _available(org, req["PolicyType"])
        if type_ in org.enabled:
            raise t.PolicyTypeAlreadyEnabledException("The specified policy type is already enabled.")
        first = (KINDS[type_].default,)
        for target in _everything(tx, org):
            put_target(tx, target, (*first, *target.policies))
        org = _reread(tx, org)
        org = tx.put(model.organizations, replace(org, enabled=(*org.enabled, type_)))
    return {"Root": views.root(org)}


@organizations.operation
async def disable_policy_type(req: t.DisablePolicyTypeRequest, call: Call) -> t.DisablePolicyTypeResponse:
    """Policies of the type are detached from everything."""
    with call.tx() as tx:
        org = _with_root(tx, call, req["RootId"])
        type_ = _available(org, req["PolicyType"])
        if type_ not in org.enabled:
            raise t.PolicyTypeNotEnabledException("The specified policy type is not enabled.")
        for target in _everything(tx, org):
            put_target(tx, target, tuple(id_ for id_ in target.policies if type_of(tx, org, id_) != type_))
        org = _reread(tx, org)
        org = tx.put(model.organizations, replace(org, enabled=tuple(one for one in org.enabled if one != type_)))
    return {"Root": views.root(org)}


def _with_root(tx: Tx, call: Call, root: str) -> Organization:
    org = managed(tx, call)
    if org.root != root:
        raise t.RootNotFoundException("You specified a root that doesn't exist.")
    return org


def _everything(view: View, org: Organization) -> list[Target]:
    return [org, *view.index(model.units, "organization", org.id), *model.members(view, org)]


def _reread(tx: Tx, org: Organization) -> Organization:
    found = tx.get(model.organizations, org.key)
    assert found is not None
    return found


def put_target(tx: Tx, target: Target, policies: tuple[str, ...]) -> None:
    if policies == target.policies:
        return
    match target:
        case Organization():
            tx.put(model.organizations, replace(target, policies=policies))
        case model.Unit():
            tx.put(model.units, replace(target, policies=policies))
        case model.Account():
            tx.put(model.accounts, replace(target, policies=policies))


def type_of(view: View, org: Organization, id_: str) -> str | None:
    found = MANAGED.get(id_) or view.find(model.policies, org.scope, id_)
    return found.type if found is not None else None


def not_enabled() -> AwsError:
    return t.PolicyTypeNotEnabledException("The policy's type is not enabled in this root: EnablePolicyType first.")
