"""The root access key of the default account, in `DIR/credentials` (mode 600)."""

from __future__ import annotations

from pathlib import Path

from hatoba.app.rootkey import read_root
from hatoba.aws.sigv4 import Credential
from hatoba.core.files import write_file
from hatoba.core.ids import RandomIds
from hatoba.gateway.access import Identities, root


def ensure_root(path: Path, account: str) -> Credential:
    """The key in the file, made when there is none. The file is in the format of ~/.aws/credentials."""
    if not path.exists():
        ids = RandomIds()
        key, secret = f"AKIA{ids.hex(16).upper()}", ids.hex(40)
        text = f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
        write_file(path, text.encode())
    key, secret = read_root(path)
    return Credential(access_key_id=key, secret=secret, principal=root("aws", account, key))


class AnyOf:
    """Access keys from several places, the first that knows one."""

    def __init__(self, *places: Identities) -> None:
        self._places = places

    def find(self, access_key_id: str) -> Credential | None:
        for place in self._places:
            if (found := place.find(access_key_id)) is not None:
                return found
        return None
