"""Starts, kills and starts again the process that real clients talk to."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.conformance.logs.served import KEY, REGION

ROOT = Path(__file__).parents[3]


class Platform:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._node: socket.socket | None = None
        self.port = 0
        self._node_port = 0

    def start(self) -> Platform:
        """Again on the same port, as an operator would."""
        command = [sys.executable, "-m", "tests.conformance.logs.served", str(self.folder), str(self.port)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port, self._node_port = map(int, self._process.stdout.readline().split())
        return self

    def kill(self) -> None:
        """At any moment, from any thread: whoever is in the middle of `ingest` hears that the platform has gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None
        if self._node is not None:
            self._node.close()
            self._node = None

    @property
    def endpoint(self) -> str:
        return f"http://localhost:{self.port}"

    def logs(self) -> Any:
        return boto3.client(
            "logs",
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=KEY[0],
            aws_secret_access_key=KEY[1],
            config=Config(retries={"total_max_attempts": 1}, inject_host_prefix=False),
        )

    def ingest(self, **batch: Any) -> dict[str, Any]:
        """As a node's session does."""
        wire = self._node  # another thread may kill the platform
        if wire is None:
            wire = self._node = socket.create_connection(("127.0.0.1", self._node_port))
        wire.sendall(json.dumps(batch).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            piece = wire.recv(1 << 16)
            if not piece:
                raise ConnectionError("the platform has gone")
            answer += piece
        found: dict[str, Any] = json.loads(answer)
        return found
