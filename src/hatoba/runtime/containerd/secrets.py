"""Environment variables that must stand in clear on no disk, on their way into a container.

containerd keeps a container's whole configuration in a database in its data directory, so secrets are left out of it.
They wait in our run directory, which is in memory where `/run` is (as systemd mounts it); a wrapper that takes crun's
place for such containers adds them to the bundle's configuration, in the same directory, when crun makes the
container. They are removed with the container.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Container, Iterable, Mapping
from typing import Any

import msgspec

from hatoba.core.secret import Secret
from hatoba.runtime.containerd import fill
from hatoba.runtime.containerd.settings import Settings

_WRAPPER = """#!/bin/sh
# Hatoba: crun, for containers that are given secrets. See hatoba/runtime/containerd/secrets.py.
for word in "$@"; do
    case "$word" in
        create) exec {fill} "$@" ;;
        delete | events | exec | kill | pause | resume | start | state | update) break ;;
    esac
done
exec {crun} "$@"
"""


class Secrets:
    def __init__(self, settings: Settings) -> None:
        self._folder = settings.run / "secrets"
        self._crun = settings.crun
        self.wrapper = settings.run / "crun-with-secrets"

    def prepare(self) -> None:
        """Before any container is made."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        # Isolated and without site-packages: nothing but the interpreter's own modules, and fast.
        words = [sys.executable, "-I", "-S", fill.__file__, str(self._folder), self._crun]
        text = _WRAPPER.format(fill=shlex.join(words), crun=shlex.quote(self._crun))
        new = self.wrapper.with_name(self.wrapper.name + ".new")
        new.write_text(text)
        new.chmod(0o700)
        new.replace(self.wrapper)

    def keep(self, id: str, secrets: Mapping[str, Secret]) -> None:
        entries = [f"{name}={value.reveal()}" for name, value in secrets.items()]
        descriptor = os.open(self._folder / id, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(entries))

    def add(self, id: str, process: dict[str, Any]) -> dict[str, Any]:
        """The process of a container's configuration with its secrets, for what is started in the container later."""
        try:
            entries: Iterable[str] = msgspec.json.decode((self._folder / id).read_bytes(), type=list[str])
        except FileNotFoundError:
            return process
        return {**process, "env": fill.merged(process["env"], entries)}

    def forget(self, id: str) -> None:
        (self._folder / id).unlink(missing_ok=True)

    def sweep(self, known: Container[str]) -> None:
        """Forgets those of containers that a crash kept from being made."""
        for path in self._folder.iterdir():
            if path.name not in known:
                path.unlink()
