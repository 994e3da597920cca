"""What CloudWatch Logs' operations need to be allowed.

Sources: the service authorisation reference, "Amazon CloudWatch Logs"; the user guide, "Overview of managing access":
operations that tag name a group by its plain ARN, all others by one that goes on (`…:log-group:app:*` in policies).
What they ask for is `…:log-group:app:log-stream:`, with nothing behind it where no stream is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hatoba.core import arn
from hatoba.gateway.call import Call
from hatoba.gateway.needs import Access, Extra, Keys, Need, Params, Rule, acting, all_of, member, on, tag_keys, untagged
from hatoba.gateway.tags import tags_of
from hatoba.services.logs.model import group_arn

NAMES = ("logGroupName", "logGroupIdentifier", "logGroupIdentifiers", "resourceArn")


def plain(req: Params, call: Call) -> Iterator[str]:
    """The groups that the request names, in whatever member."""
    for path in NAMES:
        for identifier in member(req, path):
            parsed = arn.parse(identifier)
            if parsed is None:
                yield group_arn(call.scope, identifier)
            else:
                yield group_arn(parsed.scope, parsed.resource.removeprefix("log-group:").removesuffix(":*"))


def on_groups(*, stream: str = "", further: Extra | None = None) -> Rule:
    """The action on each group, or on the stream in it that the member `stream` names.

    Tags are the group's, whose ARN is not quite that of what is asked for: so they are looked up here.
    """

    def rule(action: str, req: Params, call: Call) -> Iterator[Need]:
        said = dict(further(req, call)) if further is not None else {}
        for group in list(plain(req, call)) or [group_arn(call.scope, "")]:
            tags = {f"aws:ResourceTag/{key}": value for key, value in tags_of(call.store, call.scope, group).items()}
            resource = f"{group}:log-stream:{req.get(stream) or ''}"
            yield Need(action=action, resource=resource, keys={**tags, **said})

    return rule


def every(req: Params, call: Call) -> Iterator[str]:
    """Whatever prefix, pattern or group the request has: lists are allowed as a whole."""
    yield f"{group_arn(call.scope, '')}:log-stream:"


def given(req: Params, call: Call) -> Keys:
    return tag_keys(req.get("tags"))


def tagging(action: str, req: Params, call: Call) -> Iterable[Need]:
    return acting("logs:TagResource", plain, keys=given)(action, req, call) if req.get("tags") else ()


GROUP = on_groups()
IN_STREAM = on_groups(stream="logStreamName")

ACCESS = Access(
    "logs",
    {
        "CreateLogGroup": all_of(on_groups(further=given), tagging),
        "CreateLogStream": IN_STREAM,
        "DeleteLogGroup": GROUP,
        "DeleteLogStream": IN_STREAM,
        "DeleteRetentionPolicy": GROUP,
        "DescribeLogGroups": on(every),
        "DescribeLogStreams": GROUP,
        "FilterLogEvents": GROUP,
        "GetLogEvents": IN_STREAM,
        "ListLogGroups": on(every),
        "ListTagsForResource": on(plain),
        "ListTagsLogGroup": GROUP,
        "PutLogEvents": IN_STREAM,
        "PutLogGroupDeletionProtection": GROUP,
        "PutRetentionPolicy": GROUP,
        "StartLiveTail": GROUP,
        "TagLogGroup": on_groups(further=given),
        "TagResource": on(plain, tags="tags"),
        "TestMetricFilter": on(),
        "UntagLogGroup": on_groups(further=untagged("tags")),
        "UntagResource": on(plain, keys=untagged("tagKeys")),
    },
)
