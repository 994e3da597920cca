"""One run of a lifecycle hook: a pause that somebody ends, or a function that is called until it has an answer.

The service controller begins a run when its deployment comes to the stage, and only reads it from then on.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.services.ecs.model.shift import Stage
from hatoba.store import Index, Table
from hatoba.store.store import View

Status = Literal["AWAITING_ACTION", "IN_PROGRESS", "SUCCEEDED", "FAILED", "TIMED_OUT"]


class Hook(Record, frozen=True, kw_only=True):
    """The id is `<service deployment's id>/<hookId>`."""

    deployment: str
    ordinal: int  # the deployment's first, second, … run
    stage: Stage
    step: int
    back: bool  # run on the way back
    type: Literal["AWS_LAMBDA", "PAUSE"]
    target: str = ""  # the function's ARN
    role: str = ""  # under which it is called
    event: dict[str, Any] = msgspec.field(default_factory=dict)  # what the function is told
    expires_at: float
    action: Literal["CONTINUE", "ROLLBACK"] = "ROLLBACK"  # when it has expired
    status: Status  # the hook controller; of a pause also ContinueServiceDeployment
    reason: str = ""  # why it failed. The hook controller.
    call_at: float | None = None  # when the function is called again. The hook controller.

    @property
    def hook(self) -> str:
        """As `hookId` tells it."""
        return self.id.rpartition("/")[2]

    @property
    def under_way(self) -> bool:
        return self.status in ("AWAITING_ACTION", "IN_PROGRESS")


hooks = Table(
    "ecs.hooks",
    Hook,
    indexes=(
        Index("deployment", lambda hook: (hook.key[:3], hook.deployment)),
        Index("under_way", lambda hook: True if hook.under_way else None),
    ),
)


def hooks_of(view: View, scope: Scope, deployment: str) -> list[Hook]:
    """In the order in which they began."""
    return sorted(view.index(hooks, "deployment", (scope, deployment)), key=lambda hook: (hook.ordinal, hook.id))
