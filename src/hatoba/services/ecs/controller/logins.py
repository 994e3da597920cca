"""What the platform needs to start tasks for their owners: execution roles that trust it, and its registry's password.

The password is ECR's authorization token, good for twelve hours, or an hour where it is an execution role's. Tasks
with such a role pull with what that may, others with what ECS may; a token is shared by the tasks that start with the
same one.
"""

from __future__ import annotations

import base64

from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.core.secret import Secret
from hatoba.fleet.model import ContainerWanted, Workload
from hatoba.gateway.call import Platform, Principal
from hatoba.services.ecs.acting import acting_as, door_as

USER = "AWS"
SESSION = "ecs-execution"
TRUST_SECONDS = 300.0  # how long a change of a role's trust policy may go unnoticed
PULL_SECONDS = 3600  # a session that every role allows: the token that is got with it ends with it
FRESH_SECONDS = 6 * 3600.0  # a token is used for new tasks while it is good for this much longer


class ExecutionRoles:
    """Execution roles that let the platform act for the task: asked for now and then, not for every task."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._trusted: dict[tuple[str, str], tuple[float, Principal]] = {}  # until when, by role and place

    async def session(self, scope: Scope, role: str | None, task: str) -> Principal | None:
        """Of the role, whose policies decide at each use; None without one. `task`: for which, by its ARN. Raises what
        STS says when the role does not trust us."""
        if not role:
            return None
        now = self._platform.clock.now()
        until, known = self._trusted.get((role, _place(task)), (0.0, None))
        if known is None or until <= now:
            known = await acting_as(self._platform, scope, role, SESSION, source=task)
            self._trusted[role, _place(task)] = now + TRUST_SECONDS, known
        return known


def _place(task: str) -> str:
    """The cluster, beside account and region: as much of a task as a role's trust can ask for."""
    return task.rpartition("/")[0]


class Logins:
    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._known: dict[tuple[str, str], tuple[Secret, float]] = {}  # until when it is used for new tasks

    async def password(self, scope: Scope, role: str | None, task: str) -> Secret:
        """`role`: the execution role of this task. Raises what STS or ECR says when it may not."""
        whose, now = (role or "", _place(task)), self._platform.clock.now()
        known = self._known.get(whose)
        if known is not None and known[1] > now:
            return known[0]
        door = await door_as(self._platform, scope, role or "", SESSION, source=task, seconds=PULL_SECONDS)
        answer = await door.ecr.get_authorization_token()
        given = answer["authorizationData"][0]
        user, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
        assert user == USER
        # A role of the same name may be another one by now.
        fresh = given["expiresAt"] - FRESH_SECONDS if role is None else now + TRUST_SECONDS
        self._known[whose] = (Secret(password), fresh)
        return self._known[whose][0]


def with_login(workload: Workload, password: Secret) -> Workload:
    """The workload with the password beside each image of the platform's own registry."""

    def logged_in(container: ContainerWanted) -> ContainerWanted:
        if container.image.host:
            return container
        return replace(container, image=replace(container.image, username=USER, password=password))

    return replace(workload, containers=tuple(logged_in(container) for container in workload.containers))
