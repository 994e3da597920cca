"""How the versions of a key follow each other: what is put goes before what was there, or in its place.

    unversioned   there is one version, `null`
    Enabled       each put, and each deletion (a marker), is a version of its own
    Suspended     what is put or deleted is the version `null`; the others stay

A key that has versions always is one of them now, be it a marker. Source: the S3 user guide, "Using versioning in S3
buckets", "How versioning works".
"""

from __future__ import annotations

from collections.abc import Iterator

from hatoba.core.ids import Ids
from hatoba.core.records import replace
from hatoba.services.s3 import model
from hatoba.services.s3.model import NULL, Bucket, Object, objects, versions
from hatoba.store import Tx
from hatoba.store.store import View

_GREATEST = 2**48 - 1


def rank(record: Object) -> str:
    """By which versions of a key sort: the latest first."""
    return f"{_GREATEST - record.generation:012x}"


def current(view: View, bucket: Bucket, name: str) -> Object | None:
    """What the key is now, be it a deletion's marker."""
    return view.find(objects, bucket.scope, model.object_id(bucket.id, name))


def find(view: View, bucket: Bucket, name: str, version: str | None) -> Object | None:
    now = current(view, bucket, name)
    if now is None or version is None or now.version_id == version:
        return now
    found = view.index(versions, "version", (bucket.scope, bucket.id, name, version))
    return found[0] if found else None


def put(tx: Tx, bucket: Bucket, record: Object, ids: Ids) -> Object:
    """Makes a record what its key is now; as it is then."""
    now = current(tx, bucket, record.name)
    version = ids.hex(32) if bucket.versioning == "Enabled" else NULL
    if version == NULL:
        _forget(tx, find(tx, bucket, record.name, NULL), now)
    if now is not None and now.version_id != version:
        _shelve(tx, now)
    return tx.put(
        objects,
        replace(
            record,
            key=objects.key(bucket.scope, model.object_id(bucket.id, record.name)),
            version=0 if now is None else now.version,
            version_id=version,
            generation=0 if now is None else now.generation + 1,
        ),
    )


def change(tx: Tx, record: Object) -> None:
    """A version that stays where it is."""
    tx.put(versions if record.key.type == versions.name else objects, record)


def delete(tx: Tx, bucket: Bucket, name: str, ids: Ids, moment: float) -> Object | None:
    """The key is not there any more; the marker that says so, where versions are kept."""
    if not bucket.versioning:
        tx.forget(objects, objects.key(bucket.scope, model.object_id(bucket.id, name)))
        return None
    key = objects.key(bucket.scope, model.object_id(bucket.id, name))
    marker = Object(key=key, bucket=bucket.id, name=name, modified=moment, etag="", size=0, marker=True)
    return put(tx, bucket, marker, ids)


def remove(tx: Tx, bucket: Bucket, name: str, version: str) -> Object | None:
    """One version, for good; what it was. The latest of the others is what the key is then."""
    found = find(tx, bucket, name, version)
    if found is None:
        return None
    tx.forget(versions if found.key.type == versions.name else objects, found.key)
    if found.key.type == objects.name:
        before = next(_before(tx, bucket, name, ""), None)
        if before is not None:
            tx.forget(versions, before.key)
            tx.put(objects, replace(before, key=found.key, version=0))
    return found


def entries(view: View, bucket: Bucket, first: str) -> Iterator[tuple[str, tuple[Object, bool]]]:
    """All versions in order, by `<key>\\0<rank>` from a text on; each with whether it is what its key is now."""
    name = first.partition("\0")[0]
    for key, now in model.objects_onward(view, bucket, name, deleted=True):
        place = f"{key}\0{rank(now)}"
        if place >= first:
            yield place, (now, True)
        for record in _before(view, bucket, key, first):
            yield f"{key}\0{rank(record)}", (record, False)


def _before(view: View, bucket: Bucket, name: str, first: str) -> Iterator[Object]:
    """What a key was before, the latest first; from an entry on, where that is one of the key's."""
    start = max(f"{name}\0", first) if first.startswith(f"{name}\0") else f"{name}\0"
    for record in view.onward(versions, bucket.scope, model.object_id(bucket.id, start)):
        if record.bucket != bucket.id or record.name != name:
            return
        yield record


def _shelve(tx: Tx, now: Object) -> None:
    key = versions.key(now.scope, f"{now.id}\0{rank(now)}")
    tx.put(versions, replace(now, key=key, version=0))


def _forget(tx: Tx, record: Object | None, now: Object | None) -> None:
    """Another than the key is now: that one will be replaced."""
    if record is not None and now is not None and record.key != now.key:
        tx.forget(versions, record.key)
