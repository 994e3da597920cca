"""Pulling from registries that ask for credentials, fail in the middle, or have what is not for us."""

from __future__ import annotations

import asyncio
import gzip
import random
from pathlib import Path

import pytest

from hatoba.core.errors import PortError
from hatoba.core.secret import Secret
from hatoba.runtime.base import ContainerSpec, Credentials, Image, Platform
from hatoba.runtime.failures import Failure
from hatoba.runtime.machine import this_platform
from tests.contract.runtime.tiny_registry import LAYER, digest, tar
from tests.contract.runtime.worlds import ContainerdWorld

pytestmark = pytest.mark.real

AMD64 = Platform()
GOOD = Credentials(username="AWS", password=Secret("s3cret"))


async def pull(world: ContainerdWorld, reference: str = "1", repository: str = "app", **more: object) -> Image:
    return await world.runtime.pull(world.source(repository, reference, **more), AMD64)


async def refused(world: ContainerdWorld, **more: object) -> PortError:
    with pytest.raises(PortError) as caught:
        await pull(world, **more)
    return caught.value


@pytest.mark.parametrize("token", ["", "t0ken"])
async def test_credentials(real: ContainerdWorld, token: str) -> None:
    real.registry.image("app", "1", [tar({"a": b"a"})])
    real.registry.user, real.registry.token = ("AWS", "s3cret"), token
    assert (await refused(real)).code == Failure.IMAGE_AUTH
    wrong = Credentials(username="AWS", password=Secret("wrong"))
    assert (await refused(real, credentials=wrong)).code == Failure.IMAGE_AUTH
    image = await pull(real, credentials=GOOD)
    assert image.names == ("app:1",)


async def test_an_index_gives_the_platform_that_is_wanted(real: ContainerdWorld) -> None:
    registry = real.registry
    mine = registry.image("app", "mine", [tar({"a": b"a"})], {"Cmd": ["mine"]})
    other = registry.manifest("app", "other", [], [], {"Cmd": ["other"]}, architecture="arm64")
    both = registry.index("app", "1", {"arm64": other, "amd64": mine})
    registry.index("app", "2", {"arm64": other})
    image = await pull(real)
    assert (image.digest, image.config.cmd) == (both, ("mine",))
    assert (await refused(real, reference="2")).code == Failure.IMAGE_PLATFORM
    assert (await refused(real, reference="other")).code == Failure.IMAGE_PLATFORM
    assert (await pull(real, reference=both)).digest == both


async def test_what_is_wrong_is_told_apart(real: ContainerdWorld) -> None:
    registry = real.registry
    registry.image("app", "1", [tar({"a": b"a"})])
    registry.put("app", "old", "application/vnd.docker.distribution.manifest.v1+json", b'{"schemaVersion": 1}')
    registry.put("app", "junk", "application/json", b"<html>")
    codes = {
        "none": (await refused(real, reference="none")).code,
        "old": (await refused(real, reference="old")).code,
        "junk": (await refused(real, reference="junk")).code,
    }
    registry.broken["/v2/app/manifests/1"] = "429"
    codes["slow"] = (await refused(real)).code
    registry.broken["/v2/app/manifests/1"] = "503"
    codes["broken"] = (await refused(real)).code
    assert codes == {
        "none": Failure.IMAGE_NOT_FOUND,
        "old": Failure.IMAGE_MANIFEST,
        "junk": Failure.IMAGE_MANIFEST,
        "slow": Failure.IMAGE_THROTTLED,
        "broken": Failure.IMAGE_NETWORK,
    }
    real.registry.host = "localhost:1"
    assert (await refused(real)).code == Failure.IMAGE_NETWORK


async def test_a_download_that_was_cut_is_resumed(real: ContainerdWorld) -> None:
    noise = random.Random(1).randbytes(6 << 20)
    real.registry.image("app", "1", [tar({"noise": noise})])
    layer = max(real.registry.blobs, key=lambda name: len(real.registry.blobs[name]))
    real.registry.broken[f"/v2/app/blobs/{layer}"] = "cut"
    assert (await refused(real)).code == Failure.IMAGE_NETWORK
    await pull(real)
    first, second = real.registry.starts[layer]
    assert first == 0
    assert second > 1 << 20


async def test_a_layer_with_other_content_is_refused_and_not_kept(real: ContainerdWorld) -> None:
    real.registry.image("app", "1", [tar({"a": b"a" * 100})])
    layer = next(name for name, blob in real.registry.blobs.items() if blob[:2] == b"\x1f\x8b")
    real.registry.broken[f"/v2/app/blobs/{layer}"] = "flip"
    assert (await refused(real)).code == Failure.IMAGE_MANIFEST
    await pull(real)


async def test_a_layer_that_unpacks_to_something_else_is_refused(real: ContainerdWorld) -> None:
    layer = {"mediaType": LAYER, **real.registry.blob(gzip.compress(tar({"a": b"a"}), mtime=0))}
    real.registry.manifest("app", "1", [layer], [digest(b"another")], {})
    assert (await refused(real)).code == Failure.IMAGE_MANIFEST


async def test_pulls_of_one_image_share_the_work(real: ContainerdWorld) -> None:
    real.registry.image("app", "1", [tar({"a": b"a"})])
    real.registry.gate.clear()
    pulls = [asyncio.ensure_future(pull(real)) for _ in range(5)]
    await asyncio.to_thread(real.registry.blob_asked.wait, 10)
    pulls[0].cancel()
    real.registry.gate.set()
    images = await asyncio.gather(*pulls[1:])
    assert len({image.digest for image in images}) == 1
    assert len(real.registry.asked) == len(set(real.registry.asked)) == 3  # manifest, config, layer


async def test_layers_that_are_here_are_not_fetched_again(real: ContainerdWorld) -> None:
    base = tar({"base": b"base"})
    real.registry.image("app", "1", [base, tar({"one": b"1"})])
    real.registry.image("app", "2", [base, tar({"two": b"2"})])
    first, second = await asyncio.gather(pull(real, "1"), pull(real, "2"))
    lowest = digest(gzip.compress(base, 1, mtime=0))
    assert real.registry.asked.count(f"/v2/app/blobs/{lowest}") == 1
    await real.runtime.remove_image(first.digest)
    real.registry.asked.clear()
    assert await pull(real, "2") == second
    assert real.registry.asked == ["/v2/app/manifests/2"]


async def test_names_for_one_image_that_are_pulled_at_once_all_count(real: ContainerdWorld) -> None:
    for tag in ("1", "2", "latest"):
        real.registry.image("app", tag, [tar({"a": b"a"})])
    images = await asyncio.gather(*(pull(real, tag) for tag in ("1", "2", "latest")))
    assert len({image.digest for image in images}) == 1
    await real.restart()
    [image] = await real.runtime.images()
    assert set(image.names) == {"app:1", "app:2", "app:latest"}


async def test_a_moved_tag_names_the_new_image_only(real: ContainerdWorld) -> None:
    real.registry.image("app", "1", [tar({"a": b"old"})])
    old = await pull(real)
    real.registry.image("app", "1", [tar({"a": b"new"})])
    new = await pull(real)
    await real.restart()
    names = {image.digest: image.names for image in await real.runtime.images()}
    assert names == {old.digest: (), new.digest: ("app:1",)}


async def test_compressed_layers_do_not_stay_and_unpacked_ones_do(real: ContainerdWorld, tmp_path: Path) -> None:
    real.publish("base")
    image = await real.runtime.pull(real.source("busybox", "base"), this_platform())
    other = real.registry.image("app", "1", [tar({"a": b"a"})])
    await pull(real)
    await real.runtime.remove_image(other)  # collects garbage, at once
    blobs = real.settings.data / "root/io.containerd.content.v1.content/blobs/sha256"
    assert {path.stat().st_size > 100_000 for path in blobs.iterdir()} == {False}
    assert len(list(blobs.iterdir())) == 2  # manifest and config
    await real.runtime.create(ContainerSpec(id="a", image=image.digest, args=("/bin/true",)))
    await real.runtime.remove_image(image.digest)
    await real.runtime.start("a")  # its layers stay as long as it does
    assert (await real.runtime.wait("a")).code == 0
