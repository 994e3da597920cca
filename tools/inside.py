"""Programs of this machine where a task is: in its network, asking whom it asks for names. For what no small image has:
an SDK as it is, a TLS client."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatoba.app.places import Places
from tools.instance import Instance


class Inside:
    """`folder`: of the node that runs the task; None: on the control plane's machine."""

    def __init__(self, hatoba: Instance, task: dict[str, Any], folder: Path | None = None) -> None:
        self._given = {name: value for name, value in hatoba.environment.items() if name != "AWS_ENDPOINT_URL"}
        found = folder or hatoba.folder
        places = Places(data=found, instance=(found / "instance").read_text().strip())
        details = {each["name"]: each["value"] for each in task["attachments"][0]["details"]}
        self.address, self.subnet = details["privateIPv4Address"], details["subnetId"]
        self._netns = places.run / "net" / "netns" / details["networkInterfaceId"]
        self._resolv = next((places.node / "tasks" / task["taskArn"].rpartition("/")[2]).glob("*/resolv.conf"))

    def python(self, program: str, **environment: str) -> str:
        """What it prints; with the root key, and without `AWS_ENDPOINT_URL`."""
        mounts = f'mount --bind {self._resolv} /etc/resolv.conf && exec {sys.executable} -c "$0"'
        words = ["nsenter", f"--net={self._netns}", "unshare", "--mount", "sh", "-c", mounts, program]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        given = {**kept, **self._given, **environment}
        done = subprocess.run(words, env=given, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return done.stdout.strip()
