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


# What each prints, so that it did not just end well: a text and how often.
GREETINGS = "\n".join(f"good {time}, shop: your password has 13 letters" for time in ("morning", "evening"))
PRINTED = {
    "01-service.sh": {"hello from v1": 1, "hello from v2": 2, "    150 200\n": 1},
    "02-sidecar.sh": {
        "prepared\nwarm\nfound a warm cache": 1,
        "app is told to stop\ncache is told to stop": 1,
    },
    "03-daemon.sh": {"DAEMON\n1\t1\n": 1, "0\t0\n": 1},
    "04-one-off.sh": {
        "cron/monday\t0\tEssentialContainerExited": 1,
        "cron/tuesday\t4\tEssentialContainerExited": 1,
        "report of monday: 3 lines\n": 1,
    },
    "05-what-if.sh": {"47 machines, 400 tasks; 15 dead": 1, "  waits: web: ": 1},
    "06-blue-green.sh": {"production: shop v1\ntest:       shop v2\n": 1, " requests, 0 failed\n": 1},
    "07-exec.sh": {"I am user 0, beside\nhttpd\nenter v1\n": 1, "\nended with 1\n": 1, "SOME INPUT": 2},
    "08-configuration.sh": {
        GREETINGS: 1,
        "retrieved secret from Secrets Manager did not contain json key passwrod\n": 1,
    },
    "10-secret-files.sh": {
        "-r--------\nquiet, process 1: spring\nquiet, process 1: summer\n-r--------\nloud, process 1: summer\n": 1,
        "(service keeper) deploys anew because what its tasks were started with has changed: arn:aws:ssm:": 1,
    },
    "09-bridge.sh": {"from bridge v1\n": 3, "the second: RESOURCE:PORTS\n": 1, "it saw them: 3\n": 1},
}


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
        found = {text: done.stdout.count(text) for text in PRINTED[name]}
        assert found == PRINTED[name], done.stdout


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
