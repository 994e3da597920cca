"""A platform as a process of its own, for real clients: started, killed, and started again where it was.

What it consists of, each folder's `served` says: `python -m tests.conformance.<service>.served DIR PORT …` prints its
ports, and serves until it is killed. It knows two accounts, by their root keys.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import boto3
from botocore.config import Config

from hatoba.aws.sigv4 import Credential
from hatoba.gateway import access
from tools.instance import free_port

ROOT = Path(__file__).parents[2]
ACCOUNT, REGION = "123456789012", "us-east-1"
KEY = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
OTHER_ACCOUNT = "210987654321"
OTHER_KEY = ("AKIAI44QH8DHBEXAMPLE", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY")


def roots() -> list[Credential]:
    """The two accounts'."""
    return [
        Credential(access_key_id=key, secret=secret, principal=access.root("aws", account, key))
        for (key, secret), account in ((KEY, ACCOUNT), (OTHER_KEY, OTHER_ACCOUNT))
    ]


class Apart:
    service: ClassVar[str]

    def __init__(self, folder: Path, *words: str) -> None:
        """`words`: more of the module's arguments."""
        self.folder = folder
        self.port = free_port()  # and not one of those that the kernel gives while it is down
        self._words = words
        self._process: subprocess.Popen[str] | None = None

    @classmethod
    @contextmanager
    def serving(cls, folder: Path) -> Iterator[Self]:
        platform = cls(folder).start()
        yield platform
        platform.kill()

    def start(self) -> Self:
        """Again on the same port, as an operator would."""
        module = f"tests.conformance.{self.service}.served"
        command = [sys.executable, "-m", module, str(self.folder), str(self.port), *self._words]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.found(*map(int, self._process.stdout.readline().split()))
        return self

    def found(self, port: int) -> None:
        """Where it serves."""
        self.port = port

    def kill(self) -> None:
        """At any moment, from any thread."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def endpoint(self) -> str:
        return f"http://localhost:{self.port}"

    def client(self, service: str = "", *, region: str = REGION, key: tuple[str, str] = KEY, **config: Any) -> Any:
        """Of boto3, that tries once."""
        return boto3.client(
            service or self.service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id=key[0],
            aws_secret_access_key=key[1],
            config=Config(retries={"total_max_attempts": 1}, **config),
        )

    def other(self, service: str = "") -> Any:
        """The other account's."""
        return self.client(service, key=OTHER_KEY)
