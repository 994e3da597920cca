"""CloudWatch Logs as a process, with a socket beside it that takes lines as a node's session does."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from tests.conformance.apart import Apart


class Platform(Apart):
    service = "logs"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._node: socket.socket | None = None
        self._node_port = 0

    def found(self, port: int, node: int = 0) -> None:
        self.port, self._node_port = port, node

    def kill(self) -> None:
        """Whoever is in the middle of `ingest` hears that the platform has gone."""
        super().kill()
        if self._node is not None:
            self._node.close()
            self._node = None

    def logs(self) -> Any:
        return self.client(inject_host_prefix=False)

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
