"""Real clients: skopeo and buildah, as people use them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.ecr.layout import layout
from tests.conformance.ecr.platform import Platform


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Skopeo:
    """`side` is which registry the flags speak of: src, dest, or nothing for commands with only one."""

    def __init__(self, login: str) -> None:
        self._login = login

    def _flags(self, side: str = "") -> list[str]:
        return [f"--{side}tls-verify=false", f"--{side}creds={self._login}"]

    def __call__(self, command: str, *arguments: str, sides: tuple[str, ...] = ("",)) -> str:
        flags = [flag for side in sides for flag in self._flags(side)]
        return run("skopeo", "--insecure-policy", command, *flags, *arguments)


@pytest.fixture
def image(tmp_path: Path) -> str:
    return f"oci:{layout(tmp_path / 'image', {'hello': b'hello', 'big': os.urandom(3_000_000)})}:latest"


@pytest.fixture
def skopeo(shared: Platform) -> Skopeo:
    return Skopeo(shared.login())


@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_push_inspect_pull_delete(
    shared: Platform, ecr: Any, skopeo: Skopeo, name: str, image: str, tmp_path: Path, form: str
) -> None:
    uri = ecr.create_repository(repositoryName=name)["repository"]["repositoryUri"]
    skopeo("copy", f"--format={form}", image, f"docker://{uri}:v1", sides=("dest-",))
    (detail,) = ecr.describe_images(repositoryName=name)["imageDetails"]
    assert detail["imageTags"] == ["v1"]
    assert detail["imageSizeInBytes"] > 3_000_000

    inspected = json.loads(skopeo("inspect", f"docker://{uri}:v1"))
    assert (inspected["Digest"], inspected["RepoTags"]) == (detail["imageDigest"], ["v1"])
    assert json.loads(skopeo("list-tags", f"docker://{uri}"))["Tags"] == ["v1"]

    pulled = tmp_path / "pulled"
    skopeo("copy", f"docker://{uri}@{detail['imageDigest']}", f"dir:{pulled}", sides=("src-",))
    pushed = {path.name for path in (tmp_path / "image" / "blobs" / "sha256").iterdir()}
    layers = {digest.removeprefix("sha256:") for digest in inspected["Layers"]}
    assert layers <= pushed
    assert layers <= {path.name for path in pulled.iterdir()}

    skopeo("delete", f"docker://{uri}:v1")
    assert ecr.describe_images(repositoryName=name)["imageDetails"] == []


def test_copy_between_repositories_mounts_the_layers(
    shared: Platform, ecr: Any, skopeo: Skopeo, name: str, image: str
) -> None:
    source = ecr.create_repository(repositoryName=name)["repository"]["repositoryUri"]
    other = ecr.create_repository(repositoryName=f"{name}-copy")["repository"]["repositoryUri"]
    skopeo("copy", image, f"docker://{source}:v1", sides=("dest-",))
    skopeo("copy", f"docker://{source}:v1", f"docker://{other}:v2", sides=("src-", "dest-"))
    (one,), (two,) = (
        ecr.describe_images(repositoryName=repository)["imageDetails"] for repository in (name, f"{name}-copy")
    )
    assert one["imageDigest"] == two["imageDigest"]
    assert two["imageTags"] == ["v2"]


def test_another_account_and_region(shared: Platform, name: str, image: str) -> None:
    ecr = shared.client(region="eu-west-1")
    uri = ecr.create_repository(repositoryName=name)["repository"]["repositoryUri"]
    Skopeo(shared.login(ecr))("copy", image, f"docker://{uri}:v1", sides=("dest-",))
    assert ecr.list_images(repositoryName=name)["imageIds"][0]["imageTag"] == "v1"


def test_refusals_are_told(shared: Platform, ecr: Any, skopeo: Skopeo, name: str, image: str) -> None:
    with pytest.raises(AssertionError, match="does not exist in the registry with id"):
        skopeo("copy", image, f"docker://{shared.registry}/{name}:v1", sides=("dest-",))
    ecr.create_repository(repositoryName=name)
    with pytest.raises(AssertionError, match=r"Log in to the registry again|unauthorized|authentication"):
        Skopeo("AWS:wrong")("copy", image, f"docker://{shared.registry}/{name}:v1", sides=("dest-",))


@pytest.mark.real
def test_buildah_builds_and_pushes(shared: Platform, ecr: Any, name: str, tmp_path: Path) -> None:
    uri = ecr.create_repository(repositoryName=name)["repository"]["repositoryUri"]
    (tmp_path / "hello").write_text("hello")
    (tmp_path / "Containerfile").write_text('FROM scratch\nCOPY hello /hello\nCMD ["/hello"]\n')
    storage = [f"--root={tmp_path}/root", f"--runroot={tmp_path}/run", "--storage-driver=vfs"]
    run("buildah", *storage, "build", "--isolation=chroot", "-t", f"{uri}:built", str(tmp_path))
    login = shared.login()
    run("buildah", *storage, "push", "--tls-verify=false", f"--creds={login}", f"{uri}:built")
    (detail,) = ecr.describe_images(repositoryName=name)["imageDetails"]
    assert detail["imageTags"] == ["built"]
    run("buildah", *storage, "rmi", "--all", "--force")
    run("buildah", *storage, "pull", "--tls-verify=false", f"--creds={login}", f"{uri}:built")
