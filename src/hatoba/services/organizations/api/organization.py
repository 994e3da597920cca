"""The organisation itself, and its root."""

from __future__ import annotations

from hatoba.aws.shapes import organizations as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import forget_tags
from hatoba.services.organizations import model, views
from hatoba.services.organizations.api.account import leave
from hatoba.services.organizations.api.room import joined, managed, organizations, own_account, page, seen
from hatoba.services.organizations.model import Organization
from hatoba.store import Tx


@organizations.operation
async def create_organization(req: t.CreateOrganizationRequest, call: Call) -> t.CreateOrganizationResponse:
    scope = call.scope.everywhere()
    with call.tx() as tx:
        account = own_account(tx, call)
        if account.organization is not None:
            raise t.AlreadyInOrganizationException("The AWS account is already a member of an organization.")
        org = tx.put(
            model.organizations,
            Organization(
                key=model.organizations.key(scope, f"o-{call.ids.hex(10)}"),
                root=f"r-{call.ids.hex(4)}",
                features=req.get("FeatureSet", "ALL"),
            ),
        )
        account = tx.put(
            model.accounts,
            replace(account, organization=org.id, management=org.management, parent=org.root, joined=call.now),
        )
    return {"Organization": views.organization(org, account)}


@organizations.operation
async def describe_organization(req: None, call: Call) -> t.DescribeOrganizationResponse:
    org, _ = joined(call.store, call)
    management = model.find_account(call.store, org.key.partition, org.management)
    assert management is not None  # it cannot leave
    return {"Organization": views.organization(org, management)}


@organizations.operation
async def delete_organization(req: None, call: Call) -> None:
    with call.tx() as tx:
        org = managed(tx, call)
        if len(model.members(tx, org)) > 1 or model.creations_under_way(tx, org):
            raise t.OrganizationNotEmptyException(
                "The organization is not empty: remove all accounts but the management account first."
            )
        _forget(tx, org)


def _forget(tx: Tx, org: Organization) -> None:
    """With all that is in it."""
    for unit in tx.index(model.units, "organization", org.id):
        forget_tags(tx, org.scope, unit.arn)
        tx.forget(model.units, unit.key)
    for type_ in ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"):
        for policy in tx.index(model.policies, "type", (org.id, type_)):
            forget_tags(tx, org.scope, policy.arn)
            tx.forget(model.policies, policy.key)
    for creation in tx.index(model.creations, "organization", org.id):
        tx.forget(model.creations, creation.key)
    for handshake in tx.index(model.handshakes, "organization", org.id):
        tx.forget(model.handshakes, handshake.key)
    for account in model.members(tx, org):
        leave(tx, org, account)
    forget_tags(tx, org.scope, org.root_arn)
    tx.forget(model.organizations, org.key)


@organizations.operation
async def list_roots(req: t.ListRootsRequest, call: Call) -> t.ListRootsResponse:
    org = seen(call.store, call)
    found, more = page(call, [org], req, lambda one: one.root)
    return {"Roots": [views.root(one) for one in found], **more}
