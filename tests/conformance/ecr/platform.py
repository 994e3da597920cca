"""Starts, kills and starts again the process that real clients talk to."""

from __future__ import annotations

import base64
import hashlib
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import urllib3
from botocore.config import Config

from tests.conformance.ecr.served import KEY, OTHER_KEY, REGION

ROOT = Path(__file__).parents[3]


class Platform:
    def __init__(self, folder: Path, *, auth: bool = True) -> None:
        self.folder = folder
        self._auth = "on" if auth else "off"
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> Platform:
        """Again on the same port, as an operator would."""
        command = [sys.executable, "-m", "tests.conformance.ecr.served", str(self.folder), str(self.port), self._auth]
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
    def registry(self) -> str:
        return f"localhost:{self.port}"

    def ecr(self, *, region: str = REGION, key: tuple[str, str] = KEY) -> Any:
        return boto3.client(
            "ecr",
            region_name=region,
            endpoint_url=f"http://{self.registry}",
            aws_access_key_id=key[0],
            aws_secret_access_key=key[1],
            config=Config(retries={"total_max_attempts": 1}),
        )

    def other_ecr(self) -> Any:
        return self.ecr(key=OTHER_KEY)

    def login(self, ecr: Any | None = None) -> str:
        """`AWS:<token>`, as skopeo's --creds wants it."""
        (data,) = (ecr or self.ecr()).get_authorization_token()["authorizationData"]
        return base64.b64decode(data["authorizationToken"]).decode()

    def http(self, login: str | None = None) -> Registry:
        return Registry(self.registry, login or self.login())


class Registry:
    """Plain requests to the distribution API."""

    def __init__(self, host: str, login: str) -> None:
        self.headers = {"authorization": "Basic " + base64.b64encode(login.encode()).decode()}
        self.host = host
        self._pool = urllib3.HTTPConnectionPool(host, retries=False)

    def __call__(self, method: str, target: str, body: bytes = b"", **headers: str) -> urllib3.BaseHTTPResponse:
        return self._pool.request(method, target, body=body, headers={**self.headers, **headers})

    def push(self, repository: str, data: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        answer = self("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", data)
        assert answer.status == 201, answer.data
        return digest
