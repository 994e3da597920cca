"""The room itself, and what its operations share: tags, dry runs, blocks of addresses, and how things are listed.

Whoever lists records by id, filter and page uses `described`; other rows go through `matching` and `paged`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any, Literal, TypeVar

from hatoba.aws.shapes import ec2 as t
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.gateway.call import Call
from hatoba.gateway.room import Handler, Service
from hatoba.gateway.tags import set_tags, tags_of
from hatoba.services.ec2.access import ACCESS
from hatoba.services.ec2.filters import Values, is_pattern, matching
from hatoba.services.ec2.model.arns import arn, resource_type
from hatoba.services.ec2.model.errors import invalid, missing, not_found
from hatoba.store import Table, Tx
from hatoba.store.store import View


class _Ec2(Service):
    """Each operation of EC2 can be asked whether it would be allowed, instead of being carried out."""

    def operation(self, handler: H) -> H:
        @functools.wraps(handler)
        async def asked(req: Mapping[str, Any], call: Call) -> Any:
            dry_run(req)
            return await handler(req, call)

        super().operation(asked)
        return handler


ec2 = _Ec2("ec2", access=ACCESS)
R = TypeVar("R", bound=Record)
T = TypeVar("T")
H = TypeVar("H", bound=Handler)

PAGE = 1000
TAGS = 50  # of one resource


def own_tags(call: Call, id_: str) -> Mapping[str, str]:
    return tags_of(call.store, call.scope, arn(call.scope, id_))


def checked_tags(given: Iterable[t.Tag]) -> dict[str, str]:
    """Raises InvalidParameterValue."""
    found: dict[str, str] = {}
    for tag in given:
        key, value = tag.get("Key", ""), tag.get("Value", "")
        if not key:
            raise invalid("Tag keys cannot be empty or null")
        if key.startswith("aws:"):
            raise invalid(f"Tag keys starting with 'aws:' are reserved for internal use: {key}")
        if len(key) > 128:
            raise invalid(f"Tag key exceeds the maximum length of 128 characters: {key}")
        if len(value) > 256:
            raise invalid(f"Tag value exceeds the maximum length of 256 characters: {value}")
        if key in found:
            raise invalid(f"Duplicate tag key '{key}' specified.")
        found[key] = value
    return found


def put_tags(tx: Tx, scope: Scope, id_: str, given: Mapping[str, str]) -> None:
    """Raises TagLimitExceeded."""
    resource = arn(scope, id_)
    if len({**tags_of(tx, scope, resource), **given}) > TAGS:
        raise invalid("The maximum number of tags has been reached.", "TagLimitExceeded")
    set_tags(tx, scope, resource, given)


def tag_new(tx: Tx, call: Call, id_: str, req: Mapping[str, Any]) -> None:
    """The tags that a create operation carries. Raises InvalidParameterValue when they are meant for another type."""
    for specification in req.get("TagSpecifications", ()):
        kind = specification.get("ResourceType")
        if kind != resource_type(id_):
            raise invalid(f"'{kind}' is not a valid taggable resource type for this operation.")
        put_tags(tx, call.scope, id_, checked_tags(specification.get("Tags", ())))


def made_once(call: Call, req: Mapping[str, Any], find: Callable[[View, Scope, str], R], make: Callable[[Tx], R]) -> R:
    """What a create operation makes, with the tags that it carries, in one transaction; or what was made by an earlier
    request with the same client token, found by its id. Raises IdempotentParameterMismatch."""
    token = req.get("ClientToken")
    with call.tx() as tx:
        earlier = call.earlier(tx, req, token, mismatch=_mismatch)
        if earlier is not None:
            return find(tx, call.scope, earlier["id"])
        made = make(tx)
        tag_new(tx, call, made.id, req)
        call.remember(tx, req, token, {"id": made.id})
    return made


def dry_run(req: Mapping[str, Any]) -> None:
    if req.get("DryRun"):
        raise AwsError("Request would have succeeded, but DryRun flag is set.", code="DryRunOperation", status=412)


# What blocks are taken from, other than what the request names: there are no such pools here.
OF_POOLS = (
    "Ipv4IpamPoolId",
    "Ipv4NetmaskLength",
    "Ipv6IpamPoolId",
    "Ipv6NetmaskLength",
    "Ipv6Pool",
)


def refuse_unknown(req: Mapping[str, Any], *names: str) -> None:
    """What would make something else than was asked for, if it were left unread."""
    for name in names:
        if req.get(name):
            raise invalid(f"{name} is not supported here yet.", "UnsupportedOperation")


def refuse_turned_on(req: Mapping[str, Any], *names: str) -> None:
    """Attributes that are off here, and stay so."""
    refuse_unknown({name: req[name].get("Value") for name in names if name in req}, *names)


def one_attribute(req: Mapping[str, Any], *ids: str) -> None:
    """What modifies attributes takes one at a time. Raises InvalidParameterCombination, MissingParameter."""
    given = [name for name in req if name not in (*ids, "DryRun")]
    if len(given) > 1:
        raise invalid(
            f"Fields for multiple attribute types specified: {', '.join(given)}", "InvalidParameterCombination"
        )
    if not given:
        raise invalid("No attributes specified.", "InvalidParameterCombination")


def block(text: str, parameter: str) -> IPv4Network:
    """A block in canonical form: bits beyond its prefix are dropped, as EC2 does. Raises InvalidParameterValue."""
    try:
        address, slash, prefix = text.partition("/")
        if not slash or not prefix.isdecimal():
            raise ValueError(text)
        return IPv4Network((address, int(prefix)), strict=False)
    except ValueError:
        raise invalid(f"Value ({text}) for parameter {parameter} is invalid. This is not a valid CIDR block.") from None


def sized_block(text: str, kind: Literal["Vpc", "Subnet"]) -> IPv4Network:
    """The block of a VPC or subnet: /16 to /28. Raises InvalidVpc.Range, InvalidSubnet.Range."""
    network = block(text, "cidrBlock")
    if not 16 <= network.prefixlen <= 28:
        raise invalid(f"The CIDR '{text}' is invalid.", f"Invalid{kind}.Range")
    return network


def provided_block6(req: Mapping[str, Any], call: Call) -> bool:
    """Whether a VPC is to get an IPv6 block: one that is provided, since there are no pools to name one from.

    Raises MissingParameter, InvalidParameterCombination, InvalidParameterValue.
    """
    wanted: bool = req.get("AmazonProvidedIpv6CidrBlock", False)
    if "Ipv6CidrBlock" in req:
        raise missing("ipv6Pool")
    group = req.get("Ipv6CidrBlockNetworkBorderGroup")
    if group is not None and not wanted:
        raise invalid(
            "Ipv6CidrBlockNetworkBorderGroup requires AmazonProvidedIpv6CidrBlock.", "InvalidParameterCombination"
        )
    if group not in (None, call.scope.region):
        raise invalid(f"Value ({group}) for parameter ipv6CidrBlockNetworkBorderGroup is invalid.")
    return wanted


def bad_token() -> AwsError:
    return invalid("The token is invalid.", "InvalidNextToken")


def described(
    call: Call,
    table: Table[R],
    req: Mapping[str, Any],
    known: Mapping[str, Values[R]],
    *,
    ids: str = "",
    kind: str = "",
    indexed: Mapping[str, str] | None = None,
    among: Iterable[R] | None = None,
) -> tuple[list[R], str | None]:
    """One page of the records that a describe operation asks for: by id (each must exist), by filter, or all.

    `ids` is the member with the ids, `kind` their prefix; `indexed` are filters that the table has an index for;
    `among`: of these records only.
    """
    filters: list[t.Filter] = req.get("Filters", [])
    if wanted := req.get(ids):
        found = [_the(call.store, table, call.scope, id_, kind) for id_ in dict.fromkeys(wanted)]
    else:
        found = _candidates(call, table, filters, indexed or {})
    if among is not None:
        chosen = {record.id for record in among}
        found = [record for record in found if record.id in chosen]
    found = matching(found, filters, known, lambda record: own_tags(call, record.id))
    return paged(call, req, found, order=lambda record: record.id, ids=ids)


def paged(
    call: Call,
    req: Mapping[str, Any],
    rows: Iterable[T],
    *,
    order: Callable[[T], str],
    ids: str = "",
    within: object = None,
) -> tuple[list[T], str | None]:
    """One page of what was found. `ids` is the member with the ids, `within` whatever else says what is listed.

    Raises InvalidParameterCombination, InvalidNextToken.
    """
    if req.get(ids) and "MaxResults" in req:
        raise invalid(
            f"The parameter {ids} cannot be used with the parameter maxResults", "InvalidParameterCombination"
        )
    return call.page(
        sorted(rows, key=order),
        order=order,
        token=req.get("NextToken"),
        limit=req.get("MaxResults", PAGE),
        filters=(req.get(ids), req.get("Filters"), within),
        bad_token=bad_token,
    )


def _mismatch() -> AwsError:
    return invalid(
        "Idempotent request parameters do not match those of the request made with this client token.",
        "IdempotentParameterMismatch",
    )


def _the(view: View, table: Table[R], scope: Scope, id_: str, kind: str) -> R:
    record = view.find(table, scope, id_)
    if record is None:
        raise not_found(id_, kind)
    return record


def _candidates(call: Call, table: Table[R], filters: Iterable[t.Filter], indexed: Mapping[str, str]) -> list[R]:
    """No fewer than the filters let pass, and not everything where an index helps."""
    for wanted in filters:
        index, values = indexed.get(wanted.get("Name", "")), wanted.get("Values", [])
        if index is not None and not any(is_pattern(value) for value in values):
            found = (record for value in dict.fromkeys(values) for record in call.store.index(table, index, value))
            return [record for record in found if record.scope == call.scope]
    return list(call.store.scan(table, call.scope))
