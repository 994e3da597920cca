"""Tags of all of EC2's resources."""

from __future__ import annotations

from typing import Any

from hatoba.aws.shapes import ec2 as t
from hatoba.core import arn as arns
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.gateway.tags import remove_tags, set_tags, tags, tags_of
from hatoba.services.ec2.api.room import TYPES, arn, dry_run, ec2, resource_type
from hatoba.services.ec2.filters import matching
from hatoba.services.ec2.model.errors import invalid, not_found
from hatoba.services.ec2.model.group import groups
from hatoba.services.ec2.model.interface import enis
from hatoba.services.ec2.model.network import subnets, vpcs
from hatoba.services.ec2.model.routes import internet_gateways, route_tables
from hatoba.store import Table, Tx

_TABLES: dict[str, Table[Any]] = {
    "vpc": vpcs,
    "subnet": subnets,
    "sg": groups,
    "eni": enis,
    "rtb": route_tables,
    "igw": internet_gateways,
}


def _check(tx: Tx, call: Call, id_: str) -> None:
    prefix = id_.rpartition("-")[0]
    if prefix not in TYPES:
        raise AwsError(f"The ID '{id_}' is not valid", code="InvalidID")
    table = _TABLES.get(prefix)
    if table is not None and tx.find(table, call.scope, id_) is None:
        raise not_found(id_, prefix)


@ec2.operation
async def create_tags(req: t.CreateTagsRequest, call: Call) -> None:
    dry_run(req)
    given = {tag["Key"]: tag.get("Value", "") for tag in req["Tags"]}
    for key in given:
        if key.startswith("aws:"):
            raise invalid(f"Tag keys starting with 'aws:' are reserved for internal use: {key}")
    with call.tx() as tx:
        for id_ in req["Resources"]:
            _check(tx, call, id_)
            if len({**tags_of(tx, call.scope, arn(call.scope, id_)), **given}) > 50:
                raise AwsError("Tag limit exceeded", code="TagLimitExceeded")
            set_tags(tx, call.scope, arn(call.scope, id_), given)


@ec2.operation
async def delete_tags(req: t.DeleteTagsRequest, call: Call) -> None:
    dry_run(req)
    with call.tx() as tx:
        for id_ in req["Resources"]:
            _check(tx, call, id_)
            known = tags_of(tx, call.scope, arn(call.scope, id_))
            given = req.get("Tags") or [{"Key": key} for key in known]
            # A tag that is given with a value goes only if it has that value.
            gone = [tag["Key"] for tag in given if "Value" not in tag or known.get(tag["Key"]) == tag["Value"]]
            remove_tags(tx, call.scope, arn(call.scope, id_), gone)


@ec2.operation
async def describe_tags(req: t.DescribeTagsRequest, call: Call) -> t.DescribeTagsResult:
    rows: list[t.TagDescription] = []
    for record in call.store.scan(tags, call.scope):
        parsed = arns.parse(record.id)
        if parsed is None or parsed.service != "ec2":
            continue
        id_ = parsed.resource.partition("/")[2]
        for key, value in record.tags.items():
            row: t.TagDescription = {"ResourceId": id_, "Key": key, "Value": value}
            row["ResourceType"] = resource_type(id_)  # type: ignore[typeddict-item]
            rows.append(row)
    found = matching(
        rows,
        req.get("Filters", []),
        {
            "resource-id": lambda row: (row["ResourceId"],),
            "resource-type": lambda row: (row["ResourceType"],),
            "key": lambda row: (row["Key"],),
            "value": lambda row: (row["Value"],),
        },
        lambda row: {row["Key"]: row["Value"]},
    )

    def order(row: t.TagDescription) -> str:
        return f"{row['ResourceId']} {row['Key']}"

    page, token = call.page(
        sorted(found, key=order),
        order=order,
        token=req.get("NextToken"),
        limit=req.get("MaxResults", 1000),
        filters=req.get("Filters"),
    )
    answer: t.DescribeTagsResult = {"Tags": page}
    if token is not None:
        answer["NextToken"] = token
    return answer
