"""Service-linked roles: under what permissions the platform's rooms call each other.

Each role has the policy that AWS documents for it, and beside it one of ours (`Hatoba…`): what on AWS happens inside
the service without a call that anybody sees, and here is a call like any other (decision 0024). Rooms whose service
has no linked role on AWS have one of ours alone. `ROLES` is the whole list: what is not in it may do nothing.
"""

from __future__ import annotations

from hatoba.services.iam.managed.form import Managed, Statement, allow, equals, policy, role

PATH = "/aws-service-role/"


def _linked(name: str, description: str, *statements: Statement) -> Managed:
    return policy(name, description, *statements, path=PATH)


_ECS = _linked(
    "AmazonECSServiceRolePolicy",
    "What ECS does for its services and tasks.",
    allow(
        "ec2: AttachNetworkInterface AssociateTrunkInterface CreateNetworkInterface CreateNetworkInterfacePermission "
        "DeleteNetworkInterface DeleteNetworkInterfacePermission Describe* DetachNetworkInterface "
        "DisassociateTrunkInterface",
        "elasticloadbalancing: DeregisterInstancesFromLoadBalancer DeregisterTargets Describe* "
        "RegisterInstancesWithLoadBalancer RegisterTargets",
        "route53: ChangeResourceRecordSets CreateHealthCheck DeleteHealthCheck Get* List* UpdateHealthCheck",
        "servicediscovery: DeregisterInstance Get* List* RegisterInstance UpdateInstanceCustomHealthStatus "
        "DiscoverInstances DiscoverInstancesRevision",
        "autoscaling: Describe*",
        "autoscaling-plans: CreateScalingPlan DeleteScalingPlan DescribeScalingPlans DescribeScalingPlanResources",
        "ssm: DescribeSessions",
    ),
    allow(
        "autoscaling: DeletePolicy PutScalingPolicy SetInstanceProtection UpdateAutoScalingGroup PutLifecycleHook "
        "DeleteLifecycleHook CompleteLifecycleAction RecordLifecycleActionHeartbeat",
        when={"Null": {"autoscaling:ResourceTag/AmazonECSManaged": "false"}},
    ),
    allow("events: DescribeRule ListTargetsByRule", on="arn:aws:events:*:*:rule/ecs-managed-*"),
    allow("events: PutRule PutTargets", when=equals(events__ManagedBy="ecs.amazonaws.com")),
    allow("cloudwatch: DeleteAlarms DescribeAlarms PutMetricAlarm", on="arn:aws:cloudwatch:*:*:alarm:*"),
    allow("ec2: CreateTags", on="arn:aws:ec2:*:*:network-interface/*"),
    allow("logs: CreateLogGroup DescribeLogGroups PutRetentionPolicy", on="arn:aws:logs:*:*:log-group:/aws/ecs/*"),
    allow(
        "logs: CreateLogStream DescribeLogStreams PutLogEvents", on="arn:aws:logs:*:*:log-group:/aws/ecs/*:log-stream:*"
    ),
    allow(
        "ssm: StartSession",
        on=("arn:aws:ecs:*:*:task/*", "arn:aws:ssm:*:*:document/AmazonECS-ExecuteInteractiveCommand"),
    ),
    allow(
        "servicediscovery: CreateHttpNamespace CreateService",
        when={"ForAllValues:StringEquals": {"aws:TagKeys": ("AmazonECSManaged",)}},
    ),
    allow("servicediscovery: TagResource", when={"StringLike": {"aws:RequestTag/AmazonECSManaged": "*"}}),
    allow(
        "servicediscovery: DeleteService UpdateServiceAttributes",
        when={"Null": {"aws:ResourceTag/AmazonECSManaged": "false"}},
    ),
)
_ECS_HERE = _linked(
    "HatobaECSServiceRolePolicy",
    "What ECS does by itself on AWS, and by calls here.",
    allow(
        "ec2: ModifyNetworkInterfaceAttribute",
        on="arn:aws:ec2:*:*:network-interface/*",
        when=equals(ec2__ManagedResourceOperator="ecs.amazonaws.com"),  # what ECS has made
    ),
    allow("cloudwatch: DescribeAlarms"),
    allow("elasticloadbalancing: ModifyListener ModifyRule"),
    allow("ecr: GetAuthorizationToken DescribeImages BatchCheckLayerAvailability GetDownloadUrlForLayer BatchGetImage"),
    allow("ecs: ListTagsForResource UpdateService"),
    allow("events: PutEvents"),
    allow("lambda: InvokeFunction"),
    allow("sts: AssumeRole"),
)
_ELB = _linked(
    "AWSElasticLoadBalancingServiceRolePolicy",
    "What load balancers do in VPCs.",
    allow(
        "ec2: DescribeAddresses DescribeCoipPools DescribeInstances DescribeNetworkInterfaces DescribeSubnets "
        "DescribeSecurityGroups DescribeVpcs DescribeInternetGateways DescribeAccountAttributes "
        "DescribeClassicLinkInstances DescribeVpcClassicLink CreateSecurityGroup CreateNetworkInterface "
        "DeleteNetworkInterface GetCoipPoolUsage ModifyNetworkInterfaceAttribute AllocateAddress "
        "AuthorizeSecurityGroupIngress AssociateAddress DisassociateAddress AttachNetworkInterface "
        "DetachNetworkInterface AssignPrivateIpAddresses AssignIpv6Addresses ReleaseAddress UnassignIpv6Addresses "
        "DescribeVpcPeeringConnections",
        "logs: CreateLogDelivery GetLogDelivery UpdateLogDelivery DeleteLogDelivery ListLogDeliveries",
        "outposts: GetOutpostInstanceTypes",
    ),
)
_ELB_HERE = _linked(
    "HatobaElasticLoadBalancingServiceRolePolicy",
    "Certificates and functions, which load balancers reach by calls here.",
    allow("acm: DescribeCertificate"),
    allow("iam: GetServerCertificate"),
    allow("ec2: DescribeRouteTables"),
    allow("ec2: CreateTags", on="arn:aws:ec2:*:*:network-interface/*"),
    allow("lambda: InvokeFunction"),
)
_SSM = _linked(
    "AmazonSSMServiceRolePolicy",
    "What Systems Manager does for its users.",
    allow(
        "ssm: CancelCommand GetCommandInvocation ListCommandInvocations ListCommands SendCommand "
        "GetAutomationExecution GetParameters StartAutomationExecution StopAutomationExecution ListTagsForResource "
        "GetCalendarState",
        "ec2: DescribeInstanceAttribute DescribeInstanceStatus DescribeInstances",
        "resource-groups: ListGroups ListGroupResources GetGroupQuery",
        "tag: GetResources",
        "cloudwatch: DescribeAlarms",
    ),
)
_SSM_HERE = _linked(
    "HatobaSSMServiceRolePolicy",
    "Notifications, roles of machines and sessions' logs.",
    allow("iam: GetRole"),
    allow("events: PutEvents"),
    allow("logs: CreateLogStream PutLogEvents DescribeLogGroups DescribeLogStreams"),
    allow("s3: PutObject"),
)
_SECRETS = _linked(
    "HatobaSecretsManagerServiceRolePolicy",
    "Keys of replicas, roles that write those in other accounts, and the functions that rotate.",
    allow("kms: Decrypt GenerateDataKey DescribeKey"),
    allow("sts: AssumeRole", "organizations: DescribeOrganization"),
    allow("lambda: GetFunction InvokeFunction"),
)
_STS = _linked(
    "HatobaSTSServiceRolePolicy",
    "Roles and who is trusted by them, users and their second factors.",
    allow("iam: GetRole GetUser GetOpenIDConnectProvider GetSAMLProvider ListMFADevices GetMFADevice ListRoleTags"),
)
_ORGANIZATIONS = _linked(
    "AWSOrganizationsServiceTrustPolicy",
    "Service-linked roles in the accounts of an organisation.",
    allow("iam: DeleteRole", on="arn:aws:iam::*:role/aws-service-role/organizations.amazonaws.com/*"),
    allow("iam: CreateServiceLinkedRole"),
)
_ORGANIZATIONS_HERE = _linked(
    "HatobaOrganizationsServiceRolePolicy",
    "The administrator's role of a new account, and what still runs in a closed one.",
    allow("iam: CreateRole", on=role("*")),
    allow("ecs: ListClusters ListServices DeleteService ListTasks StopTask"),
    allow(
        "iam: AttachRolePolicy",
        on=role("*"),
        when={"ArnLike": {"iam:PolicyARN": "arn:*:iam::aws:policy/AdministratorAccess"}},
    ),
)
_IAM = _linked(
    "HatobaIAMServiceRolePolicy",
    "What an organisation looks like, for reports on who used what.",
    allow(
        "organizations: DescribeOrganization DescribePolicy ListAccountsForParent ListOrganizationalUnitsForParent "
        "ListParents ListPoliciesForTarget ListRoots ListTargetsForPolicy"
    ),
)
_NOTHING = _linked("HatobaServiceRolePolicy", "Its own business: calls nobody.", allow("sts: GetCallerIdentity"))
_REPLICATION = _linked(
    "ECRReplicationServiceRolePolicy",
    "Copies of images in other registries.",
    allow("ecr: CreateRepository ReplicateImage"),
)
_ECR_CACHE = _linked(
    "AWSECRPullThroughCache_ServiceRolePolicy",
    "Images of public registries, kept.",
    allow(
        "ecr: GetAuthorizationToken BatchCheckLayerAvailability InitiateLayerUpload UploadLayerPart "
        "CompleteLayerUpload PutImage BatchGetImage BatchImportUpstreamImage GetDownloadUrlForLayer "
        "GetImageCopyStatus"
    ),
    allow(
        "secretsmanager: GetSecretValue",
        on="arn:aws:secretsmanager:*:*:secret:ecr-pullthroughcache/*",
        when={"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}},
    ),
)
_SCALING_ECS = _linked(
    "AWSApplicationAutoscalingECSServicePolicy",
    "Services' desired counts, by alarms.",
    allow("ecs: DescribeServices UpdateService", "cloudwatch: PutMetricAlarm DescribeAlarms DeleteAlarms"),
)
_AUTOSCALING = _linked(
    "AutoScalingServiceRolePolicy",
    "Machines of scaling groups.",
    allow(
        "ec2: AttachClassicLinkVpc CancelSpotInstanceRequests CreateFleet CreateTags DeleteTags Describe* "
        "DetachClassicLinkVpc GetInstanceTypesFromInstanceRequirements GetSecurityGroupsForVpc "
        "ModifyInstanceAttribute RequestSpotInstances RunInstances StartInstances StopInstances TerminateInstances",
        "elasticloadbalancing: Register* Deregister* Describe*",
        "cloudwatch: DeleteAlarms DescribeAlarms GetMetricData PutMetricAlarm",
        "sns: Publish",
        "resource-groups: ListGroupResources",
        "ssm: GetParameters",
        "vpc-lattice: DeregisterTargets GetTargetGroup ListTargets ListTargetGroups RegisterTargets",
    ),
    allow("iam: PassRole", when={"StringLike": {"iam:PassedToService": "ec2.amazonaws.com*"}}),
    allow(
        "events: PutRule PutTargets RemoveTargets DeleteRule DescribeRule",
        when=equals(events__ManagedBy="autoscaling.amazonaws.com"),
    ),
)
_EKS = _linked(
    "AmazonEKSServiceRolePolicy",
    "What EKS does for its clusters.",
    allow(
        "ec2: CreateNetworkInterface DeleteNetworkInterface DetachNetworkInterface "
        "ModifyNetworkInterfaceAttribute DescribeInstances DescribeNetworkInterfaces DescribeSecurityGroups "
        "DescribeSubnets DescribeVpcs CreateNetworkInterfacePermission CreateSecurityGroup",
        "iam: ListAttachedRolePolicies",
    ),
    allow(
        "ec2: DeleteSecurityGroup RevokeSecurityGroupIngress AuthorizeSecurityGroupIngress",
        on="arn:aws:ec2:*:*:security-group/*",
        when={"ForAnyValue:StringLike": {"ec2:ResourceTag/Name": "eks-cluster-sg*"}},
    ),
    allow(
        "ec2: CreateTags DeleteTags",
        on=("arn:aws:ec2:*:*:vpc/*", "arn:aws:ec2:*:*:subnet/*"),
        when={"ForAnyValue:StringLike": {"aws:TagKeys": "kubernetes.io/cluster/*"}},
    ),
    allow(
        "ec2: CreateTags DeleteTags",
        on="arn:aws:ec2:*:*:security-group/*",
        when={
            "ForAnyValue:StringLike": {
                "aws:TagKeys": "kubernetes.io/cluster/*",
                "aws:RequestTag/Name": "eks-cluster-sg*",
            }
        },
    ),
    allow("route53: AssociateVPCWithHostedZone", on="arn:aws:route53:::hostedzone/*"),
    allow("logs: CreateLogGroup", on="arn:aws:logs:*:*:log-group:/aws/eks/*"),
    allow("logs: CreateLogStream DescribeLogStreams PutLogEvents", on="arn:aws:logs:*:*:log-group:/aws/eks/*:*"),
)

# role: its policies
ROLES: dict[str, tuple[Managed, ...]] = {
    "AWSServiceRoleForECS": (_ECS, _ECS_HERE),
    "AWSServiceRoleForElasticLoadBalancing": (_ELB, _ELB_HERE),
    "AWSServiceRoleForSSM": (_SSM, _SSM_HERE),
    "AWSServiceRoleForAmazonSSM": (_SSM,),
    "AWSServiceRoleForSecretsManager": (_SECRETS,),
    "AWSServiceRoleForSTS": (_STS,),
    "AWSServiceRoleForOrganizations": (_ORGANIZATIONS, _ORGANIZATIONS_HERE),
    "AWSServiceRoleForACM": (_NOTHING,),
    "AWSServiceRoleForCloudTrail": (_NOTHING,),
    "AWSServiceRoleForCloudWatchLogs": (_NOTHING,),
    "AWSServiceRoleForEC2": (_NOTHING,),
    "AWSServiceRoleForECR": (_NOTHING,),
    "AWSServiceRoleForIAM": (_IAM,),
    "AWSServiceRoleForKMS": (_NOTHING,),
    "AWSServiceRoleForS3": (_NOTHING,),
    "AWSServiceRoleForECRReplication": (_REPLICATION,),
    "AWSServiceRoleForECRPullThroughCache": (_ECR_CACHE,),
    "AWSServiceRoleForApplicationAutoScaling_ECSService": (_SCALING_ECS,),
    "AWSServiceRoleForAutoScaling": (_AUTOSCALING,),
    "AWSServiceRoleForAmazonEKS": (_EKS,),
}

POLICIES = tuple({managed.name: managed for held in ROLES.values() for managed in held}.values())
