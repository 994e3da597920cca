"""Roles."""

from __future__ import annotations

import re

import msgspec

from hatoba.aws.shapes import iam as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import forget_tags, remove_tags, set_tags, tags_of
from hatoba.services.iam import documents, views
from hatoba.services.iam.api.room import conflict, iam, marked_page, tag_new, under
from hatoba.services.iam.model import Role, role_arn, roles, the_role, unique_id
from hatoba.store import Tx

_SERVICE = re.compile(r"[\w.-]+\.amazonaws\.com(\.cn)?")

# Names that AWS gives to service-linked roles, where they do not follow from the service's own.
_LINKED = {
    "ecs.amazonaws.com": "ECS",
    "elasticloadbalancing.amazonaws.com": "ElasticLoadBalancing",
    "autoscaling.amazonaws.com": "AutoScaling",
    "ecs.application-autoscaling.amazonaws.com": "ApplicationAutoScaling_ECSService",
    "replication.ecr.amazonaws.com": "ECRReplication",
}


def _create(tx: Tx, call: Call, role: Role) -> Role:
    if tx.get(roles, role.key) is not None:
        raise t.EntityAlreadyExistsException(f"Role with name {role.name} already exists.")
    return tx.put(roles, role)


@iam.operation
async def create_role(req: t.CreateRoleRequest, call: Call) -> t.CreateRoleResponse:
    documents.check_trust(req["AssumeRolePolicyDocument"])
    scope = call.scope.everywhere()
    with call.tx() as tx:
        role = Role(
            key=roles.key(scope, req["RoleName"].lower()),
            name=req["RoleName"],
            path=req.get("Path", "/"),
            unique=unique_id(call.ids, "AROA"),
            created=call.now,
            boundary=req.get("PermissionsBoundary"),
            inline={},
            trust=req["AssumeRolePolicyDocument"],
            description=req.get("Description"),
            max_session=req.get("MaxSessionDuration", 3600),
        )
        role = _create(tx, call, role)
        tag_new(tx, call, role_arn(role), req)
    return {"Role": views.role(role, {tag["Key"]: tag["Value"] for tag in req.get("Tags", ())})}


@iam.operation
async def create_service_linked_role(
    req: t.CreateServiceLinkedRoleRequest, call: Call
) -> t.CreateServiceLinkedRoleResponse:
    service = req["AWSServiceName"]
    if not _SERVICE.fullmatch(service):
        raise t.InvalidInputException(f"{service} is not a valid service name.")
    short = _LINKED.get(service) or service.partition(".")[0].replace("-", " ").title().replace(" ", "")
    suffix = f"_{req['CustomSuffix']}" if "CustomSuffix" in req else ""
    name = f"AWSServiceRoleFor{short}{suffix}"
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    trust = msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()
    with call.tx() as tx:
        key = roles.key(call.scope.everywhere(), name.lower())
        if tx.get(roles, key) is not None:
            raise t.InvalidInputException(
                f"Service role name {name} has been taken in this account, please try a different suffix."
            )
        role = tx.put(
            roles,
            Role(
                key=key,
                name=name,
                path=f"/aws-service-role/{service}/",
                unique=unique_id(call.ids, "AROA"),
                created=call.now,
                inline={},
                trust=trust,
                description=req.get("Description"),
            ),
        )
    return {"Role": views.role(role)}


@iam.operation
async def get_role(req: t.GetRoleRequest, call: Call) -> t.GetRoleResponse:
    role = the_role(call.store, call.scope, req["RoleName"])
    return {"Role": views.role(role, tags_of(call.store, role.scope, role_arn(role)))}


@iam.operation
async def list_roles(req: t.ListRolesRequest, call: Call) -> t.ListRolesResponse:
    rows = filter(under(req.get("PathPrefix")), call.store.scan(roles, call.scope.everywhere()))
    page, more = marked_page(call, rows, req, lambda role: role.id, req.get("PathPrefix"))
    return {"Roles": [views.role(role) for role in page if isinstance(role, Role)], **more}  # type: ignore[typeddict-item]


@iam.operation
async def update_role(req: t.UpdateRoleRequest, call: Call) -> t.UpdateRoleResponse:
    with call.tx() as tx:
        role = the_role(tx, call.scope, req["RoleName"])
        tx.put(
            roles,
            replace(
                role,
                description=req.get("Description", role.description),
                max_session=req.get("MaxSessionDuration", role.max_session),
            ),
        )
    return {}


@iam.operation
async def update_assume_role_policy(req: t.UpdateAssumeRolePolicyRequest, call: Call) -> None:
    documents.check_trust(req["PolicyDocument"])
    with call.tx() as tx:
        tx.put(roles, replace(the_role(tx, call.scope, req["RoleName"]), trust=req["PolicyDocument"]))


@iam.operation
async def delete_role(req: t.DeleteRoleRequest, call: Call) -> None:
    with call.tx() as tx:
        role = the_role(tx, call.scope, req["RoleName"])
        if role.path.startswith("/aws-service-role/"):
            raise t.UnmodifiableEntityException(
                f"Cannot perform the operation on the protected role '{role.name}' - this role is only modifiable by "
                "AWS"
            )
        if role.inline:
            raise conflict("Cannot delete entity, must delete policies first.")
        if role.attached:
            raise conflict("Cannot delete entity, must detach all policies first.")
        tx.forget(roles, role.key)
        forget_tags(tx, role.scope, role_arn(role))


@iam.operation
async def tag_role(req: t.TagRoleRequest, call: Call) -> None:
    with call.tx() as tx:
        role = the_role(tx, call.scope, req["RoleName"])
        given = {tag["Key"]: tag["Value"] for tag in req["Tags"]}
        if len({**tags_of(tx, role.scope, role_arn(role)), **given}) > 50:
            raise AwsError("The number of tags has reached the maximum limit.", code="LimitExceeded", status=409)
        set_tags(tx, role.scope, role_arn(role), given)


@iam.operation
async def untag_role(req: t.UntagRoleRequest, call: Call) -> None:
    with call.tx() as tx:
        role = the_role(tx, call.scope, req["RoleName"])
        remove_tags(tx, role.scope, role_arn(role), req["TagKeys"])


@iam.operation
async def list_role_tags(req: t.ListRoleTagsRequest, call: Call) -> t.ListRoleTagsResponse:
    role = the_role(call.store, call.scope, req["RoleName"])
    return {"Tags": views.tags(tags_of(call.store, role.scope, role_arn(role))), "IsTruncated": False}
