"""Starts, kills and starts again the process that real clients talk to."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.conformance.s3.served import KEY, OTHER_KEY, REGION

ROOT = Path(__file__).parents[3]


class Objectland:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> Objectland:
        """Again on the same port, as an operator would."""
        command = [sys.executable, "-m", "tests.conformance.s3.served", str(self.folder), str(self.port)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def endpoint(self) -> str:
        return f"http://localhost:{self.port}"

    def client(self, service: str = "s3", *, region: str = REGION, key: tuple[str, str] = KEY, **config: Any) -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id=key[0],
            aws_secret_access_key=key[1],
            config=Config(retries={"total_max_attempts": 1}, **config),
        )

    def other(self, service: str = "s3") -> Any:
        return self.client(service, key=OTHER_KEY)

    def settle(self, count: int) -> bool:
        """Whether there are so many files, once those are deleted that nobody wants."""
        deadline = time.monotonic() + 10
        while len(self.files()) != count and time.monotonic() < deadline:
            time.sleep(0.01)
        return len(self.files()) == count

    def files(self) -> list[Path]:
        return sorted(path for path in (self.folder / "objects" / "bodies").glob("*/*"))
