"""The runtime's contract once more, on a machine whose cgroups are laid out otherwise than this one's.

A machine with version 1 usually has an empty tree of version 2 beside it (hybrid): without that it is what older
machines are. Version 2 alone, Debian's own since 11, is found under another kernel.
"""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from hatoba.runtime.cgroups import detect
from tools import uml

SUITE = "tests/contract/runtime/test_runtime_contract.py"
SECONDS = 300.0
SECONDS_THERE = 900.0


@pytest.mark.real
def test_the_contract_holds_with_version_1_alone() -> None:
    here = detect()
    if here.layout != "hybrid":
        pytest.skip(f"this machine is {here.layout}: no tree to take away")
    alone = f'umount -l {here.unified} && exec "$0" -m pytest -q -p no:cacheprovider -m real {SUITE}'
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", alone, sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "failed" not in done.stdout


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(SECONDS_THERE + 120)
@pytest.mark.skipif(platform.machine() != "x86_64", reason="Debian has that kernel for x86 only")
def test_the_contract_holds_with_version_2() -> None:
    command = [sys.executable, "-m", "pytest", "-v", "--color=no", "-p", "no:cacheprovider", "-m", "real", SUITE]
    code, said = uml.run(
        ["sh", "-c", 'cat /sys/fs/cgroup/cgroup.controllers; exec "$@"', "sh", *command], SECONDS_THERE
    )
    assert code == 0, said
    assert "cpu io memory pids" in said
    assert "test_running_out_of_memory_is_told_apart[containerd]" in said
    assert "FAILED" not in said
