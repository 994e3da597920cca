"""Policies by what people do: administrators, power users, the job functions; and those on IAM itself.

Names and extent are those of AWS's managed policy reference (job functions, account, IAM); the words are ours. A line
of the form (`form`) names a service and some of its actions.
"""

from __future__ import annotations

from hatoba.services.iam.managed.form import allow, allow_others, deny, passed_to, policy, role

JOB = "/job-function/"

_OWN = "iam: ChangePassword GetAccountPasswordPolicy GetUser ListAccessKeys"

POLICIES = (
    policy("AdministratorAccess", "Everything.", allow("*")),
    policy(
        "PowerUserAccess",
        "Everything but the management of users, groups, accounts and organizations.",
        allow_others("iam: *", "organizations: *", "account: *"),
        allow(
            "account: GetAccountInformation GetPrimaryEmail ListRegions",
            "iam: CreateServiceLinkedRole DeleteServiceLinkedRole ListRoles",
            "organizations: DescribeOrganization",
        ),
    ),
    policy(
        "IAMFullAccess",
        "All of IAM.",
        allow(
            "iam: *",
            "organizations: DescribeAccount DescribeOrganization DescribeOrganizationalUnit DescribePolicy "
            "ListChildren ListParents ListPoliciesForTarget ListRoots ListPolicies ListTargetsForPolicy",
        ),
    ),
    policy(
        "IAMReadOnlyAccess",
        "Reading all of IAM.",
        allow(
            "iam: GenerateCredentialReport GenerateServiceLastAccessedDetails Get* List* SimulateCustomPolicy "
            "SimulatePrincipalPolicy",
        ),
    ),
    policy(
        "IAMUserChangePassword",
        "One's own password.",
        allow("iam: ChangePassword", on=("arn:aws:iam::*:user/${aws:username}",)),
        allow("iam: GetAccountPasswordPolicy"),
    ),
    policy(
        "IAMUserSSHKeys",
        "One's own SSH keys.",
        allow(
            "iam: DeleteSSHPublicKey GetSSHPublicKey ListSSHPublicKeys UpdateSSHPublicKey UploadSSHPublicKey",
            on="arn:aws:iam::*:user/${aws:username}",
        ),
    ),
    policy(
        "IAMSelfManageServiceSpecificCredentials",
        "One's own credentials for single services.",
        allow(
            "iam: CreateServiceSpecificCredential ListServiceSpecificCredentials UpdateServiceSpecificCredential "
            "DeleteServiceSpecificCredential ResetServiceSpecificCredential",
            on="arn:aws:iam::*:user/${aws:username}",
        ),
    ),
    policy(
        "IAMAccessAdvisorReadOnly",
        "What was last accessed, and by whom.",
        allow(
            "iam: ListRoles ListUsers ListGroups ListPolicies ListPoliciesGrantingServiceAccess "
            "GenerateServiceLastAccessedDetails GenerateOrganizationsAccessReport GetServiceLastAccessedDetails "
            "GetServiceLastAccessedDetailsWithEntities GetOrganizationsAccessReport GetRole GetPolicy GetRolePolicy "
            "GetUserPolicy GetGroupPolicy GetPolicyVersion",
            "organizations: DescribeAccount DescribeOrganization DescribeOrganizationalUnit DescribePolicy "
            "ListChildren ListParents ListPoliciesForTarget ListRoots ListPolicies ListTargetsForPolicy",
        ),
    ),
    policy(
        "SystemAdministrator",
        "What running applications needs: machines, networks, logs, deployments, storage.",
        allow(
            "cloudformation: *",
            "cloudwatch: *",
            "autoscaling: *",
            "codecommit: *",
            "codedeploy: *",
            "codepipeline: *",
            "config: *",
            "ec2: *",
            "elasticfilesystem: *",
            "elasticloadbalancing: *",
            "events: *",
            "ecr: *",
            "ecs: *",
            "kms: CreateAlias CreateKey DeleteAlias Describe* GenerateRandom Get* List* Encrypt ReEncrypt*",
            "lambda: Create* Delete* Get* InvokeFunction List* PublishVersion Update*",
            "logs: *",
            "route53: *",
            "s3: *",
            "sns: *",
            "sqs: *",
            "ssm: Describe* Get* List*",
            _OWN,
            "iam: GetRole ListRoles ListInstanceProfiles ListRolePolicies ListAttachedRolePolicies",
        ),
        allow(
            "iam: PassRole",
            on=(role("rds-monitoring-role"), role("ec2-sysadmin-*"), role("ecr-sysadmin-*"), role("lambda-sysadmin-*")),
        ),
        path=JOB,
    ),
    policy(
        "NetworkAdministrator",
        "Networks: VPCs, their parts, load balancers and names.",
        allow(
            "autoscaling: Describe*",
            "cloudfront: ListDistributions",
            "cloudwatch: DeleteAlarms DescribeAlarms GetMetricStatistics PutMetricAlarm",
            "directconnect: *",
            "ec2: AllocateAddress AssignPrivateIpAddresses AssociateAddress AssociateDhcpOptions AssociateRouteTable "
            "AssociateSubnetCidrBlock AssociateVpcCidrBlock AttachInternetGateway AttachNetworkInterface "
            "CreateDhcpOptions CreateEgressOnlyInternetGateway CreateFlowLogs CreateInternetGateway CreateNatGateway "
            "CreateNetworkAcl CreateNetworkAclEntry CreateNetworkInterface CreateRoute CreateRouteTable "
            "CreateSecurityGroup CreateSubnet CreateTags CreateVpc CreateVpcEndpoint CreateVpcPeeringConnection "
            "CreateVpnConnection DeleteNetworkInterface DeleteRoute DeleteRouteTable DeleteSecurityGroup DeleteSubnet "
            "DeleteTags DeleteVpc DeleteVpcEndpoints DeleteNatGateway DeleteNetworkAcl DeleteNetworkAclEntry "
            "DeleteInternetGateway Describe* DetachInternetGateway DetachNetworkInterface DisassociateAddress "
            "DisassociateRouteTable ModifyNetworkInterfaceAttribute ModifySubnetAttribute ModifyVpcAttribute "
            "ModifyVpcEndpoint ReleaseAddress ReplaceNetworkAclAssociation ReplaceNetworkAclEntry ReplaceRoute "
            "ReplaceRouteTableAssociation AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress "
            "RevokeSecurityGroupIngress RevokeSecurityGroupEgress UnassignPrivateIpAddresses",
            "elasticloadbalancing: *",
            "logs: DescribeLogGroups DescribeLogStreams GetLogEvents",
            "route53: *",
            "route53domains: *",
            "sns: CreateTopic ListSubscriptionsByTopic ListTopics",
        ),
        allow("s3: GetBucketLocation GetBucketWebsite ListBucket"),
        allow("iam: GetRole ListRoles PassRole", on=role("flow-logs-*")),
        path=JOB,
    ),
    policy(
        "DatabaseAdministrator",
        "Databases, and what watches them.",
        allow(
            "cloudwatch: DeleteAlarms Describe* EnableAlarmActions Get* List* PutMetricAlarm",
            "dynamodb: *",
            "ec2: DescribeAccountAttributes DescribeAddresses DescribeAvailabilityZones DescribeInternetGateways "
            "DescribeSecurityGroups DescribeSubnets DescribeVpcs",
            "elasticache: *",
            "iam: ListRoles GetRole",
            "kms: ListKeys ListAliases",
            "logs: DescribeLogGroups DescribeLogStreams FilterLogEvents GetLogEvents Create* PutLogEvents "
            "PutMetricFilter",
            "rds: *",
            "redshift: *",
            "s3: CreateBucket",
            "sns: CreateTopic DeleteTopic Get* List* SetTopicAttributes Subscribe Unsubscribe",
        ),
        allow(
            "s3: DeleteObject* Get* List* PutAccelerateConfiguration PutBucketTagging PutBucketVersioning "
            "PutObject* ReplicateDelete ReplicateObject RestoreObject"
        ),
        allow(
            "iam: PassRole",
            on=(
                role("rds-monitoring-role"),
                role("rdbms-lambda-access"),
                role("lambda_exec_role"),
                role("lambda-dynamodb-*"),
            ),
        ),
        path=JOB,
    ),
    policy(
        "SupportUser",
        "Looking into what users report: reading, and the support centre.",
        allow(
            "support: *",
            "acm: DescribeCertificate GetCertificate List*",
            "autoscaling: Describe*",
            "cloudformation: Describe* Get* List*",
            "cloudtrail: DescribeTrails LookupEvents ListTags ListPublicKeys",
            "cloudwatch: Describe* Get* List*",
            "codebuild: BatchGet* List*",
            "codecommit: BatchGetRepositories Get* List*",
            "codedeploy: BatchGet* Get* List*",
            "codepipeline: GetPipeline GetPipelineExecution GetPipelineState ListActionTypes ListPipelines",
            "ec2: Describe*",
            "ecs: Describe* List*",
            "eks: Describe* List*",
            "elasticloadbalancing: Describe*",
            "events: Describe* List* TestEventPattern",
            "iam: GenerateCredentialReport Get* List*",
            "kms: Describe* Get* List*",
            "lambda: Get* List*",
            "logs: Describe* TestMetricFilter",
            "route53: Get* List*",
            "s3: List*",
            "servicediscovery: Get* List*",
            "sns: Get* List*",
            "sqs: GetQueueAttributes GetQueueUrl ListQueues",
            "ssm: Describe* GetDocument GetInventory ListAssociations ListDocuments",
            "xray: BatchGetTraces GetServiceGraph GetTraceGraph GetTraceSummaries",
        ),
        path=JOB,
    ),
    policy(
        "Billing",
        "Bills, payments and budgets.",
        allow(
            "account: GetAccountInformation",
            "aws-portal: *Billing *Usage *PaymentMethods ViewAccount",
            "budgets: *",
            "ce: *",
            "cur: *",
            "purchase-orders: *",
        ),
        path=JOB,
    ),
    policy(
        "AWSDenyAll",
        "Nothing at all.",
        deny("*"),
    ),
    policy("AWSAccountManagementReadOnlyAccess", "What is known of the account.", allow("account: Get* List*")),
    policy(
        "AWSCloudFormationFullAccess",
        "All of CloudFormation.",
        allow("cloudformation: *"),
    ),
    policy(
        "AWSCloudFormationReadOnlyAccess",
        "Reading CloudFormation.",
        allow("cloudformation: Describe* EstimateTemplateCost Get* List* ValidateTemplate Detect*"),
    ),
    policy(
        "ResourceGroupsandTagEditorFullAccess",
        "Tags of everything, and groups by them.",
        allow(
            "resource-groups: *",
            "tag: *",
            "cloudformation: DescribeStacks ListStackResources",
            "ec2: CreateTags DeleteTags Describe*",
            "ecs: TagResource UntagResource ListTagsForResource",
            "elasticloadbalancing: AddTags RemoveTags DescribeTags",
            "ecr: TagResource UntagResource ListTagsForResource",
            "eks: TagResource UntagResource ListTagsForResource",
            "lambda: TagResource UntagResource ListTags",
            "logs: TagResource UntagResource ListTagsForResource",
            "s3: GetBucketTagging PutBucketTagging",
        ),
    ),
    policy(
        "AWSMarketplaceRead-only",
        "Looking at what is bought there.",
        allow("aws-marketplace: ViewSubscriptions", "ec2: Describe*", "iam: ListRoles ListInstanceProfiles"),
    ),
    policy(
        "AWSDirectConnectReadOnlyAccess",
        "Reading Direct Connect.",
        allow("directconnect: Describe* List*", "ec2: DescribeVpnGateways DescribeTransitGateways"),
    ),
    policy(
        "AWSConfigUserAccess",
        "Reading Config.",
        allow(
            "config: Get* Describe* Deliver* List* SelectResourceConfig",
            "tag: GetResources GetTagKeys",
            "cloudtrail: DescribeTrails GetTrailStatus LookupEvents",
        ),
    ),
    policy(
        "AWSCloudTrail_FullAccess",
        "All of CloudTrail.",
        allow(
            "cloudtrail: *",
            "sns: AddPermission CreateTopic SetTopicAttributes GetTopicAttributes ListTopics",
            "s3: CreateBucket PutBucketPolicy PutBucketPublicAccessBlock ListAllMyBuckets GetBucketLocation "
            "GetBucketPolicy",
            "logs: CreateLogGroup DescribeLogGroups",
            "iam: ListRoles GetRolePolicy GetUser",
            "kms: CreateKey CreateAlias ListKeys ListAliases",
            "lambda: ListFunctions",
            "dynamodb: ListGlobalTables ListTables",
        ),
        allow("iam: PassRole", when=passed_to("cloudtrail")),
    ),
    policy(
        "AWSCloudTrail_ReadOnlyAccess", "Reading CloudTrail.", allow("cloudtrail: Get* Describe* List* LookupEvents")
    ),
)
