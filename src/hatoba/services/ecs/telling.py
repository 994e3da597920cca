"""A task's story, for those who show it to people."""

from __future__ import annotations

from typing import Any

from hatoba.core.keys import Scope
from hatoba.services.ecs.model.task import find_task
from hatoba.services.ecs.views.story import story as view
from hatoba.store.store import View


def story(from_: View, scope: Scope, cluster: str, task: str) -> dict[str, Any] | None:
    """None when it is not there, or remembered no longer."""
    found = find_task(from_, scope, cluster, task)
    return None if found is None else view(found)
