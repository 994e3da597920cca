"""The runtime's contract once more, on a machine whose cgroups are laid out otherwise than this one's.

Debian 12's own layout is version 2, where the whole suite runs as it is. A machine with version 1 usually has an empty tree
of version 2 beside it (hybrid): without that it is what older machines are.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from hatoba.runtime.cgroups import detect

SUITE = "tests/contract/runtime/test_runtime_contract.py"
SECONDS = 300.0


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
