"""Managed policies: well-formed, of actions that there are, and enough for what the rooms ask of each other."""

from __future__ import annotations

import fnmatch
import json
import re
from collections import defaultdict

import botocore.session
import pytest

from hatoba.app.rooms import ROOMS
from hatoba.aws import index
from hatoba.core.keys import Scope
from hatoba.gateway.access import service_role
from hatoba.services.iam import documents, managed
from hatoba.services.iam.managed import linked
from hatoba.services.iam.managed.form import allow, allow_others, document, policy
from tests.tidy.tree import PACKAGE

# Actions of the service authorisation reference that are not operations of botocore's models, and why.
NOT_OPERATIONS = {
    "apigateway": {"GET"},  # its actions are HTTP's methods
    "appmesh": {"StreamAggregatedResources"},  # Envoy's own protocol
    "aws-marketplace": {"ViewSubscriptions"},
    "aws-portal": {"*Billing", "*Usage", "*PaymentMethods", "ViewAccount"},  # the console's
    "cloudwatch": {"BatchGet*", "GenerateQuery"},  # the console's
    "codeartifact": {"ReadFromRepository"},
    "codecommit": {"GetReferences", "GitPull", "GitPush"},  # git's protocol
    "dynamodb": {"PartiQLSelect"},
    "ec2messages": {"*"},  # the agent's channel
    "ecr": {"BatchImportUpstreamImage", "GetImageCopyStatus", "ReplicateImage"},
    "ecs": {"Poll", "PutSystemLogEvents", "StartTelemetrySession"},  # the agent's
    "elasticfilesystem": {"ClientMount", "ClientRootAccess", "ClientWrite"},  # NFS
    "execute-api": {"Invoke", "ManageConnections"},
    "iam": {"PassRole"},
    "lambda": {"InvokeFunction"},  # Invoke
    "logs": {
        "CreateLogDelivery",
        "DeleteLogDelivery",
        "GetLogDelivery",
        "ListLogDeliveries",
        "StopLiveTail",
        "UpdateLogDelivery",
    },
    "purchase-orders": {"*"},  # the console's
    "s3-object-lambda": {"*"},  # S3's operations
    "s3": {  # by what they reach, not by the operation
        "*AccelerateConfiguration",
        "*AnalyticsConfiguration",
        "*EncryptionConfiguration",
        "*InventoryConfiguration",
        "*LifecycleConfiguration",
        "*MetricsConfiguration",
        "*PublicAccessBlock",
        "*ReplicationConfiguration",
        "GetObjectVersion*",
        "List*",
        "ReplicateDelete",
        "ReplicateObject",
    },
    "ssm": {  # the agent's
        "GetManifest",
        "ListInstanceAssociations",
        "PutConfigurePackageResult",
        "UpdateInstanceAssociationStatus",
        "UpdateInstanceInformation",
    },
    "ssmmessages": {"*"},  # the agent's channel
    "sts": {"GetServiceBearerToken"},
}
# Services whose actions begin otherwise than their requests' signatures.
PREFIXES = {"cloudwatch": "cloudwatch", "resourcegroupstaggingapi": "tag"}


def test_the_short_form() -> None:
    made = policy(
        "P",
        "…",
        allow("ecs: List* RunTask", "sts: AssumeRole", on="arn:x", when={"Null": {"a:b": "true"}}),
        allow_others("iam: *"),
    )
    assert json.loads(document(made)) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["ecs:List*", "ecs:RunTask", "sts:AssumeRole"],
                "Resource": "arn:x",
                "Condition": {"Null": {"a:b": "true"}},
            },
            {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
        ],
    }


def test_each_is_found_and_would_be_taken_from_a_customer() -> None:
    listed = managed.everything()
    assert len({each.name for each in listed}) == len(listed)
    assert len({each.unique for each in listed}) == len(listed)
    for each in listed:
        found = managed.document(each.arn())
        assert found is not None
        assert managed.document(each.arn("aws-cn")) == found
        documents.check_identity(found)
        assert re.fullmatch(r"/|/(service-role|job-function|aws-service-role)/", each.path)
    for absent in ("arn:aws:iam::aws:policy/Nothing", "arn:aws:iam::123456789012:policy/ReadOnlyAccess", "x"):
        assert managed.document(absent) is None


@pytest.mark.slow
def test_every_action_is_one() -> None:
    """By botocore's models: a misspelt action would allow nothing, in silence."""
    known: dict[str, set[str]] = defaultdict(set)
    session = botocore.session.get_session()
    for name in session.get_available_services():
        model = session.get_service_model(name)
        for prefix in {model.signing_name, model.endpoint_prefix, PREFIXES.get(name, name)}:
            known[prefix].update(model.operation_names)
    unknown, used = set(), set()
    for each in managed.everything():
        for action in (action for statement in each.statements for action in statement.actions if action != "*"):
            service, _, name = action.partition(":")
            if fnmatch.filter(known[service], name):
                continue
            excuses = {pattern for pattern in NOT_OPERATIONS.get(service, ()) if fnmatch.fnmatchcase(name, pattern)}
            used |= {(service, pattern) for pattern in excuses}
            if not excuses:
                unknown.add(action)
    assert unknown == set()
    assert {(s, p) for s, patterns in NOT_OPERATIONS.items() for p in patterns} == used, "excuses nobody needs"


# --- what rooms ask of each other


def asked(room: str) -> set[str]:
    """What a room's sources ask of others at the front door (`aws.ec2.describe_subnets(`): `ec2:describesubnets`."""
    found = set()
    for path in (PACKAGE / "services" / room).rglob("*.py"):
        calls = r"(?:aws|door|sts|there|bus|own)(?:\([^()]*\))?\.([a-z_0-9]+)\.([a-z_]+)\("
        for service, operation in re.findall(calls, path.read_text()):
            known = index.by_name(service.removesuffix("_"))
            if known is not None:
                prefix = {"monitoring": "cloudwatch"}.get(known.signing_name, known.signing_name)
                found.add(f"{prefix}:{operation.replace('_', '')}")
    return found


# With the permissions of whoever asks or gave a role; and one action that is not called as its operation.
OTHERWISE = {
    "ecs": {"s3:getobject", "secretsmanager:getsecretvalue", "ssm:getparameters"},
    "secretsmanager": {"kms:encrypt"},
}


@pytest.mark.parametrize("room", sorted(room.service.name for room in ROOMS))
def test_every_room_may_what_it_asks(room: str) -> None:
    role = service_role(Scope("aws", "123456789012", "us-east-1"), room).role or ""
    held = linked.ROLES[role.rpartition("/")[2]]
    allowed = [action.lower() for each in held for statement in each.statements for action in statement.actions]
    missing = {wanted for wanted in asked(room) if not any(fnmatch.fnmatchcase(wanted, one) for one in allowed)}
    assert missing - OTHERWISE.get(room, set()) - {"lambda:invoke"} == set()


def test_the_search_for_calls_finds_them() -> None:
    assert {"ec2:describesubnets", "elasticloadbalancing:registertargets", "cloudwatch:describealarms"} <= asked("ecs")
    assert {"kms:decrypt", "lambda:invoke"} <= asked("secretsmanager")
