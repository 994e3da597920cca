"""Pulls and pushes by the distribution API need what ECR's operations of the same meaning need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from hatoba.gateway.call import Principal
from hatoba.registry import names
from hatoba.services.ecr import model
from tests.conformance.oci.client import Answer, Client, image
from tests.unit.services.ecr.registries import CI, PEER, SCOPE, World, make, unmake

FAR = Principal(kind="user", account="999999999999", arn="arn:aws:iam::999999999999:user/eve", id="AIDB")
APP = "arn:aws:ecr:us-east-1:123456789012:repository/app"
PULL = {"BatchGetImage", "GetDownloadUrlForLayer", "BatchCheckLayerAvailability"}
PUSH = {"InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage"}
CONFIG, LAYER = b"{}", b"layer"
MANIFEST = image(CONFIG, LAYER)
D = names.digest_of
POLICY = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "ecr:*"}}'


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The repository app, with an image; `other`, empty."""
    world = await make(tmp_path)
    judge = world.judge
    judge.allowed = {*PULL, *PUSH}
    await world.client(CI).push_image("app", "v1", LAYER)
    await world.client(CI).push_blob("app", CONFIG)
    judge.allowed = set()
    judge.asked.clear()
    yield world
    await unmake(world)


def share(world: World, policy: str | None) -> None:
    with world.store.tx() as tx:
        record = tx.find(model.repositories, SCOPE, "app")
        assert record is not None
        tx.put(model.repositories, msgspec.structs.replace(record, policy=policy))


Ask = tuple[str, str, bytes]
WAYS: list[tuple[Ask, set[str]]] = [
    (("GET", "/v2/app/manifests/v1", b""), {"BatchGetImage"}),
    (("HEAD", "/v2/app/manifests/v1", b""), {"BatchGetImage"}),
    (("HEAD", f"/v2/app/blobs/{D(LAYER)}", b""), {"BatchCheckLayerAvailability"}),
    (("GET", f"/v2/app/blobs/{D(LAYER)}", b""), {"GetDownloadUrlForLayer"}),
    (("GET", "/v2/app/tags/list", b""), {"ListImages"}),
    (("GET", f"/v2/app/referrers/{D(MANIFEST)}", b""), {"ListImageReferrers"}),
    (("GET", "/v2/_catalog", b""), {"DescribeRepositories"}),
    (("POST", "/v2/app/blobs/uploads/", b""), {"InitiateLayerUpload"}),
    (("POST", f"/v2/app/blobs/uploads/?digest={D(b'new')}", b"new"),
     {"InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"}),
    (("PUT", "/v2/app/manifests/v2", MANIFEST), {"PutImage"}),
    (("DELETE", "/v2/app/manifests/v1", b""), {"BatchDeleteImage"}),
    (("DELETE", f"/v2/app/blobs/{D(b'x')}", b""), {"BatchDeleteImage"}),
]  # fmt: skip


async def test_each_way_needs_its_operations_and_no_more(world: World) -> None:
    client = world.client(CI)
    for ask, operations in WAYS:
        before = world.store.seq
        for missing in operations:
            world.judge.allowed = operations - {missing}
            answer = await client(*ask)
            assert answer.status == 403, ask
            if ask[0] != "HEAD":
                assert answer.code == "DENIED"
                assert f"User: {CI.arn} is not authorized to perform: ecr:{missing} on resource: arn:" in text(answer)
        assert world.store.seq == before, ask  # a refusal changes nothing
        world.judge.allowed = operations
        assert (await client(*ask)).status in (200, 201, 202, 404), ask


def text(answer: Answer) -> str:
    return bytes(answer.body).decode()


async def test_an_upload_in_parts(world: World) -> None:
    client = world.client(CI)
    world.judge.allowed = {"InitiateLayerUpload"}
    where = (await client("POST", "/v2/app/blobs/uploads/")).headers["location"]
    asks: list[tuple[Callable[[], Awaitable[Answer]], set[str]]] = [
        (lambda: client("PATCH", where, b"new"), {"UploadLayerPart"}),
        (lambda: client("GET", where), {"UploadLayerPart"}),
        (lambda: client("PUT", f"{where}?digest={D(b'new')}"), {"UploadLayerPart", "CompleteLayerUpload"}),
    ]
    for ask, operations in asks:
        for missing in operations:
            world.judge.allowed = operations - {missing}
            assert (await ask()).code == "DENIED"
        world.judge.allowed = operations
        assert (await ask()).status < 300


async def test_a_layer_of_another_repository_needs_the_right_to_pull_it(world: World) -> None:
    mount = f"/v2/other/blobs/uploads/?mount={D(LAYER)}&from=app"
    world.judge.allowed = set(PUSH)
    assert (await world.client(CI)("POST", mount)).status == 202  # to be uploaded instead
    world.judge.allowed = {*PUSH, "BatchCheckLayerAvailability", "GetDownloadUrlForLayer"}
    assert (await world.client(CI)("POST", mount)).status == 201


async def test_who_got_the_token_is_asked_with_session_and_all(world: World) -> None:
    await world.client(CI)("GET", "/v2/app/manifests/v1")
    ((who, need),) = world.judge.asked
    assert who == CI
    assert (need.action, need.resource, need.policy) == ("ecr:BatchGetImage", APP, None)
    assert world.judge.calls[-1].source_ip == PEER
    share(world, POLICY)
    await world.client(CI)("GET", "/v2/app/manifests/v1")
    assert world.judge.asked[-1][1].policy == POLICY


async def test_other_accounts_need_the_repositorys_policy(world: World) -> None:
    world.judge.allowed = set(PULL)
    answer = await world.client(FAR)("GET", "/v2/app/manifests/v1")
    assert (answer.status, answer.code) == (403, "DENIED")
    assert "because no resource-based policy allows the ecr:BatchGetImage action" in text(answer)
    assert world.judge.asked == []
    share(world, POLICY)
    assert (await world.client(FAR)("GET", "/v2/app/manifests/v1")).status == 200
    ((who, need),) = world.judge.asked
    assert (who, need.resource, need.policy) == (FAR, APP, POLICY)
    world.judge.allowed = set()
    assert (await world.client(FAR)("GET", "/v2/app/manifests/v1")).code == "DENIED"


async def test_who_may_nothing_learns_nothing(world: World) -> None:
    """Not even which repositories there are."""
    found = [await world.client(CI)("GET", f"/v2/{name}/manifests/v1") for name in ("app", "nowhere")]
    assert [answer.code for answer in found] == ["DENIED", "DENIED"]
    world.judge.allowed = set(PULL)
    assert (await world.client(CI)("GET", "/v2/nowhere/manifests/v1")).code == "NAME_UNKNOWN"


async def test_a_link_opens_its_path_to_whoever_has_it(world: World) -> None:
    path = f"/v2/app/blobs/{D(LAYER)}"
    ticket = world.registry.tokens.link_ticket(path)
    nobody = Client(world.registry.engine)
    assert (await nobody("GET", f"{path}?ticket={ticket}")).body == LAYER
    assert (await nobody("GET", f"/v2/app/blobs/{D(CONFIG)}?ticket={ticket}")).status == 401
    assert (await nobody("DELETE", f"{path}?ticket={ticket}")).status == 401


async def test_without_a_login_nobody_is_told_more_than_to_log_in(world: World) -> None:
    answer = await Client(world.registry.engine)("GET", "/v2/app/manifests/v1")
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert "basic" in answer.headers["www-authenticate"].lower()
