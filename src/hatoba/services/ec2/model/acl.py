"""Network ACLs: numbered rules at the borders of subnets, asked in order, in both directions.

Each VPC has a default one, which its subnets follow unless they are associated with another. As long as nobody has
touched its rules it is not stored: it lets everything pass, both IP versions as far as the VPC has them. What the nodes
see (`refresh_acls`) are only the ACLs that filter something.

Source: the VPC user guide, "Network ACLs": an ACL whose rules were changed does not get new ones when its VPC gets an
IPv6 block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_network

import msgspec

from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.core.records import Record, replace
from hatoba.fleet import model as fleet
from hatoba.services.ec2.model.errors import invalid, not_found
from hatoba.services.ec2.model.group import PROTOCOL_NAMES
from hatoba.services.ec2.model.network import Subnet, Vpc, association_of_acl, subnets, vpcs
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View

LAST, LAST6 = 32767, 32768  # the numbers under which "everything else is denied" is shown
ENTRIES = 20  # of an ACL, in each direction
ACLS = 200  # of a VPC
EVERYTHING = ("0.0.0.0/0", "::/0")


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`protocol` is a number, "-1" for all. Ports of tcp and udp; type and code of ICMP, where -1 is any."""

    number: int
    egress: bool
    allow: bool
    protocol: str
    cidr: str
    from_port: int | None = None
    to_port: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None

    @property
    def version(self) -> int:
        return ip_network(self.cidr).version


class NetworkAcl(Record, frozen=True, kw_only=True):
    """By number within each direction."""

    vpc: str
    entries: tuple[Entry, ...] = ()
    is_default: bool = False


network_acls = Table("ec2.network_acls", NetworkAcl, indexes=(Index("vpc", lambda acl: acl.vpc),))


def everything(number: int, egress: bool, cidr: str, *, allow: bool) -> Entry:
    return Entry(number=number, egress=egress, allow=allow, protocol="-1", cidr=cidr)


def default_id(vpc: str) -> str:
    return vpc.replace("vpc-", "acl-", 1)


def default_acl(view: View, vpc: Vpc) -> NetworkAcl:
    """As it is stored, or as nobody has touched it yet."""
    stored = view.find(network_acls, vpc.scope, default_id(vpc.id))
    if stored is not None:
        return stored
    cidrs = EVERYTHING if vpc.block6 is not None else EVERYTHING[:1]
    entries = tuple(
        everything(100 + step, egress, cidr, allow=True) for egress in (True, False) for step, cidr in enumerate(cidrs)
    )
    key = network_acls.key(vpc.scope, default_id(vpc.id))
    return NetworkAcl(key=key, vpc=vpc.id, entries=entries, is_default=True)


def acls_in(view: View, vpc: Vpc) -> list[NetworkAcl]:
    return [default_acl(view, vpc), *(acl for acl in view.index(network_acls, "vpc", vpc.id) if not acl.is_default)]


def the_acl(view: View, scope: Scope, id_: str) -> NetworkAcl:
    acl = view.find(network_acls, scope, id_)
    if acl is None:
        vpc = view.find(vpcs, scope, id_.replace("acl-", "vpc-", 1))
        if vpc is None:
            raise not_found(id_, "acl")
        acl = default_acl(view, vpc)
    return acl


def acl_of(subnet: Subnet) -> str:
    """The id of the ACL that a subnet follows."""
    return subnet.acl or default_id(subnet.vpc)


def followers(view: View, acl: NetworkAcl) -> list[Subnet]:
    """The subnets that are associated with an ACL."""
    return [subnet for subnet in view.index(subnets, "vpc", acl.vpc) if acl_of(subnet) == acl.id]


def associated(view: View, scope: Scope, association: str) -> Subnet:
    """The subnet of an association. Raises InvalidAssociationID.NotFound."""
    for subnet in view.index(subnets, "acl_association", association):
        if subnet.scope == scope and association_of_acl(subnet) == association:
            return subnet
    raise not_found(association, "aclassoc")


def shown_entries(acl: NetworkAcl, *, ipv6: bool) -> Iterator[Entry]:
    """As EC2 lists them: what nothing else fits is denied, which is a rule that nobody can touch."""
    for egress in (True, False):
        yield from (entry for entry in acl.entries if entry.egress == egress)
        yield everything(LAST, egress, EVERYTHING[0], allow=False)
        if ipv6:
            yield everything(LAST6, egress, EVERYTHING[1], allow=False)


def entry_of(acl: NetworkAcl, number: int, egress: bool) -> Entry:
    for entry in acl.entries:
        if (entry.number, entry.egress) == (number, egress):
            return entry
    raise invalid(f"The network acl entry identified by {number} does not exist.", "InvalidNetworkAclEntry.NotFound")


def with_entry(acl: NetworkAcl, new: Entry) -> NetworkAcl:
    """Raises NetworkAclEntryAlreadyExists, NetworkAclEntryLimitExceeded."""
    same_way = [entry for entry in acl.entries if entry.egress == new.egress]
    if any(entry.number == new.number for entry in same_way):
        raise invalid(
            f"The network acl entry identified by {new.number} already exists.", "NetworkAclEntryAlreadyExists"
        )
    if len(same_way) >= ENTRIES:
        raise _full(acl)
    return _with_entries(acl, (*acl.entries, new))


def _full(acl: NetworkAcl) -> AwsError:
    return invalid(
        f"The maximum number of network acl entries for {acl.id} has been reached.", "NetworkAclEntryLimitExceeded"
    )


def without_entry(acl: NetworkAcl, gone: Entry) -> NetworkAcl:
    return _with_entries(acl, (entry for entry in acl.entries if entry != gone))


def _with_entries(acl: NetworkAcl, entries: Iterable[Entry]) -> NetworkAcl:
    return replace(acl, entries=tuple(sorted(entries, key=lambda entry: (not entry.egress, entry.number))))


# --- for the nodes


def refresh_acls(tx: Tx, scope: Scope, vpc: str) -> None:
    """After a change of a VPC's ACLs, subnets or associations."""
    network = tx.find(fleet.networks, scope, vpc)
    record = tx.find(vpcs, scope, vpc)
    if network is None or record is None:
        return
    versions = (4, 6) if record.block6 is not None else (4,)
    acls = tuple(
        _for_nodes(acl, found)
        for acl in acls_in(tx, record)
        if (found := followers(tx, acl)) and _filters(acl, versions)
    )
    if network.acls != acls:
        tx.put(fleet.networks, replace(network, acls=acls))


def _filters(acl: NetworkAcl, versions: Iterable[int]) -> bool:
    """Whether it says no to anything that its subnets could send or get."""
    return any(not _is_open(acl, egress, version) for egress in (True, False) for version in versions)


def _is_open(acl: NetworkAcl, egress: bool, version: int) -> bool:
    first = next((e for e in acl.entries if e.egress == egress and e.version == version), None)
    return first is not None and first.allow and first.protocol == "-1" and first.cidr in EVERYTHING


def _for_nodes(acl: NetworkAcl, followers: Iterable[Subnet]) -> fleet.Acl:
    return fleet.Acl(
        id=acl.id,
        borders=tuple(fleet.Border(subnet=subnet.id, cidrs=subnet.cidrs) for subnet in followers),
        ingress=tuple(_rule(entry) for entry in acl.entries if not entry.egress),
        egress=tuple(_rule(entry) for entry in acl.entries if entry.egress),
    )


def _rule(entry: Entry) -> fleet.AclRule:
    icmp = None if entry.icmp_type in (None, -1) else entry.icmp_type
    code = None if icmp is None or entry.icmp_code in (None, -1) else entry.icmp_code
    return fleet.AclRule(
        allow=entry.allow,
        protocol="any" if entry.protocol == "-1" else PROTOCOL_NAMES.get(entry.protocol, entry.protocol),
        from_port=icmp if entry.icmp_type is not None else entry.from_port,
        to_port=code if entry.icmp_type is not None else entry.to_port,
        cidrs=(entry.cidr,),
    )
