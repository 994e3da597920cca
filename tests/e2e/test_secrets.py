"""What a task must not reach, and where no secret may stand in clear. Each fails when its check is taken away."""

from __future__ import annotations

import base64
import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hatoba.fleet.enrol import Code
from tests.e2e.test_inside import TRUST
from tools.instance import Instance, eventually
from tools.traces import Traces

pytestmark = pytest.mark.real

PASSWORD = "hunter2-correct-horse-battery-staple"
ASK = r"""
get() { printf "GET $2 HTTP/1.0\r\n\r\n" | timeout 20 nc $1 80 | tail -n 1 | tr '\n' ' '; }
tries() { echo hello | timeout 2 nc $1 $2 2>&1 | tr '\n' ' '; }
"""


@pytest.fixture(scope="module")
def role(hatoba: Instance) -> str:
    hatoba.client("logs").create_log_group(logGroupName="/secrets")
    return hatoba.task_role("secrets")


def run(hatoba: Instance, role: str, family: str, script: str, *, public: bool = False) -> str:
    hatoba.client("ecs").register_task_definition(
        family=family,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        taskRoleArn=role,
        executionRoleArn=role,
        containerDefinitions=[
            {
                "name": "main",
                "image": hatoba.push("busybox"),
                "command": ["sh", "-c", ASK + script],
                "stopTimeout": 2,
                "linuxParameters": {"initProcessEnabled": True},
                "environment": [{"name": "DB_PASSWORD", "value": PASSWORD}],
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": "/secrets",
                        "awslogs-region": "us-east-1",
                        "awslogs-stream-prefix": "s",
                    },
                },
            }
        ],
    )
    network = hatoba.network(public=public)
    answer = hatoba.client("ecs").run_task(taskDefinition=family, launchType="FARGATE", networkConfiguration=network)
    arn: str = answer["tasks"][0]["taskArn"]
    return arn


def said(hatoba: Instance, arn: str, last: str) -> dict[str, str]:
    """First word of each line → the rest, once the line `last` has come."""
    stream = f"s/main/{arn.rpartition('/')[2]}"
    logs = hatoba.client("logs")

    def found() -> dict[str, str] | None:
        try:
            events = logs.get_log_events(logGroupName="/secrets", logStreamName=stream, startFromHead=True)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return None
        lines = dict(event["message"].partition(" ")[::2] for event in events)
        return lines if last in lines else None

    answer = eventually(found)
    assert answer is not None
    return answer


@pytest.fixture(scope="module")
def owner(hatoba: Instance, role: str) -> Iterator[dict[str, str]]:
    """A task that tells where its credentials and metadata are, and what they say."""
    arn = run(
        hatoba,
        role,
        "owner",
        'echo "PATH $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"; echo "META $ECS_CONTAINER_METADATA_URI_V4"\n'
        'echo "GIVEN $(get 169.254.170.2 $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI)"; echo "OVER ."; sleep 300',
    )
    yield {"arn": arn, **said(hatoba, arn, "OVER")}
    hatoba.client("ecs").stop_task(task=arn)


class Ear:
    """Listens on all of the host's addresses, and remembers whether anybody came."""

    def __init__(self, host: str) -> None:
        self.heard = False
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            while True:
                self._listener.accept()[0].close()
                self.heard = True
        except OSError:
            return

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def ears() -> Iterator[dict[str, Ear]]:
    made = {"loopback": Ear("127.0.0.1"), "everywhere": Ear("0.0.0.0")}
    yield made
    for ear in made.values():
        ear.close()


def test_a_task_reaches_neither_its_neighbour_nor_the_host(
    hatoba: Instance, role: str, owner: dict[str, str], ears: dict[str, Ear]
) -> None:
    given = json.loads(owner["GIVEN"])
    assert given["SecretAccessKey"]
    assert given["Token"]
    path = owner["META"].removeprefix("http://169.254.170.2")
    pool = Traces(hatoba.folder).pool.rsplit(".", 2)[0]
    hosts = [f"{pool}.0.1", "127.0.0.1", socket.gethostbyname(socket.gethostname()), *own_addresses()]
    script = f'echo "CREDENTIALS $(get 169.254.170.2 {owner["PATH"]})"; echo "META $(get 169.254.170.2 {path}/task)"\n'
    for number, host in enumerate(dict.fromkeys(hosts)):
        for name, ear in ears.items():
            script += f'echo "{name}-{number} $(tries {host} {ear.port})"\n'
        script += f'echo "nodes-{number} $(tries {host} {node_port(hatoba)})"\n'
    script += 'echo "SOCKETS $(ls /run/hatoba /var/run/hatoba 2>/dev/null | wc -l)"; echo "OVER ."'
    arn = run(hatoba, role, "neighbour", script, public=True)
    heard = said(hatoba, arn, "OVER")
    assert given["SecretAccessKey"] not in heard["CREDENTIALS"]
    assert json.loads(heard["CREDENTIALS"])["code"] == "InvalidIdInRequest"
    assert owner["arn"] not in heard["META"]
    assert [name for name, ear in ears.items() if ear.heard] == []
    assert heard["SOCKETS"].strip() == "0"


def own_addresses() -> list[str]:
    """The host's, on its way outside."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return []
        return [probe.getsockname()[0]]


def node_port(hatoba: Instance) -> int:
    return int((hatoba.folder / "control" / "node-port").read_text())


def test_files_and_sockets_are_roots_alone(hatoba: Instance, owner: dict[str, str]) -> None:
    run_ = Path(f"/run/hatoba/{hatoba.name}")
    assert mode(hatoba.folder / "credentials") == 0o600
    assert mode(run_ / "admin.sock") == 0o600
    assert mode(run_) == 0o700
    for name in ("control/master.key", "control/journal.db", "node/state.db", "node/state.key"):
        assert mode(hatoba.folder / name) & 0o077 == 0, name
    for folder in ("control", "node", "registry", "logs"):
        assert mode(hatoba.folder / folder) & 0o077 == 0, folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def secrets(hatoba: Instance, owner: dict[str, str]) -> dict[str, str]:
    """All that must stand nowhere in clear."""
    given: dict[str, Any] = json.loads(owner["GIVEN"])
    token = hatoba.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    made = hatoba.client("iam")
    made.create_user(UserName="secretive")
    session = hatoba.client("sts").get_session_token()["Credentials"]
    ssm, secrets, kms = (hatoba.client(name) for name in ("ssm", "secretsmanager", "kms"))
    ssm.put_parameter(Name="/e2e/password", Value="parameter-correct-horse", Type="SecureString")
    ssm.put_parameter(Name="/e2e/text", Value="text-correct-horse", Type="String", AllowedPattern="horse")
    secrets.create_secret(Name="e2e", SecretString="secret-correct-horse")
    kms.encrypt(KeyId=kms.create_key()["KeyMetadata"]["KeyId"], Plaintext=b"plaintext-correct-horse")
    assert ssm.get_parameter(Name="/e2e/password", WithDecryption=True)["Parameter"]["Value"].startswith("parameter")
    assert secrets.get_secret_value(SecretId="e2e")["SecretString"].startswith("secret")
    secrets.put_secret_value(SecretId="e2e", SecretBinary=b"binary-correct-horse")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"]
    made.create_role(RoleName="secretive", AssumeRolePolicyDocument=TRUST.replace("ecs-tasks", "ssm"))
    activation = ssm.create_activation(IamRole="secretive")["ActivationCode"]
    return {
        "a binary secret": "binary-correct-horse",
        "a data key": data_key.decode("latin-1"),
        "an activation's code": activation,
        "its secret": Code.parse(activation).secret.decode("latin-1"),
        "a parameter": "parameter-correct-horse",
        "a parameter that is no SecureString": "text-correct-horse",
        "a secret": "secret-correct-horse",
        "a plaintext": "plaintext-correct-horse",
        "a random password": secrets.get_random_password(ExcludePunctuation=True)["RandomPassword"],
        "root's secret": hatoba.environment["AWS_SECRET_ACCESS_KEY"],
        "a task's secret": given["SecretAccessKey"],
        "a task's session token": given["Token"],
        "a session's secret": session["SecretAccessKey"],
        "a registry password": token,
        "a user's secret": made.create_access_key(UserName="secretive")["AccessKey"]["SecretAccessKey"],
    }


def test_no_secret_in_the_journals_nor_in_the_logs(hatoba: Instance, secrets: dict[str, str]) -> None:
    paths = (Path(where, name) for where, _, names in os.walk(hatoba.folder) for name in names)
    files = [
        path for path in paths if path.is_file() and path.name != "credentials" and "containerd/root" not in str(path)
    ]
    assert {"journal.db", "journal.db-wal", "state.db", "control.log", "node.log", "audit.log"} <= {
        path.name for path in files
    }
    shipped = hatoba.folder / "logs"  # where the task above printed its own credentials
    found = []
    for path in files:
        if path.is_relative_to(shipped) or "output" in path.parts:
            continue
        try:
            data, name = written(path), str(path.relative_to(hatoba.folder))
        except FileNotFoundError:  # it went away meanwhile
            continue
        found += [(what, name) for what, secret in secrets.items() if any(form in data for form in forms(secret))]
    assert found == []


def forms(secret: str) -> list[bytes]:
    """As a secret may be found: as it is, in base64 from any of three places, in hexadecimal."""
    raw = secret.encode("latin-1")
    coded = [base64.b64encode(b"\0" * skip + raw)[4:-4] for skip in range(3)]
    return [raw, *coded, raw.hex().encode()]


def written(path: Path) -> bytes:
    """What a file holds, without its holes: a task's disk is mostly that."""
    parts, end = [], 0
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while end < size:
            try:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:  # nothing but a hole is left
                break
            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            parts.append(os.pread(file.fileno(), end - start, start))
    return b"".join(parts)


def test_no_secret_in_command_lines_and_environments(hatoba: Instance, secrets: dict[str, str]) -> None:
    pids = Traces(hatoba.folder).processes()
    assert any("control --data" in line for line in pids.values())
    found = []
    for pid, line in pids.items():
        try:
            texts = Path(f"/proc/{pid}/cmdline").read_bytes(), Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        shown = b"\0".join(texts)
        ours = "/httpd" not in line and "sleep" not in line and "docker-init" not in line and "sh -c" not in line
        wanted = {**secrets, "a container's environment": PASSWORD} if ours else secrets
        found += [(pid, line[:60], what) for what, secret in wanted.items() if secret.encode() in shown]
    assert found == []


def test_what_an_environment_holds_is_not_for_everybody(hatoba: Instance, owner: dict[str, str]) -> None:
    """A container's environment stands in files of the runtime and in the journal: folders of root's alone."""
    assert os.geteuid() == 0
    for folder in (hatoba.folder / "node", hatoba.folder / "control", Path(f"/run/hatoba/{hatoba.name}")):
        assert mode(folder) == 0o700
