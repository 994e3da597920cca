"""Adds a container's secrets to its bundle's configuration, then becomes crun.

    python -I -S fill.py SECRETS CRUN … create --bundle BUNDLE … ID

A program of its own, started by the wrapper that `secrets` writes: imports what the interpreter has, and little of it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable


def merged(environment: Iterable[str], secrets: Iterable[str]) -> list[str]:
    """`NAME=value` entries, the later ones in the place of those of the same name."""
    return list({entry.partition("=")[0]: entry for entry in (*environment, *secrets)}.values())


def fill(folder: str, bundle: str, container: str) -> None:
    """Raises `OSError` when the secrets are not there: the container must not start without them."""
    with open(os.path.join(folder, container), encoding="utf-8") as file:
        secrets = json.load(file)
    path = os.path.join(bundle, "config.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    config["process"]["env"] = merged(config["process"]["env"], secrets)
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(config, file)
    os.replace(path + ".new", path)


def main(folder: str, crun: str, arguments: list[str]) -> None:
    fill(folder, arguments[arguments.index("--bundle") + 1], arguments[-1])
    os.execvp(crun, [crun, *arguments])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
