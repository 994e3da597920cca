"""EKS: what clusters, nodes, pods and people attach.

From AWS's managed policy reference. What EKS makes by itself it tags with the cluster's name, and may touch nothing
else. A line of the form (`form`) names a service and some of its actions.
"""

from __future__ import annotations

from hatoba.services.iam.managed.form import Condition, allow, equals, linked_to, policy

_CLUSTER_TAG: Condition = {
    "StringEquals": {"aws:ResourceTag/eks:eks-cluster-name": "${aws:PrincipalTag/eks:eks-cluster-name}"}
}
_TAGGED_BY_CLUSTER: Condition = {
    "StringEquals": {"aws:RequestTag/eks:eks-cluster-name": "${aws:PrincipalTag/eks:eks-cluster-name}"}
}

POLICIES = (
    policy(
        "AmazonEKSClusterPolicy",
        "What a cluster's control plane needs.",
        allow(
            "autoscaling: DescribeAutoScalingGroups UpdateAutoScalingGroup",
            "ec2: AttachVolume AuthorizeSecurityGroupIngress CreateRoute CreateSecurityGroup CreateTags CreateVolume "
            "DeleteRoute DeleteSecurityGroup DeleteVolume DescribeInstances DescribeRouteTables DescribeSecurityGroups "
            "DescribeSubnets DescribeVolumes DescribeVolumesModifications DescribeVpcs DescribeDhcpOptions "
            "DescribeNetworkInterfaces DescribeAvailabilityZones DetachVolume ModifyInstanceAttribute ModifyVolume "
            "RevokeSecurityGroupIngress DescribeAccountAttributes DescribeAddresses DescribeInternetGateways "
            "DescribeInstanceTopology",
            "elasticloadbalancing: AddTags ApplySecurityGroupsToLoadBalancer AttachLoadBalancerToSubnets "
            "ConfigureHealthCheck CreateListener CreateLoadBalancer CreateLoadBalancerListeners "
            "CreateLoadBalancerPolicy CreateTargetGroup DeleteListener DeleteLoadBalancer "
            "DeleteLoadBalancerListeners DeleteTargetGroup DeregisterInstancesFromLoadBalancer DeregisterTargets "
            "DescribeListeners DescribeLoadBalancerAttributes DescribeLoadBalancerPolicies DescribeLoadBalancers "
            "DescribeTargetGroupAttributes DescribeTargetGroups DescribeTargetHealth DetachLoadBalancerFromSubnets "
            "ModifyListener ModifyLoadBalancerAttributes ModifyTargetGroup ModifyTargetGroupAttributes "
            "RegisterInstancesWithLoadBalancer RegisterTargets SetLoadBalancerPoliciesForBackendServer "
            "SetLoadBalancerPoliciesOfListener",
            "kms: DescribeKey",
        ),
        allow("iam: CreateServiceLinkedRole", when=linked_to("elasticloadbalancing")),
        allow(
            "ec2: DeleteNetworkInterface", when={"StringEquals": {"ec2:ResourceTag/eks:eni:owner": "amazon-vpc-cni"}}
        ),
    ),
    policy(
        "AmazonEKSServicePolicy",
        "What EKS needed before it had a role of its own.",
        allow(
            "ec2: CreateNetworkInterface CreateNetworkInterfacePermission DeleteNetworkInterface DescribeInstances "
            "DescribeNetworkInterfaces DetachNetworkInterface DescribeSecurityGroups DescribeSubnets DescribeVpcs "
            "ModifyNetworkInterfaceAttribute",
            "iam: ListAttachedRolePolicies",
            "eks: UpdateClusterVersion",
        ),
        allow("ec2: CreateTags DeleteTags", on=("arn:aws:ec2:*:*:vpc/*", "arn:aws:ec2:*:*:subnet/*")),
        allow("route53: AssociateVPCWithHostedZone"),
        allow(
            "logs: CreateLogGroup CreateLogStream DescribeLogStreams PutLogEvents",
            on="arn:aws:logs:*:*:log-group:/aws/eks/*",
        ),
        allow("iam: CreateServiceLinkedRole", when=linked_to("eks")),
    ),
    policy(
        "AmazonEKSWorkerNodePolicy",
        "What a worker node needs.",
        allow(
            "ec2: DescribeInstances DescribeInstanceTypes DescribeRouteTables DescribeSecurityGroups DescribeSubnets "
            "DescribeVolumes DescribeVolumesModifications DescribeVpcs",
            "eks: DescribeCluster",
            "eks-auth: AssumeRoleForPodIdentity",
        ),
    ),
    policy(
        "AmazonEKSWorkerNodeMinimalPolicy",
        "What a worker node of EKS's own needs.",
        allow("eks-auth: AssumeRoleForPodIdentity"),
    ),
    policy(
        "AmazonEKS_CNI_Policy",
        "Pods' addresses and interfaces.",
        allow(
            "ec2: AssignPrivateIpAddresses AttachNetworkInterface CreateNetworkInterface DeleteNetworkInterface "
            "DescribeInstances DescribeTags DescribeNetworkInterfaces DescribeInstanceTypes DescribeSubnets "
            "DetachNetworkInterface ModifyNetworkInterfaceAttribute UnassignPrivateIpAddresses",
        ),
        allow("ec2: CreateTags", on="arn:aws:ec2:*:*:network-interface/*"),
    ),
    policy(
        "AmazonEKSVPCResourceController",
        "Security groups of single pods.",
        allow(
            "ec2: CreateNetworkInterfacePermission",
            when={"ForAnyValue:StringEquals": {"ec2:ResourceTag/eks:eni:owner": "eks-vpc-resource-controller"}},
        ),
        allow(
            "ec2: CreateNetworkInterface DetachNetworkInterface ModifyNetworkInterfaceAttribute DeleteNetworkInterface "
            "AttachNetworkInterface UnassignPrivateIpAddresses AssignPrivateIpAddresses"
        ),
    ),
    policy(
        "AmazonEKSFargatePodExecutionRolePolicy",
        "What EKS needs to start a pod on Fargate.",
        allow("ecr: GetAuthorizationToken BatchCheckLayerAvailability GetDownloadUrlForLayer BatchGetImage"),
    ),
    policy(
        "AmazonEKSComputePolicy",
        "Nodes that EKS starts by itself.",
        allow(
            "ec2: CreateFleet RunInstances",
            on=tuple(
                f"arn:aws:ec2:*:*:{kind}/*"
                for kind in ("fleet", "instance", "volume", "network-interface", "spot-instances-request")
            ),
            when=_TAGGED_BY_CLUSTER,
        ),
        allow(
            "ec2: CreateFleet RunInstances",
            on=(
                "arn:aws:ec2:*::image/*",
                "arn:aws:ec2:*::snapshot/*",
                "arn:aws:ec2:*:*:security-group/*",
                "arn:aws:ec2:*:*:subnet/*",
                "arn:aws:ec2:*:*:capacity-reservation/*",
            ),
        ),
        allow("ec2: CreateFleet RunInstances", on="arn:aws:ec2:*:*:launch-template/*", when=_CLUSTER_TAG),
        allow("ec2: CreateLaunchTemplate", on="arn:aws:ec2:*:*:launch-template/*", when=_TAGGED_BY_CLUSTER),
        allow(
            "ec2: CreateTags",
            on="arn:aws:ec2:*:*:*/*",
            when=equals(ec2__CreateAction=("CreateFleet", "CreateLaunchTemplate", "RunInstances")),
        ),
        allow("iam: AddRoleToInstanceProfile CreateInstanceProfile", on="arn:aws:iam::*:instance-profile/eks*"),
        allow("iam: PassRole", when=equals(iam__PassedToService="ec2.amazonaws.com")),
    ),
    policy(
        "AmazonEKSBlockStoragePolicy",
        "Volumes that EKS makes by itself.",
        allow(
            "ec2: DescribeAvailabilityZones DescribeInstances DescribeSnapshots DescribeTags DescribeVolumes "
            "DescribeVolumesModifications DescribeVolumeStatus"
        ),
        allow("ec2: CreateVolume", on="arn:aws:ec2:*:*:volume/*", when=_TAGGED_BY_CLUSTER),
        allow("ec2: CreateVolume CreateSnapshot", on=("arn:aws:ec2:*:*:snapshot/*", "arn:aws:ec2:*:*:volume/*")),
        allow(
            "ec2: AttachVolume DetachVolume ModifyVolume DeleteVolume", on="arn:aws:ec2:*:*:volume/*", when=_CLUSTER_TAG
        ),
        allow("ec2: AttachVolume DetachVolume", on="arn:aws:ec2:*:*:instance/*"),
        allow(
            "ec2: CreateTags",
            on=("arn:aws:ec2:*:*:volume/*", "arn:aws:ec2:*:*:snapshot/*"),
            when=equals(ec2__CreateAction=("CreateVolume", "CreateSnapshot")),
        ),
    ),
    policy(
        "AmazonEKSLoadBalancingPolicy",
        "Load balancers that EKS makes by itself.",
        allow(
            "elasticloadbalancing: Describe*",
            "ec2: DescribeAccountAttributes DescribeAddresses DescribeAvailabilityZones DescribeInternetGateways "
            "DescribeVpcs DescribeVpcPeeringConnections DescribeSubnets DescribeSecurityGroups DescribeInstances "
            "DescribeNetworkInterfaces DescribeTags DescribeRouteTables",
            "acm: ListCertificates DescribeCertificate",
            "iam: ListServerCertificates GetServerCertificate",
        ),
        allow(
            "elasticloadbalancing: CreateLoadBalancer CreateTargetGroup CreateListener CreateRule",
            when=_TAGGED_BY_CLUSTER,
        ),
        allow(
            "elasticloadbalancing: AddTags",
            when=equals(
                elasticloadbalancing__CreateAction=(
                    "CreateTargetGroup",
                    "CreateLoadBalancer",
                    "CreateListener",
                    "CreateRule",
                )
            ),
        ),
        allow(
            "elasticloadbalancing: ModifyLoadBalancerAttributes SetIpAddressType SetSecurityGroups SetSubnets "
            "DeleteLoadBalancer ModifyTargetGroup ModifyTargetGroupAttributes DeleteTargetGroup RegisterTargets "
            "DeregisterTargets ModifyListener AddListenerCertificates RemoveListenerCertificates ModifyRule "
            "DeleteListener DeleteRule RemoveTags SetRulePriorities",
            when=_CLUSTER_TAG,
        ),
        allow("ec2: CreateSecurityGroup", on="arn:aws:ec2:*:*:security-group/*", when=_TAGGED_BY_CLUSTER),
        allow("ec2: CreateSecurityGroup", on="arn:aws:ec2:*:*:vpc/*"),
        allow(
            "ec2: CreateTags",
            on="arn:aws:ec2:*:*:security-group/*",
            when=equals(ec2__CreateAction="CreateSecurityGroup"),
        ),
        allow(
            "ec2: AuthorizeSecurityGroupIngress RevokeSecurityGroupIngress DeleteSecurityGroup",
            on="arn:aws:ec2:*:*:security-group/*",
            when=_CLUSTER_TAG,
        ),
        allow("iam: CreateServiceLinkedRole", when=linked_to("elasticloadbalancing")),
    ),
    policy(
        "AmazonEKSNetworkingPolicy",
        "Interfaces that EKS makes by itself.",
        allow(
            "ec2: DescribeInstances DescribeNetworkInterfaces DescribeSecurityGroups DescribeSubnets DescribeTags "
            "DescribeVpcs"
        ),
        allow("ec2: CreateNetworkInterface", on="arn:aws:ec2:*:*:network-interface/*", when=_TAGGED_BY_CLUSTER),
        allow("ec2: CreateNetworkInterface", on=("arn:aws:ec2:*:*:subnet/*", "arn:aws:ec2:*:*:security-group/*")),
        allow(
            "ec2: CreateTags",
            on="arn:aws:ec2:*:*:network-interface/*",
            when=equals(ec2__CreateAction="CreateNetworkInterface"),
        ),
        allow(
            "ec2: AssignPrivateIpAddresses AssignIpv6Addresses AttachNetworkInterface DeleteNetworkInterface "
            "DetachNetworkInterface ModifyNetworkInterfaceAttribute UnassignPrivateIpAddresses "
            "UnassignIpv6Addresses",
            on="arn:aws:ec2:*:*:network-interface/*",
            when=_CLUSTER_TAG,
        ),
        allow("ec2: AttachNetworkInterface", on="arn:aws:ec2:*:*:instance/*"),
    ),
    policy(
        "AmazonEBSCSIDriverPolicy",
        "Volumes, for the EBS driver of Kubernetes.",
        allow(
            "ec2: CreateSnapshot AttachVolume DetachVolume ModifyVolume DescribeAvailabilityZones "
            "DescribeInstances DescribeSnapshots DescribeTags DescribeVolumes DescribeVolumesModifications "
            "EnableFastSnapshotRestores"
        ),
        allow(
            "ec2: CreateTags",
            on=("arn:aws:ec2:*:*:volume/*", "arn:aws:ec2:*:*:snapshot/*"),
            when=equals(ec2__CreateAction=("CreateVolume", "CreateSnapshot")),
        ),
        allow("ec2: DeleteTags", on=("arn:aws:ec2:*:*:volume/*", "arn:aws:ec2:*:*:snapshot/*")),
        allow("ec2: CreateVolume", when={"StringLike": {"aws:RequestTag/ebs.csi.aws.com/cluster": "true"}}),
        allow("ec2: CreateVolume", when={"StringLike": {"aws:RequestTag/CSIVolumeName": "*"}}),
        allow("ec2: CreateVolume", on="arn:aws:ec2:*:*:snapshot/*"),
        allow("ec2: DeleteVolume", when={"StringLike": {"ec2:ResourceTag/ebs.csi.aws.com/cluster": "true"}}),
        allow("ec2: DeleteVolume", when={"StringLike": {"ec2:ResourceTag/CSIVolumeName": "*"}}),
        allow("ec2: DeleteSnapshot", when={"StringLike": {"ec2:ResourceTag/ebs.csi.aws.com/cluster": "true"}}),
        path="/service-role/",
    ),
)
