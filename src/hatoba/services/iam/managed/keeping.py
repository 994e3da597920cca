"""Storage, secrets, keys, queues, tables: what applications read and write.

From AWS's managed policy reference. A line of the form (`form`) names a service and some of its actions.
"""

from __future__ import annotations

from hatoba.services.iam.managed.form import allow, linked_to, policy

_TOPICS = "cloudwatch: DescribeAlarms GetMetricStatistics"

POLICIES = (
    policy("AmazonS3FullAccess", "All of S3.", allow("s3: *", "s3-object-lambda: *")),
    policy("AmazonS3ReadOnlyAccess", "Reading S3.", allow("s3: Get* List* Describe*", "s3-object-lambda: Get* List*")),
    policy(
        "AmazonS3OutpostsFullAccess",
        "All of S3 on Outposts.",
        allow(
            "s3-outposts: *",
            "outposts: ListOutposts GetOutpost",
            "ec2: DescribeVpcs DescribeSubnets DescribeSecurityGroups DescribeNetworkInterfaces",
        ),
    ),
    policy("AmazonS3TablesFullAccess", "All of S3's tables.", allow("s3tables: *")),
    policy("AmazonS3TablesReadOnlyAccess", "Reading S3's tables.", allow("s3tables: Get* List*")),
    policy(
        "AmazonS3ObjectLambdaExecutionRolePolicy",
        "What functions of S3 Object Lambda need.",
        allow("s3-object-lambda: WriteGetObjectResponse", "logs: CreateLogGroup CreateLogStream PutLogEvents"),
        path="/service-role/",
    ),
    policy(
        "SecretsManagerReadWrite",
        "All of secrets, and rotation with functions.",
        allow(
            "secretsmanager: *",
            "cloudformation: CreateChangeSet DescribeChangeSet DescribeStackResource DescribeStacks ExecuteChangeSet",
            "ec2: DescribeSecurityGroups DescribeSubnets DescribeVpcs",
            "kms: DescribeKey ListAliases ListKeys",
            "lambda: ListFunctions",
            "rds: DescribeDBClusters DescribeDBInstances",
            "redshift: DescribeClusters",
            "tag: GetResources",
        ),
        allow(
            "lambda: AddPermission CreateFunction GetFunction InvokeFunction UpdateFunctionConfiguration",
            on="arn:aws:lambda:*:*:function:SecretsManager*",
        ),
        allow(
            "serverlessrepo: CreateCloudFormationChangeSet GetApplication",
            on="arn:aws:serverlessrepo:*:*:applications/SecretsManager*",
        ),
        allow(
            "s3: GetObject",
            on=("arn:aws:s3:::awsserverlessrepo-changesets*", "arn:aws:s3:::secrets-manager-rotation-apps-*/*"),
        ),
    ),
    policy(
        "AWSSecretsManagerClientReadOnlyAccess",
        "Reading secrets.",
        allow("secretsmanager: GetSecretValue DescribeSecret BatchGetSecretValue ListSecrets"),
    ),
    policy(
        "AWSKeyManagementServicePowerUser",
        "Keys, without using or deleting them.",
        allow(
            "kms: CreateAlias CreateKey DeleteAlias Describe* GenerateRandom Get* List* TagResource UntagResource",
            "iam: ListGroups ListRoles ListUsers",
        ),
    ),
    policy("AmazonSQSFullAccess", "All of queues.", allow("sqs: *")),
    policy(
        "AmazonSQSReadOnlyAccess",
        "Reading about queues.",
        allow(
            "sqs: GetQueueAttributes GetQueueUrl ListDeadLetterSourceQueues ListQueues ListMessageMoveTasks "
            "ListQueueTags"
        ),
    ),
    policy("AmazonSNSFullAccess", "All of topics.", allow("sns: *")),
    policy(
        "AmazonSNSReadOnlyAccess",
        "Reading about topics.",
        allow(
            "sns: GetTopicAttributes List* "
            "CheckIfPhoneNumberIsOptedOut GetEndpointAttributes GetDataProtectionPolicy "
            "GetPlatformApplicationAttributes GetSMSAttributes GetSubscriptionAttributes"
        ),
    ),
    policy(
        "AmazonDynamoDBFullAccess",
        "All of tables.",
        allow(
            "dynamodb: *",
            "dax: *",
            "application-autoscaling: DeleteScalingPolicy DeregisterScalableTarget DescribeScalableTargets "
            "DescribeScalingActivities DescribeScalingPolicies PutScalingPolicy RegisterScalableTarget",
            "cloudwatch: DeleteAlarms DescribeAlarmHistory DescribeAlarms DescribeAlarmsForMetric GetMetricStatistics "
            "ListMetrics PutMetricAlarm GetMetricData",
            "kms: DescribeKey ListAliases",
            "tag: GetResources",
            "iam: GetRole ListRoles",
            "lambda: ListFunctions ListEventSourceMappings GetFunctionConfiguration",
            "sns: ListTopics ListSubscriptions ListSubscriptionsByTopic",
        ),
        allow(
            "iam: CreateServiceLinkedRole",
            when=linked_to(
                "replication.dynamodb",
                "dax",
                "dynamodb.application-autoscaling",
                "contributorinsights.dynamodb",
                "kinesisreplication.dynamodb",
            ),
        ),
    ),
    policy(
        "AmazonDynamoDBReadOnlyAccess",
        "Reading tables.",
        allow(
            "dynamodb: BatchGetItem Describe* List* GetItem GetResourcePolicy Query Scan PartiQLSelect",
            "application-autoscaling: DescribeScalableTargets DescribeScalingActivities DescribeScalingPolicies",
            _TOPICS,
            "kms: DescribeKey ListAliases",
            "tag: GetResources",
        ),
    ),
    policy("AmazonKinesisFullAccess", "All of streams.", allow("kinesis: *")),
    policy("AmazonKinesisReadOnlyAccess", "Reading streams.", allow("kinesis: Get* List* Describe*")),
    policy(
        "AmazonRDSFullAccess",
        "All of relational databases.",
        allow(
            "rds: *",
            "application-autoscaling: DeleteScalingPolicy DeregisterScalableTarget DescribeScalableTargets "
            "DescribeScalingActivities DescribeScalingPolicies PutScalingPolicy RegisterScalableTarget",
            "cloudwatch: DescribeAlarms GetMetricStatistics PutMetricAlarm DeleteAlarms ListMetrics GetMetricData",
            "ec2: DescribeAccountAttributes DescribeAvailabilityZones DescribeInternetGateways DescribeSecurityGroups "
            "DescribeSubnets DescribeVpcAttribute DescribeVpcs DescribeRouteTables",
            "sns: ListSubscriptions ListTopics Publish",
            "logs: DescribeLogStreams GetLogEvents",
        ),
        allow("iam: CreateServiceLinkedRole", when=linked_to("rds", "rds.application-autoscaling")),
    ),
    policy(
        "AmazonRDSReadOnlyAccess",
        "Reading relational databases.",
        allow(
            "rds: Describe* ListTagsForResource",
            "cloudwatch: GetMetricStatistics ListMetrics GetMetricData",
            "ec2: DescribeAccountAttributes DescribeAvailabilityZones DescribeInternetGateways DescribeSecurityGroups "
            "DescribeSubnets DescribeVpcAttribute DescribeVpcs",
            "logs: DescribeLogStreams GetLogEvents",
        ),
    ),
    policy(
        "AmazonElastiCacheFullAccess",
        "All of caches.",
        allow("elasticache: *"),
        allow("iam: CreateServiceLinkedRole", when=linked_to("elasticache")),
    ),
    policy(
        "AmazonElasticFileSystemFullAccess",
        "All of shared file systems.",
        allow(
            "elasticfilesystem: *",
            "cloudwatch: DescribeAlarmsForMetric GetMetricData",
            "ec2: CreateNetworkInterface DeleteNetworkInterface DescribeAvailabilityZones "
            "DescribeNetworkInterfaceAttribute DescribeNetworkInterfaces DescribeSecurityGroups DescribeSubnets "
            "DescribeVpcAttribute DescribeVpcs ModifyNetworkInterfaceAttribute",
            "kms: DescribeKey ListAliases",
        ),
        allow("iam: CreateServiceLinkedRole", when=linked_to("elasticfilesystem")),
    ),
    policy(
        "AmazonElasticFileSystemReadOnlyAccess",
        "Reading about shared file systems.",
        allow(
            "elasticfilesystem: DescribeAccountPreferences DescribeBackupPolicy DescribeFileSystems "
            "DescribeFileSystemPolicy DescribeLifecycleConfiguration DescribeMountTargets "
            "DescribeMountTargetSecurityGroups DescribeTags DescribeAccessPoints ListTagsForResource"
        ),
    ),
    policy(
        "AmazonElasticFileSystemClientReadWriteAccess",
        "Reading and writing a shared file system.",
        allow("elasticfilesystem: ClientMount ClientWrite DescribeMountTargets"),
    ),
    policy(
        "AmazonElasticFileSystemClientFullAccess",
        "All of a shared file system, as its root.",
        allow("elasticfilesystem: ClientMount ClientRootAccess ClientWrite DescribeMountTargets"),
    ),
)
