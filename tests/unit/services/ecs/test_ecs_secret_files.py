"""Secrets as files: read when a task starts, handed over anew when what they are made of changes, by events alone.

The stores are the real rooms; no clock moves in these tests, so nothing that is found here was found by polling.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.fleet import model as fleet
from hatoba.services.ecs.controller.secrets import Reader
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.plan import secret_files, secrets
from hatoba.services.ecs.plan.secrets import Injected, Unreadable, known_as
from hatoba.services.kms import model as kms_model
from hatoba.services.kms.api import kms
from hatoba.services.secretsmanager import model as secretsmanager_model
from hatoba.services.secretsmanager.api import secretsmanager
from hatoba.services.ssm import model as ssm_model
from hatoba.services.ssm.api import ssm
from tests.converging import opened
from tests.unit.services.ecs.test_ecs_tasks import described, run
from tests.unit.services.ecs.world import NETWORK, ROLE, World, container, definition

HERE = Scope("aws", "123456789012", "us-east-1")
REFUSED = "ResourceInitializationError: unable to pull secrets or registry auth: "
LABEL = "hatoba.secrets.files"


class Keeping(World):
    """A world with the rooms that keep secrets."""

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(path, **options)
        self.rooms = [kms, ssm, secretsmanager]
        self.tables = (*kms_model.TABLES, *ssm_model.TABLES, *secretsmanager_model.TABLES)
        self.published = (*ssm_model.PUBLISHED, *secretsmanager_model.PUBLISHED)

    async def secret(self, name: str, value: str) -> str:
        return str((await self.aws.secretsmanager.create_secret(Name=name, SecretString=value))["ARN"])

    async def put(self, name: str, value: str) -> None:
        """A new version of a secret, or of a parameter."""
        if name.startswith("/"):
            await self.aws.ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
        else:
            await self.aws.secretsmanager.put_secret_value(SecretId=name, SecretString=value)
        await self.settle()

    def files(self) -> list[tuple[int, dict[str, str]]]:
        """Of each container that has any, over all workloads: the version and what is in them."""
        return [
            (c.files.version, {path: text.reveal() for path, text in c.files.contents.items()})
            for workload in self.store.all(fleet.workloads)
            for c in workload.containers
            if c.files is not None
        ]


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[Keeping]:
    async with opened(Keeping(tmp_path)) as made:
        yield made


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def started(w: Keeping, label: str = "", **fields: Any) -> Any:
    labels = {"dockerLabels": {LABEL: label}} if label else {}
    wanted = [container("web", **labels), container("side", portMappings=[], essential=False)]
    await w.ecs.register_task_definition(**definition(containerDefinitions=wanted, executionRoleArn=ROLE))
    arn = await run(w, **fields)
    await w.settle()
    return await described(w, arn)


# --- what is asked for


def test_entries_are_separated_by_commas_or_white_space() -> None:
    there = "arn:aws:ssm:eu-west-1:123456789012:parameter/url"
    text = f" /run/a/db=db,/run/a/list=/with,comma,\n/run/b/url={there} /run/c/x=y "
    found = {path: secrets.resource(reference, HERE) for path, reference in secret_files.parse(text, HERE).items()}
    ours = "arn:aws:ssm:us-east-1:123456789012:parameter/"
    assert found == {
        "/run/a/db": f"{ours}db",
        "/run/a/list": f"{ours}with,comma",
        "/run/b/url": there,
        "/run/c/x": f"{ours}y",
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("db", "is not path=reference"),
        ("/run/s/db=", "is not path=reference"),
        ("run/s/db=x", "not an absolute path"),
        ("/run/s/../db=x", "not an absolute path"),
        ("/etc/passwd=x", "the folder /etc is the system's"),
        ("/proc/self/mem=x", "is the system's"),
        ("/run/s/db=x,/run/s/db=y", "asked for twice"),
        ("/run/s/db=x,/run/s/db/deep=y", "cannot be a file and a folder"),
        ("/run/s/db=arn:aws:s3:::bucket", "s3 keeps no secrets"),
        (" ".join(f"/run/s/{n}=x" for n in range(101)), "more than the 100"),
    ],
)
def test_what_cannot_be_a_file_is_said(text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        secret_files.parse(text, HERE)


def test_by_which_names_a_changed_resource_is_known() -> None:
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"
    assert known_as(arn) == (arn, arn[:-7])
    assert known_as("arn:aws:ssm:us-east-1:123456789012:parameter/a-AbCdEf") == (
        "arn:aws:ssm:us-east-1:123456789012:parameter/a-AbCdEf",
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"dockerLabels": {LABEL: "/etc/x=db"}}, "The docker label of the container web is invalid: hatoba.secrets.fi"),
        ({"dockerLabels": {LABEL: "/run/s/x=db"}, "executionRoleArn": None}, "When you are specifying secret files"),
        (
            {
                "dockerLabels": {LABEL: "/run/s/x=db"},
                "mountPoints": [{"sourceVolume": "v", "containerPath": "/run/s/"}],
            },
            "/run/s is a mount point",
        ),
    ],
)
async def test_a_definition_that_cannot_have_them_is_refused(w: Keeping, changes: dict[str, Any], why: str) -> None:
    role = {"executionRoleArn": ROLE} if "executionRoleArn" not in changes else {}
    changes.pop("executionRoleArn", None)
    volumes = {"volumes": [{"name": "v"}]} if "mountPoints" in changes else {}
    with pytest.raises(AwsError, match=why):
        await w.ecs.register_task_definition(
            **definition(containerDefinitions=[container("web", **changes)], **role, **volumes)
        )


# --- at the start


async def test_a_label_gives_its_container_files(w: Keeping) -> None:
    arn = await w.secret("db", json.dumps({"password": "hunter2", "port": 5432}))
    await w.put("/app/url", "https://x")
    label = f"/run/s/password={arn}:password::,/run/s/all={arn},/srv/x/url=/app/url"
    task = await started(w, label)
    assert task["lastStatus"] == "RUNNING"
    contents = {"/run/s/password": "hunter2", "/run/s/all": '{"password": "hunter2", "port": 5432}'}
    assert w.files() == [(1, contents | {"/srv/x/url": "https://x"})]


async def test_a_tag_gives_all_containers_or_one_of_them_files_as_it_is_at_the_start(w: Keeping) -> None:
    await w.put("/a", "1")
    await w.put("/b", "2")
    tags = [{"key": LABEL, "value": "/run/s/a=/a"}, {"key": f"{LABEL}/side", "value": "/run/s/a=/b /run/s/b=/b"}]
    task = await started(w, "/run/s/a=/b,/run/s/c=/b", tags=tags)
    first, second = {"/run/s/a": "1", "/run/s/c": "2"}, {"/run/s/a": "2", "/run/s/b": "2"}
    assert w.files() == [(1, first), (1, second)]
    await w.ecs.tag_resource(resourceArn=task["taskArn"], tags=[{"key": LABEL, "value": "/run/other/a=/b"}])
    await w.put("/a", "3")
    assert w.files() == [(2, first | {"/run/s/a": "3"}), (1, second)]


async def test_what_cannot_be_read_ends_the_task_in_the_words_of_secrets(w: Keeping) -> None:
    told = (await started(w, "/run/s/a=/nothing"))["stoppedReason"]
    assert told.startswith(f"{REFUSED}execution resource retrieval failed: unable to retrieve secrets from ssm: ")
    assert told.endswith("invalid ssm parameters: /nothing")
    arn = await w.secret("db", "no json")
    told = (await started(w, f"/run/s/a={arn}:key::"))["stoppedReason"]
    assert told.endswith("invalid character 'n' looking for beginning of value")
    binary = (await w.aws.secretsmanager.create_secret(Name="binary", SecretBinary=b"\x00"))["ARN"]
    told = (await started(w, f"/run/s/a={binary}"))["stoppedReason"]
    assert told == f"{REFUSED}/run/s/a: its secret has a binary value, which cannot be a file."
    told = (await started(w, tags=[{"key": LABEL, "value": "/etc/a=/a"}]))["stoppedReason"]
    assert told.startswith(f"{REFUSED}hatoba.secrets.files: /etc/a: the folder /etc is the system's")
    assert w.files() == []


# --- while it runs


async def test_a_new_value_reaches_the_files_made_of_it_and_no_others(w: Keeping) -> None:
    arn, other = await w.secret("db", '{"p": "old"}'), await w.secret("other", "x")
    await w.put("/app/url", "old")
    await started(w, f"/run/s/p={arn}:p::,/run/s/url=/app/url")
    await started(w, f"/run/s/o={other}")
    await w.put("db", '{"p": "new"}')
    assert w.files() == [(2, {"/run/s/p": "new", "/run/s/url": "old"}), (1, {"/run/s/o": "x"})]
    await w.put("/app/url", "new")
    assert w.files()[0] == (3, {"/run/s/p": "new", "/run/s/url": "new"})
    await w.put("db", '{"p": "new", "q": "of no concern"}')
    assert w.files()[0][0] == 3, "what is in the file is the same: no version"


async def test_a_pending_version_is_none_yet_and_another_stage_is_its_own(w: Keeping) -> None:
    arn = await w.secret("db", "one")
    await started(w, f"/run/s/now={arn},/run/s/before={arn}::AWSPREVIOUS:,/run/s/short={arn[:-7]}")
    assert w.files() == []  # there is no previous one yet
    await w.put("db", "two")
    await started(w, f"/run/s/now={arn},/run/s/before={arn}::AWSPREVIOUS:,/run/s/short={arn[:-7]}")
    manager = w.aws.secretsmanager
    pending = await manager.put_secret_value(SecretId=arn, SecretString="three", VersionStages=["AWSPENDING"])
    await w.settle()
    assert w.files() == [(1, {"/run/s/now": "two", "/run/s/before": "one", "/run/s/short": "two"})]
    versions = (await manager.describe_secret(SecretId=arn))["VersionIdsToStages"]
    current = next(name for name, stages in versions.items() if "AWSCURRENT" in stages)
    moved = {"MoveToVersionId": pending["VersionId"], "RemoveFromVersionId": current}
    await manager.update_secret_version_stage(SecretId=arn, VersionStage="AWSCURRENT", **moved)
    await w.settle()
    assert w.files() == [(2, {"/run/s/now": "three", "/run/s/before": "two", "/run/s/short": "three"})]


async def test_a_value_that_changes_while_the_task_starts_is_not_missed(
    w: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    await w.put("/a", "old")
    read = Reader.read

    async def changed_just_after(self: Reader, task: Task, wanted: Definition) -> Injected:
        found = await read(self, task, wanted)
        await w.aws.ssm.put_parameter(Name="/a", Value="new", Overwrite=True)
        for _ in range(100):  # the hint comes, and finds a task that its node was not told of
            await asyncio.sleep(0.0002)
        return found

    monkeypatch.setattr(Reader, "read", changed_just_after)
    await started(w, "/run/s/a=/a")
    assert w.files() == [(2, {"/run/s/a": "new"})]


async def test_what_changed_before_a_restart_is_asked_for_at_the_start(w: Keeping) -> None:
    arn = await w.secret("db", "old")
    await started(w, f"/run/s/db={arn}")
    published, w.published = w.published, ()
    await w.crash()
    await w.settle()
    await w.put("db", "new")
    assert w.files() == [(1, {"/run/s/db": "old"})]  # nobody was told
    w.published = published
    await w.crash()
    await w.settle()
    assert w.files() == [(2, {"/run/s/db": "new"})]


async def test_what_can_no_longer_be_read_stays_and_the_service_says_so_once(w: Keeping) -> None:
    arn = await w.secret("db", "old")
    wanted = [container(dockerLabels={LABEL: f"/run/s/db={arn}"})]
    await w.ecs.register_task_definition(**definition(containerDefinitions=wanted, executionRoleArn=ROLE))
    await w.ecs.create_service(
        serviceName="web",
        taskDefinition="web",
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration=NETWORK,
    )
    await w.settle()
    await w.aws.secretsmanager.delete_secret(SecretId=arn)
    await w.settle()
    w.runner.look_at_everything()
    await w.settle()
    assert w.files() == [(1, {"/run/s/db": "old"})]
    (service,) = (await w.ecs.describe_services(services=["web"]))["services"]
    told = [e["message"] for e in service["events"] if "secret files" in e["message"]]
    assert len(told) == 1
    assert "which stay as they are: ResourceInitializationError: unable to pull secrets" in told[0]
    await w.aws.secretsmanager.restore_secret(SecretId=arn)
    await w.put("db", "new")
    assert w.files() == [(2, {"/run/s/db": "new"})]


async def test_a_task_that_is_to_stop_is_left_alone(w: Keeping) -> None:
    await w.put("/a", "old")
    w.auto = False
    task = await started(w, "/run/s/a=/a")
    await w.ecs.stop_task(task=task["taskArn"])
    await w.settle()
    await w.put("/a", "new")
    assert w.files() == [(1, {"/run/s/a": "old"})]


async def test_nothing_of_it_is_in_clear_on_the_disk_or_in_the_tasks_description(w: Keeping, tmp_path: Path) -> None:
    arn = await w.secret("db", "correct-horse")
    task = await started(w, f"/run/s/db={arn}")
    await w.put("db", "battery-staple")
    assert w.files() == [(2, {"/run/s/db": "battery-staple"})]
    kept = everything(tmp_path)
    assert b"correct-horse" not in kept
    assert b"battery-staple" not in kept
    assert "correct" not in json.dumps(task, default=str)
