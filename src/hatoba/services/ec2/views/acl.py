"""Network ACLs → API shape."""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.aws.shapes import ec2 as t
from hatoba.services.ec2.model.acl import Entry, NetworkAcl, shown_entries
from hatoba.services.ec2.model.network import Subnet, association_of_acl
from hatoba.services.ec2.views import Tags, tags


def network_acl(record: NetworkAcl, followers: Iterable[Subnet], own: Tags, *, ipv6: bool) -> t.NetworkAcl:
    """`ipv6`: its VPC has an IPv6 block."""
    return {
        "NetworkAclId": record.id,
        "VpcId": record.vpc,
        "OwnerId": record.key.account,
        "IsDefault": record.is_default,
        "Associations": [
            {"NetworkAclAssociationId": association_of_acl(subnet), "NetworkAclId": record.id, "SubnetId": subnet.id}
            for subnet in followers
        ],
        "Entries": [_entry(entry) for entry in shown_entries(record, ipv6=ipv6)],
        "Tags": tags(own),
    }


def _entry(entry: Entry) -> t.NetworkAclEntry:
    shown: t.NetworkAclEntry = {
        "RuleNumber": entry.number,
        "Egress": entry.egress,
        "Protocol": entry.protocol,
        "RuleAction": "allow" if entry.allow else "deny",
    }
    if entry.version == 4:
        shown["CidrBlock"] = entry.cidr
    else:
        shown["Ipv6CidrBlock"] = entry.cidr
    if entry.from_port is not None and entry.to_port is not None:
        shown["PortRange"] = {"From": entry.from_port, "To": entry.to_port}
    if entry.icmp_type is not None and entry.icmp_code is not None:
        shown["IcmpTypeCode"] = {"Type": entry.icmp_type, "Code": entry.icmp_code}
    return shown
