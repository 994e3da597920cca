"""Requests that pass, for the operations whose members the shapes and the members' names do not make one of."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.hostile.vouching import vouching

UUID = "11111111-1111-4111-8111-111111111111"
CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": "sha256:" + "0" * 64}
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": CONFIG,
    "layers": [],
}
BUCKET_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "210987654321"},
                "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::bucket/*",
            }
        ],
    }
)
USER = "arn:aws:iam::123456789012:user/user"


def passing(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By operation, and where several services have one of that name by service and operation."""
    arn = "arn:aws:{}:us-east-1:123456789012:{}".format
    repository, group = arn("ecr", "repository/app"), arn("logs", "log-group:group")
    device = {"UserName": "user", "SerialNumber": known["SerialNumber"]}
    rule = {"GroupId": known["GroupId"], "IpPermissions": known["IpPermissions"]}
    listener = {"ListenerArn": known["ListenerArn"]}
    entry = {"NetworkAclId": known["NetworkAclId"], "RuleNumber": 100, "Protocol": "6", "RuleAction": "deny"}
    entry |= {"Egress": True, "CidrBlock": "10.0.0.0/8", "PortRange": {"From": 1, "To": 2}}
    tag, tags = {"Key": "a", "Value": "b"}, [{"key": "a", "value": "b"}]
    return {
        "CreateBucket": {"Bucket": "new-bucket"},
        "PutBucketPolicy": {"Bucket": "bucket", "Policy": BUCKET_POLICY},
        "CopyObject": {"Bucket": "bucket", "Key": "copy", "CopySource": "bucket/key"},
        "DeleteObjects": {"Bucket": "bucket", "Delete": {"Objects": [{"Key": "key"}]}},
        "AssociateRouteTable": {"RouteTableId": known["RouteTableId"], "SubnetId": known["SubnetId"]},
        "CreateNetworkAclEntry": {**entry, "RuleNumber": 7},
        "ReplaceNetworkAclEntry": entry,
        "ReplaceNetworkAclAssociation": {
            "NetworkAclId": known["NetworkAclId"],
            "AssociationId": known["SubnetId"].replace("subnet-", "aclassoc-"),
        },
        "CreateSubnet": {"VpcId": known["VpcId"], "CidrBlock": "172.31.128.0/24"},
        "CreateSecurityGroup": {"GroupName": "new", "Description": "new", "VpcId": known["VpcId"]},
        "CreateTags": {"Resources": [known["VpcId"]], "Tags": [tag]},
        "DeleteTags": {"Resources": [known["VpcId"]], "Tags": [tag]},
        "AuthorizeSecurityGroupIngress": rule,
        "AuthorizeSecurityGroupEgress": rule,
        "CreateRoute": {
            "RouteTableId": known["RouteTableId"],
            "DestinationCidrBlock": "10.8.0.0/16",
            "GatewayId": known["GatewayId"],
        },
        "ReplaceRoute": {
            "RouteTableId": known["RouteTableId"],
            "DestinationCidrBlock": "0.0.0.0/0",
            "GatewayId": known["GatewayId"],
        },
        "DeleteRoute": {"RouteTableId": known["RouteTableId"], "DestinationCidrBlock": "0.0.0.0/0"},
        "CreateRepository": {"repositoryName": "new/one", "tags": [tag]},
        "ecr.ListTagsForResource": {"resourceArn": repository},
        "ecr.TagResource": {"resourceArn": repository, "tags": [tag]},
        "ecr.UntagResource": {"resourceArn": repository, "tagKeys": ["a"]},
        "PutImage": {"repositoryName": "app", "imageManifest": json.dumps(MANIFEST), "imageTag": "v1"},
        "DeregisterTaskDefinition": {"taskDefinition": "web:1"},
        "PutAccountSetting": {"name": "serviceLongArnFormat", "value": "enabled"},
        "PutAccountSettingDefault": {"name": "serviceLongArnFormat", "value": "enabled"},
        "PutClusterCapacityProviders": {
            "cluster": "default",
            "capacityProviders": ["FARGATE"],
            "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
        },
        "ecs.TagResource": {"resourceArn": known["resourceArn"], "tags": tags},
        "UpdateClusterSettings": {
            "cluster": "default",
            "settings": [{"name": "containerInsights", "value": "enabled"}],
        },
        "RunTask": {
            "taskDefinition": "web",
            "launchType": "FARGATE",
            "networkConfiguration": known["networkConfiguration"],
            "overrides": {"containerOverrides": [{"name": "web", "command": ["a"], "environment": [{"name": "A"}]}]},
            "tags": tags,
        },
        "CreateTargetGroup": {
            "Name": "new",
            "Protocol": "HTTP",
            "Port": 80,
            "VpcId": known["VpcId"],
            "TargetType": "ip",
            "Matcher": {"HttpCode": "200-299"},
        },
        "CreateLoadBalancer": {"Name": "new", "Subnets": known["Subnets"], "Tags": [tag]},
        "CreateListener": {
            "LoadBalancerArn": known["LoadBalancerArn"],
            "Protocol": "HTTP",
            "Port": 81,
            "DefaultActions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        },
        "CreateRule": {**listener, "Priority": 7, "Conditions": known["Conditions"], "Actions": known["Actions"]},
        "DescribeListeners": {"ListenerArns": known["ListenerArns"]},
        "DescribeRules": listener,
        "ModifyListenerAttributes": {
            **listener,
            "Attributes": [{"Key": "routing.http.response.server.enabled", "Value": "true"}],
        },
        "ModifyLoadBalancerAttributes": {
            "LoadBalancerArn": known["LoadBalancerArn"],
            "Attributes": [{"Key": "idle_timeout.timeout_seconds", "Value": "30"}],
        },
        "ModifyTargetGroupAttributes": {
            "TargetGroupArn": known["TargetGroupArn"],
            "Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}],
        },
        "CreateUser": {"UserName": "new"},
        "CreatePolicy": {"PolicyName": "new", "PolicyDocument": known["PolicyDocument"]},
        "CreateRole": {"RoleName": "new", "AssumeRolePolicyDocument": known["AssumeRolePolicyDocument"], "Tags": [tag]},
        "UpdateAssumeRolePolicy": {"RoleName": "role", "PolicyDocument": known["AssumeRolePolicyDocument"]},
        "CreateVirtualMFADevice": {"VirtualMFADeviceName": "new"},
        "CreateSAMLProvider": {"Name": "new", "SAMLMetadataDocument": known["SAMLMetadataDocument"], "Tags": [tag]},
        "GenerateServiceLastAccessedDetails": {"Arn": USER},
        "GetServiceLastAccessedDetailsWithEntities": {"JobId": known["JobId"], "ServiceNamespace": "ecs"},
        "ListPoliciesGrantingServiceAccess": {"Arn": USER, "ServiceNamespaces": ["ecs"]},
        "CreateOpenIDConnectProvider": {"Url": "https://new.test", "ClientIDList": ["us"], "Tags": [tag]},
        "CreateLogGroup": {"logGroupName": "new", "tags": {"a": "b"}},
        "CreateLogStream": {"logGroupName": "group", "logStreamName": "new"},
        "DescribeLogStreams": {"logGroupName": "group", "logStreamNamePrefix": "s"},
        "FilterLogEvents": {"logGroupName": "group", "filterPattern": '{ $.level = "error" && $.n > 5 }'},
        "GetLogEvents": {"logGroupName": "group", "logStreamName": "stream"},
        "logs.ListTagsForResource": {"resourceArn": group},
        "logs.TagResource": {"resourceArn": group, "tags": {"a": "b"}},
        "logs.UntagResource": {"resourceArn": group, "tagKeys": ["a"]},
        **keeping(known),
        **certificates(known),
        **organization(known),
        **vouching(known),
        "CompleteLayerUpload": {"repositoryName": "app", "uploadId": UUID, "layerDigests": [CONFIG["digest"]]},
        "GetDownloadUrlForLayer": {"repositoryName": "app", "layerDigest": CONFIG["digest"]},
        "UploadLayerPart": {
            "repositoryName": "app",
            "uploadId": UUID,
            "partFirstByte": 0,
            "partLastByte": 2,
            "layerPartBlob": b"abc",
        },
        "EnableMFADevice": {**device, "AuthenticationCode1": "123456", "AuthenticationCode2": "654321"},
        "ResyncMFADevice": {**device, "AuthenticationCode1": "123456", "AuthenticationCode2": "654321"},
        "DeleteActivation": {"ActivationId": UUID},
        "DeregisterManagedInstance": {"InstanceId": "mi-0123456789abcdef0"},
        "UpdateManagedInstanceRole": {"InstanceId": "mi-0123456789abcdef0", "IamRole": "role"},
        "GetFederationToken": {"Name": "new", "Policy": known["PolicyDocument"]},
        "AssumeRole": {"RoleArn": known["RoleArn"], "RoleSessionName": "session", "DurationSeconds": 900},
    }


def organization(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    policy = {"Name": "new", "Description": "d", "Type": "SERVICE_CONTROL_POLICY", "Content": known["PolicyDocument"]}
    tags = [{"Key": "a", "Value": "b"}]
    resource = {"ResourceId": known["AccountId"]}
    return {
        "organizations.CreatePolicy": {**policy, "Tags": tags},
        "organizations.UpdatePolicy": {"PolicyId": known["PolicyId"], "Name": "other", "Content": policy["Content"]},
        "organizations.TagResource": {**resource, "Tags": tags},
        "organizations.UntagResource": {**resource, "TagKeys": ["a"]},
        "organizations.ListTagsForResource": resource,
        "CreateAccount": {"Email": "other@example.test", "AccountName": "other", "RoleName": "Admin", "Tags": tags},
        "CreateOrganizationalUnit": {"ParentId": known["RootId"], "Name": "other", "Tags": tags},
        "UpdateOrganizationalUnit": {"OrganizationalUnitId": known["OrganizationalUnitId"], "Name": "other"},
        "DetachPolicy": {"PolicyId": "p-FullAWSAccess", "TargetId": known["TargetId"]},
        "DisablePolicyType": {"RootId": known["RootId"], "PolicyType": "SERVICE_CONTROL_POLICY"},
        "EnablePolicyType": {"RootId": known["RootId"], "PolicyType": "RESOURCE_CONTROL_POLICY"},
        "InviteAccountToOrganization": {
            "Target": {"Id": "410987654321", "Type": "ACCOUNT"},
            "Notes": "n",
            "Tags": tags,
        },
        "ListHandshakesForAccount": {"Filter": {"ActionType": "INVITE"}},
        "ListHandshakesForOrganization": {"Filter": {"ActionType": "INVITE"}},
        "organizations.ListPolicies": {"Filter": "SERVICE_CONTROL_POLICY"},
        "ListPoliciesForTarget": {"TargetId": known["TargetId"], "Filter": "SERVICE_CONTROL_POLICY"},
    }


def certificates(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    tags = [{"Key": "a", "Value": "b"}]
    one, resource = {"CertificateArn": known["CertificateArn"]}, {"ResourceArn": known["CertificateArn"]}
    return {
        "RequestCertificate": {"DomainName": "new.example.com", "Tags": tags},
        "ExportCertificate": {**one, "Passphrase": b"secret"},
        "AddTagsToCertificate": {**one, "Tags": tags},
        "RemoveTagsFromCertificate": {**one, "Tags": tags},
        "UpdateCertificateOptions": {**one, "Options": {"CertificateTransparencyLoggingPreference": "ENABLED"}},
        "acm.ListTagsForResource": resource,
        "acm.TagResource": {**resource, "Tags": tags},
        "acm.UntagResource": {**resource, "TagKeys": ["a"]},
    }


def keeping(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """KMS, Parameter Store and Secrets Manager."""
    key, secret, parameter = known["KeyId"], {"SecretId": "secret"}, {"Name": "/app/parameter"}
    of = {"ResourceType": "Parameter", "ResourceId": "/app/parameter"}
    tags = [{"Key": "a", "Value": "b"}]
    policy = json.dumps(
        {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "*", "Resource": "*"}]}
    )
    return {
        "PutParameter": {
            "Name": "/app/new",
            "Value": "12",
            "Type": "String",
            "AllowedPattern": "^[0-9]+$",
            "Tier": "Advanced",
            "Policies": '[{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"3","Unit":"Days"}}]',
            "DataType": "integer",
            "Tags": tags,
        },
        "GetParameter": {**parameter, "WithDecryption": True},
        "GetParameters": {"Names": ["/app/parameter:1"], "WithDecryption": True},
        "GetParametersByPath": {
            "Path": "/",
            "Recursive": True,
            "ParameterFilters": [{"Key": "Type", "Values": ["SecureString"]}],
        },
        "DescribeParameters": {"ParameterFilters": [{"Key": "Path", "Option": "Recursive", "Values": ["/app"]}]},
        "GetParameterHistory": {**parameter, "WithDecryption": True},
        "LabelParameterVersion": {**parameter, "ParameterVersion": 1, "Labels": ["prod"]},
        "UnlabelParameterVersion": {**parameter, "ParameterVersion": 1, "Labels": ["prod"]},
        "DeleteParameter": parameter,
        "AddTagsToResource": {**of, "Tags": tags},
        "RemoveTagsFromResource": {**of, "TagKeys": ["a"]},
        "ssm.ListTagsForResource": of,
        "GetServiceSetting": {"SettingId": "/ssm/parameter-store/default-parameter-tier"},
        "ResetServiceSetting": {"SettingId": "/ssm/parameter-store/default-parameter-tier"},
        "UpdateServiceSetting": {
            "SettingId": "/ssm/parameter-store/default-parameter-tier",
            "SettingValue": "Advanced",
        },
        "CreateSecret": {
            "Name": "new",
            "SecretString": "a",
            "ClientRequestToken": "b" * 32,
            "Description": "d",
            "KmsKeyId": "alias/app",
            "Tags": tags,
        },
        "PutSecretValue": {**secret, "SecretString": "b", "ClientRequestToken": "b" * 32, "VersionStages": ["mine"]},
        "UpdateSecret": {**secret, "SecretString": "b", "ClientRequestToken": "b" * 32, "Description": "d"},
        "GetSecretValue": {**secret, "VersionId": "a" * 32, "VersionStage": "AWSCURRENT"},
        "BatchGetSecretValue": {"Filters": [{"Key": "all", "Values": ["secret"]}], "MaxResults": 2},
        "DeleteSecret": {**secret, "RecoveryWindowInDays": 7},
        "ListSecrets": {"Filters": [{"Key": "name", "Values": ["s"]}], "SortBy": "name", "SortOrder": "asc"},
        "UpdateSecretVersionStage": {**secret, "VersionStage": "mine", "MoveToVersionId": "a" * 32},
        "secretsmanager.PutResourcePolicy": {**secret, "ResourcePolicy": policy, "BlockPublicPolicy": True},
        "ValidateResourcePolicy": {**secret, "ResourcePolicy": policy},
        "RemoveRegionsFromReplication": {**secret, "RemoveReplicaRegions": ["eu-west-1"]},
        "GetRandomPassword": {"PasswordLength": 20, "ExcludeCharacters": "abc", "RequireEachIncludedType": True},
        "secretsmanager.TagResource": {**secret, "Tags": tags},
        "CreateKey": {"Description": "d", "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC", "Policy": policy},
        "ReplicateKey": {"KeyId": key, "ReplicaRegion": "eu-west-1"},
        "UpdatePrimaryRegion": {"KeyId": key, "PrimaryRegion": "eu-west-1"},
        "CreateAlias": {"AliasName": "alias/new", "TargetKeyId": key},
        "kms.Encrypt": {"KeyId": key, "Plaintext": b"a", "EncryptionContext": {"a": "b"}},
        "kms.Decrypt": {"CiphertextBlob": known["CiphertextBlob"], "KeyId": key},
        "ReEncrypt": {"CiphertextBlob": known["CiphertextBlob"], "DestinationKeyId": key},
        "GenerateDataKey": {"KeyId": key, "KeySpec": "AES_256", "EncryptionContext": {"a": "b"}},
        "GenerateDataKeyWithoutPlaintext": {"KeyId": key, "NumberOfBytes": 32},
        "GenerateDataKeyPair": {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"},
        "GenerateDataKeyPairWithoutPlaintext": {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"},
        "GenerateRandom": {"NumberOfBytes": 8},
        "CreateGrant": {
            "KeyId": key,
            "GranteePrincipal": "app",
            "RetiringPrincipal": "app",
            "Operations": ["Decrypt"],
            "Constraints": {"EncryptionContextSubset": {"a": "b"}},
            "Name": "n",
        },
        "RetireGrant": {"GrantToken": known["GrantToken"]},
        "ListRetirableGrants": {"RetiringPrincipal": "app"},
        "PutKeyPolicy": {"KeyId": key, "PolicyName": "default", "Policy": policy},
        "ScheduleKeyDeletion": {"KeyId": key, "PendingWindowInDays": 7},
        "EnableKeyRotation": {"KeyId": key, "RotationPeriodInDays": 90},
        "kms.TagResource": {"KeyId": key, "Tags": [{"TagKey": "a", "TagValue": "b"}]},
    }
