"""Records → the model's shapes."""

from __future__ import annotations

from hatoba.aws.shapes import logs as t
from hatoba.services.logs.model import Group, Stream, group_arn, stream_arn
from hatoba.streams.port import Event, Located, Stats


def group(record: Group, stored: int) -> t.LogGroup:
    arn = group_arn(record.scope, record.id)
    shown: t.LogGroup = {
        "logGroupName": record.id,
        "creationTime": record.created,
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "storedBytes": stored,
        "logGroupClass": record.kind,
        "logGroupArn": arn,
        "deletionProtectionEnabled": record.protected,
    }
    if record.retention is not None:
        shown["retentionInDays"] = record.retention
    if record.kms_key is not None:
        shown["kmsKeyId"] = record.kms_key
    return shown


def brief_group(record: Group) -> t.LogGroup:
    """What a group that was found by a pattern is told with, as the model says."""
    return {
        "logGroupName": record.id,
        "creationTime": record.created,
        "arn": f"{group_arn(record.scope, record.id)}:*",
    }


def stream(record: Stream, stats: Stats) -> t.LogStream:
    shown: t.LogStream = {
        "logStreamName": record.name,
        "creationTime": record.created,
        "arn": stream_arn(record),
        "storedBytes": 0,  # as AWS: counted per group only, since 2019
        "uploadSequenceToken": sequence_token(record),
    }
    if stats.first_time is not None:
        shown["firstEventTimestamp"] = stats.first_time
    if stats.last_time is not None:
        shown["lastEventTimestamp"] = stats.last_time
    if stats.last_ingested is not None:
        shown["lastIngestionTime"] = stats.last_ingested
    return shown


def sequence_token(record: Stream) -> str:
    """Clients of old want one and send it back; since 2023 every token is accepted."""
    return f"{int(record.events, 16):056d}"


def event(found: Event) -> t.OutputLogEvent:
    return {"timestamp": found.time, "message": found.message, "ingestionTime": found.ingested}


def filtered(found: Located, stream_name: str) -> t.FilteredLogEvent:
    return {
        "logStreamName": stream_name,
        "timestamp": found.event.time,
        "message": found.event.message,
        "ingestionTime": found.event.ingested,
        "eventId": event_id(found),
    }


def event_id(found: Located) -> str:
    """56 digits, the same whenever the event is read: its time, its stream, its place there."""
    return f"{found.event.time:014d}{int(found.stream[:16], 16):020d}{found.event.sequence:022d}"
