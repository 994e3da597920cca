"""The pure half of pulling: challenges, manifests, platforms, configs, whatever a registry may send."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.core.errors import PortError
from hatoba.runtime.base import Platform
from hatoba.runtime.distribution import challenge, manifest
from hatoba.runtime.distribution.manifest import Descriptor, Manifest
from hatoba.runtime.failures import Failure


def test_challenges() -> None:
    found = challenge.parse(
        'Bearer realm="https://auth.example/token",service="reg, with comma",scope=repository:a:pull'
    )
    assert found is not None
    assert (found.scheme, found.realm, found.service) == ("bearer", "https://auth.example/token", "reg, with comma")
    assert challenge.token_url(found, "a") == (
        "https://auth.example/token?service=reg%2C+with+comma&scope=repository%3Aa%3Apull"
    )
    basic = challenge.parse("Basic realm=x")
    assert basic is not None
    assert basic.scheme == "basic"
    assert challenge.parse("Negotiate") is None


def test_a_token_url_keeps_its_query_and_asks_for_the_repository() -> None:
    found = challenge.parse('bearer realm="http://a/t?x=1"')
    assert found is not None
    assert challenge.token_url(found, "team/web") == "http://a/t?x=1&scope=repository%3Ateam%2Fweb%3Apull"


@given(st.text(max_size=60))
def test_any_header_is_survived(header: str) -> None:
    challenge.parse(header)


@given(st.binary(max_size=200))
def test_any_manifest_is_read_or_refused(content: bytes) -> None:
    with suppress(PortError):
        manifest.parse(content)
    with suppress(PortError):
        manifest.parse_config(content)


def entry(architecture: str, variant: str = "") -> Descriptor:
    platform = Platform(architecture=architecture, variant=variant)
    return Descriptor(digest=f"sha256:{architecture}{variant}", size=1, platform=platform)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Platform(), "sha256:amd64"),
        (Platform(architecture="arm", variant="v7"), "sha256:armv7"),
        (Platform(architecture="arm"), "sha256:armv6"),
        (Platform(architecture="arm64", variant="v8"), "sha256:arm64"),
    ],
)
def test_choosing_a_platform(wanted: Platform, found: str) -> None:
    index = Manifest(manifests=(entry("arm64"), entry("arm", "v6"), entry("arm", "v7"), entry("amd64")))
    assert manifest.choose(index, wanted).digest == found


def test_no_platform_says_what_there_is() -> None:
    index = Manifest(manifests=(entry("arm64"), entry("s390x")))
    with pytest.raises(PortError, match="linux/amd64: the image has linux/arm64, linux/s390x") as caught:
        manifest.choose(index, Platform())
    assert caught.value.code == Failure.IMAGE_PLATFORM


def test_chain_ids() -> None:
    first, second, third = manifest.chain_ids(["sha256:a", "sha256:b", "sha256:c"])
    assert first == "sha256:a"
    assert second == manifest.digest(b"sha256:a sha256:b")
    assert third == manifest.digest(f"{second} sha256:c".encode())
    assert manifest.chain_ids([]) == ()


def test_config_with_nulls() -> None:
    file = manifest.parse_config(
        json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "rootfs": {"type": "layers", "diff_ids": ["sha256:a"]},
                "config": {"Cmd": None, "Entrypoint": ["/x"], "ExposedPorts": {"80/tcp": {}}, "WorkingDir": "/srv"},
                "history": [{"created_by": "x"}],
            }
        ).encode()
    )
    assert (file.config.entrypoint, file.config.cmd, file.config.cwd) == (("/x",), (), "/srv")
    assert file.config.exposed_ports == ("80/tcp",)


def test_layers_must_match_the_config() -> None:
    file = manifest.parse_config(b'{"architecture":"amd64","rootfs":{"diff_ids":["sha256:a"]}}')
    layer = Descriptor(digest="sha256:l", size=1, media_type="application/vnd.oci.image.layer.v1.tar+zstd")
    manifest.check_layers(Manifest(layers=(layer,)), file, Platform())
    for layers in ((), (layer, layer), (Descriptor(digest="sha256:l", size=1, media_type="text/plain"),)):
        with pytest.raises(PortError) as caught:
            manifest.check_layers(Manifest(layers=layers), file, Platform())
        assert caught.value.code == Failure.IMAGE_MANIFEST
