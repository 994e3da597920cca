"""ECR and its registry as a process, and plain requests to it."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import urllib3

from tests.conformance.apart import Apart


class Platform(Apart):
    service = "ecr"

    def __init__(self, folder: Path, *, auth: bool = True) -> None:
        super().__init__(folder, "on" if auth else "off")

    @property
    def registry(self) -> str:
        return f"localhost:{self.port}"

    def login(self, ecr: Any | None = None) -> str:
        """`AWS:<token>`, as skopeo's --creds wants it."""
        (data,) = (ecr or self.client()).get_authorization_token()["authorizationData"]
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
