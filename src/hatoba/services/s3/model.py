"""What S3 stores: buckets, and objects with their versions; and the small verbs that keep them true.

A bucket's name is one for a whole partition. Objects are in the scope of their bucket's account; their ids sort as
keys do, so that a listing is a walk. The bytes are files of the engine (`hatoba.objects`): a record is what makes a
file wanted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record, replace
from hatoba.objects.files import Kept
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View


class Bucket(Record, frozen=True, kw_only=True):
    """The id is the name; the scope is the owner's, without a region."""

    region: str
    created: float
    tags: tuple[tuple[str, str], ...] = ()


class Piece(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of an object's bytes; of one that came in one piece, all of them."""

    body: Kept
    number: int = 1


class Object(Record, frozen=True, kw_only=True):
    """The id is `<bucket>/<key>`: what a key is now."""

    bucket: str
    name: str  # the key
    modified: float
    etag: str  # without its quotes
    size: int
    pieces: tuple[Piece, ...] = ()
    headers: dict[str, str] = msgspec.field(default_factory=dict)  # by the model's names: ContentType, CacheControl …
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    storage: str = "STANDARD"
    checksums: dict[str, str] = msgspec.field(default_factory=dict)  # by algorithm, in base64
    checksum_type: str = ""
    tags: tuple[tuple[str, str], ...] = ()


def _bodies(record: Object) -> list[str]:
    return [piece.body.id for piece in record.pieces]


buckets = Table(
    "s3.buckets",
    Bucket,
    indexes=(Index[Bucket]("name", lambda bucket: (bucket.key.partition, bucket.id)),),
)
objects = Table("s3.objects", Object, indexes=(Index[Object]("body", _bodies, many=True),))

TABLES = (buckets, objects)


def find_bucket(view: View, partition: str, name: str) -> Bucket | None:
    """Of whichever account: there is one of a name."""
    found = view.index(buckets, "name", (partition, name))
    return found[0] if found else None


def object_id(bucket: str, name: str) -> str:
    return f"{bucket}/{name}"


def find_object(view: View, bucket: Bucket, name: str) -> Object | None:
    return view.find(objects, bucket.scope, object_id(bucket.id, name))


def objects_onward(view: View, bucket: Bucket, first: str) -> Iterator[tuple[str, Object]]:
    """A bucket's objects in the order of their keys, from a text on."""
    for record in view.onward(objects, bucket.scope, object_id(bucket.id, first)):
        if record.bucket != bucket.id:
            return
        yield record.name, record


def is_empty(view: View, bucket: Bucket) -> bool:
    return next(objects_onward(view, bucket, ""), None) is None


def put_object(tx: Tx, record: Object) -> None:
    """In the place of what the key was."""
    before = tx.get(objects, record.key)
    tx.put(objects, replace(record, version=0 if before is None else before.version))


def delete_object(tx: Tx, record: Object) -> None:
    tx.forget(objects, record.key)


def bucket_arn(partition: str, name: str) -> str:
    return f"arn:{partition}:s3:::{name}"


def object_arn(partition: str, bucket: str, key: str) -> str:
    return f"arn:{partition}:s3:::{bucket}/{key}"


def canonical_user(scope: Scope) -> str:
    """The id by which S3 knows an account."""
    return hashlib.sha256(f"{scope.partition}:{scope.account}".encode()).hexdigest()
