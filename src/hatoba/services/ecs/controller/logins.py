"""The password with which nodes pull from the platform's own registry: ECR's authorization token.

A token is good for twelve hours; one is asked for each account and region, and shared by the tasks that start there.
"""

from __future__ import annotations

import base64

from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.core.secret import Secret
from hatoba.fleet.model import ContainerWanted, Workload
from hatoba.gateway.call import Platform

USER = "AWS"
FRESH_SECONDS = 6 * 3600.0  # a token is used for new tasks while it is good for this much longer


class Logins:
    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._known: dict[Scope, tuple[Secret, float]] = {}

    async def password(self, scope: Scope) -> Secret:
        known = self._known.get(scope)
        if known is not None and known[1] - FRESH_SECONDS > self._platform.clock.now():
            return known[0]
        answer = await self._platform.door(scope, "ecs").ecr.get_authorization_token()
        given = answer["authorizationData"][0]
        user, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
        assert user == USER
        self._known[scope] = (Secret(password), given["expiresAt"])
        return self._known[scope][0]


def with_login(workload: Workload, password: Secret) -> Workload:
    """The workload with the password beside each image of the platform's own registry."""

    def logged_in(container: ContainerWanted) -> ContainerWanted:
        if container.image.host:
            return container
        return replace(container, image=replace(container.image, username=USER, password=password))

    return replace(workload, containers=tuple(logged_in(container) for container in workload.containers))
