"""ECS Exec: a program in a running container, through the Session Manager protocol, the stock AWS CLI, and ours."""

from __future__ import annotations

import fcntl
import hashlib
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import pytest

from tools.images import busybox_files
from tools.instance import HATOBA, Instance, eventually
from tools.plugin import Closed, Message, Plugin
from tools.waiting import PATIENCE

pytestmark = pytest.mark.real

EXTRA = {f"bin/{applet}": "-> busybox" for applet in ("stty", "sha256sum", "tty")}


def run(hatoba: Instance, family: str, *containers: dict[str, Any], execute: bool = True) -> str:
    """Starts a task and waits until it runs; its ARN."""
    image = hatoba.push("exec", busybox_files(EXTRA))
    role = hatoba.task_role("exec-housekeeping")
    sleeps = {"image": image, "command": ["sh", "-c", "trap exit TERM; while :; do sleep 1; done"], "stopTimeout": 2}
    ecs = hatoba.client("ecs")
    ecs.register_task_definition(
        family=family,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        executionRoleArn=role,
        taskRoleArn=hatoba.task_role("exec-task", "s3:PutObject"),  # which sessions are logged with
        containerDefinitions=[sleeps | container for container in containers],
    )
    started = ecs.run_task(
        taskDefinition=family,
        launchType="FARGATE",
        networkConfiguration=hatoba.network(),
        enableExecuteCommand=execute,
    )
    arn: str = started["tasks"][0]["taskArn"]
    hatoba.wait_task(arn, "RUNNING")
    return arn


@pytest.fixture(scope="module")
def task(hatoba: Instance) -> Iterator[str]:
    hatoba.client("logs").create_log_group(logGroupName="/ecs/exec")
    options = {"awslogs-group": "/ecs/exec", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t"}
    arn = run(
        hatoba,
        "exec",
        {"name": "app", "logConfiguration": {"logDriver": "awslogs", "options": options}},
        {
            "name": "closed",
            "readonlyRootFilesystem": True,
            "user": "nobody",
            "environment": [{"name": "A", "value": "b"}],
        },
    )
    yield arn
    hatoba.client("ecs").stop_task(task=arn)


def execute(hatoba: Instance, task: str, command: str, container: str = "app", **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = hatoba.client("ecs").execute_command(
        task=task, container=container, command=command, interactive=True, **more
    )
    return found


def until_it_is(size: str) -> bytes:
    """A program with a terminal begins before that has its size, and a new size has its way to go."""
    return f"until stty size | grep '{size}' >/dev/null; do :; done; ".encode()


def test_a_shell_has_the_terminals_size_and_follows_it(hatoba: Instance, task: str) -> None:
    answer = execute(hatoba, task, "/bin/sh")
    assert answer["containerName"] == "app"
    assert answer["interactive"] is True
    assert answer["session"]["sessionId"].startswith("ecs-execute-command-")
    with Plugin(answer["session"], size=(123, 45)) as plugin:
        plugin.until(b"# ")
        plugin.type(until_it_is("45 123") + b"stty size; tty; echo $TERM\r")
        plugin.until(b"45 123\r\n")
        plugin.until(b"/dev/pts/")
        plugin.until(b"xterm-256color\r\n")
        plugin.resize(99, 33)
        plugin.type(until_it_is("33 99") + b"stty size\r")
        plugin.until(b"33 99\r\n")
        plugin.type(b"sh -c 'echo asleep; exec sleep 1000'\r")
        plugin.until(b"asleep\r\n")
        plugin.type(b"\x03")  # Ctrl-C ends the sleep, not the shell
        plugin.until(b"^C")
        plugin.type(b"echo still $((40 + 2))\r")
        plugin.until(b"still 42\r\n")
        plugin.type(b"exit 3\r")
        assert plugin.end() == ""
        assert plugin.session_type == "InteractiveCommands"
        assert not plugin.unacknowledged
        assert plugin.exit_code is None, "the plugin would print it"


def test_a_command_on_a_read_only_root_runs_as_root_and_ends(hatoba: Instance, task: str) -> None:
    session = execute(hatoba, task, "sh -c 'id -u; echo $A; touch /x || echo \"read only\"'", "closed")["session"]
    with Plugin(session) as plugin:
        assert plugin.end() == ""
        lines = plugin.output.decode().splitlines()
        assert (lines[0], lines[1], lines[-1]) == ("0", "b", "read only")


def test_megabytes_arrive_whole_and_in_order(hatoba: Instance, task: str) -> None:
    """To a client, too, that refuses some messages once, as the plugin does when it is not ready."""
    size, again = 5_000_000, set[int]()

    def refuse(message: Message) -> bool:
        if message.number % 7 != 3 or message.number in again or len(again) == 5:
            return False
        again.add(message.number)
        return True

    command = f"sh -c 'stty raw; x() {{ seq 1000000 | head -c {size}; }}; x; x | sha256sum'"
    with Plugin(execute(hatoba, task, command)["session"], refuse=refuse) as plugin:
        assert plugin.end(60) == ""
    body, digest = plugin.output[:size], plugin.output[size:].split()[0].decode()
    assert hashlib.sha256(body).hexdigest() == digest
    assert len(again) == 5


def test_what_is_refused_and_why(hatoba: Instance, task: str) -> None:
    ecs = hatoba.client("ecs")

    def refused(**params: Any) -> tuple[str, str]:
        with pytest.raises(botocore.exceptions.ClientError) as error:
            ecs.execute_command(**{"task": task, "container": "app", "command": "sh", "interactive": True} | params)
        return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]

    assert refused(interactive=False) == (
        "InvalidParameterException",
        "Interactive is the only mode supported currently.",
    )
    assert refused(cluster="nowhere")[0] == "ClusterNotFoundException"
    assert refused(task="0" * 32)[0] == "InvalidParameterException"
    assert refused(container="none")[0] == "InvalidParameterException"
    assert refused(command="sh -c 'unfinished")[0] == "InvalidParameterException"
    with pytest.raises(botocore.exceptions.ClientError, match="container name must be specified"):
        ecs.execute_command(task=task, command="sh", interactive=True)


def test_a_task_that_did_not_ask_for_it_is_not_entered(hatoba: Instance) -> None:
    arn = run(hatoba, "exec-off", {"name": "app"}, execute=False)
    ecs = hatoba.client("ecs")
    with pytest.raises(ecs.exceptions.InvalidParameterException, match="was not enabled when the task was run"):
        execute(hatoba, arn, "sh")
    described = hatoba.task(arn)
    assert described["enableExecuteCommand"] is False
    assert "managedAgents" not in described["containers"][0]
    target = f"ecs:default_{arn.rpartition('/')[2]}_{described['containers'][0]['runtimeId']}"
    ssm = hatoba.client("ssm")
    with pytest.raises(ssm.exceptions.TargetNotConnected):  # nor through the back door
        ssm.start_session(Target=target)
    ecs.stop_task(task=arn)


def test_managed_agents(hatoba: Instance, task: str) -> None:
    for container in hatoba.task(task)["containers"]:
        (agent,) = container["managedAgents"]
        assert (agent["name"], agent["lastStatus"]) == ("ExecuteCommandAgent", "RUNNING")
        assert agent["lastStartedAt"]


def test_a_program_that_is_not_there_says_so(hatoba: Instance, task: str) -> None:
    with Plugin(execute(hatoba, task, "/bin/bash")["session"]) as plugin:
        assert "Unable to start command" in plugin.end()


# --- tokens


def refusal(session: dict[str, str], **more: Any) -> tuple[int, str]:
    """The code and reason with which the socket is refused or closed."""
    with pytest.raises(Closed) as closed, Plugin(session, **more) as plugin:
        plugin.step()
    return closed.value.args[0], closed.value.args[1]


def test_a_token_opens_its_own_session_once(hatoba: Instance, task: str) -> None:
    one, two = (execute(hatoba, task, "sh -c 'echo hello'")["session"] for _ in range(2))
    with Plugin(one) as plugin:
        assert plugin.end() == ""
        assert b"hello" in plugin.output
    code, why = refusal(one)
    assert (code, "used before" in why) == (1008, True)
    code, why = refusal(two | {"tokenValue": one["tokenValue"]})
    assert (code, "not this session's" in why) == (1008, True)
    with Plugin(two) as plugin:  # a wrong guess has not used it up
        assert plugin.end() == ""


def signed(url: str, access: str, secret: str, service: str = "ssmmessages") -> dict[str, str]:
    """The headers that the plugin adds to the request that opens its socket."""
    request = botocore.awsrequest.AWSRequest("GET", url.replace("ws://", "http://"))
    who = botocore.credentials.Credentials(access, secret)
    botocore.auth.SigV4Auth(who, service, "us-east-1").add_auth(request)
    return dict(request.headers)


def test_a_signature_that_is_there_has_to_be_the_owners(hatoba: Instance, task: str) -> None:
    env = hatoba.environment
    session = execute(hatoba, task, "sh -c 'echo hello'")["session"]
    url = session["streamUrl"]
    iam = hatoba.client("iam")
    iam.create_user(UserName="mallory")
    key = iam.create_access_key(UserName="mallory")["AccessKey"]
    others = signed(url, key["AccessKeyId"], key["SecretAccessKey"])
    assert refusal(session, headers=others)[0] == 403
    wrong = signed(url, env["AWS_ACCESS_KEY_ID"], "not the secret")
    assert refusal(session, headers=wrong)[0] == 403
    elsewhere = signed(url, env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], service="ecs")
    assert refusal(session, headers=elsewhere)[0] == 403
    unknown = session | {"streamUrl": url.replace("ecs-execute-command-", "ecs-execute-command-0")}
    assert refusal(unknown)[0] == 404
    right = signed(url, env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
    with Plugin(session, headers=right) as plugin:
        assert plugin.end() == ""


# --- the ends of a session


def inside(hatoba: Instance, task: str, name: str) -> bool:
    """Whether a process of that name runs in the container."""
    with Plugin(execute(hatoba, task, "ps")["session"]) as plugin:
        plugin.end()
        return name.encode() in plugin.output


def test_a_client_that_goes_takes_its_program_along(hatoba: Instance, task: str) -> None:
    with Plugin(execute(hatoba, task, "sleep 1234")["session"]) as plugin:
        plugin.until(lambda: any(message.kind == "start_publication" for message in plugin.seen))
        assert inside(hatoba, task, "sleep 1234")
    eventually(lambda: not inside(hatoba, task, "sleep 1234"))


def test_a_session_is_terminated(hatoba: Instance, task: str) -> None:
    ssm = hatoba.client("ssm")
    session = execute(hatoba, task, "sleep 1235")["session"]
    with Plugin(session) as plugin:
        plugin.until(lambda: any(message.kind == "start_publication" for message in plugin.seen))
        ssm.terminate_session(SessionId=session["sessionId"])
        assert plugin.end() == "The session was terminated."
    # What the plugin asks when its line broke: without a token it says that the session has timed out, and ends.
    assert "TokenValue" not in ssm.resume_session(SessionId=session["sessionId"])
    with pytest.raises(ssm.exceptions.DoesNotExistException):
        ssm.resume_session(SessionId="ecs-execute-command-0")
    with Plugin(execute(hatoba, task, "sleep 1236")["session"]) as plugin:
        plugin.until(lambda: any(message.kind == "start_publication" for message in plugin.seen))
        plugin.terminate()
        assert plugin.end() == ""
    eventually(lambda: not inside(hatoba, task, "sleep 123"))


def test_sessions_are_logged_as_the_cluster_says(hatoba: Instance, task: str) -> None:
    ecs, logs = hatoba.client("ecs"), hatoba.client("logs")

    def lines(group: str, session: dict[str, str]) -> list[str]:
        found = logs.get_log_events(logGroupName=group, logStreamName=session["sessionId"], startFromHead=True)
        return [event["message"] for event in found["events"]]

    session = execute(hatoba, task, "sh -c 'echo one; printf \"\\033[31mtwo\\033[0m\"'")["session"]
    with Plugin(session) as plugin:
        plugin.end()
    assert lines("/ecs/exec", session) == ["one", "two"]  # DEFAULT: the container's own awslogs group
    logs.create_log_group(logGroupName="/audit")
    override = {"logging": "OVERRIDE", "logConfiguration": {"cloudWatchLogGroupName": "/audit"}}
    try:
        ecs.update_cluster(cluster="default", configuration={"executeCommandConfiguration": override})
        session = execute(hatoba, task, "sh -c 'echo audited'", "closed")["session"]
        with Plugin(session) as plugin:
            plugin.end()
        assert lines("/audit", session) == ["audited"]
        logs.delete_log_group(logGroupName="/audit")
        with Plugin(execute(hatoba, task, "sh -c 'echo unseen'", "closed")["session"]) as plugin:
            assert "cannot be logged to /audit" in plugin.end()
            assert plugin.output == b"", "what cannot be logged does not happen"
        in_bucket = {"logging": "OVERRIDE", "logConfiguration": {"s3BucketName": "exec-audits", "s3KeyPrefix": "exec"}}
        ecs.update_cluster(cluster="default", configuration={"executeCommandConfiguration": in_bucket})
        with Plugin(execute(hatoba, task, "sh -c 'echo unseen'", "closed")["session"]) as plugin:
            assert "cannot be logged to the bucket exec-audits" in plugin.end()
            assert plugin.output == b""
        s3 = hatoba.client("s3")
        s3.create_bucket(Bucket="exec-audits")
        session = execute(hatoba, task, "sh -c 'echo one; printf two'", "closed")["session"]
        with Plugin(session) as plugin:
            plugin.end()
        key = f"exec/{session['sessionId']}.log"
        assert s3.get_object(Bucket="exec-audits", Key=key)["Body"].read() == b"one\ntwo\n"
        s3.delete_object(Bucket="exec-audits", Key=key)
        s3.delete_bucket(Bucket="exec-audits")
        ecs.update_cluster(cluster="default", configuration={"executeCommandConfiguration": {"kmsKeyId": "k"}})
        with pytest.raises(ecs.exceptions.InvalidParameterException, match="KMS key"):
            execute(hatoba, task, "sh", "closed")
    finally:
        none = {"executeCommandConfiguration": {"logging": "NONE"}}
        ecs.update_cluster(cluster="default", configuration=none)


# --- clients


def test_the_stock_cli_with_a_plugin_of_the_published_protocol(hatoba: Instance, task: str, tmp_path: Path) -> None:
    plugin = tmp_path / "session-manager-plugin"
    root = Path(__file__).parents[2]
    plugin.write_text(f'#!/bin/sh\nPYTHONPATH={root} exec {sys.executable} -m tools.plugin "$@"\n')
    plugin.chmod(0o755)
    done = subprocess.run(
        [
            *("/usr/bin/aws", "--endpoint-url", f"http://localhost:{hatoba.port}", "ecs", "execute-command"),
            *("--task", task, "--container", "app", "--interactive", "--command", "sh -c 'read x; echo got $x'"),
        ],
        input="a line\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "AWS_PAGER": "", **hatoba.environment},
    )
    assert "got a line" in done.stdout, done.stderr
    assert done.returncode == 0


def ours(hatoba: Instance, *words: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [HATOBA, "exec", "--data", str(hatoba.folder), *words]
    return subprocess.run(command, input=stdin or b"", capture_output=True, timeout=60, check=False)


def test_our_own_client_pipes_and_passes_the_exit_code_on(hatoba: Instance, task: str) -> None:
    done = ours(
        hatoba, task, "--container", "app", "--", "sh", "-c", "cat; echo 'to the side' >&2; exit 7", stdin=b"in"
    )
    assert (done.stdout, done.stderr, done.returncode) == (b"in", b"to the side\n", 7)
    data = os.urandom(3_000_000)
    done = ours(hatoba, task.rpartition("/")[2], "--container", "app", "--", "cat", stdin=data)
    assert (done.stdout == data, done.returncode) == (True, 0)
    done = ours(hatoba, task, "--container", "nope", "--", "true")
    assert (done.returncode, b"not part of the task" in done.stderr) == (1, True)


def test_our_own_client_in_a_terminal(hatoba: Instance, task: str) -> None:
    with Terminal(
        25, 77, HATOBA, "exec", "--data", str(hatoba.folder), task, "--container", "app", "--", "sh"
    ) as shell:
        shell.until(b"# ")
        shell.type(until_it_is("25 77") + b"stty size\r")
        shell.until(b"25 77\r\n")
        shell.size(31, 99)
        shell.type(until_it_is("31 99") + b"stty size; tty\r")
        shell.until(b"31 99\r\n/dev/pts/")
        shell.type(b"sh -c 'echo asleep; exec sleep 1000'\r")
        shell.until(b"asleep\r\n")
        shell.type(b"\x03")  # Ctrl-C is the program's, not ours
        shell.until(b"^C")
        shell.type(b"exit 5\r")
        assert shell.wait() == 5
        assert shell.restored, "the terminal is as it was before"


class Terminal:
    """A program in a terminal of its own, as somebody at a keyboard has it."""

    def __init__(self, rows: int, columns: int, *command: str) -> None:
        self._ours, theirs = os.openpty()
        self._theirs = theirs
        self.size(rows, columns)
        self._before = termios.tcgetattr(theirs)
        self.seen = b""
        self._program = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._program.poll() is None:
            self._program.kill()
            self._program.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, data: bytes) -> None:
        os.write(self._ours, data)

    def until(self, wanted: bytes, seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while wanted not in self.seen:
            ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{wanted!r} did not come: {self.seen!r}"
            self.seen += os.read(self._ours, 1 << 16)

    def wait(self) -> int:
        return self._program.wait(timeout=PATIENCE)

    @property
    def restored(self) -> bool:
        return termios.tcgetattr(self._theirs) == self._before
