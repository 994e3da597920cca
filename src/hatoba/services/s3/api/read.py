"""GetObject and HeadObject: whole or in part, under conditions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from hatoba.aws.shapes import s3 as t
from hatoba.gateway.call import Call
from hatoba.objects.files import BATCH, Kept
from hatoba.services.s3 import locks, refusals, views
from hatoba.services.s3.api.room import files, refuse, s3, the_bucket, the_object, version_of
from hatoba.services.s3.model import Object
from hatoba.services.s3.plan import conditions, ranges
from hatoba.services.s3.plan.conditions import Conditions
from hatoba.services.s3.plan.ranges import Span

_OVERRIDES = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Expires")


@s3.operation
async def get_object(req: t.GetObjectRequest, call: Call) -> t.GetObjectOutput:
    record, answer, span = _found(req, call)
    kept = files(call)
    parts = list(cut(record, span))
    body: bytes | AsyncIterator[bytes]
    with kept.held(parts):  # it may be replaced while it is read
        under = await locks.opened(call, record.kms)
        if len(parts) <= 1 and span.length <= BATCH:
            body = await kept.bytes_of(*parts[0], under) if parts else b""
        else:
            body = kept.read(parts, under)
    return {**answer, "Body": body}  # type: ignore[typeddict-item]


@s3.operation
async def head_object(req: t.HeadObjectRequest, call: Call) -> t.HeadObjectOutput:
    return _found(req, call)[1]  # type: ignore[return-value]


def _found(req: Mapping[str, Any], call: Call) -> tuple[Object, dict[str, Any], Span]:
    """The object, the answer's headers, and which of its bytes are meant."""
    refuse(req)
    bucket = the_bucket(call.store, call, req)
    record = the_object(call.store, call, bucket, req["Key"], req.get("VersionId"))
    hold(record, asked(req))
    answer = views.head(record, told=req.get("ChecksumMode") == "ENABLED") | version_of(bucket, record)
    if req.get("PartNumber") is not None and "-" in record.etag:
        answer["PartsCount"] = len(record.pieces)
    span = _span(req, record)
    if span is not None:
        answer |= {"ContentRange": span.content_range(record.size), "ContentLength": span.length}
        for name in [name for name in answer if name.startswith("Checksum")]:
            del answer[name]  # of the whole, which this is not
    for name in _OVERRIDES:
        if (said := req.get(f"Response{name}")) is not None:
            answer[name] = said
    return record, answer, span or Span(0, record.size)


def _span(req: Mapping[str, Any], record: Object) -> Span | None:
    if req.get("PartNumber") is not None:
        if req.get("Range") is not None:
            raise refusals.invalid_request("Cannot specify both Range header and partNumber query parameter")
        return _part(req["PartNumber"], record)
    try:
        return ranges.span(req.get("Range"), record.size)
    except ranges.Unsatisfiable:
        raise refusals.bad_range(req["Range"], record.size) from None


def _part(number: int, record: Object) -> Span | None:
    first = 0
    for piece in record.pieces:
        if piece.number == number:
            return Span(first, piece.body.size) if record.size else None
        first += piece.body.size
    raise refusals.no_such_part(number, len(record.pieces))


def asked(req: Mapping[str, Any], prefix: str = "") -> Conditions:
    """The conditions of a request; `prefix`: of those that are about another object."""
    return Conditions(
        match=req.get(f"{prefix}IfMatch"),
        none_match=req.get(f"{prefix}IfNoneMatch"),
        modified_since=req.get(f"{prefix}IfModifiedSince"),
        unmodified_since=req.get(f"{prefix}IfUnmodifiedSince"),
    )


def hold(record: Object, wanted: Conditions, *, copied: bool = False) -> None:
    """Raises what a condition that does not hold answers. `copied`: where nothing can be called not modified."""
    match conditions.judge(wanted, record.etag, record.modified):
        case "":
            return
        case "If-None-Match" | "If-Modified-Since" if not copied:
            raise refusals.not_modified(record.etag)
        case condition:
            raise refusals.failed(f"x-amz-copy-source-{condition}" if copied else condition)


def cut(record: Object, span: Span) -> Iterator[tuple[Kept, int, int]]:
    """The parts of an object's files that make a span of it."""
    first, left = span
    for piece in record.pieces:
        size = piece.body.size
        if first < size and left > 0:
            taken = min(left, size - first)
            yield piece.body, first, taken
            left -= taken
            first = 0
        else:
            first = max(0, first - size)
