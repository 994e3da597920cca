"""The way to a handler: unknown paths and names, verbs, authentication, authorisation."""

from __future__ import annotations

from pathlib import Path

import pytest

from hatoba.core.ids import SeededIds
from hatoba.registry import names
from hatoba.registry.engine import Engine
from hatoba.registry.memory import MemoryRepositories, OpenAccess
from tests.conformance.oci.client import Client

DIGEST = names.digest_of(b"x")


@pytest.mark.parametrize("path", ["/v2/x", "/v2/app/", "/v2/app/nothing/x", "/v3/", "/v2/app/blobs/uploads/a/b"])
async def test_no_such_path(client: Client, path: str) -> None:
    answer = await client("GET", path)
    assert answer.status in (400, 404)
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("name", ["App", "a//b", "-a", "a/", "..", "a" * 321, "a_-b"])
async def test_name_that_is_none(client: Client, name: str) -> None:
    answer = await client("GET", f"/v2/{name}/tags/list")
    assert (answer.status, answer.code) == (400, "NAME_INVALID")


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("GET", "tags/list"),
        ("POST", "blobs/uploads/"),
        ("GET", f"blobs/{DIGEST}"),
        ("PUT", "manifests/v1"),
        ("GET", f"referrers/{DIGEST}"),
    ],
)
async def test_no_such_repository(client: Client, method: str, rest: str) -> None:
    answer = await client(method, f"/v2/nowhere/{rest}")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")


async def test_verb_that_is_not_possible(client: Client) -> None:
    answer = await client("POST", "/v2/app/manifests/v1")
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    assert answer.headers["allow"] == "GET, HEAD, PUT, DELETE"


async def test_a_problem_of_a_head_has_no_body(client: Client) -> None:
    answer = await client("HEAD", "/v2/app/manifests/v1")
    assert (answer.status, answer.body) == (404, b"")


async def test_words_of_the_api_in_a_name(client: Client, repositories: MemoryRepositories) -> None:
    name = "blobs/uploads/manifests/tags/list"
    repositories.all[name] = type(repositories.all["app"])()
    digest = await client.push_image(name, "v1", b"layer")
    assert (await client("HEAD", f"/v2/{name}/manifests/{digest}")).status == 200
    assert (await client("GET", f"/v2/{name}/tags/list")).json["tags"] == ["v1"]


async def test_denied(client: Client, repositories: MemoryRepositories) -> None:
    repositories.denied.add(("app", "begin upload"))
    answer = await client("POST", "/v2/app/blobs/uploads/")
    assert (answer.status, answer.code) == (403, "DENIED")
    assert (await client("GET", "/v2/app/tags/list")).status == 200


async def test_credentials(tmp_path: Path, repositories: MemoryRepositories) -> None:
    engine = Engine(tmp_path, repositories, OpenAccess("AWS", "s:cret", "closed"), ids=SeededIds(), realm="https://x/")
    await engine.prepare()
    nobody = await Client(engine)("GET", "/v2/")
    assert (nobody.status, nobody.code) == (401, "UNAUTHORIZED")
    assert nobody.headers["www-authenticate"] == 'Basic realm="https://x/"'
    assert (await Client(engine, login=("AWS", "s:cret"))("GET", "/v2/")).status == 200
    assert (await Client(engine, login=("AWS", "wrong"))("GET", "/v2/")).status == 401
    for header in ("Bearer x", "Basic", "Basic !!!", "Basic AAAA", "Basic /////w=="):
        assert (await Client(engine)("GET", "/v2/", authorization=header)).status == 401
    for method, path, status in [("GET", "/v2/", 200), ("GET", "/v2/_catalog", 401), ("POST", "/v2/", 401)]:
        assert (await Client(engine)(method, f"{path}?ticket=to%20/v2/")).status == status
    engine.close()
