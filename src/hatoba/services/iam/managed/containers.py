"""ECS and ECR: what people, tasks and machines attach to run containers.

From AWS's managed policy reference. Statements that AWS repeats for the sake of their names are one here. A line of
the form (`form`) names a service and some of its actions.
"""

from __future__ import annotations

from hatoba.services.iam.managed.form import Condition, allow, equals, linked_to, passed_to, policy, role

SERVICE = "/service-role/"

_PULL = "ecr: GetAuthorizationToken BatchCheckLayerAvailability GetDownloadUrlForLayer BatchGetImage"
_PUSH = "ecr: InitiateLayerUpload UploadLayerPart CompleteLayerUpload PutImage"
_LOOK = (
    "ecr: GetRepositoryPolicy DescribeRepositories ListImages DescribeImages GetLifecyclePolicy "
    "GetLifecyclePolicyPreview ListTagsForResource DescribeImageScanFindings"
)
_MADE_BY_TASK: Condition = {
    "ArnLike": {"aws:RequestTag/AmazonECSCreated": "arn:aws:ecs:*:*:task/*"},
    "StringEquals": {"aws:RequestTag/AmazonECSManaged": "true"},
}
_OWNED_BY_TASK: Condition = {
    "ArnLike": {"aws:ResourceTag/AmazonECSCreated": "arn:aws:ecs:*:*:task/*"},
    "StringEquals": {"aws:ResourceTag/AmazonECSManaged": "true"},
}
_MADE_BY_SERVICE: Condition = {
    "ArnLike": {
        "aws:RequestTag/AmazonECSCreated": ("arn:aws:ecs:*:*:service/*/*", "arn:aws:ecs:*:*:task-set/*/*"),
    },
    "StringEquals": {
        "aws:RequestTag/AmazonECSManaged": "true",
        "aws:ResourceAccount": "${aws:PrincipalAccount}",
    },
}
_CONNECT = "arn:aws:secretsmanager:*:*:secret:ecs-sc!*"

ECS = (
    policy(
        "AmazonECS_FullAccess",
        "All of ECS, and what it is used with.",
        allow(
            "application-autoscaling: DeleteScalingPolicy DeregisterScalableTarget DescribeScalableTargets "
            "DescribeScalingActivities DescribeScalingPolicies PutScalingPolicy RegisterScalableTarget",
            "appmesh: DescribeVirtualGateway DescribeVirtualNode ListMeshes ListVirtualGateways ListVirtualNodes",
            "autoscaling: CreateAutoScalingGroup CreateLaunchConfiguration DeleteAutoScalingGroup "
            "DeleteLaunchConfiguration Describe* UpdateAutoScalingGroup",
            "cloudformation: CreateStack DeleteStack DescribeStack* UpdateStack",
            "cloudwatch: DeleteAlarms DescribeAlarms GetMetricStatistics PutMetricAlarm",
            "codedeploy: BatchGetApplicationRevisions BatchGetApplications BatchGetDeploymentGroups "
            "BatchGetDeployments ContinueDeployment CreateApplication CreateDeployment CreateDeploymentGroup "
            "GetApplication GetApplicationRevision GetDeployment GetDeploymentConfig GetDeploymentGroup "
            "GetDeploymentTarget ListApplicationRevisions ListApplications ListDeploymentConfigs "
            "ListDeploymentGroups ListDeployments ListDeploymentTargets RegisterApplicationRevision StopDeployment",
            "ec2: AssociateRouteTable AttachInternetGateway AuthorizeSecurityGroupIngress CancelSpotFleetRequests "
            "CreateInternetGateway CreateLaunchTemplate CreateRoute CreateRouteTable CreateSecurityGroup CreateSubnet "
            "CreateVpc DeleteLaunchTemplate DeleteSubnet DeleteVpc Describe* DetachInternetGateway "
            "DisassociateRouteTable ModifySubnetAttribute ModifyVpcAttribute RequestSpotFleet RunInstances",
            "ecs: *",
            "elasticfilesystem: DescribeAccessPoints DescribeFileSystems",
            "elasticloadbalancing: CreateListener CreateLoadBalancer CreateRule CreateTargetGroup DeleteListener "
            "DeleteLoadBalancer DeleteRule DeleteTargetGroup DescribeListeners DescribeLoadBalancers DescribeRules "
            "DescribeTargetGroups",
            "events: DeleteRule DescribeRule ListRuleNamesByTarget ListTargetsByRule PutRule PutTargets RemoveTargets",
            "fsx: DescribeFileSystems",
            "iam: ListAttachedRolePolicies ListInstanceProfiles ListRoles",
            "lambda: ListFunctions",
            "logs: CreateLogGroup DescribeLogGroups FilterLogEvents",
            "route53: CreateHostedZone DeleteHostedZone GetHealthCheck GetHostedZone ListHostedZonesByName",
            "servicediscovery: CreatePrivateDnsNamespace CreateService DeleteService GetNamespace GetOperation "
            "GetService ListNamespaces ListServices UpdateService",
            "sns: ListTopics",
        ),
        allow(
            "ssm: GetParameter GetParameters GetParametersByPath",
            on="arn:aws:ssm:*:*:parameter/aws/service/ecs*",
        ),
        allow(
            "ec2: DeleteInternetGateway DeleteRoute DeleteRouteTable DeleteSecurityGroup",
            when={"StringLike": {"ec2:ResourceTag/aws:cloudformation:stack-name": "EC2ContainerService-*"}},
        ),
        allow("iam: PassRole", when=passed_to("ecs-tasks")),
        allow("iam: PassRole", on=role("ecsInstanceRole*"), when=passed_to("ec2")),
        allow("iam: PassRole", on=role("ecsAutoscaleRole*"), when=passed_to("application-autoscaling")),
        allow(
            "iam: CreateServiceLinkedRole",
            when=linked_to("autoscaling", "ecs", "ecs.application-autoscaling", "spot", "spotfleet"),
        ),
        allow(
            "elasticloadbalancing: AddTags",
            when=equals(
                elasticloadbalancing__CreateAction=(
                    "CreateTargetGroup",
                    "CreateRule",
                    "CreateListener",
                    "CreateLoadBalancer",
                )
            ),
        ),
    ),
    policy(
        "AmazonECSTaskExecutionRolePolicy",
        "What ECS needs to start a task: its images and its logs.",
        allow(_PULL, "logs: CreateLogStream PutLogEvents"),
        path=SERVICE,
    ),
    policy(
        "AmazonEC2ContainerServiceforEC2Role",
        "What a container instance needs.",
        allow(
            "ec2: DescribeTags",
            "ecs: CreateCluster DeregisterContainerInstance DiscoverPollEndpoint Poll RegisterContainerInstance "
            "StartTelemetrySession UpdateContainerInstancesState Submit*",
            _PULL,
            "logs: CreateLogStream PutLogEvents",
        ),
        allow("ecs: TagResource", when=equals(ecs__CreateAction=("CreateCluster", "RegisterContainerInstance"))),
        path=SERVICE,
    ),
    policy(
        "AmazonEC2ContainerServiceRole",
        "What ECS needed at load balancers before it had a role of its own.",
        allow(
            "ec2: AuthorizeSecurityGroupIngress Describe*",
            "elasticloadbalancing: DeregisterInstancesFromLoadBalancer DeregisterTargets Describe* "
            "RegisterInstancesWithLoadBalancer RegisterTargets",
        ),
        path=SERVICE,
    ),
    policy(
        "AmazonEC2ContainerServiceAutoscaleRole",
        "What scaling needs at ECS services.",
        allow("ecs: DescribeServices UpdateService"),
        allow("cloudwatch: DescribeAlarms PutMetricAlarm"),
        path=SERVICE,
    ),
    policy(
        "AmazonEC2ContainerServiceEventsRole",
        "What rules need to run tasks.",
        allow("ecs: RunTask"),
        allow("iam: PassRole", when=passed_to("ecs-tasks")),
        allow("ecs: TagResource", when=equals(ecs__CreateAction="RunTask")),
        path=SERVICE,
    ),
    policy(
        "AmazonECSInfrastructureRolePolicyForLoadBalancers",
        "Shifting a deployment's traffic.",
        allow("elasticloadbalancing: DescribeListeners DescribeRules DescribeTargetGroups DescribeTargetHealth"),
        allow(
            "elasticloadbalancing: RegisterTargets DeregisterTargets",
            on="arn:aws:elasticloadbalancing:*:*:targetgroup/*/*",
        ),
        allow(
            "elasticloadbalancing: ModifyListener",
            on=(
                "arn:aws:elasticloadbalancing:*:*:listener/app/*/*/*",
                "arn:aws:elasticloadbalancing:*:*:listener/net/*/*/*",
            ),
        ),
        allow("elasticloadbalancing: ModifyRule", on="arn:aws:elasticloadbalancing:*:*:listener-rule/app/*/*/*/*"),
    ),
    policy(
        "AmazonECSInfrastructureRolePolicyForVolumes",
        "Tasks' EBS volumes.",
        allow("ec2: CreateVolume", on="arn:aws:ec2:*:*:volume/*", when=_MADE_BY_TASK),
        allow("ec2: CreateVolume", on="arn:aws:ec2:*:*:snapshot/*"),
        allow(
            "ec2: CreateTags",
            on="arn:aws:ec2:*:*:volume/*",
            when={
                "ArnLike": _MADE_BY_TASK["ArnLike"],
                "StringEquals": {"ec2:CreateAction": "CreateVolume", "aws:RequestTag/AmazonECSManaged": "true"},
            },
        ),
        allow("ec2: DescribeVolumes DescribeAvailabilityZones DescribeInstances"),
        allow(
            "ec2: AttachVolume DetachVolume",
            on="arn:aws:ec2:*:*:volume/*",
            when={"StringEquals": {"aws:ResourceTag/AmazonECSManaged": "true"}},
        ),
        allow("ec2: AttachVolume DetachVolume", on="arn:aws:ec2:*:*:instance/*"),
        allow("ec2: DeleteVolume", on="arn:aws:ec2:*:*:volume/*", when=_OWNED_BY_TASK),
        path=SERVICE,
    ),
    policy(
        "AmazonECSInfrastructureRolePolicyForServiceConnectTransportLayerSecurity",
        "Service Connect's certificates and keys.",
        allow("secretsmanager: CreateSecret TagResource", on=_CONNECT, when=_MADE_BY_SERVICE),
        allow(
            "secretsmanager: UpdateSecret GetSecretValue PutSecretValue DeleteSecret RotateSecret "
            "UpdateSecretVersionStage",
            on=_CONNECT,
            when={
                "StringEquals": {
                    "secretsmanager:ResourceTag/aws:secretsmanager:owningService": "ecs-sc",
                    "aws:ResourceAccount": "${aws:PrincipalAccount}",
                }
            },
        ),
        allow(
            "secretsmanager: DescribeSecret",
            on=_CONNECT,
            when={"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}},
        ),
        allow(
            "acm-pca: GetCertificate GetCertificateAuthorityCertificate DescribeCertificateAuthority",
            when={"StringEquals": {"aws:ResourceTag/AmazonECSManaged": "true"}},
        ),
        allow(
            "acm-pca: IssueCertificate",
            when={
                "StringEquals": {
                    "acm-pca:TemplateArn": "arn:aws:acm-pca:::template/EndEntityCertificate/V1",
                    "aws:ResourceTag/AmazonECSManaged": "true",
                }
            },
        ),
        path=SERVICE,
    ),
    policy(
        "AmazonECSInfrastructureRolePolicyForVpcLattice",
        "Services' targets in VPC Lattice.",
        allow(
            "vpc-lattice: RegisterTargets DeregisterTargets GetTargetGroup ListTargets",
            on="arn:aws:vpc-lattice:*:*:targetgroup/*",
        ),
        allow("ec2: DescribeSubnets DescribeVpcs DescribeInstances"),
    ),
    policy(
        "AmazonECSInfrastructureRolePolicyForManagedInstances",
        "Machines that ECS starts and stops by itself.",
        allow(
            "ec2: CreateLaunchTemplate",
            on="arn:aws:ec2:*:*:launch-template/*",
            when={"StringEquals": {"aws:RequestTag/AmazonECSManaged": "true"}},
        ),
        allow(
            "ec2: CreateLaunchTemplateVersion ModifyLaunchTemplate",
            on="arn:aws:ec2:*:*:launch-template/*",
            when=equals(ec2__ManagedResourceOperator="ecs.amazonaws.com"),
        ),
        allow(
            "ec2: CreateFleet RunInstances",
            on=tuple(f"arn:aws:ec2:*:*:{kind}/*" for kind in ("fleet", "instance", "network-interface", "volume")),
            when={"StringEquals": {"aws:RequestTag/AmazonECSManaged": "true"}},
        ),
        allow(
            "ec2: CreateFleet",
            on="arn:aws:ec2:*:*:launch-template/*",
            when={"StringEquals": {"aws:RequestTag/AmazonECSManaged": "true"}},
        ),
        allow(
            "ec2: RunInstances",
            on="arn:aws:ec2:*:*:launch-template/*",
            when={"StringEquals": {"ec2:ResourceTag/AmazonECSManaged": "true"}},
        ),
        allow(
            "ec2: CreateFleet RunInstances",
            on=("arn:aws:ec2:*:*:subnet/*", "arn:aws:ec2:*:*:security-group/*", "arn:aws:ec2:*::image/*"),
        ),
        allow(
            "ec2: CreateTags",
            on=tuple(
                f"arn:aws:ec2:*:*:{kind}/*"
                for kind in ("fleet", "launch-template", "network-interface", "instance", "volume")
            ),
            when=equals(ec2__CreateAction=("CreateFleet", "CreateLaunchTemplate", "RunInstances")),
        ),
        allow("iam: PassRole", on=role("ecsInstanceRole*"), when=passed_to("ec2")),
        allow("iam: CreateServiceLinkedRole", on=role("aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot")),
        allow(
            "ec2: DescribeInstances DescribeInstanceTypes DescribeLaunchTemplates DescribeNetworkInterfaces "
            "DescribeInstanceTypeOfferings DescribeAvailabilityZones DescribeSecurityGroups DescribeSubnets "
            "DescribeVpcs"
        ),
    ),
    policy(
        "AmazonECSInstanceRolePolicyForManagedInstances",
        "What such a machine needs.",
        allow("ecs: DiscoverPollEndpoint"),
        allow("ecs: RegisterContainerInstance", on="arn:aws:ecs:*:*:cluster/*"),
        allow("ecs: Poll StartTelemetrySession PutSystemLogEvents", on="arn:aws:ecs:*:*:container-instance/*/*"),
    ),
)

ECR = (
    policy(
        "AmazonEC2ContainerRegistryFullAccess",
        "All of ECR.",
        allow("ecr: *", "cloudtrail: LookupEvents"),
        allow("iam: CreateServiceLinkedRole", when=linked_to("replication.ecr")),
    ),
    policy(
        "AmazonEC2ContainerRegistryPowerUser", "Pushing and pulling, not deciding who may.", allow(_PULL, _LOOK, _PUSH)
    ),
    policy("AmazonEC2ContainerRegistryReadOnly", "Pulling and looking.", allow(_PULL, _LOOK)),
    policy(
        "AmazonEC2ContainerRegistryPullOnly",
        "Pulling.",
        allow(
            "ecr: GetAuthorizationToken BatchCheckLayerAvailability GetDownloadUrlForLayer BatchGetImage "
            "BatchImportUpstreamImage"
        ),
    ),
    policy(
        "AmazonElasticContainerRegistryPublicFullAccess",
        "All of ECR's public registry.",
        allow("ecr-public: *", "sts: GetServiceBearerToken"),
    ),
    policy(
        "AmazonElasticContainerRegistryPublicPowerUser",
        "Pushing to the public registry.",
        allow(
            "ecr-public: GetAuthorizationToken BatchCheckLayerAvailability GetRepositoryPolicy DescribeRepositories "
            "DescribeRegistries DescribeImages DescribeImageTags GetRepositoryCatalogData GetRegistryCatalogData "
            "InitiateLayerUpload UploadLayerPart CompleteLayerUpload PutImage",
            "sts: GetServiceBearerToken",
        ),
    ),
    policy(
        "AmazonElasticContainerRegistryPublicReadOnly",
        "Looking at the public registry.",
        allow(
            "ecr-public: GetAuthorizationToken BatchCheckLayerAvailability GetRepositoryPolicy DescribeRepositories "
            "DescribeRegistries DescribeImages DescribeImageTags GetRepositoryCatalogData GetRegistryCatalogData",
            "sts: GetServiceBearerToken",
        ),
    ),
)

POLICIES = (*ECS, *ECR)
