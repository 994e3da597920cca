"""Tags at creation, in every room: giving them is a permission of its own, and policies see them in the creating call.

The table is AWS's, from the services' user guides ("Grant permission to tag resources on creation") and the service
authorisation reference; that it names every operation that takes tags is read from the models.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hatoba.app.rooms import ROOMS
from hatoba.aws import models
from hatoba.aws.models import Operation
from hatoba.core.errors import AwsError
from hatoba.gateway.needs import Need
from tests.conformance.hostile import test_every_decision
from tests.conformance.hostile.test_every_decision import World, sound_inputs
from tests.conformance.hostile.test_every_operation import found

world = test_every_decision.world

# What is needed beside the operation's own action, by service and operation.
IAM = {
    "CreateInstanceProfile": "TagInstanceProfile",
    "CreateOpenIDConnectProvider": "TagOpenIDConnectProvider",
    "CreatePolicy": "TagPolicy",
    "CreateRole": "TagRole",
    "CreateSAMLProvider": "TagSAMLProvider",
    "CreateUser": "TagUser",
    "CreateVirtualMFADevice": "TagMFADevice",
    "UploadServerCertificate": "TagServerCertificate",
}
EC2 = (
    "AllocateAddress AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress CreateDhcpOptions "
    "CreateEgressOnlyInternetGateway CreateInternetGateway CreateKeyPair CreateManagedPrefixList CreateNatGateway "
    "CreateNetworkAcl CreateNetworkInterface CreateRouteTable CreateSecurityGroup CreateSubnet CreateVpc "
    "CreateVpcEndpoint CreateVpcPeeringConnection ImportKeyPair"
)
ECS = (
    "CreateCapacityProvider CreateCluster CreateService CreateTaskSet RegisterContainerInstance "
    "RegisterTaskDefinition RunTask StartTask"
)
ELB = "CreateListener CreateLoadBalancer CreateRule CreateTargetGroup CreateTrustStore"
ORGANIZATIONS = "CreateAccount CreateOrganizationalUnit CreatePolicy InviteAccountToOrganization"
TAGGING: dict[tuple[str, str], str] = {
    **{("acm", name): "acm:AddTagsToCertificate" for name in ("ImportCertificate", "RequestCertificate")},
    **{("ec2", name): "ec2:CreateTags" for name in EC2.split()},
    ("ecr", "CreateRepository"): "ecr:TagResource",
    **{("ecs", name): "ecs:TagResource" for name in ECS.split()},
    **{("elbv2", name): "elasticloadbalancing:AddTags" for name in ELB.split()},
    **{("iam", name): f"iam:{action}" for name, action in IAM.items()},
    **{("kms", name): "kms:TagResource" for name in ("CreateKey", "ReplicateKey")},
    ("logs", "CreateLogGroup"): "logs:TagResource",
    **{("organizations", name): "organizations:TagResource" for name in ORGANIZATIONS.split()},
    ("s3", "CreateBucket"): "s3:TagResource",
    ("secretsmanager", "CreateSecret"): "secretsmanager:TagResource",
    **{("ssm", name): "ssm:AddTagsToResource" for name in ("CreateActivation", "PutParameter")},
    ("sts", "GetFederationToken"): "sts:TagSession",
}
SAY_WHAT_IS_MADE = {"ec2", "ecs", "elasticloadbalancing"}  # by `<service>:CreateAction`
MADE_BY = {("kms", "ReplicateKey"): "CreateKey"}  # the action that makes what has the tags
ITSELF = ("Tag", "AddTags", "CreateTags", "DeleteTags", "RemoveTags", "Untag", "PutBucketTagging")  # nothing is made
# Tags of objects have condition keys of their own (`s3:RequestObjectTag/…`); a role's session is decided by two.
OTHERWISE = {("s3", "CopyObject"), ("s3", "CreateMultipartUpload"), ("s3", "PutObject"), ("s3", "PutObjectTagging")}
OTHERWISE |= {("sts", "AssumeRole")}
MEMBERS = ("Tags", "tags", "TagSpecifications", "Tagging")
GIVEN = {"team": "blue", "stage": "beta"}
KINDS = {  # of EC2's specifications
    "AllocateAddress": "elastic-ip",
    "AuthorizeSecurityGroupEgress": "security-group-rule",
    "AuthorizeSecurityGroupIngress": "security-group-rule",
    "CreateDhcpOptions": "dhcp-options",
    "CreateEgressOnlyInternetGateway": "egress-only-internet-gateway",
    "CreateInternetGateway": "internet-gateway",
    "CreateKeyPair": "key-pair",
    "CreateManagedPrefixList": "prefix-list",
    "CreateNatGateway": "natgateway",
    "CreateNetworkAcl": "network-acl",
    "CreateNetworkInterface": "network-interface",
    "CreateRouteTable": "route-table",
    "CreateSecurityGroup": "security-group",
    "CreateSubnet": "subnet",
    "CreateVpc": "vpc",
    "CreateVpcEndpoint": "vpc-endpoint",
    "CreateVpcPeeringConnection": "vpc-peering-connection",
    "ImportKeyPair": "key-pair",
}


def taking_tags() -> Iterator[tuple[str, str]]:
    for room in ROOMS:
        model = models.load(room.service.name)
        for name in model.operations:
            operation = model.operation(name)
            if operation is None or operation.input is None or room.service.handler(name) is None:
                continue
            members = model.shape(operation.input).members
            # CreateBucket's stand in its configuration.
            if any(each in members for each in MEMBERS) or "CreateBucketConfiguration" in members:
                yield room.service.name, name


def test_every_operation_that_takes_tags_is_in_the_table() -> None:
    others = {each for each in taking_tags() if each[1].startswith(ITSELF)} | OTHERWISE
    assert set(taking_tags()) == TAGGING.keys() | others


def tagged(operation: Operation, params: dict[str, Any]) -> dict[str, Any]:
    """The same request with the tags, in its service's form."""
    assert operation.input is not None
    members = operation.model.shape(operation.input).members
    if "TagSpecifications" in members:
        tags = [{"Key": key, "Value": value} for key, value in GIVEN.items()]
        return {**params, "TagSpecifications": [{"ResourceType": KINDS[operation.name], "Tags": tags}]}
    if "CreateBucketConfiguration" in members:
        tags = [{"Key": key, "Value": value} for key, value in GIVEN.items()]
        return {**params, "CreateBucketConfiguration": {"Tags": tags}}
    name = "Tags" if "Tags" in members else "tags"
    shape = operation.model.shape(members[name])
    if shape.type == "map":
        return {**params, name: GIVEN}
    assert shape.member is not None
    forms = (("key", "value"), ("Key", "Value"), ("TagKey", "TagValue"))
    of = next(form for form in forms if form[0] in operation.model.shape(shape.member).members)
    return {**params, name: [dict(zip(of, pair, strict=True)) for pair in GIVEN.items()]}


def asked_for(world: World, operation: Operation, params: dict[str, Any]) -> list[Need]:
    """All that the request needs, whoever asks."""
    call = world.call(operation)
    room = next(room.service for room in ROOMS if room.service.name == operation.service)
    return list(room.access.needs(operation.name, params, call))


@pytest.mark.parametrize(("service", "name"), TAGGING, ids=lambda each: each)
def test_tags_at_creation_are_a_permission_of_their_own(world: World, service: str, name: str) -> None:
    operation, action = found(service, name), TAGGING[service, name]
    known = world.ready()
    plain = {key: value for key, value in sound_inputs(operation, known)[0].items() if key not in MEMBERS}
    plain.pop("CreateBucketConfiguration", None)
    assert action not in [need.action for need in asked_for(world, operation, plain)]

    params = tagged(operation, plain)
    needs = asked_for(world, operation, params)
    tagging = [need for need in needs if need.action == action]
    assert tagging, f"{name} gives tags without {action}"
    making = MADE_BY.get((service, name), name)
    own = [need for need in needs if need.action.endswith(f":{making}")]
    # EC2's are asked on what is made and on what is used for it, of which the former alone gets tags.
    seen = own if service != "ec2" else [need for need in own if "aws:TagKeys" in need.keys]
    assert seen, f"{name} shows nobody its tags"
    for need in (*seen, *tagging):
        assert {key: need.keys.get(f"aws:RequestTag/{key}") for key in GIVEN} == GIVEN, need
        assert sorted(need.keys.get("aws:TagKeys", ())) == sorted(GIVEN), need
    prefix = action.partition(":")[0]
    if prefix in SAY_WHAT_IS_MADE:
        assert {need.keys.get(f"{prefix}:CreateAction") for need in tagging} == {name}

    # And so the platform decides: whoever may do everything but give tags, but give these, but make what has these.
    blue, red = ({"StringEquals": {"aws:RequestTag/team": colour}} for colour in ("blue", "red"))
    for denied, condition in ((action, {}), (action, blue), (seen[0].action, blue)):
        error = decided(world, operation, params, denial(denied, condition))
        assert f"is not authorized to perform: {denied}" in (error.message if error is not None else ""), (name, error)
    for denied in (action, seen[0].action):
        assert not refused(decided(world, operation, params, denial(denied, red)))


def denial(action: str, condition: dict[str, Any]) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": "*", "Condition": condition}


def refused(error: AwsError | None) -> bool:
    return error is not None and "is not authorized to perform: " in error.message


def decided(world: World, operation: Operation, params: dict[str, Any], deny: dict[str, Any]) -> AwsError | None:
    """As somebody who may do everything but that; a refusal changes nothing."""
    world.ready()
    world.hold({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}, deny]})
    before = world.platform.seq
    error = world.ask(operation, params)
    if refused(error):
        assert world.platform.seq == before, operation.name
    return error
