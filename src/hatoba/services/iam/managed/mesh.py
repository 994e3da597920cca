"""App Mesh, Cloud Map, App Runner, Batch: what runs beside and above ECS.

From AWS's managed policy reference. A line of the form (`form`) names a service and some of its actions.
"""

from __future__ import annotations

from hatoba.services.iam.managed.form import allow, equals, linked_to, passed_to, policy, role

POLICIES = (
    policy(
        "AWSAppMeshFullAccess",
        "All of App Mesh.",
        allow("appmesh: *"),
        allow(
            "iam: CreateServiceLinkedRole",
            on=role("aws-service-role/appmesh.amazonaws.com/AWSServiceRoleForAppMesh"),
            when=linked_to("appmesh"),
        ),
        allow(
            "acm: ListCertificates DescribeCertificate",
            "acm-pca: DescribeCertificateAuthority ListCertificateAuthorities",
            "servicediscovery: ListNamespaces ListServices ListInstances",
        ),
    ),
    policy("AWSAppMeshReadOnly", "Reading App Mesh.", allow("appmesh: Describe* List*")),
    policy("AWSAppMeshEnvoyAccess", "A proxy's own configuration.", allow("appmesh: StreamAggregatedResources")),
    policy(
        "AWSCloudMapFullAccess",
        "All of Cloud Map.",
        allow(
            "route53: GetHostedZone ListHostedZonesByName CreateHostedZone DeleteHostedZone ChangeResourceRecordSets "
            "CreateHealthCheck GetHealthCheck DeleteHealthCheck UpdateHealthCheck",
            "ec2: DescribeVpcs DescribeRegions DescribeInstances",
            "servicediscovery: *",
        ),
    ),
    policy(
        "AWSCloudMapReadOnlyAccess",
        "Reading Cloud Map.",
        allow("servicediscovery: Get* List* DiscoverInstances DiscoverInstancesRevision"),
    ),
    policy(
        "AWSCloudMapDiscoverInstanceAccess",
        "Asking Cloud Map where instances are.",
        allow("servicediscovery: DiscoverInstances DiscoverInstancesRevision"),
    ),
    policy(
        "AWSCloudMapRegisterInstanceAccess",
        "Registering instances with Cloud Map.",
        allow(
            "route53: GetHostedZone ListHostedZonesByName ChangeResourceRecordSets CreateHealthCheck GetHealthCheck "
            "DeleteHealthCheck UpdateHealthCheck",
            "servicediscovery: Get* List* RegisterInstance DeregisterInstance DiscoverInstances "
            "DiscoverInstancesRevision UpdateInstanceCustomHealthStatus",
            "ec2: DescribeInstances",
        ),
    ),
    policy(
        "AWSAppRunnerFullAccess",
        "All of App Runner.",
        allow("apprunner: *"),
        allow(
            "iam: CreateServiceLinkedRole",
            on=role("aws-service-role/*"),
            when=linked_to("apprunner", "networking.apprunner"),
        ),
        allow("iam: PassRole", when=passed_to("build.apprunner", "tasks.apprunner")),
    ),
    policy("AWSAppRunnerReadOnlyAccess", "Reading App Runner.", allow("apprunner: List* Describe*")),
    policy(
        "AWSAppRunnerServicePolicyForECRAccess",
        "What App Runner needs to pull.",
        allow(
            "ecr: GetDownloadUrlForLayer BatchGetImage DescribeImages GetAuthorizationToken BatchCheckLayerAvailability"
        ),
        path="/service-role/",
    ),
    policy(
        "AWSBatchFullAccess",
        "All of Batch.",
        allow(
            "batch: *",
            "cloudwatch: GetMetricStatistics",
            "ec2: DescribeSubnets DescribeSecurityGroups DescribeKeyPairs DescribeVpcs DescribeImages "
            "DescribeLaunchTemplates DescribeLaunchTemplateVersions",
            "ecs: DescribeClusters Describe* List*",
            "eks: DescribeCluster ListClusters",
            "logs: Describe* Get* TestMetricFilter FilterLogEvents",
            "iam: ListInstanceProfiles ListRoles",
        ),
        allow(
            "iam: PassRole",
            on=(
                role("AWSBatchServiceRole"),
                role("service-role/AWSBatchServiceRole"),
                role("ecsInstanceRole"),
                role("ecsInstanceRole*"),
                role("AWSBatchJobRole*"),
            ),
        ),
        allow("iam: CreateServiceLinkedRole", on="arn:aws:iam::*:role/*Batch*", when=linked_to("batch")),
    ),
    policy(
        "AWSBatchServiceEventTargetRole",
        "What rules need to submit jobs.",
        allow("batch: SubmitJob"),
        path="/service-role/",
    ),
    policy(
        "AWSBatchServiceRole",
        "What Batch needs for its compute environments.",
        allow(
            "ec2: DescribeAccountAttributes DescribeInstances DescribeInstanceStatus DescribeInstanceAttribute "
            "DescribeSubnets DescribeSecurityGroups DescribeKeyPairs DescribeImages DescribeImageAttribute "
            "DescribeSpotInstanceRequests DescribeSpotFleetInstances DescribeSpotFleetRequests "
            "DescribeSpotPriceHistory DescribeSpotFleetRequestHistory DescribeVpcClassicLink "
            "DescribeLaunchTemplateVersions CreateLaunchTemplate DeleteLaunchTemplate RequestSpotFleet "
            "CancelSpotFleetRequests ModifySpotFleetRequest TerminateInstances RunInstances",
            "autoscaling: DescribeAccountLimits DescribeAutoScalingGroups DescribeLaunchConfigurations "
            "DescribeAutoScalingInstances DescribeScalingActivities CreateLaunchConfiguration "
            "CreateAutoScalingGroup UpdateAutoScalingGroup SetDesiredCapacity DeleteLaunchConfiguration "
            "DeleteAutoScalingGroup CreateOrUpdateTags SuspendProcesses PutNotificationConfiguration "
            "TerminateInstanceInAutoScalingGroup",
            "ecs: DescribeClusters DescribeContainerInstances DescribeTaskDefinition DescribeTasks ListAccountSettings "
            "ListClusters ListContainerInstances ListTaskDefinitionFamilies ListTaskDefinitions ListTasks "
            "CreateCluster DeleteCluster RegisterTaskDefinition DeregisterTaskDefinition RunTask StartTask StopTask "
            "UpdateContainerAgent DeregisterContainerInstance",
            "logs: CreateLogGroup CreateLogStream PutLogEvents DescribeLogGroups",
            "iam: GetInstanceProfile GetRole",
        ),
        allow("ecs: TagResource", on="arn:aws:ecs:*:*:task/*_Batch_*"),
        allow("iam: PassRole", when=passed_to("ec2", "ecs-tasks")),
        allow("iam: CreateServiceLinkedRole", when=linked_to("spot", "spotfleet", "autoscaling", "ecs")),
        allow("ec2: CreateTags", when=equals(ec2__CreateAction="RunInstances")),
        path="/service-role/",
    ),
)
