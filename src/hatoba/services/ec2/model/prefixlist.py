"""Managed prefix lists: networks under one name, in versions, which rules of groups and routes may name.

A list has room for so many entries as it was made for; that number is what it counts for in the quotas of whoever names
it. Two are there by themselves in each region, as AWS's own are: under the names of services that endpoints are made
for, with the addresses at which tasks reach the platform. They are not stored.

Source: the VPC user guide, "Managed prefix lists".
"""

from __future__ import annotations

import hashlib
from ipaddress import ip_network
from typing import Literal

import msgspec

from hatoba.core.keys import Key, Scope
from hatoba.core.records import Record, replace
from hatoba.services.ec2.model.errors import invalid, not_found
from hatoba.store import Table, Tx
from hatoba.store.store import View

LONGEST = 1000  # entries of a list
VERSIONS = 1000  # of a list that are kept: a further one takes the place of the oldest
OF_AWS = "AWS"  # an owner
_SERVICES = ("dynamodb", "s3")

Family = Literal["IPv4", "IPv6"]
State = Literal["create-complete", "modify-complete", "restore-complete", "delete-complete"]


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    cidr: str
    description: str | None = None


class PrefixList(Record, frozen=True, kw_only=True):
    """With the entries of the version in force, whose number is `number`."""

    name: str
    family: Family
    max_entries: int
    entries: tuple[Entry, ...]
    number: int = 1
    state: State = "create-complete"
    owner: str = ""  # "": the account

    @property
    def cidrs(self) -> tuple[str, ...]:
        return tuple(entry.cidr for entry in self.entries)


class Earlier(Record, frozen=True, kw_only=True):
    """A version that another one has taken the place of: a change writes one version, not the whole history."""

    entries: tuple[Entry, ...]


prefix_lists = Table("ec2.prefix_lists", PrefixList)
earlier_versions = Table("ec2.prefix_list_versions", Earlier)


def lists_of_aws(scope: Scope, platform: tuple[str, ...]) -> list[PrefixList]:
    """`platform`: the networks in which tasks reach it."""
    return [
        PrefixList(
            key=prefix_lists.key(scope, id_),
            name=name,
            family="IPv4",
            max_entries=len(platform),
            entries=tuple(Entry(cidr=cidr) for cidr in platform),
            owner=OF_AWS,
        )
        for id_, name in _names_of_aws(scope).items()
    ]


def is_of_aws(scope: Scope, id_: str) -> bool:
    return id_ in _names_of_aws(scope)


def _names_of_aws(scope: Scope) -> dict[str, str]:
    names = (f"com.amazonaws.{scope.region}.{service}" for service in _SERVICES)
    return {f"pl-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}": name for name in names}


def the_list(view: View, scope: Scope, id_: str) -> PrefixList:
    """One of the account's own. Raises InvalidPrefixListID.NotFound."""
    found = view.find(prefix_lists, scope, id_)
    if found is None:
        raise not_found(id_, "pl")
    return found


def any_list(view: View, scope: Scope, id_: str, platform: tuple[str, ...]) -> PrefixList:
    """One of the account's own, or of AWS's (`lists_of_aws`). Raises InvalidPrefixListID.NotFound."""
    return next((each for each in lists_of_aws(scope, platform) if each.id == id_), None) or the_list(view, scope, id_)


def put_entries(tx: Tx, before: PrefixList, entries: tuple[Entry, ...], state: State) -> PrefixList:
    """A new version; the one before is kept beside it. Raises PrefixListMaxEntriesExceeded."""
    after = replace(before, entries=entries, number=before.number + 1, state=state)
    check_size(after)
    tx.put(earlier_versions, Earlier(key=_version_key(before, before.number), entries=before.entries))
    if tx.get(earlier_versions, oldest := _version_key(before, after.number - VERSIONS)):
        tx.forget(earlier_versions, oldest)
    return tx.put(prefix_lists, after)


def entries_of(view: View, given: PrefixList, number: int) -> tuple[Entry, ...]:
    """Of a version. Raises InvalidParameterValue for one that was never there, or is no more."""
    if number == given.number:
        return given.entries
    found = view.get(earlier_versions, _version_key(given, number))
    if found is None:
        raise invalid(f"The prefix list {given.id} has no version {number}.")
    return found.entries


def forget_list(tx: Tx, given: PrefixList) -> None:
    for number in range(max(1, given.number - VERSIONS), given.number):
        if tx.get(earlier_versions, key := _version_key(given, number)):
            tx.forget(earlier_versions, key)
    tx.forget(prefix_lists, given.key)


def _version_key(given: PrefixList, number: int) -> Key:
    return earlier_versions.key(given.scope, f"{given.id}:{number}")


def check_size(given: PrefixList) -> None:
    if len(given.entries) > given.max_entries:
        raise invalid(
            f"You've reached the maximum number of entries for the prefix list: it has {len(given.entries)}, and room "
            f"for {given.max_entries}.",
            "PrefixListMaxEntriesExceeded",
        )


def check_version(given: PrefixList, version: int) -> None:
    """Whoever changes a list says which version they have seen. Raises PrefixListVersionMismatch."""
    if version != given.number:
        raise invalid("The prefix list has the incorrect version number.", "PrefixListVersionMismatch")


def check_family(cidr: str, family: Family) -> None:
    if f"IPv{ip_network(cidr).version}" != family:
        raise invalid(f"The CIDR {cidr} is not of the address family {family} of the prefix list.")
