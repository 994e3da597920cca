"""Entries of the trail as LookupEvents shows them. Pure."""

from __future__ import annotations

from hatoba.aws.shapes import cloudtrail as t
from hatoba.trail.port import Entry


def shown(entry: Entry) -> t.Event:
    found: t.Event = {
        "EventId": entry.id,
        "EventName": entry.name,
        "ReadOnly": str(entry.read_only).lower(),
        "EventTime": entry.time,
        "EventSource": entry.source,
        "Username": entry.user,
        "Resources": [{"ResourceType": thing.kind, "ResourceName": thing.name} for thing in entry.things],
        "CloudTrailEvent": entry.document.decode(),
    }
    if entry.access_key:
        found["AccessKeyId"] = entry.access_key
    return found
