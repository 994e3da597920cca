"""What Organizations' operations need to be allowed.

All that an organisation has belongs to its management account. Another account of the organisation comes to it as to
another's resource, and is let in as by a policy of the organisation's: to look, where it administers a service; to a
handshake that it is a party of. Source: the service authorisation reference, "AWS Organizations".
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from hatoba.core import arn as arns
from hatoba.gateway.call import Call
from hatoba.gateway.needs import Access, Keys, Params, Resources, on, untagged
from hatoba.services.organizations import model
from hatoba.services.organizations.model import Account, Organization, Policy
from hatoba.services.organizations.plan.managed import POLICIES

TYPE, SERVICE = "organizations:PolicyType", "organizations:ServicePrincipal"
ANSWERING = ["organizations:AcceptHandshake", "organizations:DeclineHandshake", "organizations:DescribeHandshake"]
LOOKING = ["organizations:Describe*", "organizations:List*"]


def own(call: Call) -> tuple[Organization, Account] | None:
    account = model.find_account(call.store, call.scope.partition, call.scope.account)
    org = model.organization_of(call.store, account) if account is not None else None
    return None if account is None or org is None else (org, account)


def entity(member: str) -> Resources:
    """A root, a unit, an account or a policy that the request names by its id."""

    def resources(req: Params, call: Call) -> Iterator[str]:
        id_, known = req.get(member), own(call)
        if not isinstance(id_, str) or not id_ or known is None:
            return
        org = known[0]
        match id_.partition("-")[0]:
            case "r":
                yield f"{org.stem}:root/{org.id}/{id_}"
            case "ou":
                yield f"{org.stem}:ou/{org.id}/{id_}"
            case "p":
                yield _policy(call, org, id_)
            case _:
                yield f"{org.stem}:account/{org.id}/{id_}"

    return resources


def handshake(req: Params, call: Call) -> Iterator[str]:
    """Found by its id alone, for who is invited has no organisation yet."""
    found = model.find_handshake(call.store, call.scope.partition, str(req.get("HandshakeId") or ""))
    if found is not None:
        yield found.arn


def invited(req: Params, call: Call) -> Iterator[str]:
    target, known = req.get("Target") or {}, own(call)
    if known is not None and target.get("Type") == "ACCOUNT" and target.get("Id"):
        yield f"{known[0].stem}:account/{known[0].id}/{target['Id']}"


def _policy(call: Call, org: Organization, id_: str) -> str:
    if id_ in POLICIES:
        return POLICIES[id_].arn(call.scope.partition)
    found = call.store.find(model.policies, org.scope, id_)
    return found.arn if found is not None else f"{org.stem}:policy/{org.id}/*/{id_}"


def policy_of(call: Call, resource: str) -> str | None:
    """What lets another account in."""
    parsed = arns.parse(resource)
    if parsed is None or parsed.account in ("aws", call.scope.account):
        return None
    actions = _given(call, parsed)
    who = {"AWS": f"arn:{call.scope.partition}:iam::{call.scope.account}:root"}
    statement = {"Effect": "Allow", "Principal": who, "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}) if actions else None


def _given(call: Call, resource: arns.Arn) -> list[str]:
    """To the caller's account, which is not the one that the resource belongs to."""
    if resource.resource.startswith("handshake/"):
        id_ = resource.resource.rpartition("/")[2]
        found = model.find_handshake(call.store, call.scope.partition, id_)
        return ANSWERING if found is not None and found.target == call.scope.account else []
    known = own(call)
    administers = known is not None and known[0].management == resource.account and known[1].delegated
    return LOOKING if administers else []


# --- condition keys


def kind_of(req: Params, call: Call) -> Keys:
    """The type of the policy that the request is about."""
    said = req.get("PolicyType") or req.get("Type") or req.get("Filter")
    if isinstance(said, str):
        return {TYPE: said}
    id_, known = str(req.get("PolicyId") or ""), own(call)
    if id_ in POLICIES:
        return {TYPE: POLICIES[id_].type}
    found: Policy | None = call.store.find(model.policies, known[0].scope, id_) if known is not None else None
    return {TYPE: found.type} if found is not None else {}


def service(req: Params, call: Call) -> Keys:
    said = req.get("ServicePrincipal")
    return {SERVICE: said} if isinstance(said, str) else {}


ACCOUNT, PARENT, UNIT = entity("AccountId"), entity("ParentId"), entity("OrganizationalUnitId")
POLICY, TARGET, ROOT = entity("PolicyId"), entity("TargetId"), entity("RootId")
RESOURCE, CHILD = entity("ResourceId"), entity("ChildId")
NEW = on(tags="Tags", tagging="TagResource")

ACCESS = Access(
    "organizations",
    {
        "AcceptHandshake": on(handshake),
        "AttachPolicy": on(POLICY, TARGET, keys=kind_of),
        "CancelHandshake": on(handshake),
        "CloseAccount": on(ACCOUNT),
        "CreateAccount": NEW,
        "CreateOrganization": on(),
        "CreateOrganizationalUnit": on(PARENT, tags="Tags", tagging="TagResource"),
        "CreatePolicy": on(keys=kind_of, tags="Tags", tagging="TagResource"),
        "DeclineHandshake": on(handshake),
        "DeleteOrganization": on(),
        "DeleteOrganizationalUnit": on(UNIT),
        "DeletePolicy": on(POLICY, keys=kind_of),
        "DeregisterDelegatedAdministrator": on(ACCOUNT, keys=service),
        "DescribeAccount": on(ACCOUNT),
        "DescribeCreateAccountStatus": on(),
        "DescribeHandshake": on(handshake),
        "DescribeOrganization": on(),
        "DescribeOrganizationalUnit": on(UNIT),
        "DescribePolicy": on(POLICY, keys=kind_of),
        "DetachPolicy": on(POLICY, TARGET, keys=kind_of),
        "DisableAWSServiceAccess": on(keys=service),
        "DisablePolicyType": on(ROOT, keys=kind_of),
        "EnableAWSServiceAccess": on(keys=service),
        "EnablePolicyType": on(ROOT, keys=kind_of),
        "InviteAccountToOrganization": on(invited, tags="Tags", tagging="TagResource"),
        "LeaveOrganization": on(),
        "ListAWSServiceAccessForOrganization": on(),
        "ListAccounts": on(),
        "ListAccountsForParent": on(PARENT),
        "ListChildren": on(PARENT),
        "ListCreateAccountStatus": on(),
        "ListDelegatedAdministrators": on(keys=service),
        "ListDelegatedServicesForAccount": on(ACCOUNT),
        "ListHandshakesForAccount": on(),
        "ListHandshakesForOrganization": on(),
        "ListOrganizationalUnitsForParent": on(PARENT),
        "ListParents": on(CHILD),
        "ListPolicies": on(keys=kind_of),
        "ListPoliciesForTarget": on(TARGET, keys=kind_of),
        "ListRoots": on(),
        "ListTagsForResource": on(RESOURCE),
        "ListTargetsForPolicy": on(POLICY, keys=kind_of),
        "MoveAccount": on(ACCOUNT, entity("SourceParentId"), entity("DestinationParentId")),
        "RegisterDelegatedAdministrator": on(ACCOUNT, keys=service),
        "RemoveAccountFromOrganization": on(ACCOUNT),
        "TagResource": on(RESOURCE, tags="Tags"),
        "UntagResource": on(RESOURCE, keys=untagged("TagKeys")),
        "UpdateOrganizationalUnit": on(UNIT),
        "UpdatePolicy": on(POLICY, keys=kind_of),
    },
    policy_of=policy_of,
)
