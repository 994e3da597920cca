"""The room itself, and what its operations share."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any, TypeVar

from hatoba.aws.shapes import ec2 as t
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.gateway.tags import set_tags, tags_of
from hatoba.services.ec2.filters import Values, matching
from hatoba.services.ec2.model.errors import invalid
from hatoba.store import Tx

ec2 = Service("ec2")
R = TypeVar("R", bound=Record)

PAGE = 1000

# The prefix of an id tells the type of its resource; longer prefixes first.
TYPES = {
    "vpc": "vpc",
    "subnet": "subnet",
    "sgr": "security-group-rule",
    "sg": "security-group",
    "eni": "network-interface",
    "rtb": "route-table",
    "igw": "internet-gateway",
}


def resource_type(id_: str) -> str | None:
    return TYPES.get(id_.rpartition("-")[0])


def arn(scope: Scope, id_: str) -> str:
    return f"arn:{scope.partition}:ec2:{scope.region}:{scope.account}:{resource_type(id_)}/{id_}"


def own_tags(call: Call, id_: str) -> Mapping[str, str]:
    return tags_of(call.store, call.scope, arn(call.scope, id_))


def tag_new(tx: Tx, call: Call, id_: str, req: Mapping[str, Any]) -> None:
    """The tags that a create operation carries. Raises InvalidParameterValue when they are meant for another type."""
    for specification in req.get("TagSpecifications", ()):
        if specification.get("ResourceType") != resource_type(id_):
            raise invalid(f"'{specification.get('ResourceType')}' is not a valid taggable resource type here.")
        set_tags(
            tx, call.scope, arn(call.scope, id_), {tag["Key"]: tag.get("Value", "") for tag in specification["Tags"]}
        )


def dry_run(req: Mapping[str, Any]) -> None:
    if req.get("DryRun"):
        raise AwsError("Request would have succeeded, but DryRun flag is set.", code="DryRunOperation", status=412)


def block(text: str, *, name: str = "CidrBlock", widest: int = 16, narrowest: int = 28) -> IPv4Network:
    """A block with no bits beyond its prefix. Raises InvalidParameterValue, InvalidVpc.Range, InvalidSubnet.Range."""
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        raise invalid(f"Value ({text}) for parameter {name} is invalid. This is not a valid CIDR block.") from None
    if not widest <= network.prefixlen <= narrowest:
        kind = "Vpc" if name == "CidrBlock" else "Subnet"
        raise invalid(f"The CIDR '{text}' is invalid.", f"Invalid{kind}.Range")
    return network


def described(
    call: Call,
    records: Iterable[R],
    req: Mapping[str, Any],
    known: Mapping[str, Values[R]],
    *,
    ids: str,
    missing: Callable[[str], AwsError],
) -> tuple[list[R], str | None]:
    """One page of the records that a describe operation asks for: by id (each must exist), by filter, or all."""
    found: Sequence[R] = list(records)
    if wanted := req.get(ids):
        by_id = {record.id: record for record in found}
        for id_ in wanted:
            if id_ not in by_id:
                raise missing(id_)
        found = [by_id[id_] for id_ in dict.fromkeys(wanted)]
    filters: list[t.Filter] = req.get("Filters", [])
    found = matching(found, filters, known, lambda record: own_tags(call, record.id))
    return call.page(
        sorted(found, key=lambda record: record.id),
        order=lambda record: record.id,
        token=req.get("NextToken"),
        limit=req.get("MaxResults", PAGE),
        filters=(req.get(ids), filters),
        bad_token=lambda: invalid("The token is invalid.", "InvalidNextToken"),
    )
