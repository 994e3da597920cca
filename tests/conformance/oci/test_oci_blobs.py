"""Blobs: pushing (monolithic, chunked, mounted) and pulling, as the distribution specification 1.1 has it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import pytest

from hatoba.registry import names
from hatoba.registry.memory import MemoryRepositories
from tests.conformance.oci.client import Client

DATA = bytes(range(256)) * 5000  # 1.28 MB: more than one batch
DIGEST = names.digest_of(DATA)


async def begin(client: Client, repository: str = "app") -> str:
    answer = await client("POST", f"/v2/{repository}/blobs/uploads/")
    assert answer.status == 202
    assert answer.headers["range"] == "0-0"
    return answer.headers["location"]


async def stored(client: Client) -> bytes:
    return (await client("GET", f"/v2/app/blobs/{DIGEST}")).body


async def test_base(client: Client) -> None:
    answer = await client("GET", "/v2/")
    assert answer.status == 200
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"


async def test_single_post(client: Client) -> None:
    answer = await client("POST", f"/v2/app/blobs/uploads/?digest={DIGEST}", DATA)
    assert answer.status == 201
    assert answer.headers["location"] == f"/v2/app/blobs/{DIGEST}"
    assert answer.headers["docker-content-digest"] == DIGEST
    assert await stored(client) == DATA


async def test_post_then_put(client: Client) -> None:
    answer = await client("PUT", f"{await begin(client)}?digest={DIGEST}", DATA)
    assert answer.status == 201
    assert await stored(client) == DATA


async def test_streamed_patch_then_empty_put(client: Client) -> None:
    location = await begin(client)
    answer = await client("PATCH", location, DATA)
    assert answer.status == 202
    assert answer.headers["range"] == f"0-{len(DATA) - 1}"
    assert (await client("PUT", f"{answer.headers['location']}?digest={DIGEST}")).status == 201
    assert await stored(client) == DATA


async def test_chunks_with_ranges_and_a_last_one_in_the_put(client: Client) -> None:
    location = await begin(client)
    third = len(DATA) // 3
    for first in (0, third):
        chunk = DATA[first : first + third]
        answer = await client("PATCH", location, chunk, content_range=f"{first}-{first + third - 1}")
        assert (answer.status, answer.headers["range"]) == (202, f"0-{first + third - 1}")
    last = DATA[2 * third :]
    span = f"{2 * third}-{len(DATA) - 1}"
    assert (await client("PUT", f"{location}?digest={DIGEST}", last, content_range=span)).status == 201
    assert await stored(client) == DATA


@pytest.mark.parametrize("first", [5, 20], ids=["overlap", "gap"])
async def test_chunk_out_of_place(client: Client, first: int) -> None:
    location = await begin(client)
    await client("PATCH", location, b"0123456789", content_range="0-9")
    answer = await client("PATCH", location, b"abc", content_range=f"{first}-{first + 2}")
    assert (answer.status, answer.headers["range"]) == (416, "0-9")
    status = await client("GET", location)
    assert (status.status, status.headers["range"]) == (204, "0-9")


@pytest.mark.parametrize("span", ["9-0", "x-y", "-", "0", "0-" + "9" * 40])
async def test_senseless_content_range(client: Client, span: str) -> None:
    answer = await client("PATCH", await begin(client), b"abc", content_range=span)
    assert (answer.status, answer.code) == (400, "BLOB_UPLOAD_INVALID")


async def test_chunk_shorter_than_it_says_leaves_nothing(client: Client) -> None:
    async def short() -> AsyncIterator[bytes]:
        yield b"abc"

    location = await begin(client)
    answer = await client("PATCH", location, short(), content_range="0-9")
    assert (answer.status, answer.code) == (400, "SIZE_INVALID")
    answer = await client("PATCH", location, b"abc", content_range="0-2")
    digest = names.digest_of(b"abc")
    assert (await client("PUT", f"{location}?digest={digest}")).status == 201


async def test_sha512(client: Client) -> None:
    digest = "sha512:" + hashlib.sha512(DATA).hexdigest()
    location = await begin(client)
    await client("PATCH", location, DATA)
    assert (await client("PUT", f"{location}?digest={digest}")).status == 201
    assert (await client("GET", f"/v2/app/blobs/{digest}")).body == DATA


async def test_wrong_digest_is_refused_and_ends_the_upload(client: Client) -> None:
    location = await begin(client)
    answer = await client("PUT", f"{location}?digest={DIGEST}", DATA + b"!")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert (await client("GET", location)).code == "BLOB_UPLOAD_UNKNOWN"
    assert (await client("GET", f"/v2/app/blobs/{DIGEST}")).status == 404
    answer = await client("POST", f"/v2/app/blobs/uploads/?digest={DIGEST}", DATA + b"!")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("digest", ["", "sha256:abc", "md5:" + "0" * 32, "sha256:" + "A" * 64, "sha256:../../x"])
async def test_digest_that_is_none(client: Client, digest: str) -> None:
    assert (await client("PUT", f"{await begin(client)}?digest={digest}", b"x")).code == "DIGEST_INVALID"


async def test_cancel(client: Client) -> None:
    location = await begin(client)
    assert (await client("DELETE", location)).status == 204
    for method in ("GET", "PATCH", "DELETE"):
        answer = await client(method, location)
        assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_an_upload_belongs_to_its_repository(client: Client) -> None:
    location = await begin(client)
    answer = await client("PATCH", location.replace("/app/", "/team/other/"), b"x")
    assert answer.code == "BLOB_UPLOAD_UNKNOWN"
    for wild in ("..", "%2e%2e", "a.b", "x\0y"):
        assert (await client("GET", f"/v2/app/blobs/uploads/{wild}")).status == 404


async def test_pull(client: Client) -> None:
    await client.push_blob("app", DATA)
    head = await client("HEAD", f"/v2/app/blobs/{DIGEST}")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(DATA))
    assert head.headers["docker-content-digest"] == DIGEST


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [("bytes=0-9", 0, 9), ("bytes=100-", 100, len(DATA) - 1), ("bytes=-7", len(DATA) - 7, len(DATA) - 1)],
)
async def test_range(client: Client, header: str, first: int, last: int) -> None:
    await client.push_blob("app", DATA)
    answer = await client("GET", f"/v2/app/blobs/{DIGEST}", range=header)
    assert (answer.status, answer.body) == (206, DATA[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(DATA)}"


async def test_range_outside(client: Client) -> None:
    await client.push_blob("app", DATA)
    answer = await client("GET", f"/v2/app/blobs/{DIGEST}", range=f"bytes={len(DATA)}-")
    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{len(DATA)}")


@pytest.mark.parametrize("header", ["bytes=5-2", "bytes=-", "lines=1-2", "bytes=0-1,5-6"])
async def test_range_that_is_ignored(client: Client, header: str) -> None:
    await client.push_blob("app", b"0123456789")
    answer = await client("GET", f"/v2/app/blobs/{names.digest_of(b'0123456789')}", range=header)
    assert (answer.status, answer.body) == (200, b"0123456789")


async def test_a_blob_is_read_only_through_a_repository_that_has_it(client: Client) -> None:
    await client.push_blob("app", DATA)
    for method in ("GET", "HEAD", "DELETE"):
        assert (await client(method, f"/v2/team/other/blobs/{DIGEST}")).status == 404


async def test_mount(client: Client) -> None:
    await client.push_blob("app", DATA)
    answer = await client("POST", f"/v2/team/other/blobs/uploads/?mount={DIGEST}&from=app")
    assert answer.status == 201
    assert answer.headers["location"] == f"/v2/team/other/blobs/{DIGEST}"
    assert (await client("GET", f"/v2/team/other/blobs/{DIGEST}")).body == DATA


@pytest.mark.parametrize("source", ["&from=app", "&from=nowhere", "&from=..", ""])
async def test_mount_of_what_is_not_there_begins_an_upload(client: Client, source: str) -> None:
    answer = await client("POST", f"/v2/team/other/blobs/uploads/?mount={DIGEST}{source}")
    assert answer.status == 202
    assert (await client("PUT", f"{answer.headers['location']}?digest={DIGEST}", DATA)).status == 201


async def test_mount_needs_the_right_to_pull(client: Client, repositories: MemoryRepositories) -> None:
    await client.push_blob("app", DATA)
    repositories.denied.add(("app", "mount"))
    answer = await client("POST", f"/v2/team/other/blobs/uploads/?mount={DIGEST}&from=app")
    assert answer.status == 202


async def test_delete(client: Client) -> None:
    await client.push_blob("app", DATA)
    assert (await client("DELETE", f"/v2/app/blobs/{DIGEST}")).status == 202
    assert (await client("GET", f"/v2/app/blobs/{DIGEST}")).code == "BLOB_UNKNOWN"
    assert (await client("DELETE", f"/v2/app/blobs/{DIGEST}")).code == "BLOB_UNKNOWN"


async def test_a_layer_in_use_cannot_be_deleted(client: Client) -> None:
    await client.push_image("app", "v1", DATA)
    answer = await client("DELETE", f"/v2/app/blobs/{DIGEST}")
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    assert await stored(client) == DATA
