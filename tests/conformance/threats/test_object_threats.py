"""Attacks on what buckets hold: each is refused, and is not when the check that refuses it is taken out."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from hatoba.aws.sigv4 import Credential, refusals, version2
from hatoba.aws.wire import WireRequest
from hatoba.core.errors import HatobaError
from hatoba.core.ids import RandomIds
from hatoba.core.secret import Sealer
from hatoba.gateway import access
from hatoba.objects.files import Files
from hatoba.objects.sealing import CHUNK, SEALED
from tests.conformance.hostile.composed import MEMBER, SCOPE, Composed, composed
from tests.conformance.threats.disarm import without

KEY = Credential(access_key_id="AKIAIOSFODNN7EXAMPLE", secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
NOW = 1_700_000_000
ACCESS = "hatoba.services.s3.access"
V2 = "hatoba.aws.sigv4.version2"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    with composed(Path(tmp_path_factory.mktemp("composed"))) as platform:
        yield platform


Attack = Callable[[Composed, Path], bool]


def succeeds(platform: Composed, what: Coroutine[Any, Any, Any]) -> bool:
    try:
        platform.wait(what)
    except HatobaError:
        return False
    return True


def doors(platform: Composed) -> tuple[Any, Any]:
    """The owner's, and a stranger's: both roots of their accounts."""
    plane = platform.plane
    owner: Any = plane.door(SCOPE, "ecs", access.root("aws", SCOPE.account))
    stranger: Any = plane.door(SCOPE._replace(account=MEMBER), "ecs", access.root("aws", MEMBER))
    return owner.s3, stranger.s3


def another_account_reads(platform: Composed, folder: Path) -> bool:
    """A bucket's ARN does not tell whose it is: by the ARN alone it might be one's own."""
    platform.ready()
    _, stranger = doors(platform)
    return succeeds(platform, stranger.get_object(Bucket="bucket", Key="key"))


def another_account_copies(platform: Composed, folder: Path) -> bool:
    """Into a bucket of its own, where it may write."""
    platform.ready()
    _, stranger = doors(platform)
    platform.wait(stranger.create_bucket(Bucket="mine"))
    return succeeds(platform, stranger.copy_object(Bucket="mine", Key="k", CopySource="bucket/key"))


def a_public_policy_that_is_restricted(platform: Composed, folder: Path) -> bool:
    platform.ready()
    owner, stranger = doors(platform)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"}
    platform.wait(owner.delete_public_access_block(Bucket="bucket"))
    platform.wait(owner.put_bucket_policy(Bucket="bucket", Policy=json.dumps({"Statement": [statement]})))
    block = {"RestrictPublicBuckets": True}
    platform.wait(owner.put_public_access_block(Bucket="bucket", PublicAccessBlockConfiguration=block))
    return succeeds(platform, stranger.get_object(Bucket="bucket", Key="key"))


def a_public_policy_by_mistake(platform: Composed, folder: Path) -> bool:
    platform.ready()
    owner, _ = doors(platform)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"}
    return succeeds(platform, owner.put_bucket_policy(Bucket="bucket", Policy=json.dumps({"Statement": [statement]})))


def gets_in(query: str, expires: int = NOW + 60, path: str = "/b/k") -> bool:
    """A presigned URL of version 2 for `/b/k`, with something added to its query."""
    text = f"GET\n\n\n{expires}\n/b/k"
    signature = base64.b64encode(hmac.digest(KEY.secret.encode(), text.encode(), "sha1")).decode()
    said = f"AWSAccessKeyId={KEY.access_key_id}&Expires={expires}&Signature={signature.replace('+', '%2B')}{query}"
    request = WireRequest(method="GET", path=path, query=said)
    try:
        version2.verify(request, lambda _: KEY, NOW, refusals.S3)
    except HatobaError:
        return False
    return True


def another_operation_than_was_signed(platform: Composed, folder: Path) -> bool:
    """The old signature covers but a few names of the query."""
    assert gets_in("")
    return gets_in("&attributes")


def presigned_and_over(platform: Composed, folder: Path) -> bool:
    return gets_in("", expires=NOW - 1)


def another_object_than_was_signed(platform: Composed, folder: Path) -> bool:
    return gets_in("", path="/b/other")


def chunks_in_another_order(platform: Composed, folder: Path) -> bool:
    """By whoever can write to the disk, and has no key."""

    async def attack() -> bool:
        wanted: set[str] = set()
        files = Files(folder, Sealer(bytes(32)), RandomIds(), lambda id_: id_ in wanted)
        await files.prepare()

        async def body() -> AsyncIterator[bytes]:
            yield b"a" * CHUNK + b"b" * CHUNK + b"c"

        async with files.receive(body()) as kept:
            wanted.add(kept.id)
        path = folder / "bodies" / kept.id[:2] / kept.id
        data = path.read_bytes()
        path.write_bytes(data[SEALED : 2 * SEALED] + data[:SEALED] + data[2 * SEALED :])
        try:
            return (await files.bytes_of(kept, 0, 1)) == b"b"
        except HatobaError:
            return False
        finally:
            files.close()

    return platform.wait(attack())


THREATS: list[tuple[Attack, tuple[str, str, str]]] = [
    (
        another_account_reads,
        (f"{ACCESS}:need", "holder=owner.key.account if owner is not None else None", "holder=None"),
    ),
    (another_account_copies, (f"{ACCESS}:copying", "yield source(req, call)", "pass")),
    (a_public_policy_that_is_restricted, (f"{ACCESS}:counting", "block.restricted and stranger", "False")),
    (
        a_public_policy_by_mistake,
        ("hatoba.services.s3.api.policy:put_bucket_policy", "and policies.is_public(text)", "and False"),
    ),
    (another_operation_than_was_signed, (f"{V2}:_string_to_sign", "raise words.mismatch()", "pass")),
    (presigned_and_over, (f"{V2}:verify", "if int(expires) < now:", "if False:")),
    (
        another_object_than_was_signed,
        (f"{V2}:verify", "raise words.mismatch()", "pass"),
    ),
    (chunks_in_another_order, ("hatoba.objects.sealing:_nonce", 'number.to_bytes(11, "big")', "bytes(11)")),
]


@pytest.mark.parametrize(("attack", "check"), THREATS, ids=[attack.__name__ for attack, _ in THREATS])
def test_refused_by_a_check_that_is_needed(
    platform: Composed, tmp_path: Path, attack: Attack, check: tuple[str, str, str]
) -> None:
    assert not attack(platform, tmp_path / "armed")
    with without(*check):
        assert attack(platform, tmp_path / "disarmed"), "it is not this check that refuses it"
