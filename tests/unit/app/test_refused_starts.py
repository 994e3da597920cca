"""What only the operator can mend is told in a sentence on stderr, with exit code 1; nothing is started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hatoba.cli.main import main


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("HATOBA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 1
    said = capsys.readouterr()
    assert said.out == ""
    (sentence,) = said.err.splitlines()
    return sentence


def test_not_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for command in ("up", "down", "node"):
        assert "sudo" in refused(capsys, command, "--data", str(tmp_path / "data"))
    assert not (tmp_path / "data").exists()


def test_a_block_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HATOBA_BRIDGE", "172.17.0.1/16")
    said = refused(capsys, "up", "--data", str(tmp_path / "data"))
    assert said == "The bridge 172.17.0.1/16 is not a block of addresses."
    assert not (tmp_path / "data").exists()


def test_a_missing_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = refused(capsys, "up", "--data", str(tmp_path / "data"))
    assert said == "containerd is missing. Install it: apt-get install containerd"
    assert not (tmp_path / "data").exists()


def test_a_data_directory_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.touch()
    said = refused(capsys, "up", "--data", str(file / "data"))
    assert said == f"The data directory {file}/data cannot be used: Not a directory."


def test_nothing_was_ever_started_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("down", "status", "env"):
        assert f"There is no instance in {tmp_path}." in refused(capsys, command, "--data", str(tmp_path))


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("prot = 4566", "a setting that does not exist: prot."),
        ("port =", "is not valid TOML"),
        ('port = "many"', "The setting port has a wrong value: Expected `int`, got `str`."),
        ("port = 0", "The setting port has a wrong value: Expected `int` >= 1."),
        ("port = 65536", "The setting port has a wrong value: Expected `int` <= 65535."),
        ("tls_port = -1", "The setting tls_port has a wrong value"),
        ("node_port = 65536", "The setting node_port has a wrong value"),
        ('account = "12"', "The setting account has a wrong value"),
        ('region = "Not_A"', "The setting region has a wrong value"),
        ("node_lease = 0", "The setting node_lease has a wrong value"),
        ("node_lease = nan", "The setting node_lease has a wrong value"),
        ("stopped_tasks_kept = -1", "The setting stopped_tasks_kept has a wrong value"),
        ('log_level = "LOUD"', "The setting log_level has a wrong value: Invalid enum value 'LOUD'."),
        ('auth = "off"\nhost = "0.0.0.0"', "--auth off lets everybody in"),
        ('auth = "off"\nnode_host = "192.0.2.1"', "--auth off lets everybody in"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str], written: str, wanted: str) -> None:
    (tmp_path / "hatoba.toml").write_text(written)
    assert wanted in refused(capsys, "up", "--data", str(tmp_path))
