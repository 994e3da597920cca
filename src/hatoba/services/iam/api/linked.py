"""Service-linked roles: made for a service, trusted by it alone, and changed by nobody else."""

from __future__ import annotations

import re

import msgspec

from hatoba.aws.shapes import iam as t
from hatoba.gateway.call import Call
from hatoba.services.iam import managed, views
from hatoba.services.iam.api.room import forget, iam
from hatoba.services.iam.model import ROLE, Role, roles, unique_id

_SERVICE = re.compile(r"[\w.-]+\.amazonaws\.com(\.cn)?")
_TASK = re.compile(r"task/aws-service-role/[\w.-]+/[\w+=,.@-]+/[0-9a-f-]{36}")

# Names that AWS gives to service-linked roles, where they do not follow from the service's own.
_LINKED = {
    "ecs.amazonaws.com": "ECS",
    "elasticloadbalancing.amazonaws.com": "ElasticLoadBalancing",
    "autoscaling.amazonaws.com": "AutoScaling",
    "ecs.application-autoscaling.amazonaws.com": "ApplicationAutoScaling_ECSService",
    "replication.ecr.amazonaws.com": "ECRReplication",
    "pullthroughcache.ecr.amazonaws.com": "ECRPullThroughCache",
    "ssm.amazonaws.com": "AmazonSSM",
    "eks.amazonaws.com": "AmazonEKS",
    "eks-nodegroup.amazonaws.com": "AmazonEKSNodegroup",
    "eks-fargate.amazonaws.com": "AmazonEKSForFargate",
    "spot.amazonaws.com": "EC2Spot",
    "spotfleet.amazonaws.com": "EC2SpotFleet",
    "appmesh.amazonaws.com": "AppMesh",
    "apprunner.amazonaws.com": "AppRunner",
    "acm.amazonaws.com": "CertificateManager",
    "batch.amazonaws.com": "Batch",
    "events.amazonaws.com": "CloudWatchEvents",
}


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
        if ROLE.find(tx, call.scope, name) is not None:
            raise t.InvalidInputException(
                f"Service role name {name} has been taken in this account, please try a different suffix."
            )
        role = Role(
            key=roles.key(call.scope.everywhere(), name.lower()),
            name=name,
            path=f"/aws-service-role/{service}/",
            unique=unique_id(call.ids, ROLE.prefix),
            created=call.now,
            inline={},
            attached=managed.of_linked_role(f"AWSServiceRoleFor{short}", call.scope.partition),
            trust=trust,
            description=req.get("Description"),
        )
        tx.put(roles, role)
    return {"Role": views.role(role)}


@iam.operation
async def delete_service_linked_role(
    req: t.DeleteServiceLinkedRoleRequest, call: Call
) -> t.DeleteServiceLinkedRoleResponse:
    """At once: the platform's services act under their linked roles whether or not these are on record."""
    with call.tx() as tx:
        role = ROLE.the(tx, call.scope, req["RoleName"])
        if not role.linked:
            raise t.NoSuchEntityException(f"The role with name {role.name} is not a service-linked role.")
        forget(tx, ROLE, role)
    return {"DeletionTaskId": f"task{role.path}{role.name}/{call.ids.uuid()}"}


@iam.operation
async def get_service_linked_role_deletion_status(
    req: t.GetServiceLinkedRoleDeletionStatusRequest, call: Call
) -> t.GetServiceLinkedRoleDeletionStatusResponse:
    if not _TASK.fullmatch(req["DeletionTaskId"]):
        raise t.NoSuchEntityException(f"The deletion task {req['DeletionTaskId']} cannot be found.")
    return {"Status": "SUCCEEDED"}
