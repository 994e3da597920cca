"""EC2, VPCs, load balancers, scaling, certificates, names.

From AWS's managed policy reference. A line of the form (`form`) names a service and some of its actions.
"""

from __future__ import annotations

from hatoba.services.iam.managed.form import allow, equals, linked_to, passed_to, policy, role

SERVICE = "/service-role/"

EC2 = (
    policy(
        "AmazonEC2FullAccess",
        "All of EC2, and what it is used with.",
        allow("ec2: *", "elasticloadbalancing: *", "cloudwatch: *", "autoscaling: *"),
        allow(
            "iam: CreateServiceLinkedRole",
            when=linked_to(
                "autoscaling", "ec2scheduled", "elasticloadbalancing", "spot", "spotfleet", "transitgateway"
            ),
        ),
    ),
    policy(
        "AmazonEC2ReadOnlyAccess",
        "Reading EC2, load balancers, metrics and scaling.",
        allow(
            "ec2: Describe* GetSecurityGroupsForVpc",
            "elasticloadbalancing: Describe*",
            "cloudwatch: ListMetrics GetMetricStatistics Describe*",
            "autoscaling: Describe*",
        ),
    ),
    policy(
        "AmazonEC2SpotFleetTaggingRole",
        "What Spot fleets need.",
        allow(
            "ec2: DescribeImages DescribeSubnets RequestSpotInstances TerminateInstances DescribeInstanceStatus "
            "CreateTags RunInstances"
        ),
        allow("iam: PassRole", when=passed_to("ec2")),
        allow(
            "elasticloadbalancing: RegisterInstancesWithLoadBalancer",
            on="arn:aws:elasticloadbalancing:*:*:loadbalancer/*",
        ),
        allow("elasticloadbalancing: RegisterTargets", on="arn:aws:elasticloadbalancing:*:*:*/*"),
        path=SERVICE,
    ),
    policy(
        "AmazonEC2SpotFleetAutoscaleRole",
        "What scaling needs at Spot fleets.",
        allow(
            "ec2: DescribeSpotFleetRequests ModifySpotFleetRequest",
            "cloudwatch: DescribeAlarms PutMetricAlarm DeleteAlarms",
        ),
        path=SERVICE,
    ),
    policy(
        "AmazonEC2RolePolicyForLaunchWizard",
        "What machines of the wizard need.",
        allow(
            "ec2: AttachVolume RebootInstances StartInstances StopInstances DescribeInstances DescribeVolumes "
            "CreateTags DescribeTags",
            "cloudwatch: PutMetricData",
            "logs: Create* Describe* PutLogEvents",
            "ssm: GetCommandInvocation SendCommand GetParameter",
        ),
        path="/",
    ),
    policy(
        "AmazonEC2RoleforAWSCodeDeploy",
        "What machines need to be deployed to.",
        allow("s3: GetObject GetObjectVersion ListBucket"),
        path=SERVICE,
    ),
    policy(
        "AmazonEC2RoleforAWSCodeDeployLimited",
        "What machines need to be deployed to, by names.",
        allow("s3: GetObject GetObjectVersion ListBucket", on="arn:aws:s3:::*/CodeDeploy/*"),
        allow(
            "s3: GetObject GetObjectVersion", when={"StringEquals": {"s3:ExistingObjectTag/UseWithCodeDeploy": "true"}}
        ),
        path=SERVICE,
    ),
    policy(
        "EC2InstanceConnect",
        "Sending a public key to a machine.",
        allow("ec2: DescribeInstances", "ec2-instance-connect: SendSSHPublicKey"),
    ),
    policy(
        "AmazonVPCFullAccess",
        "All of VPCs.",
        allow(
            "ec2: AcceptVpcPeeringConnection AcceptVpcEndpointConnections AllocateAddress AssignIpv6Addresses "
            "AssignPrivateIpAddresses AssociateAddress AssociateDhcpOptions AssociateRouteTable "
            "AssociateSubnetCidrBlock AssociateVpcCidrBlock AttachInternetGateway AttachNetworkInterface "
            "AttachVpnGateway AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress CreateCarrierGateway "
            "CreateCustomerGateway CreateDefaultSubnet CreateDefaultVpc CreateDhcpOptions "
            "CreateEgressOnlyInternetGateway CreateFlowLogs CreateInternetGateway "
            "CreateLocalGatewayRouteTableVpcAssociation CreateNatGateway CreateNetworkAcl CreateNetworkAclEntry "
            "CreateNetworkInterface CreateNetworkInterfacePermission CreateRoute CreateRouteTable CreateSecurityGroup "
            "CreateSubnet CreateTags CreateVpc CreateVpcEndpoint CreateVpcEndpointConnectionNotification "
            "CreateVpcEndpointServiceConfiguration CreateVpcPeeringConnection CreateVpnConnection "
            "CreateVpnConnectionRoute CreateVpnGateway DeleteCarrierGateway DeleteCustomerGateway DeleteDhcpOptions "
            "DeleteEgressOnlyInternetGateway DeleteFlowLogs DeleteInternetGateway DeleteNatGateway DeleteNetworkAcl "
            "DeleteNetworkAclEntry DeleteNetworkInterface DeleteNetworkInterfacePermission DeleteRoute "
            "DeleteRouteTable DeleteSecurityGroup DeleteSubnet DeleteTags DeleteVpc DeleteVpcEndpoints "
            "DeleteVpcEndpointConnectionNotifications DeleteVpcEndpointServiceConfigurations "
            "DeleteVpcPeeringConnection DeleteVpnConnection DeleteVpnConnectionRoute DeleteVpnGateway Describe* "
            "DetachInternetGateway DetachNetworkInterface DetachVpnGateway DisableVgwRoutePropagation "
            "DisassociateAddress DisassociateRouteTable DisassociateSubnetCidrBlock DisassociateVpcCidrBlock "
            "EnableVgwRoutePropagation GetSecurityGroupsForVpc ModifyNetworkInterfaceAttribute "
            "ModifySecurityGroupRules ModifySubnetAttribute ModifyVpcAttribute ModifyVpcEndpoint "
            "ModifyVpcEndpointConnectionNotification ModifyVpcEndpointServiceConfiguration "
            "ModifyVpcEndpointServicePermissions ModifyVpcPeeringConnectionOptions ModifyVpcTenancy MoveAddressToVpc "
            "RejectVpcEndpointConnections RejectVpcPeeringConnection ReleaseAddress ReplaceNetworkAclAssociation "
            "ReplaceNetworkAclEntry ReplaceRoute ReplaceRouteTableAssociation ResetNetworkInterfaceAttribute "
            "RestoreAddressToClassic RevokeSecurityGroupEgress RevokeSecurityGroupIngress UnassignIpv6Addresses "
            "UnassignPrivateIpAddresses UpdateSecurityGroupRuleDescriptionsEgress "
            "UpdateSecurityGroupRuleDescriptionsIngress"
        ),
    ),
    policy(
        "AmazonVPCReadOnlyAccess",
        "Reading VPCs.",
        allow(
            "ec2: DescribeAccountAttributes DescribeAddresses DescribeCarrierGateways DescribeCustomerGateways "
            "DescribeDhcpOptions DescribeEgressOnlyInternetGateways DescribeFlowLogs DescribeInternetGateways "
            "DescribeLocalGateway* DescribeNatGateways DescribeNetworkAcls DescribeNetworkInterfaceAttribute "
            "DescribeNetworkInterfacePermissions DescribeNetworkInterfaces DescribePrefixLists DescribeRouteTables "
            "DescribeSecurityGroupReferences DescribeSecurityGroupRules DescribeSecurityGroups "
            "DescribeStaleSecurityGroups DescribeSubnets DescribeTags DescribeVpcAttribute DescribeVpcEndpoint* "
            "DescribeVpcPeeringConnections DescribeVpcs DescribeVpnConnections DescribeVpnGateways "
            "GetSecurityGroupsForVpc"
        ),
    ),
    policy(
        "AmazonVPCCrossAccountNetworkInterfaceOperations",
        "Interfaces for others.",
        allow(
            "ec2: DescribeRouteTables CreateRoute DeleteRoute ReplaceRoute DescribeSubnets DescribeNetworkInterfaces "
            "CreateNetworkInterface DeleteNetworkInterface CreateNetworkInterfacePermission "
            "DeleteNetworkInterfacePermission DescribeNetworkInterfacePermissions ModifyNetworkInterfaceAttribute "
            "DescribeNetworkInterfaceAttribute DescribeAvailabilityZones DescribeRegions DescribeVpcs "
            "AssignPrivateIpAddresses UnassignPrivateIpAddresses AssignIpv6Addresses UnassignIpv6Addresses"
        ),
    ),
)

BALANCING = (
    policy(
        "ElasticLoadBalancingFullAccess",
        "All of load balancers.",
        allow(
            "elasticloadbalancing: *",
            "ec2: DescribeAccountAttributes DescribeAddresses DescribeInternetGateways DescribeSecurityGroups "
            "DescribeSubnets DescribeVpcs DescribeVpcClassicLink DescribeInstances DescribeNetworkInterfaces "
            "DescribeClassicLinkInstances DescribeRouteTables DescribeCoipPools GetCoipPoolUsage "
            "DescribeVpcPeeringConnections",
            "cognito-idp: DescribeUserPoolClient",
        ),
        allow("iam: CreateServiceLinkedRole", when=equals(iam__AWSServiceName="elasticloadbalancing.amazonaws.com")),
    ),
    policy(
        "ElasticLoadBalancingReadOnly",
        "Reading load balancers.",
        allow(
            "elasticloadbalancing: Describe* Get*",
            "ec2: DescribeInstances DescribeClassicLinkInstances DescribeSecurityGroups",
        ),
    ),
    policy(
        "AutoScalingFullAccess",
        "All of scaling groups.",
        allow(
            "autoscaling: *",
            "cloudwatch: PutMetricAlarm",
            "ec2: DescribeAccountAttributes DescribeAvailabilityZones DescribeImages DescribeInstanceAttribute "
            "DescribeInstances DescribeKeyPairs DescribeLaunchTemplateVersions DescribePlacementGroups "
            "DescribeSecurityGroups DescribeSpotInstanceRequests DescribeSubnets DescribeVpcClassicLink",
            "elasticloadbalancing: DescribeLoadBalancers DescribeTargetGroups",
        ),
        allow("iam: CreateServiceLinkedRole", when=linked_to("autoscaling")),
    ),
    policy("AutoScalingReadOnlyAccess", "Reading scaling groups.", allow("autoscaling: Describe*")),
    policy(
        "AutoScalingConsoleFullAccess",
        "All of scaling groups, in the console.",
        allow(
            "autoscaling: *",
            "cloudwatch: Describe* GetMetricData GetMetricStatistics ListMetrics PutMetricAlarm",
            "ec2: AuthorizeSecurityGroupIngress CreateKeyPair CreateSecurityGroup Describe* ImportKeyPair",
            "elasticloadbalancing: Describe*",
            "iam: ListInstanceProfiles",
            "sns: ListSubscriptions ListTopics CreateTopic Subscribe",
        ),
        allow("iam: CreateServiceLinkedRole", when=linked_to("autoscaling")),
    ),
)

NAMES = (
    policy(
        "AWSCertificateManagerFullAccess",
        "All of certificates.",
        allow("acm: *"),
        allow(
            "iam: CreateServiceLinkedRole",
            on=role("aws-service-role/acm.amazonaws.com/AWSServiceRoleForCertificateManager*"),
            when=equals(iam__AWSServiceName="acm.amazonaws.com"),
        ),
        allow(
            "iam: DeleteServiceLinkedRole GetServiceLinkedRoleDeletionStatus GetRole",
            on=role("aws-service-role/acm.amazonaws.com/AWSServiceRoleForCertificateManager*"),
        ),
    ),
    policy(
        "AWSCertificateManagerReadOnly",
        "Reading certificates.",
        allow(
            "acm: DescribeCertificate ListCertificates GetCertificate ListTagsForCertificate GetAccountConfiguration"
        ),
    ),
    policy("AWSCertificateManagerPrivateCAFullAccess", "All of private authorities.", allow("acm-pca: *")),
    policy(
        "AWSCertificateManagerPrivateCAReadOnly",
        "Reading private authorities.",
        allow(
            "acm-pca: DescribeCertificateAuthority DescribeCertificateAuthorityAuditReport ListCertificateAuthorities "
            "GetCertificateAuthorityCsr GetCertificateAuthorityCertificate GetCertificate GetPolicy ListPermissions "
            "ListTags"
        ),
    ),
    policy(
        "AmazonRoute53FullAccess",
        "All of names.",
        allow(
            "route53: *",
            "route53domains: *",
            "cloudfront: ListDistributions",
            "elasticloadbalancing: DescribeLoadBalancers",
            "elasticbeanstalk: DescribeEnvironments",
            "s3: GetBucketLocation GetBucketWebsite ListAllMyBuckets",
            "ec2: DescribeVpcs DescribeVpcEndpoints DescribeRegions",
            "sns: ListTopics ListSubscriptionsByTopic",
            "cloudwatch: DescribeAlarms GetMetricStatistics",
        ),
        allow("apigateway: GET", on="arn:aws:apigateway:*::/domainnames"),
    ),
    policy("AmazonRoute53ReadOnlyAccess", "Reading names.", allow("route53: Get* List* TestDNSAnswer")),
    policy(
        "AmazonRoute53AutoNamingFullAccess",
        "Names that Cloud Map makes.",
        allow(
            "route53: GetHostedZone ListHostedZonesByName CreateHostedZone DeleteHostedZone ChangeResourceRecordSets "
            "CreateHealthCheck GetHealthCheck DeleteHealthCheck UpdateHealthCheck",
            "ec2: DescribeVpcs DescribeRegions",
            "servicediscovery: *",
        ),
    ),
)

POLICIES = (*EC2, *BALANCING, *NAMES)
