"""Names that become files: whoever chooses one walks nowhere with it. Without the check, each would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import HatobaError
from hatoba.network.names import checked
from hatoba.registry import names
from hatoba.runtime import placed
from hatoba.services.ecs.plan.definition import containers, volumes
from hatoba.streams import segments
from tests.conformance.threats.disarm import without

UP = "../../../../etc/cron.d/x"


def accepted(check: Callable[[], object]) -> bool:
    try:
        check()
    except (HatobaError, ValueError):
        return False
    return True


def a_volume_of_a_task() -> bool:
    request: Any = {"volumes": [{"name": UP, "dockerVolumeConfiguration": {"scope": "shared"}}]}
    return accepted(lambda: volumes.check(request))


def a_container() -> bool:
    container: Any = {"name": UP, "image": "busybox", "memory": 64, "cpu": 0}
    return accepted(lambda: containers._identity(container))


def a_digest_of_the_registry() -> bool:
    return names.digest(f"sha256:{UP}") is not None


def a_repository() -> bool:
    return names.is_name(UP)


def a_secret_file() -> bool:
    return placed.problem(f"/run/secrets/{UP}") == ""


def a_secret_file_in_the_place_of_the_systems() -> bool:
    return placed.problem("/etc/passwd") == ""


def a_stream_of_a_log() -> bool:
    """Log groups and streams may have slashes and dots in their names; on disk they are ids that the platform makes."""
    return accepted(lambda: segments.folder(Path("/var/lib"), UP))


def a_network() -> bool:
    return accepted(lambda: checked(UP))


Attack = Callable[[], bool]
THREATS: list[tuple[Attack, tuple[str, str, str]]] = [
    (
        a_volume_of_a_task,
        ("hatoba.services.ecs.plan.definition.volumes:check", "if not _NAME.fullmatch(name):", "if False:"),
    ),
    (
        a_container,
        (
            "hatoba.services.ecs.plan.definition.containers:_identity",
            "if not pattern.fullmatch(value):",
            "if False:",
        ),
    ),
    (a_digest_of_the_registry, ("hatoba.registry.names:digest", "if _DIGEST.fullmatch(text) else None", "")),
    (a_repository, ("hatoba.registry.names:is_name", "and _NAME.fullmatch(text) is not None", "")),
    (
        a_secret_file,
        ("hatoba.runtime.placed:problem", 'or path != posixpath.normpath(path) or path.startswith("//")', ""),
    ),
    (
        a_secret_file_in_the_place_of_the_systems,
        ("hatoba.runtime.placed:problem", "folder in _SYSTEM or path.startswith(_KERNEL)", "False"),
    ),
    (a_stream_of_a_log, ("hatoba.streams.segments:folder", "if not _ID.fullmatch(stream):", "if False:")),
    (a_network, ("hatoba.network.names:checked", "if not _ID.fullmatch(identifier):", "if False:")),
]


@pytest.mark.parametrize(("attack", "check"), THREATS, ids=[attack.__name__ for attack, _ in THREATS])
def test_refused_by_a_check_that_is_needed(attack: Attack, check: tuple[str, str, str]) -> None:
    assert not attack()
    with without(*check):
        assert attack(), "it is not this check that refuses it"
