"""CodeCommit, CodeBuild, CodeDeploy, CodePipeline, Lambda: how software gets where it runs.

From AWS's managed policy reference. `Limited` ones hold what they name to names of a form. A line of the form
(`form`) names a service and some of its actions.
"""

from __future__ import annotations

from hatoba.services.iam.managed.form import allow, passed_to, policy, role

SERVICE = "/service-role/"

_LAMBDA_LOGS = "logs: CreateLogGroup CreateLogStream PutLogEvents"
_LAMBDA_VPC = (
    "ec2: CreateNetworkInterface DescribeNetworkInterfaces DescribeSubnets DeleteNetworkInterface "
    "AssignPrivateIpAddresses UnassignPrivateIpAddresses"
)

_DEPLOY_ECS = (
    "ecs: DescribeServices CreateTaskSet UpdateServicePrimaryTaskSet DeleteTaskSet",
    "elasticloadbalancing: DescribeTargetGroups DescribeListeners ModifyListener DescribeRules ModifyRule",
    "cloudwatch: DescribeAlarms",
)

CODE = (
    policy(
        "AWSCodeCommitFullAccess",
        "All of CodeCommit.",
        allow("codecommit: *"),
        allow(
            "events: DeleteRule DescribeRule DisableRule EnableRule PutRule PutTargets RemoveTargets ListTargetsByRule",
            on="arn:aws:events:*:*:rule/codecommit*",
        ),
        allow(
            "sns: CreateTopic DeleteTopic Subscribe Unsubscribe SetTopicAttributes", on="arn:aws:sns:*:*:codecommit*"
        ),
        allow("sns: ListTopics ListSubscriptionsByTopic GetTopicAttributes", "lambda: ListFunctions", "iam: ListUsers"),
        allow(
            "iam: ListAccessKeys ListSSHPublicKeys ListServiceSpecificCredentials",
            on="arn:aws:iam::*:user/${aws:username}",
        ),
    ),
    policy(
        "AWSCodeCommitPowerUser",
        "All of CodeCommit but deleting repositories.",
        allow(
            "codecommit: AssociateApprovalRuleTemplateWithRepository "
            "BatchAssociateApprovalRuleTemplateWithRepositories BatchDisassociateApprovalRuleTemplateFromRepositories "
            "BatchGet* BatchDescribe* Create* DeleteBranch DeleteFile Describe* "
            "DisassociateApprovalRuleTemplateFromRepository EvaluatePullRequestApprovalRules Get* List* Merge* "
            "OverridePullRequestApprovalRules Put* Post* TagResource Test* UntagResource Update* GitPull GitPush"
        ),
    ),
    policy(
        "AWSCodeCommitReadOnly",
        "Reading CodeCommit.",
        allow(
            "codecommit: BatchGet* BatchDescribe* Describe* EvaluatePullRequestApprovalRules Get* List* GitPull",
            "sns: ListSubscriptionsByTopic ListTopics",
            "lambda: ListFunctions",
            "iam: ListUsers",
        ),
    ),
    policy(
        "AWSCodeBuildAdminAccess",
        "All of CodeBuild.",
        allow(
            "codebuild: *",
            "codecommit: GetBranch GetCommit GetRepository ListBranches ListRepositories",
            "cloudwatch: GetMetricStatistics",
            "ec2: DescribeVpcs DescribeSecurityGroups DescribeSubnets",
            "ecr: DescribeRepositories ListImages",
            "elasticfilesystem: DescribeFileSystems",
            "events: DeleteRule DescribeRule DisableRule EnableRule ListTargetsByRule ListRuleNamesByTarget PutRule "
            "PutTargets RemoveTargets",
            "logs: GetLogEvents DeleteLogGroup",
            "s3: GetBucketLocation ListAllMyBuckets",
        ),
        allow("ssm: PutParameter", on="arn:aws:ssm:*:*:parameter/CodeBuild/*"),
        allow("ssm: StartSession", on="arn:aws:ecs:*:*:task/*/*"),
    ),
    policy(
        "AWSCodeBuildDeveloperAccess",
        "Building with what is there.",
        allow(
            "codebuild: StartBuild StopBuild StartBuildBatch StopBuildBatch RetryBuild RetryBuildBatch BatchGet* "
            "GetResourcePolicy DescribeTestCases DescribeCodeCoverages List*",
            "codecommit: GetBranch GetCommit GetRepository ListBranches",
            "cloudwatch: GetMetricStatistics",
            "events: DescribeRule ListTargetsByRule ListRuleNamesByTarget",
            "logs: GetLogEvents",
            "s3: GetBucketLocation ListAllMyBuckets",
        ),
        allow("ssm: PutParameter", on="arn:aws:ssm:*:*:parameter/CodeBuild/*"),
    ),
    policy(
        "AWSCodeBuildReadOnlyAccess",
        "Reading CodeBuild.",
        allow(
            "codebuild: BatchGet* GetResourcePolicy List* DescribeTestCases DescribeCodeCoverages",
            "codecommit: GetBranch GetCommit GetRepository",
            "cloudwatch: GetMetricStatistics",
            "events: DescribeRule ListTargetsByRule ListRuleNamesByTarget",
            "logs: GetLogEvents",
        ),
    ),
    policy("AWSCodeDeployFullAccess", "All of CodeDeploy.", allow("codedeploy: *")),
    policy(
        "AWSCodeDeployDeployerAccess",
        "Registering and deploying revisions.",
        allow("codedeploy: Batch* CreateDeployment Get* List* RegisterApplicationRevision"),
    ),
    policy("AWSCodeDeployReadOnlyAccess", "Reading CodeDeploy.", allow("codedeploy: Batch* Get* List*")),
    policy(
        "AWSCodeDeployRoleForECS",
        "What CodeDeploy needs to deploy to ECS.",
        allow(*_DEPLOY_ECS, "lambda: InvokeFunction", "sns: Publish", "s3: GetObject GetObjectVersion"),
        allow("iam: PassRole", when=passed_to("ecs-tasks")),
    ),
    policy(
        "AWSCodeDeployRoleForECSLimited",
        "What CodeDeploy needs to deploy to ECS, by names.",
        allow(*_DEPLOY_ECS),
        allow("sns: Publish", on="arn:aws:sns:*:*:CodeDeployTopic_*"),
        allow("lambda: InvokeFunction", on="arn:aws:lambda:*:*:function:CodeDeployHook_*"),
        allow(
            "s3: GetObject GetObjectVersion", when={"StringEquals": {"s3:ExistingObjectTag/UseWithCodeDeploy": "true"}}
        ),
        allow(
            "iam: PassRole", on=(role("ecsTaskExecutionRole"), role("ECSTaskExecution*")), when=passed_to("ecs-tasks")
        ),
    ),
    policy(
        "AWSCodeDeployRole",
        "What CodeDeploy needs to deploy to machines.",
        allow(
            "autoscaling: CompleteLifecycleAction DeleteLifecycleHook DescribeAutoScalingGroups DescribeLifecycleHooks "
            "PutLifecycleHook RecordLifecycleActionHeartbeat CreateAutoScalingGroup CreateOrUpdateTags "
            "UpdateAutoScalingGroup EnableMetricsCollection DescribePolicies DescribeScheduledActions "
            "DescribeNotificationConfigurations SuspendProcesses ResumeProcesses AttachLoadBalancers "
            "AttachLoadBalancerTargetGroups PutScalingPolicy PutScheduledUpdateGroupAction "
            "PutNotificationConfiguration PutWarmPool DescribeScalingActivities DeleteAutoScalingGroup",
            "ec2: DescribeInstances DescribeInstanceStatus TerminateInstances",
            "tag: GetResources",
            "sns: Publish",
            "cloudwatch: DescribeAlarms PutMetricAlarm",
            "elasticloadbalancing: DescribeLoadBalancers DescribeLoadBalancerAttributes DescribeInstanceHealth "
            "RegisterInstancesWithLoadBalancer DeregisterInstancesFromLoadBalancer DescribeTargetGroups "
            "DescribeTargetGroupAttributes DescribeTargetHealth RegisterTargets DeregisterTargets",
        ),
        path=SERVICE,
    ),
    policy(
        "AWSCodeDeployRoleForLambda",
        "What CodeDeploy needs to deploy functions.",
        allow(
            "cloudwatch: DescribeAlarms", "lambda: UpdateAlias GetAlias GetProvisionedConcurrencyConfig", "sns: Publish"
        ),
        allow("s3: GetObject GetObjectVersion", on="arn:aws:s3:::*/CodeDeploy/*"),
        allow("lambda: InvokeFunction", on="arn:aws:lambda:*:*:function:CodeDeployHook_*"),
        path=SERVICE,
    ),
    policy(
        "AWSCodePipeline_FullAccess",
        "All of CodePipeline.",
        allow(
            "codepipeline: *",
            "cloudformation: DescribeStacks ListStacks ListChangeSets",
            "cloudtrail: DescribeTrails",
            "codebuild: BatchGetProjects CreateProject ListCuratedEnvironmentImages ListProjects",
            "codecommit: GetReferences ListBranches ListRepositories",
            "codedeploy: BatchGetDeploymentGroups ListApplications ListDeploymentGroups",
            "ec2: DescribeSecurityGroups DescribeSubnets DescribeVpcs",
            "ecr: DescribeRepositories ListImages",
            "ecs: ListClusters ListServices",
            "iam: ListRoles GetRole",
            "lambda: ListFunctions",
            "events: ListRules ListTargetsByRule DescribeRule",
            "sns: ListTopics",
            "s3: ListAllMyBuckets",
        ),
        allow(
            "s3: GetObject ListBucket GetBucketPolicy GetBucketVersioning GetObjectVersion CreateBucket "
            "PutBucketPolicy",
            on="arn:aws:s3:::codepipeline-*",
        ),
        allow(
            "events: PutTargets PutRule DeleteRule DisableRule RemoveTargets",
            on="arn:aws:events:*:*:rule/codepipeline-*",
        ),
        allow("iam: PassRole", on=(role("service-role/cwe-role-*"),), when=passed_to("events")),
        allow("iam: PassRole", when=passed_to("codepipeline")),
    ),
    policy(
        "AWSCodePipeline_ReadOnlyAccess",
        "Reading CodePipeline.",
        allow(
            "codepipeline: GetPipeline GetPipelineState GetPipelineExecution ListPipelineExecutions "
            "ListActionExecutions ListActionTypes ListPipelines ListTagsForResource",
            "s3: ListAllMyBuckets",
            "events: DescribeRule ListTargetsByRule",
        ),
        allow("s3: GetObject ListBucket GetBucketPolicy", on="arn:aws:s3:::codepipeline-*"),
    ),
    policy(
        "AWSCodePipelineApproverAccess",
        "Approving.",
        allow(
            "codepipeline: GetPipeline GetPipelineState GetPipelineExecution ListPipelineExecutions ListPipelines "
            "PutApprovalResult"
        ),
    ),
    policy(
        "AWSCodePipelineCustomActionAccess",
        "Carrying out actions of one's own.",
        allow("codepipeline: AcknowledgeJob GetJobDetails PollForJobs PutJobFailureResult PutJobSuccessResult"),
    ),
)

LAMBDA = (
    policy(
        "AWSLambda_FullAccess",
        "All of Lambda.",
        allow(
            "cloudformation: DescribeStacks ListStackResources",
            "cloudwatch: ListMetrics GetMetricData",
            "ec2: DescribeSecurityGroups DescribeSubnets DescribeVpcs",
            "kms: ListAliases",
            "iam: GetPolicy GetPolicyVersion GetRole GetRolePolicy ListAttachedRolePolicies ListRolePolicies ListRoles",
            "lambda: *",
            "logs: DescribeLogGroups",
            "states: DescribeStateMachine ListStateMachines",
            "tag: GetResources",
            "xray: GetTraceSummaries BatchGetTraces",
        ),
        allow("iam: PassRole", when=passed_to("lambda")),
        allow(
            "logs: DescribeLogStreams GetLogEvents FilterLogEvents StartLiveTail StopLiveTail",
            on="arn:aws:logs:*:*:log-group:/aws/lambda/*",
        ),
    ),
    policy(
        "AWSLambda_ReadOnlyAccess",
        "Reading Lambda.",
        allow(
            "cloudformation: DescribeStacks ListStacks ListStackResources",
            "cloudwatch: GetMetricData ListMetrics",
            "ec2: DescribeSecurityGroups DescribeSubnets DescribeVpcs",
            "kms: ListAliases",
            "iam: GetPolicy GetPolicyVersion GetRole GetRolePolicy ListAttachedRolePolicies ListRolePolicies ListRoles",
            "logs: DescribeLogGroups",
            "lambda: Get* List*",
            "states: DescribeStateMachine ListStateMachines",
            "tag: GetResources",
            "xray: GetTraceSummaries BatchGetTraces",
        ),
    ),
    policy("AWSLambdaBasicExecutionRole", "What a function needs: its logs.", allow(_LAMBDA_LOGS), path=SERVICE),
    policy(
        "AWSLambdaVPCAccessExecutionRole",
        "What a function in a VPC needs.",
        allow(_LAMBDA_LOGS, _LAMBDA_VPC, "ec2: DescribeSecurityGroups DescribeVpcs"),
        path=SERVICE,
    ),
    policy("AWSLambdaENIManagementAccess", "A function's interfaces.", allow(_LAMBDA_VPC), path=SERVICE),
    policy(
        "AWSLambdaSQSQueueExecutionRole",
        "What a function at a queue needs.",
        allow("sqs: ReceiveMessage DeleteMessage GetQueueAttributes", _LAMBDA_LOGS),
        path=SERVICE,
    ),
    policy(
        "AWSLambdaKinesisExecutionRole",
        "What a function at a stream needs.",
        allow(
            "kinesis: DescribeStream DescribeStreamSummary GetRecords GetShardIterator ListShards ListStreams "
            "SubscribeToShard",
            _LAMBDA_LOGS,
        ),
        path=SERVICE,
    ),
    policy(
        "AWSLambdaDynamoDBExecutionRole",
        "What a function at a table's stream needs.",
        allow("dynamodb: DescribeStream GetRecords GetShardIterator ListStreams", _LAMBDA_LOGS),
        path=SERVICE,
    ),
    policy(
        "AWSLambdaMSKExecutionRole",
        "What a function at a Kafka cluster needs.",
        allow(
            "kafka: DescribeCluster DescribeClusterV2 GetBootstrapBrokers",
            "ec2: CreateNetworkInterface DescribeNetworkInterfaces DescribeVpcs DeleteNetworkInterface DescribeSubnets "
            "DescribeSecurityGroups",
            _LAMBDA_LOGS,
        ),
        path=SERVICE,
    ),
    policy("AWSLambdaRole", "Invoking functions.", allow("lambda: InvokeFunction"), path=SERVICE),
    policy(
        "AWSLambdaInvocation-DynamoDB",
        "Invoking functions from a table's stream.",
        allow("lambda: InvokeFunction", "dynamodb: DescribeStream GetRecords GetShardIterator ListStreams"),
    ),
    policy(
        "AWSLambdaExecute",
        "Reading, writing and logging.",
        allow("logs: *", on="arn:aws:logs:*:*:*"),
        allow("s3: GetObject PutObject", on="arn:aws:s3:::*"),
    ),
    policy("AWSStepFunctionsFullAccess", "All of Step Functions.", allow("states: *")),
    policy(
        "AWSStepFunctionsReadOnlyAccess",
        "Reading Step Functions.",
        allow(
            "states: ListStateMachines ListActivities DescribeStateMachine DescribeStateMachineForExecution "
            "ListExecutions DescribeExecution GetExecutionHistory DescribeActivity ListTagsForResource"
        ),
    ),
    policy(
        "AmazonAPIGatewayAdministrator",
        "All of API Gateway's configuration.",
        allow("apigateway: *", on="arn:aws:apigateway:*::/*"),
    ),
    policy(
        "AmazonAPIGatewayInvokeFullAccess",
        "Invoking APIs.",
        allow("execute-api: Invoke ManageConnections", on="arn:aws:execute-api:*:*:*"),
    ),
    policy(
        "AmazonAPIGatewayPushToCloudWatchLogs",
        "What API Gateway needs to log.",
        allow(
            "logs: CreateLogGroup CreateLogStream DescribeLogGroups DescribeLogStreams PutLogEvents GetLogEvents "
            "FilterLogEvents"
        ),
        path=SERVICE,
    ),
)

POLICIES = (*CODE, *LAMBDA)
