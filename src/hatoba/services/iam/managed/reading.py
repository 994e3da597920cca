"""Who may look: at everything (ReadOnlyAccess), at names (ViewOnlyAccess), at what matters to security (SecurityAudit).

One line a service: what each of the three may do there. AWS's own lists name some hundreds of services; these are the
ones that people who run containers meet. What gives away content (secrets' values, decrypted data) is in none of them,
except what AWS too lets readers read (parameters, objects).
"""

from __future__ import annotations

from hatoba.services.iam.managed.form import allow, policy

_DGL = "Describe* Get* List*"
_GL = "Get* List*"
_DL = "Describe* List*"

# service: (ReadOnlyAccess, ViewOnlyAccess, SecurityAudit)
_LISTS: dict[str, tuple[str, str, str]] = {
    "access-analyzer": (_GL, _GL, _GL),
    "account": (_GL, "", "GetAlternateContact GetContactInformation"),
    "acm": (_DGL, "ListCertificates", "Describe* List*"),
    "acm-pca": (
        _DGL,
        "ListCertificateAuthorities",
        "DescribeCertificateAuthority GetPolicy ListCertificateAuthorities",
    ),
    "apigateway": ("GET", "", "GET"),
    "application-autoscaling": (_DL, "Describe*", _DL),
    "appmesh": (_DL, "List*", _DL),
    "apprunner": (_DL, "List*", _DL),
    "athena": ("Batch* Get* List*", "List*", "List*"),
    "autoscaling": ("Describe* GetPredictiveScalingForecast", "Describe*", "Describe*"),
    "backup": (_DGL, "List*", "DescribeBackupVault ListBackupPlans ListBackupVaults GetBackupVaultAccessPolicy"),
    "batch": (_DL, "List*", _DL),
    "cloud9": (_DL, _DL, _DL),
    "cloudformation": (
        "Describe* Detect* EstimateTemplateCost Get* List* ValidateTemplate",
        "DescribeStacks DescribeStackEvents DescribeStackResource DescribeStackResources List*",
        "DescribeStack* GetStackPolicy GetTemplate List*",
    ),
    "cloudfront": (_DGL, "List*", "Get* List*"),
    "cloudtrail": (
        "Describe* Get* List* LookupEvents",
        "DescribeTrails LookupEvents ListTrails",
        "DescribeTrails GetEventSelectors GetTrailStatus ListTags ListTrails LookupEvents",
    ),
    "cloudwatch": (
        "BatchGet* Describe* GenerateQuery Get* List*",
        "Describe* Get* List*",
        "Describe* GetDashboard ListDashboards ListTagsForResource",
    ),
    "codeartifact": (
        "Describe* Get* List* ReadFromRepository",
        "ListDomains ListPackages ListRepositories",
        "GetDomainPermissionsPolicy GetRepositoryPermissionsPolicy ListRepositories",
    ),
    "codebuild": ("BatchGet* DescribeCodeCoverages DescribeTestCases List*", "List*", "BatchGetProjects ListProjects"),
    "codecommit": ("BatchGet* Describe* Get* GitPull List*", "List*", "BatchGetRepositories GetBranch List*"),
    "codeconnections": (_GL, "ListConnections", "List*"),
    "codedeploy": ("BatchGet* Get* List*", "List* Get*", "BatchGet* Get* List*"),
    "codepipeline": (_GL, "ListPipelines", "GetPipeline GetPipelineState ListPipelines"),
    "codestar-connections": (_GL, "", "List*"),
    "cognito-identity": (_DGL, "ListIdentities ListIdentityPools", "DescribeIdentityPool ListIdentityPools"),
    "cognito-idp": (
        "AdminGet* AdminList* Describe* Get* List*",
        "ListUserPools",
        "DescribeUserPool ListUserPools ListUserPoolClients",
    ),
    "config": (
        "BatchGet* Deliver* Describe* Get* List* SelectResourceConfig",
        "Describe* List*",
        "BatchGet* Deliver* Describe* Get* List* SelectResourceConfig",
    ),
    "datasync": (_DL, "List*", _DL),
    "directconnect": (_DL, "Describe*", "Describe*"),
    "dynamodb": (
        "BatchGet* Describe* Get* List* PartiQLSelect Query Scan",
        "ListTables ListBackups DescribeTable",
        "DescribeContinuousBackups DescribeExport DescribeTable GetResourcePolicy List*",
    ),
    "ebs": ("GetSnapshotBlock ListChangedBlocks ListSnapshotBlocks", "", ""),
    "ec2": (
        "Describe* Get* ListImagesInRecycleBin ListSnapshotsInRecycleBin SearchTransitGatewayRoutes",
        "Describe*",
        "Describe* GetEbsDefaultKmsKeyId GetEbsEncryptionByDefault GetSnapshotBlockPublicAccessState "
        "GetSerialConsoleAccessStatus",
    ),
    "ecr": (
        "BatchCheckLayerAvailability BatchGet* Describe* Get* List*",
        "DescribeRepositories ListImages",
        "DescribeImages DescribeImageScanFindings DescribeRegistry DescribeRepositories GetLifecyclePolicy "
        "GetRegistryPolicy GetRegistryScanningConfiguration GetRepositoryPolicy ListImages ListTagsForResource",
    ),
    "ecr-public": (
        "BatchCheckLayerAvailability Describe* Get* ListTagsForResource",
        "DescribeRepositories",
        "DescribeImages DescribeRepositories GetRepositoryPolicy ListTagsForResource",
    ),
    "ecs": (_DL, "Describe* List*", _DL),
    "eks": (_DL, "List*", _DL),
    "elasticache": (_DL, "Describe*", _DL),
    "elasticfilesystem": (_DL, "DescribeFileSystems", "Describe*"),
    "elasticloadbalancing": ("Describe* GetResourcePolicy GetTrustStore*", "Describe*", "Describe* GetTrustStore*"),
    "events": ("Describe* List* TestEventPattern", "ListRuleNamesByTarget ListRules ListTargetsByRule", _DL),
    "firehose": (_DL, "List*", _DL),
    "glue": (
        "BatchGet* Get* List*",
        "List*",
        "GetDataCatalogEncryptionSettings GetResourcePolicy GetSecurityConfiguration* GetConnections",
    ),
    "guardduty": (_DGL, "List*", _DGL),
    "health": ("Describe*", "", "DescribeEventAggregates DescribeEvents"),
    "iam": (
        "Generate* Get* List* Simulate*",
        "GetAccountSummary GetLoginProfile List*",
        "Generate* Get* List* Simulate*",
    ),
    "imagebuilder": (_GL, "List*", "GetComponentPolicy GetImagePolicy GetImageRecipePolicy List*"),
    "inspector2": ("BatchGet* Describe* Get* List*", "List*", "BatchGet* Describe* Get* List*"),
    "kinesis": (_DGL, "List*", "DescribeStream* ListStreams"),
    "kms": (_DGL, "ListAliases ListKeys", "Describe* GetKeyPolicy GetKeyRotationStatus List*"),
    "lambda": (_GL, "List*", "GetAccountSettings GetFunctionConfiguration GetLayerVersionPolicy GetPolicy List*"),
    "logs": (
        "Describe* FilterLogEvents Get* List* StartLiveTail StartQuery StopLiveTail StopQuery TestMetricFilter",
        "Describe*",
        "Describe* ListTagsLogGroup ListTagsForResource",
    ),
    "organizations": (_DL, "List*", _DL),
    "pipes": (_DL, "List*", _DL),
    "ram": (_GL, "List*", _GL),
    "rds": (_DL + " Download*", "Describe*", _DL),
    "resource-explorer-2": ("BatchGetView Get* List* Search", "List*", _GL),
    "resource-groups": (_GL + " SearchResources", "ListGroups", "ListGroupResources"),
    "route53": (_GL + " TestDNSAnswer", "Get* List*", "Get* List*"),
    "route53resolver": (_GL, "Get* List*", _GL),
    "s3": (
        "DescribeJob Get* List*",
        "ListAllMyBuckets ListBucket",
        "GetAccelerateConfiguration GetAccountPublicAccessBlock GetAnalyticsConfiguration GetBucket* "
        "GetEncryptionConfiguration GetInventoryConfiguration GetLifecycleConfiguration GetMetricsConfiguration "
        "GetObjectAcl GetObjectVersionAcl GetReplicationConfiguration ListAllMyBuckets ListAccessPoints",
    ),
    "scheduler": (_GL, "List*", "ListScheduleGroups ListSchedules"),
    "schemas": (_DGL + " SearchSchemas", "List*", ""),
    "secretsmanager": (
        "Describe* GetResourcePolicy List*",
        "ListSecrets",
        "Describe* GetResourcePolicy List*",
    ),
    "securityhub": ("BatchGet* Describe* Get* List*", "", "Describe* Get* List*"),
    "servicediscovery": ("DiscoverInstances* Get* List*", "List*", _GL),
    "servicequotas": (_GL, "List*", _GL),
    "ses": (_DGL, "List*", "Describe* GetAccount List*"),
    "sns": (_GL, "ListTopics ListSubscriptions*", "GetTopicAttributes GetPlatformApplicationAttributes List*"),
    "sqs": ("Get* List* ReceiveMessage", "ListQueues", "GetQueueAttributes ListDeadLetterSourceQueues ListQueues"),
    "ssm": (
        _DGL,
        "DescribeParameters ListAssociations ListDocuments",
        "Describe* GetDocument ListAssociations ListDocuments ListResourceDataSync ListTagsForResource",
    ),
    "ssmmessages": ("", "", ""),
    "states": (_DGL, "ListActivities ListStateMachines", "Describe* ListStateMachines"),
    "storagegateway": (_DL, "List*", "List* Describe*"),
    "sts": ("GetAccessKeyInfo GetCallerIdentity GetSessionToken", "", "GetAccessKeyInfo"),
    "support": ("Describe*", "", "DescribeTrustedAdvisor*"),
    "tag": (_GL, "", "GetResources GetTagKeys"),
    "transfer": (_DL, "List*", _DL),
    "vpc-lattice": (_GL, "List*", _GL),
    "wafv2": ("CheckCapacity Describe* Get* List*", "List*", _GL),
    "xray": ("BatchGet* Get* List*", "", "GetEncryptionConfig GetGroups ListResourcePolicies"),
}


def _texts(which: int) -> list[str]:
    return [f"{service}: {lists[which]}" for service, lists in _LISTS.items() if lists[which]]


POLICIES = (
    policy("ReadOnlyAccess", "Reading everything.", allow(*_texts(0))),
    policy(
        "ViewOnlyAccess",
        "Seeing what there is, without its content.",
        allow(*_texts(1)),
        path="/job-function/",
    ),
    policy("SecurityAudit", "Reading the configuration of what matters to security.", allow(*_texts(2))),
)
