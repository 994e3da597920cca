"""A day with the AWS CLI: `aws s3` and `aws s3api`, unmodified."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest
import urllib3

from tests.conformance.apart import KEY, REGION
from tests.conformance.s3.objectland import Objectland

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("aws") is None, reason="there is no AWS CLI")]
MB = 2**20


class Cli:
    def __init__(self, land: Objectland, folder: Path) -> None:
        self._endpoint = land.endpoint
        self._environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": KEY[0],
            "AWS_SECRET_ACCESS_KEY": KEY[1],
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": str(folder / "none"),
            "AWS_MAX_ATTEMPTS": "1",
        }

    def __call__(self, *words: str, code: int = 0) -> str:
        command = ["aws", "--endpoint-url", self._endpoint, *words]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode == 0) == (code == 0), (words, done.stdout, done.stderr)  # versions differ in the code
        return done.stdout if code == 0 else done.stderr


@pytest.fixture
def aws(land: Objectland, tmp_path: Path) -> Cli:
    return Cli(land, tmp_path)


def test_a_day_with_the_command_line(aws: Cli, tmp_path: Path) -> None:
    bucket = f"cli-{uuid4().hex[:8]}"
    place, here = f"s3://{bucket}", tmp_path / "site"
    (here / "css").mkdir(parents=True)
    (here / "index.html").write_text("hello")
    (here / "css" / "a b+c.css").write_text("body {}")
    (here / "large.bin").write_bytes(os.urandom(MB) * 20)
    assert "make_bucket" in aws("s3", "mb", place)
    assert bucket in aws("s3", "ls")
    aws("s3", "sync", str(here), place)
    assert aws("s3", "sync", str(here), place) == ""  # there is nothing left to do
    listed = aws("s3", "ls", f"{place}/")
    assert "PRE css/" in listed
    assert "20971520 large.bin" in listed
    assert "a b+c.css" in aws("s3", "ls", "--recursive", place)
    assert aws("s3", "cp", f"{place}/index.html", "-") == "hello"
    aws("s3", "cp", f"{place}/large.bin", f"{place}/copy.bin")
    aws("s3", "mv", f"{place}/copy.bin", f"{place}/moved/copy.bin")
    aws("s3", "sync", place, str(tmp_path / "back"))
    assert (tmp_path / "back" / "moved" / "copy.bin").read_bytes() == (here / "large.bin").read_bytes()
    assert (tmp_path / "back" / "css" / "a b+c.css").read_text() == "body {}"
    url = aws("s3", "presign", f"{place}/index.html").strip()
    assert urllib3.PoolManager().request("GET", url).data == b"hello"
    assert "BucketNotEmpty" in aws("s3", "rb", place, code=1)
    assert "delete: " in aws("s3", "rm", f"{place}/css", "--recursive")
    assert "404" in aws("s3", "cp", f"{place}/css/none", "-", code=1)
    aws("s3", "rb", "--force", place)
    assert "NoSuchBucket" in aws("s3", "ls", place, code=255)


def test_single_operations(aws: Cli, tmp_path: Path) -> None:
    bucket = f"cli-{uuid4().hex[:8]}"
    there = ("--bucket", bucket, "--key", "k")
    (tmp_path / "body").write_text("0123456789")
    aws("s3api", "create-bucket", "--bucket", bucket)
    aws("s3api", "put-bucket-versioning", "--bucket", bucket, "--versioning-configuration", "Status=Enabled")
    put = json.loads(aws("s3api", "put-object", *there, "--body", str(tmp_path / "body"), "--metadata", "a=1"))
    head = json.loads(aws("s3api", "head-object", *there))
    assert (head["VersionId"], head["Metadata"], head["ContentLength"]) == (put["VersionId"], {"a": "1"}, 10)
    aws("s3api", "get-object", *there, "--range", "bytes=2-4", str(tmp_path / "part"))
    assert (tmp_path / "part").read_text() == "234"
    assert json.loads(aws("s3api", "list-object-versions", "--bucket", bucket))["Versions"][0]["IsLatest"] is True
    assert "NoSuchBucketPolicy" in aws("s3api", "get-bucket-policy", "--bucket", bucket, code=254)
    aws("s3api", "delete-object", *there, "--version-id", put["VersionId"])
    aws("s3api", "delete-bucket", "--bucket", bucket)
