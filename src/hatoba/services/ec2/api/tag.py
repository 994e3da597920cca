"""Tags of all of EC2's resources."""

from __future__ import annotations

from typing import Any

from hatoba.aws.shapes import ec2 as t
from hatoba.core import arn as arns
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.gateway.tags import remove_tags, tags, tags_of
from hatoba.services.ec2.api.room import PAGE, bad_token, checked_tags, dry_run, ec2, put_tags
from hatoba.services.ec2.filters import matching
from hatoba.services.ec2.model.acl import the_acl
from hatoba.services.ec2.model.address import elastics
from hatoba.services.ec2.model.arns import arn, resource_type
from hatoba.services.ec2.model.dhcp import the_options
from hatoba.services.ec2.model.endpoint import vpc_endpoints
from hatoba.services.ec2.model.errors import not_found
from hatoba.services.ec2.model.group import groups
from hatoba.services.ec2.model.interface import enis
from hatoba.services.ec2.model.keypair import key_pairs
from hatoba.services.ec2.model.network import subnets, vpcs
from hatoba.services.ec2.model.prefixlist import prefix_lists
from hatoba.services.ec2.model.routes import egress_gateways, internet_gateways, route_tables
from hatoba.store import Table, Tx

_TABLES: dict[str, Table[Any]] = {
    "vpc": vpcs,
    "subnet": subnets,
    "sg": groups,
    "eni": enis,
    "eipalloc": elastics,
    "rtb": route_tables,
    "igw": internet_gateways,
    "eigw": egress_gateways,
    "pl": prefix_lists,
    "key": key_pairs,
    "vpce": vpc_endpoints,
}


def _check(tx: Tx, call: Call, id_: str) -> None:
    """Raises InvalidID, or the type's own error when there is no such resource."""
    resource_type(id_)
    prefix = id_.rpartition("-")[0]
    match prefix:
        case "sgr":
            known = tx.count(groups, "rule", id_) > 0
        case "acl":
            known = the_acl(tx, call.scope, id_) is not None
        case "dopt":
            known = the_options(tx, call.scope, id_) is not None
        case _:
            known = tx.find(_TABLES[prefix], call.scope, id_) is not None
    if not known:
        raise not_found(id_, prefix)


@ec2.operation
async def create_tags(req: t.CreateTagsRequest, call: Call) -> None:
    dry_run(req)
    given = checked_tags(req["Tags"])
    with call.tx() as tx:
        for id_ in req["Resources"]:
            _check(tx, call, id_)
            put_tags(tx, call.scope, id_, given)


@ec2.operation
async def delete_tags(req: t.DeleteTagsRequest, call: Call) -> None:
    dry_run(req)
    with call.tx() as tx:
        for id_ in req["Resources"]:
            _check(tx, call, id_)
            known = tags_of(tx, call.scope, arn(call.scope, id_))
            gone = list(known)
            if given := req.get("Tags"):
                # A tag that is given with a value goes only if it has that value.
                gone = [key for tag in given if (key := tag.get("Key", "")) in known and _fits(tag, known[key])]
            remove_tags(tx, call.scope, arn(call.scope, id_), gone)


def _fits(tag: t.Tag, value: str) -> bool:
    return tag.get("Value", value) == value


@ec2.operation
async def describe_tags(req: t.DescribeTagsRequest, call: Call) -> t.DescribeTagsResult:
    rows: list[t.TagDescription] = []
    for record in call.store.scan(tags, call.scope):
        parsed = arns.parse(record.id)
        if parsed is None or parsed.service != "ec2":
            continue
        id_ = parsed.resource.partition("/")[2]
        rows += (
            {"ResourceId": id_, "ResourceType": resource_type(id_), "Key": key, "Value": value}
            for key, value in record.tags.items()
        )
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
        limit=req.get("MaxResults", PAGE),
        filters=req.get("Filters"),
        bad_token=bad_token,
    )
    return {"Tags": page, **next_token(token)}
