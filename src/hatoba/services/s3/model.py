"""What S3 stores: buckets, objects with their versions, uploads in parts.

A bucket's name is one for a whole partition. Objects are in the scope of their bucket's account; their ids sort as
keys do, so that a listing is a walk. What a key is now is in one table, what it was before in another: a listing does
not go through the past. The bytes are files of the engine (`hatoba.objects`): a record is what makes a file wanted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Literal

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.objects.files import Kept
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View

NULL = "null"  # the version of what was written while versions were not kept
Versioning = Literal["", "Enabled", "Suspended"]


class Kms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Under which KMS key an object is."""

    key: str  # its ARN
    wrapped: bytes  # the data key's ciphertext
    context: str  # the ARN in its encryption context
    bucket_key: bool = False


class Encryption(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """By which KMS key a bucket's objects are encrypted where nothing else is said."""

    key: str | None = None  # None: the one that AWS manages
    bucket_key: bool = False


class PublicBlock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What of public access is blocked: by default all of it."""

    acls: bool = True
    ignored_acls: bool = True
    policy: bool = True  # no public policy is put
    restricted: bool = True  # of a public policy only the owner's account, and services, have something


class Bucket(Record, frozen=True, kw_only=True):
    """The id is the name; the scope is the owner's, without a region."""

    region: str
    created: float
    versioning: Versioning = ""
    policy: str | None = None
    public_block: PublicBlock | None = PublicBlock()
    encryption: Encryption | None = None  # None: by the platform's own keys
    ownership: bool = True  # it was not taken away that the bucket's owner owns all; nothing else is there
    tags: tuple[tuple[str, str], ...] = ()


class Piece(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of an object's bytes; of one that came in one piece, all of them."""

    body: Kept
    number: int = 1
    checksum: str = ""  # of a part, by the object's algorithm


class Described(Record, frozen=True, kw_only=True):
    """What is said of an object beside its bytes, from the moment in which its first part is expected."""

    bucket: str
    name: str  # the key
    headers: dict[str, str] = msgspec.field(default_factory=dict)  # by the model's names: ContentType, CacheControl …
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    storage: str = "STANDARD"
    tags: tuple[tuple[str, str], ...] = ()
    kms: Kms | None = None


class Object(Described, frozen=True, kw_only=True):
    """The id is `<bucket>/<key>` of what a key is now, and `<bucket>/<key>\\0<rank>` of what it was."""

    modified: float
    etag: str  # without its quotes
    size: int
    generation: int = 0  # of the key: the greatest is what it is now
    version_id: str = NULL
    marker: bool = False  # of a deletion: there are no bytes
    pieces: tuple[Piece, ...] = ()
    checksums: dict[str, str] = msgspec.field(default_factory=dict)  # by algorithm, in base64
    checksum_type: str = ""


class Upload(Described, frozen=True, kw_only=True):
    """An object that comes in parts. The id is `<bucket>/<key>\\0<upload id>`."""

    upload_id: str
    initiated: float
    initiator: str  # the ARN of who began it
    algorithm: str
    checksum_type: str
    asked: bool  # the client has said by which checksum its parts are held


class Part(Record, frozen=True, kw_only=True):
    """The id is `<upload id>/<number, of five digits>`."""

    upload_id: str
    number: int
    body: Kept
    etag: str
    checksum: str  # by the upload's algorithm
    modified: float


def _bodies(record: Object) -> list[str]:
    return [piece.body.id for piece in record.pieces]


_BODY = (Index[Object]("body", _bodies, many=True),)

buckets = Table(
    "s3.buckets",
    Bucket,
    indexes=(Index[Bucket]("name", lambda bucket: (bucket.key.partition, bucket.id)),),
)
objects = Table("s3.objects", Object, indexes=_BODY)
versions = Table(
    "s3.versions",
    Object,
    indexes=(*_BODY, Index[Object]("version", lambda one: (one.scope, one.bucket, one.name, one.version_id))),
)
uploads = Table("s3.uploads", Upload)
parts = Table(
    "s3.parts",
    Part,
    indexes=(Index[Part]("body", lambda part: part.body.id), Index[Part]("upload", lambda part: part.upload_id)),
)

TABLES = (buckets, objects, versions, uploads, parts)


def find_bucket(view: View, partition: str, name: str) -> Bucket | None:
    """Of whichever account: there is one of a name."""
    found = view.index(buckets, "name", (partition, name))
    return found[0] if found else None


def object_id(bucket: str, name: str) -> str:
    return f"{bucket}/{name}"


def upload_id(bucket: str, name: str, upload: str) -> str:
    return f"{bucket}/{name}\0{upload}"


def part_id(upload: str, number: int) -> str:
    return f"{upload}/{number:05d}"


def objects_onward(view: View, bucket: Bucket, first: str, *, deleted: bool = False) -> Iterator[tuple[str, Object]]:
    """What a bucket's keys are, in their order, from a text on. `deleted`: with those that are not there any more."""
    for record in view.onward(objects, bucket.scope, object_id(bucket.id, first)):
        if record.bucket != bucket.id:
            return
        if deleted or not record.marker:
            yield record.name, record


def uploads_onward(view: View, bucket: Bucket, first: str) -> Iterator[tuple[str, Upload]]:
    """By `<key>\\0<upload id>`."""
    for record in view.onward(uploads, bucket.scope, object_id(bucket.id, first)):
        if record.bucket != bucket.id:
            return
        yield f"{record.name}\0{record.upload_id}", record


def is_empty(view: View, bucket: Bucket) -> bool:
    return next(objects_onward(view, bucket, "", deleted=True), None) is None


def parts_of(view: View, upload: str) -> list[Part]:
    """In the order of their numbers."""
    return view.index(parts, "upload", upload)


def forget_upload(tx: Tx, record: Upload) -> None:
    for part in parts_of(tx, record.upload_id):
        tx.forget(parts, part.key)
    tx.forget(uploads, record.key)


def bucket_arn(partition: str, name: str) -> str:
    return f"arn:{partition}:s3:::{name}"


def object_arn(partition: str, bucket: str, key: str) -> str:
    return f"arn:{partition}:s3:::{bucket}/{key}"


def canonical_user(scope: Scope) -> str:
    """The id by which S3 knows an account."""
    return hashlib.sha256(f"{scope.partition}:{scope.account}".encode()).hexdigest()
