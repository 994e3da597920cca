"""Reading `DIR/credentials`. By itself, so that the command line need not load what checks signatures."""

from __future__ import annotations

from pathlib import Path

from hatoba.core.errors import Refused


def read_root(path: Path) -> tuple[str, str]:
    """Access key id and secret. Raises `Refused` when the file cannot be read."""
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise Refused(f"The credentials {path} cannot be read: {error.strerror}. Is Hatoba up?") from None
    values = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    try:
        return values["aws_access_key_id"], values["aws_secret_access_key"]
    except KeyError:
        raise Refused(f"{path} holds no access key. Remove it, and `hatoba up` makes a new one.") from None
