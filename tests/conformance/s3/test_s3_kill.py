"""The platform is killed while clients write: what was answered is there, nothing half is, and the rest is swept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.conformance.s3.objectland import Objectland

pytestmark = pytest.mark.slow
SIZE = 300_000


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Objectland]:
    platform = Objectland(tmp_path).start()
    yield platform
    platform.kill()


def content(writer: int, turn: int) -> bytes:
    return f"{writer}.{turn}.".encode().ljust(SIZE, b"x")


def test_what_was_answered_is_there_and_nothing_half(own: Objectland) -> None:
    own.client().create_bucket(Bucket="bucket")
    answered: dict[str, int] = {}  # by key: the last turn that was answered
    tried: dict[str, int] = {}

    def write(writer: int) -> None:
        s3, key = own.client(), f"k{writer}"
        for turn in range(10_000):
            tried[key] = turn
            try:
                s3.put_object(Bucket="bucket", Key=key, Body=content(writer, turn))
            except (BotoCoreError, ClientError):
                return
            answered[key] = turn

    for _ in range(3):
        answered.clear()
        writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
        for writer in writers:
            writer.start()
        while len(answered) < 4 or sum(answered.values()) < 20:
            threading.Event().wait(0.005)
        own.kill()
        for writer in writers:
            writer.join()
        own.start()
        s3 = own.client()
        keys = {each["Key"]: each for each in s3.list_objects_v2(Bucket="bucket")["Contents"]}
        for number in range(4):
            key = f"k{number}"
            got = s3.get_object(Bucket="bucket", Key=key)["Body"].read()
            turn = int(got.split(b".")[1])
            assert answered[key] <= turn <= tried[key]
            assert got == content(number, turn)
        assert len(own.files()) == len(keys) == 4
        assert list((own.folder / "objects" / "staging").iterdir()) == []
