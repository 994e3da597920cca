"""The master key, with which everything secret in the journal is sealed. From the first of these that is there:

    HATOBA_MASTER_KEY                              32 bytes in base64, in the environment of `hatoba up`
    $CREDENTIALS_DIRECTORY/hatoba.master-key       a systemd credential (LoadCredential=, LoadCredentialEncrypted=)
    DIR/control/master.key                         mode 600; made with the journal when nothing else is given

It is no setting, since those may stand in DIR/hatoba.toml, beside what the key is to protect. Only the control plane
has it: the node, and with it all that the node starts, is started without.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from hatoba.core.errors import Refused
from hatoba.core.secret import Sealer

VARIABLE = "HATOBA_MASTER_KEY"
CREDENTIAL = "hatoba.master-key"
_BYTES = 32


def open_sealer(control: Path, *, new: bool, environ: Mapping[str, str] = os.environ) -> Sealer:
    """`new`: nothing has been written to the journal yet, so that a key may be made.

    Raises `Refused` for what is no key, for a journal whose key is missing, and for a key that others can read.
    """
    if text := environ.get(VARIABLE):
        return Sealer(_decoded(text.encode(), VARIABLE))
    if folder := environ.get("CREDENTIALS_DIRECTORY"):
        credential = Path(folder) / CREDENTIAL
        if credential.exists():
            return Sealer(_decoded(credential.read_bytes(), str(credential)))
    file = control / "master.key"
    if file.exists():
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            raise Refused(f"{file} can be read by others (mode {mode:o}). Say: chmod 600 {file}")
    elif not new:
        raise Refused(
            f"{file} is not there, and the journal beside it was sealed with a master key. Put the file back, or give "
            f"the key in {VARIABLE} or as the systemd credential {CREDENTIAL}."
        )
    return Sealer.from_file(file)


def without(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment for those who must not have the key."""
    return {name: value for name, value in environ.items() if name != VARIABLE}


def _decoded(data: bytes, where: str) -> bytes:
    """As bytes, or in base64 with or without a line's end."""
    if len(data) == _BYTES:
        return data
    try:
        key = base64.b64decode(data.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _BYTES:
        raise Refused(f"{where} is no master key: it must be {_BYTES} bytes in base64 (openssl rand -base64 {_BYTES}).")
    return key
