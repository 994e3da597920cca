"""Prefix lists → API shape."""

from __future__ import annotations

from hatoba.aws.shapes import ec2 as t
from hatoba.services.ec2.model.prefixlist import OF_AWS, Entry, PrefixList
from hatoba.services.ec2.views import Tags, tags


def prefix_list(record: PrefixList, own: Tags) -> t.ManagedPrefixList:
    key = record.key
    owner = "aws" if record.owner == OF_AWS else key.account
    return {
        "PrefixListId": record.id,
        "PrefixListName": record.name,
        "PrefixListArn": f"arn:{key.partition}:ec2:{key.region}:{owner}:prefix-list/{record.id}",
        "AddressFamily": record.family,
        "MaxEntries": record.max_entries,
        "Version": record.number,
        "State": record.state,
        "OwnerId": record.owner or key.account,
        "Tags": tags(own),
    }


def entry(given: Entry) -> t.PrefixListEntry:
    shown: t.PrefixListEntry = {"Cidr": given.cidr}
    if given.description is not None:
        shown["Description"] = given.description
    return shown
