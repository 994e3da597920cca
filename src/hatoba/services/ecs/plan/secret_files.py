"""Secrets and parameters as files in memory: what a container's label, or a task's tag, asks for. Pure.

    hatoba.secrets.files = /run/secrets/db=arn:aws:secretsmanager:…:secret:db-AbCdEf:password::,/run/secrets/url=/app

Entries are `path=reference`, separated by commas or white space (tags know no commas); references are those of
`secrets`. A docker label speaks of its container. A tag of a task, as it has it when it starts, speaks of all of its
containers, or of one: `hatoba.secrets.files/web`. What a tag says goes before what a label says of the same path. AWS
ignores both: a definition with them runs there too, without the files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.runtime import placed
from hatoba.services.ecs.plan.secrets import Reference, Unreadable, reference

NAME = "hatoba.secrets.files"
MOST = 100  # files of a container

# A parameter's name may hold commas; only one that a path follows ends an entry.
_BETWEEN = re.compile(r"\s*,\s*(?=/[^,=\s]*=)|\s+")


def parse(text: str, scope: Scope) -> dict[str, Reference]:
    """By path. Raises `Unreadable`, in a sentence that names what asks for it."""
    found: dict[str, Reference] = {}
    for entry in _BETWEEN.split(text.strip().strip(",").strip()):
        path, sign, source = entry.partition("=")
        if not sign or not source:
            raise Unreadable(f"{NAME}: {entry!r} is not path=reference.")
        if why := placed.problem(path):
            raise Unreadable(f"{NAME}: {path}: {why}.")
        if path in found:
            raise Unreadable(f"{NAME}: {path} is asked for twice.")
        try:
            found[path] = reference(source, scope)
        except Unreadable as error:
            raise Unreadable(f"{NAME}: {path}: {error}") from None
    return _checked(found)


def _checked(found: dict[str, Reference]) -> dict[str, Reference]:
    if len(found) > MOST:
        raise Unreadable(f"{NAME}: {len(found)} files are more than the {MOST} that a container may have.")
    if path := placed.clashing(found):
        raise Unreadable(f"{NAME}: {path} cannot be a file and a folder.")
    return found


def asked(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that ask for files."""
    return {name: value for name, value in tags.items() if name == NAME or name.startswith(f"{NAME}/")}


def of_container(container: t.ContainerDefinition, tags: Mapping[str, str], scope: Scope) -> dict[str, Reference]:
    """What a container is given: by its label, its task's tag, and the tag for it alone. Raises `Unreadable`."""
    label = (container.get("dockerLabels") or {}).get(NAME)
    said = (label, tags.get(NAME), tags.get(f"{NAME}/{container['name']}"))
    return _checked({path: source for text in said if text for path, source in parse(text, scope).items()})


def check(container: t.ContainerDefinition, scope: Scope) -> bool:
    """Whether its label asks for files. Raises `Unreadable` for what no container could be given."""
    files = of_container(container, {}, scope)
    for point in container.get("mountPoints") or ():
        for folder in placed.folders(files):
            target = (point.get("containerPath") or "").rstrip("/")
            if target == folder or target.startswith(f"{folder}/"):
                raise Unreadable(f"{NAME}: the folder {folder} is for its files alone, and {target} is a mount point.")
    return bool(files)
