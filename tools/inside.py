"""Programs of this machine where a task is: in its network, asking whom it asks for names. For what no small image has:
an SDK as it is, a TLS client."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hatoba.app.places import Places
from tools.instance import Instance


class Talk:
    """With a program, line by line."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        assert running.stdin is not None
        assert running.stdout is not None
        self._in, self._out = running.stdin, running.stdout

    def says(self) -> str:
        return self._out.readline().strip()

    def hears(self, line: str = "") -> None:
        self._in.write(f"{line}\n")
        self._in.flush()


class Inside:
    """`folder`: of the node that runs the task; None: on the control plane's machine."""

    def __init__(self, hatoba: Instance, task: dict[str, Any], folder: Path | None = None) -> None:
        self._given = {name: value for name, value in hatoba.environment.items() if name != "AWS_ENDPOINT_URL"}
        found = folder or hatoba.folder
        places = Places(data=found, instance=(found / "instance").read_text().strip())
        details = {each["name"]: each["value"] for each in task["attachments"][0]["details"]}
        self.address, self.subnet = details.get("privateIPv4Address", ""), details["subnetId"]
        self._netns = places.run / "net" / "netns" / details["networkInterfaceId"]
        self._resolv = next((places.node / "tasks" / task["taskArn"].rpartition("/")[2]).glob("*/resolv.conf"))

    def python(self, program: str, **environment: str) -> str:
        """What it prints; with the root key, and without `AWS_ENDPOINT_URL`."""
        words, given = self._command(program, environment)
        done = subprocess.run(words, env=given, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return done.stdout.strip()

    @contextmanager
    def talking(self, program: str) -> Iterator[Talk]:
        """Such a program while it runs."""
        words, given = self._command(program, {"PYTHONUNBUFFERED": "1"})
        with subprocess.Popen(words, env=given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
            try:
                yield Talk(running)
            finally:
                running.kill()

    def _command(self, program: str, environment: dict[str, str]) -> tuple[list[str], dict[str, str]]:
        mounts = f'mount --bind {self._resolv} /etc/resolv.conf && exec {sys.executable} -c "$0"'
        words = ["nsenter", f"--net={self._netns}", "unshare", "--mount", "sh", "-c", mounts, program]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return words, {**kept, **self._given, **environment}
