"""An account of an organisation is one: its tasks are its own, pull what is shared with the organisation, and have the
permissions that its control policies leave; closed, it has none."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError

from tools.instance import Instance, eventually

pytestmark = pytest.mark.real

TRUST = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
EXECUTION = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
SAY = r"""
get() { printf "GET $1 HTTP/1.0\r\n\r\n" | nc 169.254.170.2 80 | tail -n 1; echo; }
echo "CREDENTIALS $(get $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI)"
sleep @
"""


SECONDS = f"600.{time.time_ns()}"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Session:
    """Clients with temporary credentials, as STS or a container says them."""

    def __init__(self, hatoba: Instance, key: str, secret: str, token: str) -> None:
        self._endpoint, self._key = f"http://localhost:{hatoba.port}", (key, secret, token)

    def __call__(self, service: str) -> Any:
        key, secret, token = self._key
        return boto3.client(
            service,
            endpoint_url=self._endpoint,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )


def member(hatoba: Instance, org: Any) -> tuple[str, Session]:
    """A new account, entered by its administrator's role."""
    asked = org.create_account(Email="dev@example.test", AccountName="dev")["CreateAccountStatus"]["Id"]

    def made() -> Any:
        status = org.describe_create_account_status(CreateAccountRequestId=asked)["CreateAccountStatus"]
        return status if status["State"] == "SUCCEEDED" else None

    number: str = eventually(made)["AccountId"]
    role = f"arn:aws:iam::{number}:role/OrganizationAccountAccessRole"
    given = hatoba.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return number, Session(hatoba, given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def define(hatoba: Instance, dev: Session, number: str) -> None:
    """A task definition in the account, with an image of another."""
    iam, ecs, logs = dev("iam"), dev("ecs"), dev("logs")
    iam.create_role(RoleName="task", AssumeRolePolicyDocument=document(TRUST))
    iam.attach_role_policy(RoleName="task", PolicyArn=EXECUTION)
    everything = document({"Effect": "Allow", "Action": "*", "Resource": "*"})
    iam.put_role_policy(RoleName="task", PolicyName="own", PolicyDocument=everything)
    logs.create_log_group(logGroupName="/ecs/task")
    ecs.create_cluster()
    options = {"awslogs-group": "/ecs/task", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "s"}
    role = f"arn:aws:iam::{number}:role/task"
    container = {
        "name": "main",
        "image": f"localhost:{hatoba.port}/shared:latest",
        "command": ["sh", "-c", SAY.replace("@", SECONDS)],
        "stopTimeout": 2,
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }
    made = {"cpu": "256", "memory": "512", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"]}
    ecs.register_task_definition(
        family="task", taskRoleArn=role, executionRoleArn=role, containerDefinitions=[container], **made
    )


def run(dev: Session) -> str:
    """A task of it; its ARN."""
    subnets = [subnet["SubnetId"] for subnet in dev("ec2").describe_subnets()["Subnets"]]
    network = {"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}}
    answer = dev("ecs").run_task(taskDefinition="task", launchType="FARGATE", networkConfiguration=network)
    arn: str = answer["tasks"][0]["taskArn"]
    return arn


def said(dev: Session) -> dict[str, Any]:
    """The credentials that the task printed."""

    def line() -> str | None:
        events = dev("logs").filter_log_events(logGroupName="/ecs/task")["events"]
        texts = [event["message"] for event in events if event["message"].startswith("CREDENTIALS ")]
        return texts[0] if texts else None

    found: dict[str, Any] = json.loads(eventually(line).removeprefix("CREDENTIALS "))
    return found


@pytest.fixture
def alone() -> Iterator[Instance]:
    """An instance whose control plane may be killed."""
    with Instance() as instance:
        yield instance


def test_a_task_of_a_member_account(alone: Instance) -> None:
    hatoba = alone
    org, ecr = hatoba.client("organizations"), hatoba.client("ecr")
    id_ = org.create_organization()["Organization"]["Id"]
    root = org.list_roots()["Roots"][0]["Id"]
    org.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    hatoba.push("shared")
    number, dev = member(hatoba, org)

    define(hatoba, dev, number)
    first = run(dev)
    stopped = eventually(lambda: _stopped(dev, first))
    assert "CannotPullContainerError" in stopped["stoppedReason"], "nobody has shared the image yet"
    mine = {"StringEquals": {"aws:PrincipalOrgID": id_}}
    shared = {"Effect": "Allow", "Principal": "*", "Action": PULL, "Condition": mine}
    ecr.set_repository_policy(repositoryName="shared", policyText=document(shared))
    run(dev)
    given = said(dev)
    task = Session(hatoba, given["AccessKeyId"], given["SecretAccessKey"], given["Token"])
    assert task("sts").get_caller_identity()["Account"] == number
    assert number not in str(hatoba.client("ecs").list_tasks()), "it is nobody else's"

    task("iam").list_users()
    text = document({"Effect": "Deny", "Action": "iam:*", "Resource": "*"})
    asked = {"Name": "no-iam", "Description": "", "Type": "SERVICE_CONTROL_POLICY", "Content": text}
    policy = org.create_policy(**asked)["Policy"]["PolicySummary"]["Id"]
    org.attach_policy(PolicyId=policy, TargetId=number)
    with pytest.raises(ClientError, match="with an explicit deny in a service control policy"):
        task("iam").list_users()
    hatoba.kill("control")
    with pytest.raises(ClientError, match="with an explicit deny in a service control policy"):
        eventually(lambda: _asked(task))

    assert runs(), "it does"
    org.close_account(AccountId=number)
    for closed in (dev, task):
        with pytest.raises(ClientError, match="InvalidClientTokenId"):
            closed("sts").get_caller_identity()
    eventually(lambda: not runs())


def runs() -> bool:
    """Whether a container of the task does."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if SECONDS.encode() in process.read_bytes():
                return True
    return False


def _stopped(dev: Session, arn: str) -> Any:
    [task] = dev("ecs").describe_tasks(tasks=[arn])["tasks"]
    return task if task["lastStatus"] == "STOPPED" else None


def _asked(task: Session) -> object:
    """Whatever IAM answers, once the control plane is there again."""
    try:
        return task("iam").list_users()
    except (ConnectionClosedError, EndpointConnectionError):
        return None
