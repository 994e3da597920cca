"""A Hatoba of one's own: for the end-to-end tests, the benchmarks and the examples.

with Instance() as hatoba:
    hatoba.push("web", busybox_files({...}), command=[...])
    ecs = hatoba.client("ecs")
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3

from tools.images import busybox_files, write_layout
from tools.waiting import PATIENCE
from tools.waiting import eventually as eventually

_MANAGED = "arn:aws:iam::aws:policy"
HATOBA = str(Path(sys.executable).with_name("hatoba"))


def free_port() -> int:
    """One that nobody has, and that no connection is given by the kernel before it is used."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(10_000, first)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            return port


class Instance:
    """Starts with `up --detach` in a folder of its own, and goes away without a trace."""

    def __init__(self, *, options: Sequence[str] = (), data: Path | None = None, port: int | None = None) -> None:
        self.folder = data or Path(tempfile.mkdtemp(prefix="hatoba-"))
        self.port = port or free_port()
        self._options = list(options)
        self._clients: dict[str, Any] = {}
        self.environment: dict[str, str] = {}

    # --- life

    def __enter__(self) -> Instance:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.show_logs()
        self.purge()

    def up(self) -> float:
        """Seconds until `ready`."""
        began = time.monotonic()
        self.hatoba("up", "--port", str(self.port), "--detach", *self._options)
        took = time.monotonic() - began
        lines = self.hatoba("env").splitlines()
        self.environment = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        self._clients.clear()
        return took

    def down(self) -> None:
        self.hatoba("down")

    def purge(self) -> None:
        if (self.folder / "instance").exists():
            self.hatoba("down", "--purge")
        shutil.rmtree(self.folder, ignore_errors=True)

    def hatoba(self, *words: str, check: bool = True) -> str:
        command = [HATOBA, words[0], "--data", str(self.folder), *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def show_logs(self) -> None:
        for log in sorted(self.folder.glob("*.log")):
            sys.stderr.write(f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-40:]) + "\n")

    @property
    def name(self) -> str:
        return (self.folder / "instance").read_text().strip()

    def pid(self, process: str) -> int:
        return int(Path(f"/run/hatoba/{self.name}/{process}.pid").read_text())

    def kill(self, process: str) -> None:
        """`kill -9` of a process (`control`, `node`), once it runs."""

        def killed() -> bool:
            try:
                os.kill(self.pid(process), signal.SIGKILL)
            except (ProcessLookupError, FileNotFoundError, ValueError):
                return False  # it is just being started again
            return True

        eventually(killed)

    def health(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_hatoba/health", timeout=20) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def health_or_none(self) -> dict[str, Any] | None:
        """None while it is not ready, or a node is not connected."""
        try:
            found = self.health()
        except OSError:
            return None
        return found if found["components"]["nodes"] == "ok" else None

    # --- clients

    def client(self, service: str) -> Any:
        if service not in self._clients:
            env = self.environment
            self._clients[service] = boto3.client(
                service,
                endpoint_url=f"http://127.0.0.1:{self.port}",
                region_name=env["AWS_DEFAULT_REGION"],
                aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
            )
        return self._clients[service]

    def aws(self, *words: str) -> str:
        """The stock AWS CLI (Debian's)."""
        done = subprocess.run(
            ["/usr/bin/aws", "--endpoint-url", f"http://127.0.0.1:{self.port}", *words],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "AWS_PAGER": "", **self.environment},
        )
        if done.returncode != 0:
            raise AssertionError(f"aws {' '.join(words)}: {done.stderr or done.stdout}")
        return done.stdout

    # --- what every test needs

    def push(
        self, name: str, files: Mapping[str, bytes | str] | None = None, *, tag: str = "latest", **image: Any
    ) -> str:
        """Builds and pushes an image (its repository is made when it is not there); the reference to run."""
        ecr = self.client("ecr")
        with contextlib.suppress(ecr.exceptions.RepositoryAlreadyExistsException):
            ecr.create_repository(repositoryName=name)
        layout = write_layout(Path(tempfile.mkdtemp(dir=self.folder)), files or busybox_files(), tag=tag, **image)
        token = ecr.get_authorization_token()["authorizationData"][0]

        login = base64.b64decode(token["authorizationToken"]).decode()
        reference = f"localhost:{self.port}/{name}:{tag}"
        source, target = f"oci:{layout}:{tag}", f"docker://{reference}"
        subprocess.run(
            ["skopeo", "copy", "-q", "--dest-tls-verify=false", f"--dest-creds={login}", source, target],
            check=True,
            capture_output=True,
            timeout=120,
        )
        shutil.rmtree(layout)
        return reference

    def task_role(self, name: str, *actions: str) -> str:
        """The ARN of a role that tasks may have, for writing logs, pulling images and `actions`; made when it is not
        there."""
        iam = self.client("iam")
        may = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [may]})
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        iam.attach_role_policy(RoleName=name, PolicyArn=f"{_MANAGED}/service-role/AmazonECSTaskExecutionRolePolicy")
        given = {"Effect": "Allow", "Action": ["logs:CreateLogGroup", *actions], "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [given]})
        iam.put_role_policy(RoleName=name, PolicyName="given", PolicyDocument=policy)
        arn: str = iam.get_role(RoleName=name)["Role"]["Arn"]
        return arn

    def vpc(self) -> str:
        """The default one: tests make others beside it."""
        default = [{"Name": "is-default", "Values": ["true"]}]
        (found,) = self.client("ec2").describe_vpcs(Filters=default)["Vpcs"]
        return str(found["VpcId"])

    def subnets(self) -> list[str]:
        """Those of the default VPC."""
        default = [{"Name": "default-for-az", "Values": ["true"]}]
        return [subnet["SubnetId"] for subnet in self.client("ec2").describe_subnets(Filters=default)["Subnets"]]

    def network(self, public: bool = False, groups: Sequence[str] = ()) -> dict[str, Any]:
        """A `networkConfiguration` in the default VPC."""
        configuration: dict[str, Any] = {
            "subnets": self.subnets(),
            "assignPublicIp": "ENABLED" if public else "DISABLED",
        }
        if groups:
            configuration["securityGroups"] = list(groups)
        return {"awsvpcConfiguration": configuration}

    def interfaces(self, balancer: str) -> list[dict[str, Any]]:
        """A load balancer's, by its ARN: one for each of its subnets, once they are there."""
        own = [{"Name": "description", "Values": [f"ELB {balancer.partition('loadbalancer/')[2]}"]}]
        found: list[dict[str, Any]] = self.client("ec2").describe_network_interfaces(Filters=own)["NetworkInterfaces"]
        return found

    def allow(self, port: int, cidr: str = "0.0.0.0/0") -> str:
        """A new security group that lets TCP in on a port; its id."""
        ec2 = self.client("ec2")
        group: str = ec2.create_security_group(GroupName=f"port-{port}-{time.time_ns()}", Description="test")["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=port, ToPort=port, CidrIp=cidr)
        return group

    def task(self, arn: str, cluster: str = "default") -> dict[str, Any]:
        found: dict[str, Any] = self.client("ecs").describe_tasks(cluster=cluster, tasks=[arn])["tasks"][0]
        return found

    def wait_task(self, arn: str, status: str, seconds: float = PATIENCE) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            task = self.task(arn)
            if task["lastStatus"] == "STOPPED" and status != "STOPPED":
                raise AssertionError(f"the task stopped: {task.get('stoppedReason')}")
            return task if task["lastStatus"] == status else None

        found = eventually(reached, seconds)
        assert found is not None
        return found
