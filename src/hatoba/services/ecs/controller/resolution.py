"""What the tags of a revision mean: asked once, before its first task, so that every task runs the same bytes.

Only the platform's own registry is asked, and only for images of the service's own account; any other reference stays
as it is written. An image that is not there stays open: its tasks fail for that reason, and the next start asks again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.gateway.call import Platform
from hatoba.services.ecs.model.service_deployment import Image, ServiceRevision
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.plan.images import image

_ELSEWHERE = re.compile(r"(\d{12})/([a-z]{2}(?:-[a-z]+)+-\d)/(.+)")


async def resolve(
    platform: Platform, revision: ServiceRevision, definition: Definition, settings: Settings
) -> tuple[Image, ...]:
    """The revision's images with the digests that are known now."""
    fixed = {c["name"] for c in definition.containers if c.get("versionConsistency") == "disabled"}
    return tuple(
        [
            one if one.digest or one.container in fixed else await _resolved(platform, revision.scope, one, settings)
            for one in revision.images
        ]
    )


def complete(images: Sequence[Image], definition: Definition, settings: Settings) -> bool:
    """Nothing is left to ask for."""
    fixed = {c["name"] for c in definition.containers if c.get("versionConsistency") == "disabled"}
    return all(one.digest or one.container in fixed or image(one.image, settings.registry_hosts).host for one in images)


async def _resolved(platform: Platform, scope: Scope, one: Image, settings: Settings) -> Image:
    wanted = image(one.image, settings.registry_hosts)
    if wanted.host:
        return one
    account, region, name = scope.account, scope.region, wanted.repository
    if (elsewhere := _ELSEWHERE.fullmatch(name)) is not None:
        account, region, name = elsewhere[1], elsewhere[2], elsewhere[3]
    if account != scope.account:
        return one
    if wanted.reference.startswith("sha256:"):
        return replace(one, digest=wanted.reference)
    door = platform.door(Scope(scope.partition, account, region), "ecs")
    try:
        found = await door.ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": wanted.reference}])
    except AwsError as error:
        if error.status >= 500:
            raise
        return one
    return replace(one, digest=found["imageDetails"][0]["imageDigest"])
