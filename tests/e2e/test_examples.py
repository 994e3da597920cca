"""The numbered examples run as they stand, on an instance of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.instance import HATOBA, Instance

pytestmark = pytest.mark.real

EXAMPLES = Path(__file__).parents[2] / "examples"
NUMBERED = sorted(path.name for path in EXAMPLES.glob("[0-9][0-9]-*.sh"))


def environment(hatoba: Instance) -> dict[str, str]:
    own = {"HATOBA": HATOBA, "HATOBA_DATA": str(hatoba.folder), "HATOBA_PORT": str(hatoba.port)}
    return {**os.environ, **own}


@pytest.mark.parametrize("name", NUMBERED)
def test_example(name: str) -> None:
    with Instance() as hatoba:
        done = subprocess.run(
            [str(EXAMPLES / name)], env=environment(hatoba), capture_output=True, text=True, timeout=150, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        if name == "01-service.sh":
            assert "hello from v1" in done.stdout
            assert "hello from v2" in done.stdout
            assert "    150 200\n" in done.stdout, "every request of the rolling update was answered"
        if name == "09-blue-green.sh":
            assert "production: shop v1\ntest:       shop v2\n" in done.stdout
            assert " requests, 0 failed\n" in done.stdout
        if name == "10-exec.sh":
            assert "I am user 0, beside\nhttpd\nenter v1\n" in done.stdout
            assert "\nended with 1\n" in done.stdout
            assert done.stdout.count("SOME INPUT") == 2, "once for us, once in the log"
        if name == "11-configuration.sh":
            greetings = (f"good {time}, shop: your password has 13 letters" for time in ("morning", "evening"))
            assert "\n".join(greetings) in done.stdout
            assert done.stdout.endswith("retrieved secret from Secrets Manager did not contain json key passwrod\n")
        if name == "12-bridge.sh":
            assert done.stdout.count("from bridge v1\n") == 3
            assert "the second: RESOURCE:PORTS\n" in done.stdout
            assert "it saw them: 3\n" in done.stdout
        if name == "02-sidecar.sh":
            assert "prepared\nwarm\nfound a warm cache" in done.stdout
            assert "app is told to stop\ncache is told to stop" in done.stdout


def test_demo() -> None:
    with Instance() as hatoba:
        for _ in range(2):  # the second run finds everything
            done = subprocess.run(
                [sys.executable, str(EXAMPLES / "demo.py")],
                env=environment(hatoba),
                capture_output=True,
                text=True,
                timeout=150,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert '{"message": "hello", "task": "ip-' in done.stdout
