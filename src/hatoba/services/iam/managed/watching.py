"""Logs, metrics, events, traces, Systems Manager: what is watched, and what watches.

From AWS's managed policy reference: CloudWatch and its logs, EventBridge, X-Ray, Systems Manager. A line of the form
(`form`) names a service and some of its actions.
"""

from __future__ import annotations

from hatoba.services.iam.managed.form import allow, linked_to, passed_to, policy, role

SERVICE = "/service-role/"

_LOGS_READ = (
    "logs: Describe* Get* List* StartQuery StopQuery StopLiveTail StartLiveTail TestMetricFilter FilterLogEvents"
)
_AGENT_CHANNELS = (
    "ssmmessages: CreateControlChannel CreateDataChannel OpenControlChannel OpenDataChannel",
    "ec2messages: AcknowledgeMessage DeleteMessage FailMessage GetEndpoint GetMessages SendReply",
)

CLOUDWATCH = (
    policy(
        "CloudWatchFullAccess",
        "All of CloudWatch and its logs.",
        allow(
            "autoscaling: Describe*",
            "cloudwatch: *",
            "logs: *",
            "sns: *",
            "iam: GetPolicy GetPolicyVersion GetRole",
            "oam: ListSinks",
        ),
        allow(
            "iam: CreateServiceLinkedRole",
            on=role("aws-service-role/events.amazonaws.com/AWSServiceRoleForCloudWatchEvents*"),
            when=linked_to("events"),
        ),
    ),
    policy(
        "CloudWatchFullAccessV2",
        "All of CloudWatch, its logs and traces.",
        allow(
            "application-autoscaling: DescribeScalingPolicies",
            "autoscaling: DescribeAutoScalingGroups DescribePolicies",
            "cloudwatch: *",
            "logs: *",
            "sns: CreateTopic ListSubscriptions ListSubscriptionsByTopic ListTopics Subscribe",
            "iam: GetPolicy GetPolicyVersion GetRole",
            "oam: ListSinks",
            "rum: *",
            "synthetics: *",
            "xray: *",
            "application-signals: *",
        ),
        allow("iam: CreateServiceLinkedRole", when=linked_to("events", "application-signals.cloudwatch")),
    ),
    policy(
        "CloudWatchReadOnlyAccess",
        "Reading CloudWatch.",
        allow(
            "application-autoscaling: DescribeScalingPolicies",
            "autoscaling: Describe*",
            "cloudwatch: BatchGet* Describe* GenerateQuery Get* List*",
            _LOGS_READ,
            "oam: ListSinks",
            "sns: Get* List*",
            "rum: BatchGet* Get* List*",
            "synthetics: Describe* Get* List*",
            "xray: BatchGet* Get* List*",
        ),
    ),
    policy(
        "CloudWatchActionsEC2Access",
        "Alarms that stop, start and end machines.",
        allow("cloudwatch: Describe*", "ec2: Describe* RebootInstances StopInstances TerminateInstances"),
    ),
    policy(
        "CloudWatchAgentServerPolicy",
        "What the agent needs on a server.",
        allow(
            "cloudwatch: PutMetricData",
            "ec2: DescribeVolumes DescribeTags",
            "logs: PutLogEvents PutRetentionPolicy DescribeLogStreams DescribeLogGroups CreateLogStream CreateLogGroup",
            "xray: PutTraceSegments PutTelemetryRecords GetSamplingRules GetSamplingTargets "
            "GetSamplingStatisticSummaries",
        ),
        allow("ssm: GetParameter", on="arn:aws:ssm:*:*:parameter/AmazonCloudWatch-*"),
    ),
    policy(
        "CloudWatchAgentAdminPolicy",
        "Keeping the agent's configuration.",
        allow(
            "cloudwatch: PutMetricData",
            "ec2: DescribeTags",
            "logs: PutLogEvents PutRetentionPolicy DescribeLogStreams DescribeLogGroups CreateLogStream CreateLogGroup",
        ),
        allow("ssm: GetParameter PutParameter", on="arn:aws:ssm:*:*:parameter/AmazonCloudWatch-*"),
    ),
    policy("CloudWatchLogsFullAccess", "All of logs.", allow("logs: *", "cloudwatch: GenerateQuery")),
    policy("CloudWatchLogsReadOnlyAccess", "Reading logs.", allow(_LOGS_READ, "cloudwatch: GenerateQuery")),
    policy(
        "CloudWatchEventsFullAccess",
        "All of events.",
        allow("events: *", "schemas: *", "scheduler: *", "pipes: *"),
        allow("iam: CreateServiceLinkedRole", when=linked_to("events", "schemas")),
        allow("iam: PassRole", on=role("AWS_Events_Invoke_Targets")),
    ),
    policy("CloudWatchEventsReadOnlyAccess", "Reading events.", allow("events: Describe* List* TestEventPattern")),
    policy(
        "CloudWatchEventsInvocationAccess",
        "What events need to reach streams.",
        allow("kinesis: PutRecord"),
        path=SERVICE,
    ),
    policy(
        "CloudWatchEventsBuiltInTargetExecutionAccess",
        "What events need for what they do by themselves.",
        allow("ec2: Describe* RebootInstances StopInstances TerminateInstances CreateSnapshot"),
        path=SERVICE,
    ),
    policy(
        "AmazonEventBridgeFullAccess",
        "All of EventBridge.",
        allow("events: *", "schemas: *", "scheduler: *", "pipes: *"),
        allow("iam: CreateServiceLinkedRole", when=linked_to("schemas", "apidestinations.events")),
        allow("iam: PassRole", when=passed_to("events", "scheduler", "pipes")),
        allow(
            "secretsmanager: CreateSecret UpdateSecret DeleteSecret GetSecretValue PutSecretValue",
            on="arn:aws:secretsmanager:*:*:secret:events!*",
        ),
    ),
    policy(
        "AmazonEventBridgeReadOnlyAccess",
        "Reading EventBridge.",
        allow(
            "events: Describe* List* TestEventPattern",
            "schemas: Describe* Get* List* SearchSchemas",
            "scheduler: Get* List*",
            "pipes: Describe* List*",
        ),
    ),
    policy(
        "AmazonEventBridgeSchedulerFullAccess",
        "All of the scheduler.",
        allow("scheduler: *"),
        allow("iam: PassRole", when=passed_to("scheduler")),
    ),
    policy("AmazonEventBridgeSchedulerReadOnlyAccess", "Reading the scheduler.", allow("scheduler: Get* List*")),
)

XRAY = (
    policy("AWSXrayFullAccess", "All of X-Ray.", allow("xray: *")),
    policy(
        "AWSXRayDaemonWriteAccess",
        "Handing in traces.",
        allow(
            "xray: PutTraceSegments PutTelemetryRecords GetSamplingRules GetSamplingTargets "
            "GetSamplingStatisticSummaries"
        ),
    ),
    policy(
        "AWSXrayWriteOnlyAccess",
        "Handing in traces.",
        allow(
            "xray: PutTraceSegments PutTelemetryRecords GetSamplingRules GetSamplingTargets "
            "GetSamplingStatisticSummaries"
        ),
    ),
    policy("AWSXrayReadOnlyAccess", "Reading traces.", allow("xray: BatchGet* Get* List*")),
)

SSM = (
    policy(
        "AmazonSSMFullAccess",
        "All of Systems Manager.",
        allow(
            "cloudwatch: PutMetricData",
            "ds: CreateComputer DescribeDirectories",
            "ec2: DescribeInstanceStatus",
            "logs: *",
            "ssm: *",
            *_AGENT_CHANNELS,
        ),
        allow("iam: CreateServiceLinkedRole", when=linked_to("ssm")),
        allow(
            "iam: DeleteServiceLinkedRole GetServiceLinkedRoleDeletionStatus",
            on=role("aws-service-role/ssm.amazonaws.com/AWSServiceRoleForAmazonSSM*"),
        ),
    ),
    policy("AmazonSSMReadOnlyAccess", "Reading Systems Manager.", allow("ssm: Describe* Get* List*")),
    policy(
        "AmazonSSMManagedInstanceCore",
        "What a machine needs to be managed.",
        allow(
            "ssm: DescribeAssociation GetDeployablePatchSnapshotForInstance GetDocument DescribeDocument GetManifest "
            "GetParameter GetParameters ListAssociations ListInstanceAssociations PutInventory PutComplianceItems "
            "PutConfigurePackageResult UpdateAssociationStatus UpdateInstanceAssociationStatus "
            "UpdateInstanceInformation",
            *_AGENT_CHANNELS,
        ),
    ),
    policy(
        "AmazonSSMManagedEC2InstanceDefaultPolicy",
        "What a machine needs to be managed, by default.",
        allow(
            "ssm: DescribeAssociation GetDeployablePatchSnapshotForInstance GetDocument DescribeDocument GetManifest "
            "ListAssociations ListInstanceAssociations PutInventory PutComplianceItems PutConfigurePackageResult "
            "UpdateAssociationStatus UpdateInstanceAssociationStatus UpdateInstanceInformation",
            *_AGENT_CHANNELS,
        ),
    ),
    policy(
        "AmazonEC2RoleforSSM",
        "What a machine needed to be managed.",
        allow(
            "ssm: DescribeAssociation GetDeployablePatchSnapshotForInstance GetDocument DescribeDocument GetManifest "
            "GetParameters ListAssociations ListInstanceAssociations PutInventory PutComplianceItems "
            "PutConfigurePackageResult UpdateAssociationStatus UpdateInstanceAssociationStatus "
            "UpdateInstanceInformation",
            *_AGENT_CHANNELS,
            "cloudwatch: PutMetricData",
            "ec2: DescribeInstanceStatus",
            "logs: CreateLogGroup CreateLogStream DescribeLogGroups DescribeLogStreams PutLogEvents",
            "s3: GetBucketLocation PutObject GetObject GetEncryptionConfiguration AbortMultipartUpload "
            "ListMultipartUploadParts ListBucket ListBucketMultipartUploads",
        ),
        path=SERVICE,
    ),
    policy(
        "AmazonSSMAutomationRole",
        "What automations need.",
        allow(
            "lambda: InvokeFunction",
            "ec2: CreateImage CopyImage DeregisterImage DescribeImages DeleteSnapshot "
            "StartInstances RunInstances StopInstances TerminateInstances DescribeInstanceStatus CreateTags DeleteTags "
            "DescribeTags",
            "cloudformation: CreateStack DescribeStackEvents DescribeStacks UpdateStack DeleteStack",
            "ssm: *",
        ),
        allow("sns: Publish", on="arn:aws:sns:*:*:Automation*"),
        path=SERVICE,
    ),
    policy(
        "AmazonSSMMaintenanceWindowRole",
        "What maintenance windows need.",
        allow(
            "ssm: GetAutomationExecution GetParameters ListCommands SendCommand StartAutomationExecution",
            "lambda: InvokeFunction",
            "states: DescribeExecution StartExecution",
            "resource-groups: ListGroups ListGroupResources",
            "tag: GetResources",
        ),
        allow("iam: PassRole", when=passed_to("ssm")),
        path=SERVICE,
    ),
    policy(
        "AmazonSSMPatchAssociation",
        "Patches from an association.",
        allow(
            "ssm: DescribeEffectivePatchesForPatchBaseline GetPatchBaseline",
            "tag: GetResources",
            "ssm: DescribePatchBaselines",
        ),
    ),
)

POLICIES = (*CLOUDWATCH, *XRAY, *SSM)
