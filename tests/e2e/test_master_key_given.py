"""The master key from the environment: nothing of it beside the data, nor with the node; another one is refused."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.instance import HATOBA, Instance
from tools.traces import Traces

pytestmark = [pytest.mark.real, pytest.mark.slow]

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(32)).decode()


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    monkeypatch.setenv("HATOBA_MASTER_KEY", KEY)
    with Instance() as instance:
        yield instance


def test_only_the_control_plane_has_a_key_that_is_given(sealed: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed.client("ssm").put_parameter(Name="/a", Value="secret", Type="SecureString")
    assert not (sealed.folder / "control" / "master.key").exists()
    control, up = sealed.pid("control"), sealed.pid("up")
    pids = Traces(sealed.folder).processes()
    having = {pid for pid in pids if KEY.encode() in Path(f"/proc/{pid}/environ").read_bytes()}
    assert having <= {control, up}
    assert control in having
    assert len(pids) > 3  # the node's, containerd's
    sealed.down()
    for given, words in ((OTHER, "master key is not the one"), ("", "is not there")):
        environ = {**os.environ, "HATOBA_MASTER_KEY": given}
        command = [HATOBA, "up", "--data", str(sealed.folder), "--port", str(sealed.port), "--detach"]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert words in done.stdout + done.stderr
    sealed.up()
    found = sealed.client("ssm").get_parameter(Name="/a", WithDecryption=True)
    assert found["Parameter"]["Value"] == "secret"
