"""Manifests, tags, referrers, the catalog: as the distribution specification 1.1 has it."""

from __future__ import annotations

import msgspec
import pytest

from hatoba.registry import manifests, names
from hatoba.registry.memory import MemoryRepositories
from tests.conformance.oci.client import Client, image, index

CONFIG, LAYER = b'{"os":"linux"}', b"layer"


async def plain(client: Client, tag: str = "v1", **members: object) -> bytes:
    for content in (CONFIG, LAYER):
        await client.push_blob("app", content)
    data = image(CONFIG, LAYER, **members)
    await client.push_manifest("app", data, tag)
    return data


@pytest.mark.parametrize("kind", sorted(manifests.IMAGES))
async def test_push_and_pull(client: Client, kind: str) -> None:
    data = await plain(client, kind=kind)
    digest = names.digest_of(data)
    for reference in ("v1", digest):
        answer = await client("GET", f"/v2/app/manifests/{reference}")
        assert (answer.status, answer.body) == (200, data)
        assert answer.headers["content-type"] == kind
        assert answer.headers["docker-content-digest"] == digest
        head = await client("HEAD", f"/v2/app/manifests/{reference}")
        assert (head.status, head.headers["content-length"], head.body) == (200, str(len(data)), b"")


async def test_put_answers_where_it_is(client: Client) -> None:
    for content in (CONFIG, LAYER):
        await client.push_blob("app", content)
    data = image(CONFIG, LAYER)
    answer = await client("PUT", "/v2/app/manifests/v1", data, content_type=manifests.OCI_MANIFEST)
    assert answer.status == 201
    assert answer.headers["location"] == f"/v2/app/manifests/{names.digest_of(data)}"
    assert answer.headers["docker-content-digest"] == names.digest_of(data)


async def test_by_sha512(client: Client) -> None:
    data = await plain(client)
    digest = names.digest_of(data, "sha512")
    answer = await client("PUT", f"/v2/app/manifests/{digest}", data)
    assert (answer.status, answer.headers["docker-content-digest"]) == (201, digest)
    assert (await client("GET", f"/v2/app/manifests/{digest}")).body == data


async def test_digest_of_other_bytes(client: Client) -> None:
    data = await plain(client)
    answer = await client("PUT", f"/v2/app/manifests/{names.digest_of(b'other')}", data)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


async def test_missing_layer(client: Client) -> None:
    await client.push_blob("app", CONFIG)
    await client.push_blob("team/other", LAYER)  # elsewhere does not count
    answer = await client("PUT", "/v2/app/manifests/v1", image(CONFIG, LAYER))
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert answer.json["errors"][0]["detail"] == [{"digest": names.digest_of(LAYER)}]
    assert (await client("GET", "/v2/app/manifests/v1")).code == "MANIFEST_UNKNOWN"


async def test_index_needs_its_children(client: Client) -> None:
    child = await plain(client)
    assert (await client("PUT", "/v2/app/manifests/all", index([child, b"other"]))).code == "MANIFEST_BLOB_UNKNOWN"
    assert (await client("PUT", "/v2/app/manifests/all", index([child]))).status == 201
    assert (await client("GET", "/v2/app/manifests/all")).headers["content-type"] == manifests.OCI_INDEX


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", ""),
        (b"{}", ""),
        (b"[1]", ""),
        (b"\xff\xfe", ""),
        (b"[" * 100_000, ""),
        (image(CONFIG, LAYER)[:-1], ""),
        (image(CONFIG, LAYER), manifests.DOCKER_MANIFEST),
        (
            msgspec.json.encode({"schemaVersion": 1, "fsLayers": []}),
            "application/vnd.docker.distribution.manifest.v1+json",
        ),
        (image(CONFIG, LAYER, kind="text/html"), "text/html"),
        (image(CONFIG, LAYER, manifests=[]), ""),
        (image(CONFIG, LAYER, subject={"digest": "sha256:short"}), ""),
        (image(CONFIG, LAYER, layers=None), ""),
    ],
)
async def test_invalid(client: Client, data: bytes, kind: str) -> None:
    answer = await client("PUT", "/v2/app/manifests/v1", data, content_type=kind)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


async def test_too_large(client: Client) -> None:
    answer = await client("PUT", "/v2/app/manifests/v1", b" " * (manifests.LIMIT + 1))
    assert (answer.status, answer.code) == (413, "MANIFEST_INVALID")


@pytest.mark.parametrize("reference", ["-tag", "a" * 129, "sha256:short", "a%20b"])
async def test_reference_that_is_none(client: Client, reference: str) -> None:
    assert (await client("GET", f"/v2/app/manifests/{reference}")).code in ("TAG_INVALID", "DIGEST_INVALID")


async def test_immutable_tag(client: Client, repositories: MemoryRepositories) -> None:
    repositories.all["app"].immutable = True
    data = await plain(client)
    other = image(CONFIG, annotations={"a": "b"})
    answer = await client("PUT", "/v2/app/manifests/v1", other)
    assert (answer.status, answer.code) == (400, "TAG_INVALID")
    assert (await client("GET", "/v2/app/manifests/v1")).body == data
    assert (await client("PUT", "/v2/app/manifests/v1", data)).status == 201  # the same is no change


async def test_delete_tag_then_manifest(client: Client) -> None:
    data = await plain(client)
    digest = names.digest_of(data)
    await client.push_manifest("app", data, "v2")
    assert (await client("DELETE", "/v2/app/manifests/v1")).status == 202
    assert (await client("GET", "/v2/app/manifests/v1")).status == 404
    assert (await client("GET", "/v2/app/manifests/v2")).status == 200
    assert (await client("DELETE", f"/v2/app/manifests/{digest}")).status == 202
    for reference in ("v2", digest):
        assert (await client("DELETE", f"/v2/app/manifests/{reference}")).code == "MANIFEST_UNKNOWN"
    assert (await client("GET", "/v2/app/tags/list")).json == {"name": "app", "tags": []}


async def test_tags_in_pages(client: Client) -> None:
    data = await plain(client, "b")
    for tag in ("c", "A", "a", "B"):
        await client.push_manifest("app", data, tag)
    seen, target, turns = [], "/v2/app/tags/list?n=2", 0
    while target:
        answer = await client("GET", target)
        seen += answer.json["tags"]
        target = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
        turns += 1
    assert (seen, turns) == (["A", "B", "a", "b", "c"], 3)
    assert (await client("GET", "/v2/app/tags/list?n=0")).json["tags"] == []
    assert (await client("GET", "/v2/app/tags/list?n=x")).code == "PAGINATION_NUMBER_INVALID"
    assert (await client("GET", "/v2/app/tags/list?last=b")).json["tags"] == ["c"]


async def test_catalog(client: Client) -> None:
    answer = await client("GET", "/v2/_catalog?n=1")
    assert answer.json == {"repositories": ["app"]}
    assert answer.headers["link"] == '</v2/_catalog?n=1&last=app>; rel="next"'


async def test_referrers(client: Client) -> None:
    data = await plain(client)
    digest = names.digest_of(data)
    subject = {"mediaType": manifests.OCI_MANIFEST, "digest": digest, "size": len(data)}
    signature = image(CONFIG, subject=subject, artifactType="text/signature", annotations={"who": "me"})
    answer = await client("PUT", f"/v2/app/manifests/{names.digest_of(signature)}", signature)
    assert (answer.status, answer.headers["oci-subject"]) == (201, digest)
    await client.push_manifest("app", image(CONFIG, subject=subject))

    answer = await client("GET", f"/v2/app/referrers/{digest}")
    assert answer.headers["content-type"] == manifests.OCI_INDEX
    kinds = {found["artifactType"] for found in answer.json["manifests"]}
    assert kinds == {"text/signature", "application/vnd.oci.image.config.v1+json"}

    answer = await client("GET", f"/v2/app/referrers/{digest}?artifactType=text/signature")
    assert answer.headers["oci-filters-applied"] == "artifactType"
    assert answer.json["manifests"] == [
        {
            "mediaType": manifests.OCI_MANIFEST,
            "digest": names.digest_of(signature),
            "size": len(signature),
            "artifactType": "text/signature",
            "annotations": {"who": "me"},
        }
    ]


async def test_referrers_of_what_is_not_there(client: Client) -> None:
    answer = await client("GET", f"/v2/app/referrers/{names.digest_of(b'x')}")
    assert (answer.status, answer.json["manifests"]) == (200, [])
    assert (await client("GET", "/v2/app/referrers/x")).code == "DIGEST_INVALID"


async def test_a_referrer_may_come_before_its_subject(client: Client) -> None:
    subject = {"mediaType": manifests.OCI_MANIFEST, "digest": names.digest_of(b"later"), "size": 5}
    await client.push_blob("app", CONFIG)
    await client.push_manifest("app", image(CONFIG, subject=subject))
    assert len((await client("GET", f"/v2/app/referrers/{subject['digest']}")).json["manifests"]) == 1
