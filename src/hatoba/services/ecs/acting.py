"""The front door, as a role that a user gave ECS to act with: for the rules of a load balancer, for a hook's function.

Who gave no role is served under ECS's own.
"""

from __future__ import annotations

from hatoba.core.keys import Scope
from hatoba.gateway.call import Door, Platform, Principal

SESSION = "ECSServiceDeployment"
SHORTEST_SESSION = 900


async def door_as(
    platform: Platform,
    scope: Scope,
    role: str,
    session: str = SESSION,
    *,
    source: str,
    seconds: int = SHORTEST_SESSION,
) -> Door:
    """`source`: the ARN of what it is for; `seconds`: how long what is got by it has to be good.

    Raises what STS says when the role does not trust ECS, or is not there.
    """
    if not role:
        return platform.door(scope, "ecs")
    acting = await acting_as(platform, scope, role, session, source=source, seconds=seconds)
    return platform.door(scope, "ecs", acting)


async def acting_as(
    platform: Platform, scope: Scope, role: str, session: str, *, source: str, seconds: int = SHORTEST_SESSION
) -> Principal:
    """A session of the role. Raises likewise."""
    found = await platform.door(scope, "ecs", source=source).sts.assume_role(
        RoleArn=role, RoleSessionName=session, DurationSeconds=seconds
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
