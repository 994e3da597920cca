"""The front door, as a role that a user gave ECS to act with: for the rules of a load balancer, for a hook's function.

Who gave no role is served under ECS's own.
"""

from __future__ import annotations

from hatoba.core.keys import Scope
from hatoba.gateway.call import Door, Platform, Principal

SESSION = "ECSServiceDeployment"
SHORTEST_SESSION = 900


async def door_as(platform: Platform, scope: Scope, role: str, session: str = SESSION, *, source: str) -> Door:
    """`source`: the ARN of what it is for. Raises what STS says when the role does not trust ECS, or is not there."""
    if not role:
        return platform.door(scope, "ecs")
    return platform.door(scope, "ecs", await acting_as(platform, scope, role, session, source=source))


async def acting_as(platform: Platform, scope: Scope, role: str, session: str, *, source: str) -> Principal:
    """A session of the role. Raises likewise."""
    found = await platform.door(scope, "ecs", source=source).sts.assume_role(
        RoleArn=role, RoleSessionName=session, DurationSeconds=SHORTEST_SESSION
    )
    user = found["AssumedRoleUser"]
    return Principal(
        kind="role",
        account=scope.account,
        arn=user["Arn"],
        id=user["AssumedRoleId"],
        role=role,
        access_key=found["Credentials"]["AccessKeyId"],
    )
