"""Managed prefix lists.

A change of entries reaches the rules of groups that name the list in the same transaction, so that none is ever half
made: the states in progress that EC2 has are not seen here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from hatoba.aws.shapes import ec2 as t
from hatoba.core.ids import resource_id
from hatoba.core.records import Record, replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2.api.peers import cidr4, cidr6
from hatoba.services.ec2.api.room import ec2, made_once, own_tags, paged, refuse_unknown
from hatoba.services.ec2.filters import matching
from hatoba.services.ec2.model.arns import arn
from hatoba.services.ec2.model.errors import in_the_way, invalid, not_found
from hatoba.services.ec2.model.group import groups, put_group, within_limits
from hatoba.services.ec2.model.interface import PublicPool
from hatoba.services.ec2.model.prefixlist import (
    LONGEST,
    OF_AWS,
    Entry,
    Family,
    PrefixList,
    any_list,
    check_family,
    check_size,
    check_version,
    entries_of,
    forget_list,
    lists_of_aws,
    prefix_lists,
    put_entries,
    the_list,
)
from hatoba.services.ec2.model.routes import route_tables
from hatoba.services.ec2.model.ways import refresh_ways
from hatoba.services.ec2.views import prefixlist as views
from hatoba.store import Tx
from hatoba.store.store import View

_FAMILIES: dict[str, Family] = {"IPv4": "IPv4", "IPv6": "IPv6"}


def _view(call: Call, record: PrefixList) -> t.ManagedPrefixList:
    return views.prefix_list(record, {} if record.owner == OF_AWS else own_tags(call, record.id))


def _of_aws(call: Call) -> list[PrefixList]:
    return lists_of_aws(call.scope, call.get(PublicPool).platform)


def _any(view: View, call: Call, id_: str) -> PrefixList:
    """Of the account's own and AWS's."""
    return any_list(view, call.scope, id_, call.get(PublicPool).platform)


# --- making and changing


@ec2.operation
async def create_managed_prefix_list(
    req: t.CreateManagedPrefixListRequest, call: Call
) -> t.CreateManagedPrefixListResult:
    family = _FAMILIES.get(req["AddressFamily"])
    if family is None:
        raise invalid(f"Value ({req['AddressFamily']}) for parameter addressFamily is invalid. Use IPv4 or IPv6.")
    name, most = _name(req["PrefixListName"]), _room(req["MaxEntries"])
    entries = _entries(req.get("Entries", ()), family)
    key = prefix_lists.key(call.scope, resource_id(call.ids, "pl"))
    wanted = PrefixList(key=key, name=name, family=family, max_entries=most, entries=entries)
    check_size(wanted)
    made = made_once(call, req, the_list, lambda tx: tx.put(prefix_lists, wanted))
    return {"PrefixList": _view(call, made)}


def _name(name: str) -> str:
    if not 1 <= len(name) <= 255 or name.startswith("com.amazonaws"):
        raise invalid(
            f"Value ({name}) for parameter prefixListName is invalid. It has up to 255 characters and does not start "
            "with com.amazonaws."
        )
    return name


def _room(most: int) -> int:
    if not 1 <= most <= LONGEST:
        raise invalid(f"Value ({most}) for parameter maxEntries is invalid. It must be between 1 and {LONGEST}.")
    return most


def _entries(given: Iterable[t.AddPrefixListEntry], family: Family) -> tuple[Entry, ...]:
    found: dict[str, Entry] = {}
    for each in given:
        description = each.get("Description")
        if description is not None and len(description) > 255:
            raise invalid("The description of an entry has up to 255 characters.")
        cidr = _cidr(each["Cidr"], family)
        if cidr in found:
            raise invalid(f"Duplicate Cidr {cidr} in the request.")
        found[cidr] = Entry(cidr=cidr, description=description)
    return tuple(found.values())


def _cidr(text: str, family: Family) -> str:
    cidr = cidr6(text) if ":" in text else cidr4(text)
    check_family(cidr, family)
    return cidr


@ec2.operation
async def modify_managed_prefix_list(
    req: t.ModifyManagedPrefixListRequest, call: Call
) -> t.ModifyManagedPrefixListResult:
    refuse_unknown(req, "IpamPrefixListResolverSyncEnabled")
    added, removed = req.get("AddEntries", []), req.get("RemoveEntries", [])
    with call.tx() as tx:
        record = _own(tx, call, req["PrefixListId"])
        if "CurrentVersion" in req:
            check_version(record, req["CurrentVersion"])
        if "PrefixListName" in req:
            record = replace(record, name=_name(req["PrefixListName"]), state="modify-complete")
        if "MaxEntries" in req:
            if added or removed:
                raise invalid(
                    "The entries and the maximum number of entries of a prefix list cannot be modified at once.",
                    "InvalidPrefixListModification",
                )
            record = replace(record, max_entries=_room(req["MaxEntries"]), state="modify-complete")
            check_size(record)
        if added or removed:
            if "CurrentVersion" not in req:
                raise invalid("The request must contain the parameter currentVersion", "MissingParameter")
            record = put_entries(tx, record, _changed(record, added, removed), "modify-complete")
        else:
            record = tx.put(prefix_lists, record)
        _renew_users(tx, record)
    return {"PrefixList": _view(call, record)}


def _own(view: View, call: Call, id_: str) -> PrefixList:
    """Raises OperationNotPermitted for AWS's."""
    record = _any(view, call, id_)
    if record.owner == OF_AWS:
        raise invalid(f"The prefix list {id_} is AWS's own: it cannot be changed.", "OperationNotPermitted")
    return record


def _changed(
    record: PrefixList, added: Iterable[t.AddPrefixListEntry], removed: Iterable[t.RemovePrefixListEntry]
) -> tuple[Entry, ...]:
    gone = {_cidr(each["Cidr"], record.family) for each in removed}
    come = _entries(added, record.family)
    for entry in come:
        if entry.cidr in gone:
            raise invalid(
                f"Request cannot contain Cidr {entry.cidr} in both AddPrefixListEntries and RemovePrefixListEntries"
            )
        if entry.cidr in record.cidrs:
            raise invalid(f"The prefix list has Cidr {entry.cidr} already.", "InvalidPrefixListModification")
    for cidr in sorted(gone - set(record.cidrs)):
        raise invalid(f"The prefix list has no Cidr {cidr}.", "InvalidPrefixListModification")
    return (*(entry for entry in record.entries if entry.cidr not in gone), *come)


def _renew_users(tx: Tx, record: PrefixList) -> None:
    """What a change means for those who name the list. Raises RulesPerSecurityGroupLimitExceeded."""
    for group in tx.index(groups, "prefix_list", record.id):
        if group.scope == record.scope:
            put_group(tx, within_limits(tx, group))
    for table in tx.index(route_tables, "prefix_list", record.id):
        if table.scope == record.scope:
            refresh_ways(tx, table.scope, table.vpc)


@ec2.operation
async def restore_managed_prefix_list_version(
    req: t.RestoreManagedPrefixListVersionRequest, call: Call
) -> t.RestoreManagedPrefixListVersionResult:
    with call.tx() as tx:
        record = _own(tx, call, req["PrefixListId"])
        check_version(record, req["CurrentVersion"])
        entries = entries_of(tx, record, req["PreviousVersion"])
        record = put_entries(tx, record, entries, "restore-complete")
        _renew_users(tx, record)
    return {"PrefixList": _view(call, record)}


@ec2.operation
async def delete_managed_prefix_list(
    req: t.DeleteManagedPrefixListRequest, call: Call
) -> t.DeleteManagedPrefixListResult:
    with call.tx() as tx:
        record = _own(tx, call, req["PrefixListId"])
        if _users(tx, record):
            raise in_the_way(f"The prefix list {record.id} is in use: {', '.join(_users(tx, record))} name it.")
        forget_list(tx, record)
        shown = _view(call, replace(record, state="delete-complete"))
        forget_tags(tx, call.scope, arn(call.scope, record.id))
    return {"PrefixList": shown}


def _users(view: View, record: PrefixList) -> list[str]:
    """The resources that name it, of the account's own."""
    named: list[Record] = [
        *view.index(groups, "prefix_list", record.id),
        *view.index(route_tables, "prefix_list", record.id),
    ]
    return sorted(each.id for each in named if each.scope == record.scope)


# --- asking


@ec2.operation
async def describe_managed_prefix_lists(
    req: t.DescribeManagedPrefixListsRequest, call: Call
) -> t.DescribeManagedPrefixListsResult:
    found = [*_of_aws(call), *call.store.scan(prefix_lists, call.scope)]
    if ids := req.get("PrefixListIds"):
        found = [_any(call.store, call, id_) for id_ in dict.fromkeys(ids)]
    found = matching(
        found,
        req.get("Filters", []),
        {
            "owner-id": lambda each: (each.owner or each.key.account,),
            "prefix-list-id": lambda each: (each.id,),
            "prefix-list-name": lambda each: (each.name,),
        },
        lambda each: own_tags(call, each.id),
    )
    page, token = paged(call, req, found, order=lambda each: each.id, ids="PrefixListIds")
    return {"PrefixLists": [_view(call, each) for each in page], **next_token(token)}


@ec2.operation
async def get_managed_prefix_list_entries(
    req: t.GetManagedPrefixListEntriesRequest, call: Call
) -> t.GetManagedPrefixListEntriesResult:
    record = _any(call.store, call, req["PrefixListId"])
    version: int | Literal[""] = req.get("TargetVersion", "")
    entries = record.entries if version == "" else entries_of(call.store, record, version)
    page, token = paged(call, req, entries, order=lambda entry: entry.cidr, within=(record.id, version))
    return {"Entries": [views.entry(entry) for entry in page], **next_token(token)}


@ec2.operation
async def get_managed_prefix_list_associations(
    req: t.GetManagedPrefixListAssociationsRequest, call: Call
) -> t.GetManagedPrefixListAssociationsResult:
    record = _own(call.store, call, req["PrefixListId"])
    page, token = paged(call, req, _users(call.store, record), order=lambda id_: id_, within=record.id)
    return {
        "PrefixListAssociations": [{"ResourceId": id_, "ResourceOwner": call.scope.account} for id_ in page],
        **next_token(token),
    }


@ec2.operation
async def describe_prefix_lists(req: t.DescribePrefixListsRequest, call: Call) -> t.DescribePrefixListsResult:
    """AWS's own, as they were listed before there were others."""
    found = _of_aws(call)
    if ids := req.get("PrefixListIds"):
        known = {each.id: each for each in found}
        for id_ in ids:
            if id_ not in known:
                raise not_found(id_, "pl")
        found = [known[id_] for id_ in dict.fromkeys(ids)]
    found = matching(
        found,
        req.get("Filters", []),
        {"prefix-list-id": lambda each: (each.id,), "prefix-list-name": lambda each: (each.name,)},
        lambda each: {},
    )
    page, token = paged(call, req, found, order=lambda each: each.id, ids="PrefixListIds")
    return {
        "PrefixLists": [
            {"PrefixListId": each.id, "PrefixListName": each.name, "Cidrs": list(each.cidrs)} for each in page
        ],
        **next_token(token),
    }
