"""Every push and pull is in the audit's trail, as the operation of ECR's API that does the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hatoba.gateway.call import Principal
from hatoba.registry import names
from hatoba.registry.names import Digest
from hatoba.services.cloudtrail.model import pendings
from hatoba.services.ecr.permits import OPERATIONS
from tests.conformance.oci.client import Client, image
from tests.unit.services.ecr.registries import CI, PEER, SCOPE, World, make, unmake

D = names.digest_of
CONFIG, LAYER = b"{}", b"layer"
MANIFEST = image(CONFIG, LAYER)
WHERE = {"registryId": "123456789012", "repositoryName": "app"}
APP = "arn:aws:ecr:us-east-1:123456789012:repository/app"
EVERYTHING = {operation for each in OPERATIONS.values() for operation in each}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = await make(tmp_path)
    world.judge.allowed = set(EVERYTHING)
    yield world
    await unmake(world)


def brief(event: dict[str, Any]) -> tuple[str, str | None]:
    return event["eventName"], event.get("errorCode")


async def push(client: Client, data: bytes) -> Digest:
    """As docker does it."""
    assert (await client("HEAD", f"/v2/app/blobs/{D(data)}")).status == 404
    where = (await client("POST", "/v2/app/blobs/uploads/")).headers["location"]
    assert (await client("PATCH", where, data)).status == 202
    assert (await client("GET", where)).status == 204
    assert (await client("PUT", f"{where}?digest={D(data)}")).status == 201
    return D(data)


async def test_a_push(world: World) -> None:
    client = world.client(CI)
    client.headers["user-agent"] = "docker/27"
    await push(client, LAYER)
    told = await world.told()
    assert [brief(event) for event in told] == [
        ("BatchCheckLayerAvailability", None),
        ("InitiateLayerUpload", None),
        ("UploadLayerPart", None),
        ("CompleteLayerUpload", None),
    ]
    check, begin, part, finish = told
    upload = begin["responseElements"]["uploadId"]
    assert check["requestParameters"] == WHERE | {"layerDigests": [D(LAYER)]}
    assert part["requestParameters"] == WHERE | {"uploadId": upload}
    assert finish["requestParameters"] == WHERE | {"uploadId": upload, "layerDigests": [D(LAYER)]}
    assert finish["responseElements"] == WHERE | {"uploadId": upload, "layerDigest": D(LAYER)}
    for event in told:
        assert event["eventSource"] == "ecr.amazonaws.com"
        assert event["sourceIPAddress"] == PEER
        assert event["userAgent"] == "docker/27"
        assert event["userIdentity"]["arn"] == CI.arn
        assert event["additionalEventData"]["milliseconds"] >= 0
    assert [event["readOnly"] for event in told] == [True, False, False, False]


async def test_an_image(world: World) -> None:
    client = world.client(CI)
    digest = await client.push_image("app", "v1", LAYER)
    await client("GET", "/v2/app/manifests/v1")
    await client("GET", f"/v2/app/blobs/{D(LAYER)}?digest=of-something-else")
    await client("DELETE", "/v2/app/manifests/v1")
    put, get, fetch, gone = (await world.told())[-4:]
    assert (put["eventName"], put["requestParameters"]) == ("PutImage", WHERE | {"imageTag": "v1"})
    assert put["responseElements"] == {"image": WHERE | {"imageId": {"imageDigest": digest, "imageTag": "v1"}}}
    assert (get["eventName"], get["requestParameters"]) == ("BatchGetImage", WHERE | {"imageIds": [{"imageTag": "v1"}]})
    assert get["responseElements"] is None
    assert (fetch["eventName"], fetch["requestParameters"]) == (
        "GetDownloadUrlForLayer",
        WHERE | {"layerDigest": D(LAYER)},
    )
    assert (gone["eventName"], gone["requestParameters"]) == (
        "BatchDeleteImage",
        WHERE | {"imageIds": [{"imageTag": "v1"}]},
    )


async def test_what_is_written_is_told_in_the_same_transaction(world: World) -> None:
    """So that a crash loses neither: here nothing has gone to the trail yet."""
    client = world.client(CI)
    digest = await client.push_image("app", "v1", LAYER)
    for path in ("v1", digest):
        await client("DELETE", f"/v2/app/manifests/{path}")
    await client("DELETE", f"/v2/app/blobs/{D(LAYER)}")
    names = [pending.entry.name for pending in world.store.all(pendings)]
    assert sorted(names) == ["BatchDeleteImage"] * 3 + ["CompleteLayerUpload"] * 2 + ["PutImage"]
    assert all(pending.entry.things[0].name == APP for pending in world.store.all(pendings))
    await world.told()
    assert list(world.store.all(pendings)) == []


async def test_what_the_api_writes_is_told_in_the_same_transaction(world: World) -> None:
    client = world.client(CI)
    await client.push_blob("app", CONFIG)
    await client.push_blob("app", LAYER)
    await world.told()
    ecr = world.plane.door(SCOPE, "ecr", CI).ecr
    await ecr.put_image(repositoryName="app", imageManifest=MANIFEST.decode(), imageTag="v1")
    assert [pending.entry.name for pending in world.store.all(pendings)] == ["PutImage"]


async def test_refusals(world: World) -> None:
    client = world.client(CI)
    await client("GET", "/v2/app/manifests/v1")  # ECR answers that there is none
    await client("GET", f"/v2/app/blobs/{D(LAYER)}")
    await client("GET", "/v2/nowhere/manifests/v1")
    await client("PUT", "/v2/app/manifests/v1", MANIFEST, content_type="application/vnd.oci.image.manifest.v1+json")
    world.judge.allowed = {"UploadLayerPart"}
    await client("GET", "/v2/app/tags/list")
    await client("POST", f"/v2/app/blobs/uploads/?digest={D(LAYER)}", LAYER)
    assert [brief(event) for event in await world.told()] == [
        ("BatchGetImage", None),
        ("GetDownloadUrlForLayer", "LayersNotFoundException"),
        ("BatchGetImage", "RepositoryNotFoundException"),
        ("PutImage", "LayersNotFoundException"),
        ("ListImages", "AccessDeniedException"),
        ("InitiateLayerUpload", "AccessDeniedException"),
    ]
    refused = (await world.told())[-1]
    assert refused["errorMessage"].startswith(f"User: {CI.arn} is not authorized to perform: ecr:InitiateLayerUpload")


async def test_a_layer_of_another_repository(world: World) -> None:
    client = world.client(CI)
    await client.push_blob("app", LAYER)
    await world.told()
    mount = f"/v2/other/blobs/uploads/?mount={D(LAYER)}&from=app"
    world.judge.allowed.discard("GetDownloadUrlForLayer")
    assert (await client("POST", mount)).status == 202
    assert [brief(event) for event in (await world.told())[1:]] == [
        ("GetDownloadUrlForLayer", "AccessDeniedException"),
        ("InitiateLayerUpload", None),
    ]
    before = len(await world.told())
    world.judge.allowed.add("GetDownloadUrlForLayer")
    assert (await client("POST", mount)).status == 201
    finish, fetch = (await world.told())[before:]
    assert (finish["eventName"], finish["requestParameters"]["repositoryName"]) == ("CompleteLayerUpload", "other")
    assert (fetch["eventName"], fetch["requestParameters"]) == (
        "GetDownloadUrlForLayer",
        WHERE | {"layerDigest": D(LAYER)},
    )


async def test_who_has_a_link_is_not_told_of_and_services_that_read_are_not(world: World) -> None:
    await world.client(CI).push_blob("app", LAYER)
    before = len(await world.told())
    path = f"/v2/app/blobs/{D(LAYER)}"
    ticket = world.registry.tokens.link_ticket(path)
    assert (await Client(world.registry.engine)("GET", f"{path}?ticket={ticket}")).status == 200
    ecs = Principal(kind="service", account="123456789012", arn="arn:aws:sts::1:assumed-role/r/ecs", id="r:ecs")
    assert (await world.client(ecs)("GET", path)).status == 200
    assert len(await world.told()) == before


async def test_a_client_that_goes_away(world: World) -> None:
    """Nobody knows what it would have come to."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"some"
        raise ConnectionError

    client = world.client(CI)
    where = (await client("POST", "/v2/app/blobs/uploads/")).headers["location"]
    with pytest.raises(ConnectionError):
        await client("PATCH", where, broken())
    assert brief((await world.told())[-1]) == ("UploadLayerPart", "InternalFailure")
