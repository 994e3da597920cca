"""Requests that pass, for the operations whose members the shapes and the members' names do not make one of."""

from __future__ import annotations

import json
from typing import Any

CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": "sha256:" + "0" * 64}
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": CONFIG,
    "layers": [],
}


def passing(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By operation, and where several services have one of that name by service and operation."""
    arn = "arn:aws:{}:us-east-1:123456789012:{}".format
    repository, group = arn("ecr", "repository/app"), arn("logs", "log-group:group")
    rule = {"GroupId": known["GroupId"], "IpPermissions": known["IpPermissions"]}
    listener = {"ListenerArn": known["ListenerArn"]}
    tag, tags = {"Key": "a", "Value": "b"}, [{"key": "a", "value": "b"}]
    return {
        "AssociateRouteTable": {"RouteTableId": known["RouteTableId"], "SubnetId": known["SubnetId"]},
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
        "CreateLogGroup": {"logGroupName": "new", "tags": {"a": "b"}},
        "CreateLogStream": {"logGroupName": "group", "logStreamName": "new"},
        "DescribeLogStreams": {"logGroupName": "group", "logStreamNamePrefix": "s"},
        "FilterLogEvents": {"logGroupName": "group", "filterPattern": '{ $.level = "error" && $.n > 5 }'},
        "GetLogEvents": {"logGroupName": "group", "logStreamName": "stream"},
        "logs.ListTagsForResource": {"resourceArn": group},
        "logs.TagResource": {"resourceArn": group, "tags": {"a": "b"}},
        "logs.UntagResource": {"resourceArn": group, "tagKeys": ["a"]},
        "AssumeRole": {"RoleArn": known["RoleArn"], "RoleSessionName": "session", "DurationSeconds": 900},
    }
