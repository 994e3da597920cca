"""Log groups: create, describe, list, delete; how long their events are kept."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hatoba.aws.shapes import logs as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import small_next_token
from hatoba.gateway.tags import set_tags
from hatoba.services.logs import model, views
from hatoba.services.logs.api.room import bad_token, engine, find_group, invalid, logs, named_by
from hatoba.services.logs.api.tag import checked
from hatoba.services.logs.model import Group

PAGE = 50
# The values that PutRetentionPolicy's reference lists.
RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)


@logs.operation
async def create_log_group(req: t.CreateLogGroupRequest, call: Call) -> None:
    name = req["logGroupName"]
    if name.startswith("aws/"):
        raise invalid("Log groups starting with aws/ are reserved for AWS.")
    tags = checked({}, req.get("tags", {}))
    record = Group(
        key=model.groups.key(call.scope, name),
        created=int(call.now * 1000),
        kind=req.get("logGroupClass", "STANDARD"),
        kms_key=req.get("kmsKeyId"),
        protected=req.get("deletionProtectionEnabled", False),
    )
    with call.tx() as tx:
        if tx.get(model.groups, record.key) is not None:
            raise t.ResourceAlreadyExistsException("The specified log group already exists")
        tx.put(model.groups, record)
        set_tags(tx, call.scope, model.group_arn(call.scope, name), tags)


@logs.operation
async def delete_log_group(req: t.DeleteLogGroupRequest, call: Call) -> None:
    with call.tx() as tx:
        group = find_group(tx, call.scope, req["logGroupName"])
        if group.protected:
            raise t.ValidationException(
                f"The log group {group.id} is protected from deletion. Disable its deletion protection first."
            )
        model.delete_group(tx, group)


@logs.operation
async def describe_log_groups(req: t.DescribeLogGroupsRequest, call: Call) -> t.DescribeLogGroupsResponse:
    prefix, pattern = req.get("logGroupNamePrefix"), req.get("logGroupNamePattern")
    identifiers = req.get("logGroupIdentifiers")
    if sum(given is not None for given in (prefix, pattern, identifiers)) > 1:
        raise invalid("Only one of logGroupNamePrefix, logGroupNamePattern and logGroupIdentifiers can be specified.")
    named = None if identifiers is None else {named_by(call, identifier) for identifier in identifiers}
    found: Iterable[Group] = (
        group
        for group in call.store.scan(model.groups, call.scope)
        if group.id.startswith(prefix or "")
        and (pattern or "") in group.id
        and (named is None or group.id in named)
        and group.kind == req.get("logGroupClass", group.kind)
    )
    page, token = call.page(
        found,
        order=lambda group: group.id,
        token=req.get("nextToken"),
        limit=req.get("limit", PAGE),
        filters=(prefix, pattern, sorted(named or ()), req.get("logGroupClass")),
        bad_token=bad_token,
    )
    if pattern is not None:
        return {"logGroups": [views.brief_group(group) for group in page], **small_next_token(token)}
    return {"logGroups": [views.group(group, await _stored(call, group)) for group in page], **small_next_token(token)}


@logs.operation
async def list_log_groups(req: t.ListLogGroupsRequest, call: Call) -> t.ListLogGroupsResponse:
    # The model allows alternatives of plain names, anchored or not: a regular expression of ours, too.
    pattern = re.compile(req.get("logGroupNamePattern", "").replace(".", r"\."))
    page, token = call.page(
        (
            group
            for group in call.store.scan(model.groups, call.scope)
            if pattern.search(group.id) and group.kind == req.get("logGroupClass", group.kind)
        ),
        order=lambda group: group.id,
        token=req.get("nextToken"),
        limit=req.get("limit", PAGE),
        filters=(pattern.pattern, req.get("logGroupClass")),
        bad_token=bad_token,
    )
    return {
        "logGroups": [
            {
                "logGroupName": group.id,
                "logGroupArn": model.group_arn(call.scope, group.id),
                "logGroupClass": group.kind,
            }
            for group in page
        ],
        **small_next_token(token),
    }


@logs.operation
async def put_retention_policy(req: t.PutRetentionPolicyRequest, call: Call) -> None:
    days = req["retentionInDays"]
    if days not in RETENTIONS:
        raise invalid(
            f"Invalid retention value. Please see the API reference: {', '.join(map(str, RETENTIONS))} are possible."
        )
    with call.tx() as tx:
        tx.put(model.groups, replace(find_group(tx, call.scope, req["logGroupName"]), retention=days))


@logs.operation
async def delete_retention_policy(req: t.DeleteRetentionPolicyRequest, call: Call) -> None:
    with call.tx() as tx:
        tx.put(model.groups, replace(find_group(tx, call.scope, req["logGroupName"]), retention=None))


@logs.operation
async def put_log_group_deletion_protection(req: t.PutLogGroupDeletionProtectionRequest, call: Call) -> None:
    name = named_by(call, req["logGroupIdentifier"])
    with call.tx() as tx:
        tx.put(model.groups, replace(find_group(tx, call.scope, name), protected=req["deletionProtectionEnabled"]))


async def _stored(call: Call, group: Group) -> int:
    streams = model.streams_of(call.store, group.scope, group.id)
    return sum(stats.bytes for stats in await engine(call).stats([stream.events for stream in streams]))
