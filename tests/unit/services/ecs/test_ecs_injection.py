"""What a task's configuration refers to is read before it starts, under its execution role: values reach the workload,
and what cannot be read ends the task in Fargate's words. Small rooms stand for ssm, secretsmanager and s3."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import AwsError
from hatoba.core.secret import Secret
from hatoba.fleet import model as fleet
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from tests.converging import opened
from tests.unit.services.ecs.test_ecs_tasks import described, run
from tests.unit.services.ecs.world import ROLE, World, container, definition

DB = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"
FAILED = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
ASKED = "service call has been retried 1 time(s): "
FROM_SSM = f"{FAILED}unable to retrieve secrets from ssm: {ASKED}"
FROM_SECRETS = f"{FAILED}unable to retrieve secret from asm: {ASKED}"
FOR_LOGIN = f"{FAILED}unable to get registry auth from asm: {ASKED}"
FROM_S3 = f"ResourceInitializationError: failed to download env files: {ASKED}operation error S3: GetObject, "
NO_SECRET = (
    "operation error Secrets Manager: GetSecretValue, https response error StatusCode: 400, api error "
    "ResourceNotFoundException: Secrets Manager can't find the specified secret."
)


class Stores:
    """Parameters by (region, name), secrets by (ARN, stage or version), objects by (bucket, key)."""

    def __init__(self) -> None:
        self.parameters: dict[tuple[str, str], str] = {}
        self.secrets: dict[tuple[str, str], str] = {}
        self.objects: dict[tuple[str, str], bytes] = {}
        self.asked: list[tuple[str, str, Any]] = []  # (operation, whose, what)
        self.refusal: AwsError | None = None
        rooms = {name: Service(name) for name in ("ssm", "secretsmanager", "s3")}
        rooms["ssm"].operation(self.get_parameters)
        rooms["secretsmanager"].operation(self.get_secret_value)
        rooms["s3"].operation(self.get_object)
        self.rooms = list(rooms.values())

    def _ask(self, call: Call, what: Any) -> None:
        self.asked.append((call.operation, call.principal.arn, what))
        if self.refusal is not None:
            raise self.refusal

    async def get_parameters(self, req: Any, call: Call) -> Any:
        self._ask(call, req["Names"])
        assert req["WithDecryption"] is True
        assert len(req["Names"]) <= 10
        found = {name: self.parameters.get((call.scope.region, name)) for name in req["Names"]}
        return {
            "Parameters": [{"Name": name, "Value": value} for name, value in found.items() if value is not None],
            "InvalidParameters": [name for name, value in found.items() if value is None],
        }

    async def get_secret_value(self, req: Any, call: Call) -> Any:
        which = req.get("VersionId") or req.get("VersionStage") or "AWSCURRENT"
        self._ask(call, (req["SecretId"], which))
        if (req["SecretId"], which) not in self.secrets:
            raise AwsError("Secrets Manager can't find the specified secret.", code="ResourceNotFoundException")
        return {"SecretString": self.secrets[req["SecretId"], which]}

    async def get_object(self, req: Any, call: Call) -> Any:
        self._ask(call, (req["Bucket"], req["Key"]))
        if (req["Bucket"], req["Key"]) not in self.objects:
            raise AwsError("The specified key does not exist.", code="NoSuchKey", status=404)
        return {"Body": self._pieces(self.objects[req["Bucket"], req["Key"]])}

    @staticmethod
    async def _pieces(body: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(body), 7):
            yield body[at : at + 7]


class Storing(World):
    """A world with stores. `without` leaves rooms out."""

    def __init__(self, path: Path, *, without: str = "", **options: Any) -> None:
        super().__init__(path, **options)
        self.stores = Stores()
        self.rooms = [room for room in self.stores.rooms if room.name != without]


def storing(path: Path, **options: Any) -> AbstractAsyncContextManager[Storing]:
    return opened(Storing(path, **options))


async def started(w: Storing, *containers: dict[str, Any], **fields: Any) -> tuple[Any, dict[str, Any]]:
    """A task of these containers, as it is described, and what its node is told of each container."""
    wanted = list(containers) or [container()]
    await w.ecs.register_task_definition(**definition(containerDefinitions=wanted, executionRoleArn=ROLE))
    arn = await run(w, **fields)
    await w.settle()
    told = {c.name: c for workload in w.store.all(fleet.workloads) for c in workload.containers}
    return await described(w, arn), told


def secrets(**named: str) -> list[dict[str, str]]:
    return [{"name": name, "valueFrom": value} for name, value in named.items()]


def file(key: str) -> dict[str, str]:
    return {"type": "s3", "value": f"arn:aws:s3:::configuration/{key}"}


def revealed(values: dict[str, Secret]) -> dict[str, str]:
    return {name: value.reveal() for name, value in values.items()}


async def test_secrets_of_every_form_reach_the_container(tmp_path: Path) -> None:
    async with storing(tmp_path) as w:
        w.stores.parameters = {("us-east-1", "plain"): "a", ("us-east-1", "/db/host"): "b", ("eu-west-1", "far"): "c"}
        w.stores.secrets = {
            (DB, "AWSCURRENT"): '{"user": "admin", "port": 5432, "tags": ["x", 1]}',
            (DB, "AWSPREVIOUS"): '{"user": "root"}',
            (DB, "v" * 32): "whole",
        }
        one = container(
            secrets=secrets(
                PLAIN="plain",
                HOST="arn:aws:ssm:us-east-1:123456789012:parameter/db/host",
                FAR="arn:aws:ssm:eu-west-1:123456789012:parameter/far",
                WHOLE=DB,
                USER=f"{DB}:user::",
                PORT=f"{DB}:port::",
                TAGS=f"{DB}:tags::",
                BEFORE=f"{DB}:user:AWSPREVIOUS:",
                VERSION=f"{DB}:::{'v' * 32}",
            )
        )
        task, told = await started(w, one)
        assert task["lastStatus"] == "RUNNING"
        assert revealed(told["web"].secrets) == {
            "PLAIN": "a",
            "HOST": "b",
            "FAR": "c",
            "WHOLE": '{"user": "admin", "port": 5432, "tags": ["x", 1]}',
            "USER": "admin",
            "PORT": "5432",
            "TAGS": '["x",1]',
            "BEFORE": "root",
            "VERSION": "whole",
        }


async def test_each_source_is_read_once_per_task_under_its_execution_role(tmp_path: Path) -> None:
    async with storing(tmp_path) as w:
        names = [f"p{number}" for number in range(12)]
        w.stores.parameters = {("us-east-1", name): name for name in names}
        w.stores.secrets = {(DB, "AWSCURRENT"): '{"a": "1", "b": "2"}'}
        listed = secrets(**{name.upper(): name for name in names}, A=f"{DB}:a::", B=f"{DB}:b::")
        task, _ = await started(w, container(secrets=listed), container("side", secrets=listed, portMappings=[]))
        id_ = task["taskArn"].rpartition("/")[2]
        assert {whose for _, whose, _ in w.stores.asked} == {f"arn:aws:sts::123456789012:assumed-role/web/{id_}"}
        asked = [what for operation, _, what in w.stores.asked if operation == "GetParameters"]
        assert [len(each) for each in asked] == [10, 2]
        assert [what for operation, _, what in w.stores.asked if operation == "GetSecretValue"] == [(DB, "AWSCURRENT")]


async def test_a_task_that_names_nothing_asks_nobody(tmp_path: Path) -> None:
    async with storing(tmp_path) as w:
        await started(w)
        assert w.stores.asked == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("missing", f"{FROM_SSM}invalid ssm parameters: missing"),
        (f"{DB}:no::", f"{FROM_SECRETS}retrieved secret from Secrets Manager did not contain json key no"),
        (f"{DB}:a:AWSPREVIOUS:", f"{FROM_SECRETS}invalid character 'h' looking for beginning of value"),
        (f"{DB}:a:GONE:", f"{FROM_SECRETS}failed to fetch secret {DB} from secrets manager: {NO_SECRET}"),
    ],
)
async def test_what_cannot_be_read_ends_the_task_in_fargates_words(tmp_path: Path, value: str, said: str) -> None:
    async with storing(tmp_path) as w:
        w.stores.secrets = {(DB, "AWSCURRENT"): '{"a": "1"}', (DB, "AWSPREVIOUS"): "hunter2"}
        task, told = await started(w, container(secrets=secrets(A=value)))
        assert (task["lastStatus"], task["stopCode"]) == ("STOPPED", "TaskFailedToStart")
        assert task["stoppedReason"] == said
        assert told == {}
        assert w.ec2.interfaces == {}


async def test_an_execution_role_that_may_not_read_it(tmp_path: Path) -> None:
    async with storing(tmp_path) as w:
        words = "User: web is not authorized to perform: ssm:GetParameters on resource: plain"
        w.stores.refusal = AwsError(words, code="AccessDeniedException")
        task, _ = await started(w, container(secrets=secrets(A="plain")))
        assert task["stoppedReason"] == (
            f"{FROM_SSM}operation error SSM: GetParameters, https response error StatusCode: 400, api error "
            f"AccessDeniedException: {words}"
        )


async def test_a_store_that_is_away_is_asked_again(tmp_path: Path) -> None:
    async with storing(tmp_path) as w:
        w.stores.refusal = AwsError("later", code="InternalServerError", status=500)
        w.stores.parameters = {("us-east-1", "plain"): "a"}
        task, told = await started(w, container(secrets=secrets(A="plain")))
        assert (task["desiredStatus"], told) == ("RUNNING", {})
        w.stores.refusal = None
        await w.pass_time(60)
        assert (await described(w, task["taskArn"]))["lastStatus"] == "RUNNING"
        assert len(w.ec2.interfaces) == 1


async def test_a_store_that_is_not_there_ends_the_task_by_name(tmp_path: Path) -> None:
    async with storing(tmp_path, without="s3") as w:
        task, _ = await started(w, container(environmentFiles=[file("a.env")]))
        assert task["stoppedReason"] == (
            f"{FROM_S3}https response error StatusCode: 400, api error NotImplementedException: s3.GetObject is an "
            "operation of AWS that Hatoba does not implement yet."
        )


async def test_environment_files_and_what_goes_before_them(tmp_path: Path) -> None:
    async with storing(tmp_path) as w:
        w.stores.objects = {
            (
                "configuration",
                "one.env",
            ): b'# a comment\r\nA=file\r\nB=first\nB=last\nQ="quoted" \nE=\n=x\nno sign\nU=a=b',
            ("configuration", "two.env"): b"B=second\nC=\xc3\xa4\n #D=1",
        }
        one = container(
            environment=[{"name": "A", "value": "definition"}], environmentFiles=[file("one.env"), file("two.env")]
        )
        _, told = await started(w, one)
        assert told["web"].environment == {"A": "definition"}
        assert revealed(told["web"].secrets) == {"B": "last", "Q": '"quoted" ', "U": "a=b", "C": "ä", " #D": "1"}


async def test_a_tasks_own_files_stand_in_the_place_of_the_definitions(tmp_path: Path) -> None:
    async with storing(tmp_path) as w:
        w.stores.objects = {("configuration", "b.env"): b"A=b\nB=b"}
        override = {"name": "web", "environmentFiles": [file("b.env")], "environment": [{"name": "A", "value": "own"}]}
        one = container(environmentFiles=[file("a.env")])
        _, told = await started(w, one, overrides={"containerOverrides": [override]})
        assert told["web"].environment == {"A": "own"}
        assert revealed(told["web"].secrets) == {"B": "b"}
        assert [what for _, _, what in w.stores.asked] == [("configuration", "b.env")]


async def test_an_environment_file_that_is_not_there(tmp_path: Path) -> None:
    async with storing(tmp_path) as w:
        task, _ = await started(w, container(environmentFiles=[file("a.env")]))
        assert task["stoppedReason"] == (
            f"{FROM_S3}https response error StatusCode: 404, api error NoSuchKey: The specified key does not exist."
        )


async def test_a_private_registrys_login(tmp_path: Path) -> None:
    async with storing(tmp_path) as w:
        w.stores.secrets = {("hub", "AWSCURRENT"): '{"Username": "me", "Password": "hunter2"}'}
        private = container(image="registry.example/app:1", repositoryCredentials={"credentialsParameter": "hub"})
        _, told = await started(w, private)
        image = told["web"].image
        assert (image.username, image.password) == ("me", Secret("hunter2"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "asm fetching authorization data: empty secrets value"),
        ("me:hunter2", "asm fetching authorization data: unable to unmarshal secret value, invalid schema"),
        ('{"password": "x"}', "asm fetching username: AuthorizationData is malformed, empty field"),
        ('{"username": "x", "password": ""}', "asm fetching password: AuthorizationData is malformed, empty field"),
        (None, f"asm fetching secret from the service for hub: {NO_SECRET}"),
    ],
)
async def test_a_login_that_is_none(tmp_path: Path, text: str | None, said: str) -> None:
    async with storing(tmp_path) as w:
        w.stores.secrets = {("hub", "AWSCURRENT"): text} if text is not None else {}
        private = container(image="registry.example/app:1", repositoryCredentials={"credentialsParameter": "hub"})
        task, _ = await started(w, private)
        assert task["stoppedReason"] == FOR_LOGIN + said


async def test_secret_options_of_a_log_driver(tmp_path: Path) -> None:
    async with storing(tmp_path) as w:
        w.stores.parameters = {("us-east-1", "token"): "hunter2"}
        log = {
            "logDriver": "splunk",
            "options": {"splunk-url": "https://splunk.example:8088"},
            "secretOptions": secrets(**{"splunk-token": "token"}),
        }
        _, told = await started(w, container(logConfiguration=log))
        assert told["web"].log.options == {"splunk-url": "https://splunk.example:8088", "mode": "non-blocking"}
        assert revealed(told["web"].log.secrets) == {"splunk-token": "hunter2"}


def written(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_nothing_that_was_read_stands_in_the_journal(tmp_path: Path) -> None:
    async with storing(tmp_path) as w:
        w.stores.parameters = {("us-east-1", "plain"): "hunter2-parameter"}
        w.stores.objects = {("configuration", "a.env"): b"B=hunter2-file"}
        task, told = await started(w, container(secrets=secrets(A="plain"), environmentFiles=[file("a.env")]))
        assert revealed(told["web"].secrets) == {"A": "hunter2-parameter", "B": "hunter2-file"}
        await w.crash()
        (again,) = w.store.all(fleet.workloads)
        assert revealed(again.containers[0].secrets) == {"A": "hunter2-parameter", "B": "hunter2-file"}
        assert written(tmp_path)
        assert b"hunter2" not in written(tmp_path)
        assert "hunter2" not in repr((task, told, again))


async def test_a_variable_that_is_a_secret_is_not_overridden(tmp_path: Path) -> None:
    async with storing(tmp_path) as w:
        w.stores.parameters = {("us-east-1", "plain"): "a"}
        await started(w, container(secrets=secrets(A="plain")))
        override = {"name": "web", "environment": [{"name": "A", "value": "b"}]}
        with pytest.raises(AwsError, match=r"The secret name must be unique and not shared .* such as 'A'\."):
            await run(w, overrides={"containerOverrides": [override]})
