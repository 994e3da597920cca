"""Where the master key comes from, and what is refused instead of sealing anew with another one."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from hatoba.app.masterkey import CREDENTIAL, VARIABLE, open_sealer, without
from hatoba.core.errors import Refused
from hatoba.core.secret import Sealer

KEY, OTHER = b"k" * 32, b"o" * 32
SEALED = Sealer(KEY).seal(b"secret")
TEXT = base64.b64encode(KEY).decode()


def opens(control: Path, environ: dict[str, str]) -> bool:
    try:
        return open_sealer(control, new=True, environ=environ).unseal(SEALED) == b"secret"
    except Refused:
        return False


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    folder = tmp_path / "credentials"
    folder.mkdir()
    return folder


def test_a_new_instance_makes_its_own(tmp_path: Path) -> None:
    control = tmp_path / "control"
    sealed = open_sealer(control, new=True, environ={}).seal(b"x")
    assert open_sealer(control, new=True, environ={}).unseal(sealed) == b"x"
    assert (control / "master.key").stat().st_mode & 0o777 == 0o600


def test_the_environment_comes_first_then_the_credential_then_the_file(tmp_path: Path, credentials: Path) -> None:
    (tmp_path / "master.key").write_bytes(OTHER)
    (tmp_path / "master.key").chmod(0o600)
    (credentials / CREDENTIAL).write_text(TEXT + "\n")
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    assert opens(tmp_path, environ)
    assert not opens(tmp_path, {})
    (credentials / CREDENTIAL).write_bytes(OTHER)
    assert not opens(tmp_path, environ)
    assert opens(tmp_path, environ | {VARIABLE: TEXT})


def test_nothing_is_written_beside_the_data_when_the_key_is_given(tmp_path: Path, credentials: Path) -> None:
    (credentials / CREDENTIAL).write_bytes(KEY)
    assert opens(tmp_path, {"CREDENTIALS_DIRECTORY": str(credentials)})
    assert opens(tmp_path, {VARIABLE: TEXT})
    assert list(tmp_path.iterdir()) == [credentials]


@pytest.mark.parametrize("text", ["short", "x" * 44, base64.b64encode(b"k" * 16).decode()])
def test_what_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Refused, match=f"{VARIABLE} is no master key") as refusal:
        open_sealer(tmp_path, new=True, environ={VARIABLE: text})
    assert text not in str(refusal.value)


def test_a_journal_without_its_key_is_not_given_another_one(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is not there"):
        open_sealer(tmp_path, new=False, environ={})
    assert not (tmp_path / "master.key").exists()


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    open_sealer(tmp_path, new=True, environ={})
    (tmp_path / "master.key").chmod(0o640)
    with pytest.raises(Refused, match="chmod 600"):
        open_sealer(tmp_path, new=True, environ={})


def test_who_is_to_be_without_it_is(tmp_path: Path) -> None:
    assert without({VARIABLE: TEXT, "PATH": "/bin"}) == {"PATH": "/bin"}
