"""Names that IAM gives by itself. Pure."""

from __future__ import annotations

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


def linked_role(service: str, suffix: str | None = None) -> str:
    """The service-linked role of a service: `ecs.amazonaws.com` → `AWSServiceRoleForECS`."""
    short = _LINKED.get(service) or service.partition(".")[0].replace("-", " ").title().replace(" ", "")
    return f"AWSServiceRoleFor{short}" if suffix is None else f"AWSServiceRoleFor{short}_{suffix}"
