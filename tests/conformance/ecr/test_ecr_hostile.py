"""Whatever values a request has: every operation answers, or refuses in ECR's words, and a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatoba.aws import models
from hatoba.core.clock import ManualClock
from hatoba.core.ids import SeededIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.gateway import access
from hatoba.gateway.call import idempotent
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.tags import tags
from hatoba.registry import names
from hatoba.registry.api.manifests import store as store_manifest
from hatoba.registry.manifests import parse
from hatoba.services.ecr import model
from hatoba.services.ecr.api import ecr
from hatoba.services.ecr.distribution import address
from hatoba.services.ecr.naming import Naming
from hatoba.services.ecr.registry import Registry, open_registry
from hatoba.store import Store
from hatoba.store.sqlite import SqliteJournal
from tests.conformance.aws.aws_oracle import Values
from tests.conformance.ecr.test_ecr_lifecycle_api import KEEP_ONE
from tests.conformance.hostile.asked import Asked, declared, likely
from tests.conformance.oci.client import image

SCOPE = Scope("aws", "123456789012", "us-east-1")
MANIFEST = image(b"{}", b"layer")
LIKELY: dict[str, st.SearchStrategy[Any]] = {
    "registryId": st.sampled_from([SCOPE.account] * 3 + ["210987654321"]),
    "maxResults": st.integers(1, 3),
    "partFirstByte": st.integers(0, 5),
    "partLastByte": st.integers(0, 12),
    "lifecyclePolicyText": st.sampled_from([KEEP_ONE, KEEP_ONE.replace("any", "all")]),
    "policyText": st.sampled_from(['{"Statement": [{"Effect": "Allow"}]}', "{"]),
    "tags": st.lists(
        st.fixed_dictionaries({"Key": st.sampled_from(["a", "aws:b", ""]), "Value": st.just("")}), max_size=3
    ),
    "tagKeys": st.lists(st.sampled_from(["a", "b"]), max_size=2),
    "subjectId": st.just({"imageDigest": names.digest_of(MANIFEST)}),
    "repositoryName": st.sampled_from(["app", "other", "new/one"]),
    "resourceArn": st.sampled_from([model.repository_arn(SCOPE, name) for name in ("app", "other")]),
    "imageManifest": st.sampled_from([MANIFEST.decode(), image(b"{}").decode(), "{", "[]"]),
    "imageTag": st.sampled_from(["v1", "v2", "-"]),
    "layerDigest": st.sampled_from([names.digest_of(b"{}"), names.digest_of(b"x")]),
    "layerDigests": st.lists(st.sampled_from([names.digest_of(b"{}"), "sha256:0"]), min_size=1, max_size=3),
    "imageIds": st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "imageTag": st.sampled_from(["v1", "v2", ""]),
                "imageDigest": st.sampled_from([names.digest_of(MANIFEST), "x"]),
            },
        ),
        min_size=1,
        max_size=3,
    ),
}


class Room(Asked):
    def __init__(self, folder: Path) -> None:
        super().__init__(ecr, SCOPE)
        self.run(self._open(folder))

    async def _open(self, folder: Path) -> None:
        clock, ids, sealer = ManualClock(), SeededIds(), Sealer(bytes(32))
        self.store = Store(SqliteJournal(folder / "store.sqlite", "NORMAL"), [*model.TABLES, tags, idempotent], sealer)
        self.store.open()
        self.plane = ControlPlane(
            store=self.store,
            clock=clock,
            ids=ids,
            pager=Pager(sealer),
            rooms=[ecr],
            identities=access.KnownKeys(),
            authorizer=access.EverythingPasses(),
            strict=True,
        )
        naming = Naming(endpoint="localhost:4566", default=SCOPE)
        self.registry = open_registry(folder / "registry", self.plane, sealer, naming, access.KnownKeys())
        self.plane.provide(Registry, self.registry)
        await self.registry.engine.prepare()

    async def ready(self) -> None:
        """A repository with an image, whatever happened before."""
        engine = self.registry.engine
        key = model.repositories.key(SCOPE, "app")
        if self.store.get(model.repositories, key) is None:
            with self.store.tx() as tx:
                tx.put(model.repositories, model.Repository(key=key, created=0))
        for content in (b"{}", b"layer"):
            digest = names.digest_of(content)
            await engine.blobs.put(content, digest)
            engine.repositories.link_blob(address(SCOPE, "app"), digest, len(content))
        if engine.repositories.find(address(SCOPE, "app"), "v1") is None:
            await store_manifest(engine, address(SCOPE, "app"), parse(MANIFEST, ""), MANIFEST, None)

    async def ask(self, operation: str, params: dict[str, Any]) -> None:
        await self.ready()
        await self.perform(operation, params)

    def close(self) -> None:
        self.run(self.store.durable())
        self.store.close()
        self.registry.engine.close()
        self.loop.close()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    room = Room(tmp_path_factory.mktemp("room"))
    yield room
    room.close()


@pytest.mark.slow
@pytest.mark.parametrize("operation", declared(ecr))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_operation_answers_or_refuses(room: Room, operation: str, data: st.DataObject) -> None:
    found = models.load("ecr").operation(operation)
    assert found is not None
    params = data.draw(Values("ecr", output=False).of(found))
    shape = found.model.shape(found.input) if found.input is not None else None
    likely(data, LIKELY, params, shape.required if shape else ())
    room.run(room.ask(operation, params))


@pytest.mark.slow
def test_both_happened(room: Room) -> None:
    """Or the test before would be about nothing."""
    if sum(room.answered.values()):  # it may be run alone
        assert len(room.answered) > 12
        assert len(room.refused) > 12


def test_all_that_is_declared_is_in_the_model() -> None:
    assert len(declared(ecr)) == len(ecr.handlers)
