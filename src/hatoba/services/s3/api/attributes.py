"""GetObjectAttributes: what is known of an object, its parts among it."""

from __future__ import annotations

from typing import Any

from hatoba.aws.shapes import s3 as t
from hatoba.gateway.call import Call
from hatoba.services.s3 import views
from hatoba.services.s3.api.listing import limit_of
from hatoba.services.s3.api.room import refuse, s3, the_bucket, the_object, version_of
from hatoba.services.s3.model import Object


@s3.operation
async def get_object_attributes(req: t.GetObjectAttributesRequest, call: Call) -> t.GetObjectAttributesOutput:
    refuse(req)
    bucket = the_bucket(call.store, call, req)
    record = the_object(call.store, call, bucket, req["Key"], req.get("VersionId"))
    limit, marker = limit_of(req.get("MaxParts"), "max-parts"), req.get("PartNumberMarker") or 0
    known: dict[str, Any] = {
        "ETag": record.etag,
        "Checksum": views.checksums(record) or None,
        "ObjectParts": _parts(record, limit, marker) if "-" in record.etag else None,
        "StorageClass": record.storage,
        "ObjectSize": record.size,
    }
    asked = {name: known[name] for name in req["ObjectAttributes"] if known[name] is not None}
    return {"LastModified": record.modified, **version_of(bucket, record), **asked}  # type: ignore[typeddict-item]


def _parts(record: Object, limit: int, marker: int) -> dict[str, Any]:
    algorithm = next(iter(record.checksums), "")
    rest = [piece for piece in record.pieces if piece.number > marker]
    page = rest[:limit]
    return {
        "TotalPartsCount": len(record.pieces),
        "PartNumberMarker": marker,
        "NextPartNumberMarker": page[-1].number if page else 0,
        "MaxParts": limit,
        "IsTruncated": len(rest) > len(page),
        "Parts": [
            {"PartNumber": piece.number, "Size": piece.body.size, f"Checksum{algorithm}": piece.checksum}
            for piece in page
        ],
    }
