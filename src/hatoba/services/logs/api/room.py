"""The room's declaration, and what its operations share: which group a request means, and how far back one may read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import logs as t
from hatoba.core import arn
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.services.logs import model
from hatoba.services.logs.access import ACCESS
from hatoba.services.logs.model import Group, Stream
from hatoba.services.logs.plan.intake import DAY
from hatoba.services.logs.plan.pattern import BadPattern, Match
from hatoba.services.logs.plan.pattern import compile as compile_pattern
from hatoba.store.store import View
from hatoba.streams.port import Streams

# A batch of 1 MiB, in which JSON may write every character as six.
logs = Service("logs", access=ACCESS, body_bytes=8 * 1024 * 1024)


def engine(call: Call) -> Streams:
    # A protocol is as good a key as a class here.
    return call.get(Streams)  # type: ignore[type-abstract]


def invalid(message: str) -> AwsError:
    return t.InvalidParameterException(message)


def bad_token() -> AwsError:
    return invalid("The specified nextToken is invalid.")


def find_group(view: View, scope: Scope, name: str) -> Group:
    record = view.find(model.groups, scope, name)
    if record is None:
        raise t.ResourceNotFoundException("The specified log group does not exist.")
    return record


def find_stream(view: View, scope: Scope, group: str, name: str) -> Stream:
    """Raises for a missing group, too."""
    find_group(view, scope, group)
    record = model.find_stream(view, scope, group, name)
    if record is None:
        raise t.ResourceNotFoundException("The specified log stream does not exist.")
    return record


def group_name(call: Call, req: Mapping[str, Any]) -> str:
    """Of a request that may give a name or an identifier."""
    name, identifier = req.get("logGroupName"), req.get("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise invalid("Exactly one of logGroupName and logGroupIdentifier must be specified.")
    return str(name) if name is not None else named_by(call, str(identifier))


def named_by(call: Call, identifier: str) -> str:
    """The group that a name or an ARN means."""
    if not identifier.startswith("arn:"):
        return identifier
    parsed = arn.parse(identifier)
    name = parsed.resource.removeprefix("log-group:").removesuffix(":*") if parsed is not None else ""
    if parsed is None or parsed.service != "logs" or name == parsed.resource or not name:
        raise invalid(f"'{identifier}' is not the ARN of a log group.")
    if parsed.scope != call.scope:
        raise t.ResourceNotFoundException("The specified log group does not exist.")
    return name


def visible_from(call: Call, group: Group, start: int | None) -> int | None:
    """The earliest time that can be read: what is past its retention is gone, also while it is still on disk."""
    if group.retention is None:
        return start
    kept = int(call.now * 1000) - group.retention * DAY
    return kept if start is None else max(start, kept)


def pattern(text: str | None) -> Match | None:
    try:
        return compile_pattern(text or "")
    except BadPattern as error:
        raise invalid(f"Invalid filter pattern: {error}") from None
