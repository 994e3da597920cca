"""What the registry engine asks of `Repositories`: the twin in memory and ECR's records answer alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hatoba.core.clock import ManualClock, SystemClock
from hatoba.core.ids import SeededIds
from hatoba.core.keys import Scope
from hatoba.core.secret import Sealer
from hatoba.gateway.tags import tags
from hatoba.registry import names
from hatoba.registry.collection import GRACE, collect
from hatoba.registry.engine import Engine
from hatoba.registry.manifests import Manifest, parse
from hatoba.registry.memory import MemoryRepositories, OpenAccess
from hatoba.registry.names import Digest
from hatoba.registry.ports import Errand, Guest, Principal, Repositories
from hatoba.registry.problems import Problem
from hatoba.services.ecr import model
from hatoba.services.ecr.distribution import StoredRepositories
from hatoba.services.ecr.naming import Naming
from hatoba.services.ecr.permits import Permit
from hatoba.store import Store
from hatoba.store.sqlite import SqliteJournal
from tests.conformance.oci.client import Client, image, index

HOST, ME = "localhost:4566", Principal("arn:aws:iam::123456789012:root")
SCOPE = Scope("aws", "123456789012", "us-east-1")
CONFIG, LAYER = b"{}", b"layer"
D = names.digest_of


@pytest.fixture(params=["memory", "stored"])
async def port(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Repositories]:
    if request.param == "memory":
        yield MemoryRepositories("app", "other")
        return
    sealer, clock = Sealer(bytes(32)), ManualClock()
    store = Store(SqliteJournal(tmp_path / "store.sqlite"), [*model.TABLES, tags], sealer)
    store.open()
    with store.tx() as tx:
        for name in ("other", "app"):
            tx.put(model.repositories, model.Repository(key=model.repositories.key(SCOPE, name), created=0))
    yield StoredRepositories(
        store,
        Naming(endpoint=HOST, default=SCOPE),
        clock,
        lambda guest, errand, scope, name: Permit(errand.action, None, {}),
    )
    await store.durable()
    store.close()


def enter(port: Repositories, name: str) -> str:
    return port.enter(Guest(principal=ME, host=HOST), Errand(action="tags", name=name)).repository


@pytest.fixture
def app(port: Repositories) -> str:
    return enter(port, "app")


def manifest(data: bytes) -> Manifest:
    return parse(data, "")


def put(port: Repositories, app: str, tag: str | None = "v1", *layers: bytes, config: bytes = CONFIG) -> Manifest:
    layers = layers or (LAYER,)
    for content in (config, *layers):
        port.link_blob(app, D(content), len(content))
    made = manifest(image(config, *layers))
    port.put_manifest(app, made, tag)
    return made


def test_a_repository_that_is_not_there(port: Repositories) -> None:
    with pytest.raises(Problem) as error:
        enter(port, "nowhere")
    assert error.value.code == "NAME_UNKNOWN"


def test_links(port: Repositories, app: str) -> None:
    other = enter(port, "other")
    port.link_blob(app, D(LAYER), 5)
    port.link_blob(app, D(LAYER), 5)
    assert port.has_blob(app, D(LAYER))
    assert not port.has_blob(other, D(LAYER))
    assert port.unused(app) == [D(LAYER)]
    assert port.is_held(D(LAYER))
    assert port.unlink_blob(app, D(LAYER))
    assert not port.unlink_blob(app, D(LAYER))
    assert not port.is_held(D(LAYER))


def test_a_blob_in_use_keeps_its_link(port: Repositories, app: str) -> None:
    made = put(port, app)
    assert not port.unlink_blob(app, D(LAYER))
    assert port.unused(app) == []
    port.delete_manifest(app, made.digest)
    assert sorted(port.unused(app)) == sorted([D(CONFIG), D(LAYER)])
    assert port.unlink_blob(app, D(LAYER))


def test_manifests(port: Repositories, app: str) -> None:
    made = put(port, app)
    for reference in ("v1", made.digest):
        found = port.find(app, reference)
        assert found is not None
        assert (found.digest, found.media_type, found.size) == (made.digest, made.media_type, made.size)
    assert port.find(app, "v2") is None
    assert port.find(app, D(b"x")) is None
    assert port.is_held(made.digest)
    assert port.delete_manifest(app, made.digest)
    assert not port.delete_manifest(app, made.digest)
    assert port.find(app, "v1") is None
    assert port.tags(app, "", 10) == []
    assert not port.is_held(made.digest)


def test_parts_must_be_there(port: Repositories, app: str) -> None:
    for missing in (manifest(image(CONFIG, LAYER)), manifest(index([b"child"]))):
        with pytest.raises(Problem) as error:
            port.put_manifest(app, missing, "v1")
        assert error.value.code == "MANIFEST_BLOB_UNKNOWN"
    assert port.tags(app, "", 10) == []


def test_tags_move(port: Repositories, app: str) -> None:
    one, two = put(port, app, "v1"), put(port, app, "v1", config=b"other")
    found = port.find(app, "v1")
    assert found is not None
    assert found.digest == two.digest
    assert port.find(app, one.digest) is not None
    for tag in ("b", "A", "a"):
        put(port, app, tag)
    assert port.tags(app, "", 10) == ["A", "a", "b", "v1"]
    assert port.tags(app, "A", 2) == ["a", "b"]
    assert port.delete_tag(app, "a")
    assert not port.delete_tag(app, "a")


def test_an_index_holds_its_children(port: Repositories, app: str) -> None:
    child = image(CONFIG, LAYER)
    put(port, app, None)
    parent = manifest(index([child]))
    port.put_manifest(app, parent, "all")
    with pytest.raises(Problem) as error:
        port.delete_manifest(app, D(child))
    assert error.value.code == "UNSUPPORTED"
    port.delete_manifest(app, parent.digest)
    assert port.delete_manifest(app, D(child))


def test_referrers(port: Repositories, app: str) -> None:
    subject = put(port, app)
    named = {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size}
    made = [manifest(image(CONFIG, subject=named, annotations={"n": str(n)}, artifactType=f"t/{n}")) for n in range(3)]
    for one in made:
        port.put_manifest(app, one, None)
    expected = [one.referrer() for one in sorted(made, key=lambda one: one.digest)]
    assert port.referrers(app, subject.digest, "", 10) == expected
    assert port.referrers(app, subject.digest, expected[0].digest, 1) == [expected[1]]
    assert port.referrers(app, Digest(D(b"x")), "", 10) == []


class Mine(OpenAccess):
    def anonymous(self) -> Principal | None:
        return ME


async def test_collection(port: Repositories, app: str, tmp_path: Path) -> None:
    """The engine's sweep, upon what the port says is held: a deleted image's bytes go, a shared layer stays."""
    engine = Engine(tmp_path / "registry", port, Mine(), ids=SeededIds())
    await engine.prepare()
    client = Client(engine, HOST)
    gone = await client.push_image("app", "v1", b"shared", b"own")
    kept = await client.push_image("other", "v1", b"shared")
    await client("DELETE", f"/v2/app/manifests/{gone}")
    clock = ManualClock(SystemClock().now() + GRACE + 60)  # the files' times are the kernel's
    collected = await collect(engine.blobs, engine.uploads, port, clock)
    assert (collected.links, collected.blobs) == (3, 2)  # the config is both images', the shared layer other's
    assert (await client("GET", f"/v2/other/manifests/{kept}")).status == 200
    assert (await client("GET", f"/v2/other/blobs/{D(b'shared')}")).body == b"shared"
    for digest in (D(b"own"), D(b"shared")):
        assert (await client("HEAD", f"/v2/app/blobs/{digest}")).status == 404
    assert not engine.blobs.path(D(b"own")).exists()
    engine.close()


async def test_listing(port: Repositories, app: str) -> None:
    assert port.catalog("", 10) == ["app", "other"]
    assert port.catalog("app", 10) == ["other"]
    assert port.catalog("", 1) == ["app"]
    assert app in list(port.everywhere())
    await port.settle()
