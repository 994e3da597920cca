"""`kill -9` in the middle of anything: nothing that was answered is lost, no half blob is ever served."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from typing import Any

import pytest
import urllib3

from tests.conformance.ecr.platform import Platform, Registry
from tests.conformance.oci.client import image
from tools.waiting import eventually

CHUNK = 400_000


class Pusher:
    """Pushes images without end until the registry dies under it, and remembers what it was told."""

    def __init__(self, http: Registry, repository: str, seed: int) -> None:
        self.http, self.repository = http, repository
        self.chance = random.Random(seed)
        self.blobs: dict[str, bytes] = {}  # answered
        self.tags: dict[str, bytes] = {}
        self.uploads: dict[str, bytes] = {}  # location: what it was told to have
        self.asked: set[str] = set()  # digests that it offered, answered or not

    def run(self) -> None:
        try:
            for number in range(10_000):
                self.push(f"{number}-{self.chance.randrange(10**9)}")
        except urllib3.exceptions.HTTPError:
            return
        raise AssertionError("it was never killed")

    def push(self, tag: str) -> None:
        config = tag.encode()
        layer = self.chance.randbytes(self.chance.randrange(1, 5 * CHUNK))
        for content in (config, layer):
            self.blob(content)
        manifest = image(config, layer)
        answer = self.http("PUT", f"/v2/{self.repository}/manifests/{tag}", manifest)
        assert answer.status == 201
        self.tags[tag] = manifest

    def blob(self, data: bytes) -> None:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.asked.add(digest)
        location = self.http("POST", f"/v2/{self.repository}/blobs/uploads/").headers["location"]
        self.uploads[location] = b""
        for first in range(0, len(data), CHUNK):
            piece = data[first : first + CHUNK]
            span = f"{first}-{first + len(piece) - 1}"
            assert self.http("PATCH", location, piece, **{"content-range": span}).status == 202
            self.uploads[location] += piece
        before = self.uploads.pop(location)
        assert before == data
        assert self.http("PUT", f"{location}?digest={digest}").status == 201
        self.blobs[digest] = data


def check(http: Registry, pusher: Pusher) -> None:
    name = pusher.repository
    for digest, data in pusher.blobs.items():
        assert http("GET", f"/v2/{name}/blobs/{digest}").data == data
    for digest in pusher.asked - pusher.blobs.keys():
        answer = http("GET", f"/v2/{name}/blobs/{digest}")
        assert answer.status == 404 or f"sha256:{hashlib.sha256(answer.data).hexdigest()}" == digest
    for tag, manifest in pusher.tags.items():
        assert http("GET", f"/v2/{name}/manifests/{tag}").data == manifest
    for location, told in pusher.uploads.items():
        status = http("GET", location)
        assert status.status == 204
        size = int(status.headers["range"].partition("-")[2]) + 1
        assert size >= len(told) or not told
        # Whatever came after what was answered is the client's own bytes: the upload can be finished or begun anew.


@pytest.mark.slow
def test_kill_while_pushing(own: Platform) -> None:
    ecr: Any = own.client()
    ecr.create_repository(repositoryName="app")
    chance = random.Random(11)
    login = own.login()
    told: list[Pusher] = []
    for round_ in range(8):
        pushers = [Pusher(own.http(login), "app", seed=10 * round_ + one) for one in range(3)]
        threads = [threading.Thread(target=pusher.run) for pusher in pushers]
        for thread in threads:
            thread.start()
        eventually(lambda pushers=pushers: sum(len(pusher.tags) for pusher in pushers) > 2)  # type: ignore[misc]
        time.sleep(chance.uniform(0.0, 0.6))  # when it dies is the test's chance, not a wait for something
        own.kill()
        for thread in threads:
            thread.join()
        own.start()
        told += pushers
        http = own.http(login)  # the token outlives the restart
        for pusher in pushers:
            check(http, pusher)
    http = own.http(login)
    for pusher in told:
        check(http, pusher)
    assert sum(len(pusher.tags) for pusher in told) > 20
    assert sum(len(pusher.uploads) for pusher in told) > 0  # some were caught in the middle
    listed = {
        found["imageTag"]
        for page in ecr.get_paginator("list_images").paginate(repositoryName="app")
        for found in page["imageIds"]
    }
    assert {tag for pusher in told for tag in pusher.tags} <= listed


def test_an_upload_goes_on_after_a_kill(own: Platform) -> None:
    own.client().create_repository(repositoryName="app")
    login = own.login()
    data = random.Random(3).randbytes(3_000_000)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    location = own.http(login)("POST", "/v2/app/blobs/uploads/").headers["location"]
    assert own.http(login)("PATCH", location, data[:1_000_000]).status == 202
    own.kill()
    own.start()
    http = own.http(login)
    assert http("GET", location).headers["range"] == "0-999999"
    assert http("PATCH", location, data[1_000_000:], **{"content-range": "1000000-2999999"}).status == 202
    assert http("PUT", f"{location}?digest={digest}").status == 201
    assert http("GET", f"/v2/app/blobs/{digest}").data == data
