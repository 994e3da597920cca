"""The endpoint by TLS, with a certificate of the platform's own: for SDKs, and for who pushes and pulls."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import pytest

from tools.images import busybox_files, write_layout
from tools.instance import Instance, eventually, free_port

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def instance(port: int) -> Iterator[Instance]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HATOBA_TLS_PORT", str(port))
        with Instance() as instance:
            yield instance


def client(instance: Instance, port: int, service: str, verify: Any) -> Any:
    given = instance.environment
    return boto3.client(
        service,
        endpoint_url=f"https://localhost:{port}",
        region_name=given["AWS_DEFAULT_REGION"],
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        verify=verify,
    )


def test_sdks_that_trust_the_authority(instance: Instance, port: int) -> None:
    authority = str(instance.folder / "authority.pem")
    assert client(instance, port, "sts", authority).get_caller_identity()["Account"] == "123456789012"
    with pytest.raises(botocore.exceptions.SSLError):
        client(instance, port, "sts", None).get_caller_identity()
    assert instance.client("sts").get_caller_identity()  # and by HTTP, as before
    instance.kill("control")
    eventually(instance.health_or_none)
    assert client(instance, port, "sts", authority).get_caller_identity()["Account"] == "123456789012"


def test_an_image_is_pushed_and_pulled(instance: Instance, port: int, tmp_path: Path) -> None:
    authority = str(instance.folder / "authority.pem")
    ecr = client(instance, port, "ecr", authority)
    ecr.create_repository(repositoryName="app")
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    login = base64.b64decode(token).decode()
    (tmp_path / "trusted").mkdir()
    shutil.copy(authority, tmp_path / "trusted" / "ca.crt")
    layout = write_layout(tmp_path / "image", busybox_files({"big": b"x" * 3_000_000}), tag="v1")
    there = f"docker://localhost:{port}/app:v1"
    for side, source, target in (("dest", f"oci:{layout}:v1", there), ("src", there, f"dir:{tmp_path / 'pulled'}")):
        command = ["skopeo", "--insecure-policy", "copy", "-q", f"--{side}-cert-dir={tmp_path / 'trusted'}"]
        command += [f"--{side}-tls-verify=true", f"--{side}-creds={login}", source, target]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    blobs = {path.name for path in (layout / "blobs" / "sha256").iterdir()}
    assert blobs & {path.name for path in (tmp_path / "pulled").iterdir()}
