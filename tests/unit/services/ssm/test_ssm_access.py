"""What Systems Manager's requests need to be allowed: parameters by path, sessions by task and document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hatoba.core.secret import Secret
from hatoba.fleet import model as fleet
from hatoba.gateway.tags import Tags, tags
from hatoba.services.ssm.access import ACCESS
from hatoba.services.ssm.session.model import Session, sessions
from tests.unit.services.asked import ALICE, SCOPE, Asked

HERE = f"arn:aws:ssm:{SCOPE.region}:{SCOPE.account}"
TASK = "0123456789abcdef0123456789abcdef"
MACHINE = "mi-0123456789abcdef0"
TARGET = f"ecs:prod_{TASK}_{TASK}-1"
BLUE = [{"Key": "team", "Value": "blue"}]
RED = {"ssm:resourceTag/team": "red"}


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    """The parameter /app/db is red; Alice has the session `own`, somebody else `other`."""
    asked = Asked("ssm", ACCESS, tags, sessions, *fleet.TABLES)
    asked.put(tags, Tags(key=tags.key(SCOPE, f"{HERE}:parameter/app/db"), tags={"team": "red"}))
    for id_, owner in (("own", ALICE.arn), ("other", "arn:aws:iam::123456789012:user/bob")):
        session = Session(
            key=sessions.key(SCOPE, id_),
            owner=owner,
            target=TARGET,
            workload=TASK,
            container="web",
            command="sh",
            started=0.0,
        )
        asked.put(sessions, session)
    yield asked
    asked.close()


@pytest.mark.parametrize(
    ("operation", "req", "resources"),
    [
        ("GetParameter", {"Name": "/app/db"}, ["parameter/app/db"]),
        ("GetParameter", {"Name": "plain"}, ["parameter/plain"]),
        ("GetParameter", {"Name": "/app/db:3"}, ["parameter/app/db"]),
        ("GetParameter", {"Name": "/app/db:prod"}, ["parameter/app/db"]),
        ("GetParameter", {"Name": f"{HERE}:parameter/app/db:prod"}, ["parameter/app/db"]),
        ("GetParameter", {"Name": "arn:aws:ssm:us-east-1:999999999999:parameter/a"},
         ["arn:aws:ssm:us-east-1:999999999999:parameter/a"]),
        ("GetParameter", {"Name": "/aws/service/ecs/optimized-ami/x"},
         ["arn:aws:ssm:us-east-1::parameter/aws/service/ecs/optimized-ami/x"]),
        ("GetParameter", {"Name": "/aws/reference/secretsmanager/db"}, ["parameter/aws/reference/secretsmanager/db"]),
        ("GetParameter", {"Name": "no name!"}, ["parameter/no name!"]),
        ("GetParameters", {"Names": ["/a", "/b:1", "/a"]}, ["parameter/a", "parameter/b"]),
        ("DeleteParameters", {"Names": ["/a", "b"]}, ["parameter/a", "parameter/b"]),
        ("GetParametersByPath", {"Path": "/app/"}, ["parameter/app/"]),
        ("GetParametersByPath", {"Path": "/"}, ["parameter/"]),
        ("GetParametersByPath", {"Path": "/aws/service/ecs"}, ["arn:aws:ssm:us-east-1::parameter/aws/service/ecs"]),
        ("DescribeParameters", {}, ["*"]),
        ("LabelParameterVersion", {"Name": "/a", "Labels": ["x"]}, ["parameter/a"]),
        ("AddTagsToResource", {"ResourceType": "Parameter", "ResourceId": "/a", "Tags": BLUE}, ["parameter/a"]),
        ("ListTagsForResource", {"ResourceType": "Document", "ResourceId": "d"}, ["document/d"]),
        ("GetServiceSetting", {"SettingId": "/ssm/parameter-store/default-parameter-tier"},
         ["servicesetting/ssm/parameter-store/default-parameter-tier"]),
        ("ListTagsForResource", {"ResourceType": "ManagedInstance", "ResourceId": "mi-1"}, ["managed-instance/mi-1"]),
        ("DeregisterManagedInstance", {"InstanceId": MACHINE}, [f"managed-instance/{MACHINE}"]),
        ("GetDocument", {"Name": "AWS-StartInteractiveCommand"},
         ["arn:aws:ssm:us-east-1::document/AWS-StartInteractiveCommand"]),
        ("DescribeDocument", {"Name": "own"}, ["document/own"]),
        ("DescribeSessions", {"State": "Active"}, ["*"]),
        ("TerminateSession", {"SessionId": "own"}, ["session/own"]),
        ("StartSession", {"Target": TARGET}, [f"arn:aws:ecs:us-east-1:{SCOPE.account}:task/prod/{TASK}"]),
        ("StartSession", {"Target": "mi-1"}, ["managed-instance/mi-1"]),
        ("StartSession", {"Target": TARGET, "DocumentName": "AWS-StartInteractiveCommand"},
         [f"arn:aws:ecs:us-east-1:{SCOPE.account}:task/prod/{TASK}",
          "arn:aws:ssm:us-east-1::document/AWS-StartInteractiveCommand"]),
        ("StartSession", {"Target": TARGET, "DocumentName": "SSM-SessionManagerRunShell"},
         [f"arn:aws:ecs:us-east-1:{SCOPE.account}:task/prod/{TASK}", "document/SSM-SessionManagerRunShell"]),
    ],
)  # fmt: skip
def test_resources(asked: Asked, operation: str, req: dict[str, Any], resources: list[str]) -> None:
    found = [need.resource for need in asked.needs(operation, **req)]
    here = [f"{HERE}:{name}" if not name.startswith(("arn:", "*")) else name for name in resources]
    assert found == here
    assert {need.action for need in asked.needs(operation, **req)} == {f"ssm:{operation}"}


@pytest.mark.parametrize(
    ("operation", "req", "keys"),
    [
        ("GetParameter", {"Name": "/app/db"}, RED),
        ("GetParameter", {"Name": "/app/other"}, {}),
        ("PutParameter", {"Name": "/new", "Value": "v"}, {"ssm:Overwrite": "false"}),
        ("PutParameter", {"Name": "/app/db", "Value": "v", "Overwrite": True, "Policies": "[]"},
         {**RED, "ssm:Overwrite": "true", "ssm:Policies": "true"}),
        ("GetParametersByPath", {"Path": "/a", "Recursive": True}, {"ssm:Recursive": "true"}),
        ("GetParametersByPath", {"Path": "/a"}, {"ssm:Recursive": "false"}),
        ("AddTagsToResource", {"ResourceType": "Parameter", "ResourceId": "/app/db", "Tags": BLUE},
         {**RED, "aws:TagKeys": ["team"], "aws:RequestTag/team": "blue"}),
        ("RemoveTagsFromResource", {"ResourceType": "Parameter", "ResourceId": "/app/db", "TagKeys": ["team"]},
         {**RED, "aws:TagKeys": ["team"]}),
        ("StartSession", {"Target": TARGET}, {"ssm:SessionDocumentAccessCheck": "false"}),
        ("StartSession", {"Target": TARGET, "DocumentName": "D-o-c"}, {"ssm:SessionDocumentAccessCheck": "true"}),
        ("TerminateSession", {"SessionId": "none"}, {}),
    ],
)  # fmt: skip
def test_condition_keys(asked: Asked, operation: str, req: dict[str, Any], keys: dict[str, Any]) -> None:
    assert asked.keys(operation, **req) == keys


def test_tags_at_creation_need_the_right_to_tag(asked: Asked) -> None:
    found = asked.needs("PutParameter", Name="/new", Value="v", Tags=BLUE)
    assert [need.action for need in found] == ["ssm:PutParameter", "ssm:AddTagsToResource"]
    assert all(need.keys["aws:RequestTag/team"] == "blue" for need in found)
    assert {need.resource for need in found} == {f"{HERE}:parameter/new"}


def test_a_session_says_whose_it_is(asked: Asked) -> None:
    """So that `${aws:userid}` in a policy means one's own."""
    said = "ssm:resourceTag/aws:ssmmessages:session-id"
    assert asked.keys("ResumeSession", SessionId="own")[said] == ALICE.id
    assert asked.keys("ResumeSession", SessionId="other")[said] != ALICE.id


def test_ecs_starts_sessions_for_whom_it_has_asked_itself(asked: Asked) -> None:
    asked.via = ("ecs",)
    try:
        assert asked.needs("StartSession", Target=TARGET, DocumentName="AmazonECS-ExecuteInteractiveCommand") == []
    finally:
        asked.via = ()


STREAM = f"arn:aws:logs:us-east-1:{SCOPE.account}:log-group:{{}}:log-stream:*"


def enter(asked: Asked, task: str, group: str, bucket: str = "") -> list[tuple[str, str]]:
    """What whoever enters the task by ExecuteCommand is asked for, when the session is logged there."""
    parameters = {"cloudWatchLogGroupName": [group], "s3BucketName": [bucket] if bucket else []}
    asked.via = ("ecs",)
    try:
        found = asked.needs("StartSession", Target=f"ecs:prod_{task}_{task}-1", Parameters=parameters)
    finally:
        asked.via = ()
    return [(need.action, need.resource) for need in found]


def test_where_the_tasks_role_is_asked_whoever_enters_it_is_not(asked: Asked) -> None:
    """A task without a role has none who could be asked for its cluster's log, but for the log that is its own."""
    with_role, without = "a" * 32, "b" * 32
    for id_ in (with_role, without):
        log = fleet.LogWanted(driver="awslogs", group="/own")
        web = fleet.ContainerWanted(
            name="web", image=fleet.ImageWanted(name="x", repository="x", reference="v1"), log=log
        )
        workload = fleet.Workload(key=fleet.workloads.key(SCOPE, id_), node="n", containers=(web,))
        status = fleet.ContainerStatus(name="web", state="running", runtime_id=f"{id_}-1")
        asked.put(fleet.workloads, workload)
        asked.put(
            fleet.workload_statuses,
            fleet.WorkloadStatus(
                key=fleet.workload_statuses.key(SCOPE, id_), node="n", state="running", containers=(status,)
            ),
        )
    credential = fleet.Credential(
        key=fleet.credentials.key(SCOPE, "c"),
        workload=with_role,
        node="n",
        role="r",
        access_key="ASIA",
        secret_key=Secret("s"),
        token=Secret("t"),
        expires=0.0,
    )
    asked.put(fleet.credentials, credential)
    assert enter(asked, with_role, "/audit", "audits") == []
    assert enter(asked, without, "/own") == []
    written = [(f"logs:{name}", STREAM.format("/audit")) for name in ("CreateLogStream", "PutLogEvents")]
    assert enter(asked, without, "/audit") == written
    assert enter(asked, without, "/own", "audits") == [("s3:PutObject", "arn:aws:s3:::audits/*.log")]


@pytest.mark.parametrize("role", ["machines/anywhere", "arn:aws:iam::123456789012:role/machines/anywhere"])
def test_who_activates_machines_hands_over_their_role(asked: Asked, role: str) -> None:
    """Else whoever may activate machines would have every role that Systems Manager may assume."""
    passed = ("iam:PassRole", f"arn:aws:iam::{SCOPE.account}:role/machines/anywhere")
    made = asked.needs("CreateActivation", IamRole=role, Tags=BLUE)
    assert [need.action for need in made] == ["ssm:CreateActivation", "ssm:AddTagsToResource", "iam:PassRole"]
    changed = asked.needs("UpdateManagedInstanceRole", InstanceId=MACHINE, IamRole=role)
    for needs in (made, changed):
        assert (needs[-1].action, needs[-1].resource) == passed
        assert needs[-1].keys == {"iam:PassedToService": "ssm.amazonaws.com"}


def test_who_has_a_session_logged_to_a_bucket_needs_to_be_allowed_to_write_there(asked: Asked) -> None:
    parameters = {"s3BucketName": ["audits"], "s3KeyPrefix": ["exec/"]}
    found = asked.needs("StartSession", Target=TARGET, Parameters=parameters)
    assert [(need.action, need.resource) for need in found[1:]] == [("s3:PutObject", "arn:aws:s3:::audits/exec/*.log")]


def test_who_has_a_session_logged_needs_to_be_allowed_to_log_there(asked: Asked) -> None:
    """The transcript is written by the service itself: nobody shall write where they may not by its hand."""
    found = asked.needs("StartSession", Target=TARGET, Parameters={"cloudWatchLogGroupName": ["/audit"]})
    stream = f"arn:aws:logs:us-east-1:{SCOPE.account}:log-group:/audit:log-stream:*"
    assert [(need.action, need.resource) for need in found[1:]] == [
        ("logs:CreateLogStream", stream),
        ("logs:PutLogEvents", stream),
    ]
