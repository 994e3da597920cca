"""`IpPermissions`, and what else a request says of rules → the rules that they stand for, checked.

One permission gives a port range to many peers; a rule has one. Source: the API reference's `IpPermission`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from hatoba.aws.shapes import ec2 as t
from hatoba.core.ids import resource_id
from hatoba.core.keys import Scope
from hatoba.gateway.call import Call
from hatoba.services.ec2.api.group import named
from hatoba.services.ec2.api.peers import cidr4, cidr6
from hatoba.services.ec2.model.errors import invalid, missing
from hatoba.services.ec2.model.group import PROTOCOL_NAMES, Far, GroupRule, SecurityGroup, the_group
from hatoba.services.ec2.model.interface import PublicPool
from hatoba.services.ec2.model.peering import between
from hatoba.services.ec2.model.prefixlist import OF_AWS, any_list
from hatoba.store import Tx

_NUMBERS = {name: number for number, name in PROTOCOL_NAMES.items()}
FAR_ENDS = ("cidr", "cidr6", "group", "prefix_list")  # the fields of a rule's far end: it has one
_DESCRIPTION = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")


def rules(
    tx: Tx, call: Call, group: SecurityGroup, req: Mapping[str, Any], *, egress: bool, new: bool = False
) -> list[GroupRule]:
    """What `IpPermissions`, or the older single-rule parameters, stand for. Those that are not `new` may name what the
    group's own rules name, whether it is there still or not."""
    permissions = list(req.get("IpPermissions", ()))
    if "SourceSecurityGroupName" in req:
        permissions += _all_from(tx, call, req)
    elif "IpProtocol" in req and not permissions:
        single = {name: req[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in req}
        permissions.append({**single, "IpRanges": [{"CidrIp": req["CidrIp"]}] if "CidrIp" in req else []})
    return [rule for permission in permissions for rule in _rules(tx, call, group, permission, egress, new)]


def _all_from(tx: Tx, call: Call, req: Mapping[str, Any]) -> list[t.IpPermission]:
    """The oldest form: all of TCP, UDP and ICMP from a group of the default VPC, by its name."""
    if found := [name for name in ("IpPermissions", "IpProtocol", "FromPort", "ToPort", "CidrIp") if name in req]:
        raise invalid(
            f"The parameter sourceSecurityGroupName cannot be used with {', '.join(found)}",
            "InvalidParameterCombination",
        )
    if req.get("SourceSecurityGroupOwnerId", call.scope.account) != call.scope.account:
        raise invalid(f"The security group '{req['SourceSecurityGroupName']}' does not exist", "InvalidGroup.NotFound")
    far: list[t.UserIdGroupPair] = [{"GroupId": named(tx, call, {"GroupName": req["SourceSecurityGroupName"]}).id}]
    return [
        {"IpProtocol": name, "FromPort": first, "ToPort": last, "UserIdGroupPairs": far}
        for name, first, last in (("tcp", 0, 65535), ("udp", 0, 65535), ("icmp", -1, -1))
    ]


def _rules(
    tx: Tx, call: Call, group: SecurityGroup, permission: t.IpPermission, egress: bool, new: bool
) -> Iterator[GroupRule]:
    if "IpProtocol" not in permission:
        raise missing("ipProtocol")
    plain = _plain(permission["IpProtocol"], permission.get("FromPort"), permission.get("ToPort"), egress)
    for peer in _peers(tx, call, group, permission, new):
        yield msgspec.structs.replace(plain, id=resource_id(call.ids, "sgr"), **peer)


def _peers(tx: Tx, call: Call, group: SecurityGroup, permission: t.IpPermission, new: bool) -> Iterator[dict[str, Any]]:
    for ip in permission.get("IpRanges", ()):
        yield {"cidr": cidr4(ip.get("CidrIp", "")), "description": description(ip.get("Description"))}
    for ip6 in permission.get("Ipv6Ranges", ()):
        yield {"cidr6": cidr6(ip6.get("CidrIpv6", "")), "description": description(ip6.get("Description"))}
    for listed in permission.get("PrefixListIds", ()):
        yield {**_listed(tx, call, listed.get("PrefixListId")), "description": description(listed.get("Description"))}
    for pair in permission.get("UserIdGroupPairs", ()):
        yield {**_far_end(tx, call, group, pair, new), "description": description(pair.get("Description"))}


def _far_end(tx: Tx, call: Call, group: SecurityGroup, pair: t.UserIdGroupPair, new: bool) -> dict[str, Any]:
    """A group that a rule names, of whatever account. Raises InvalidGroup.NotFound."""
    id_, owner = pair.get("GroupId"), pair.get("UserId", call.scope.account)
    known = next((rule for rule in group.rules if rule.group == id_), None)
    if id_ is not None and known is not None and not new:
        return {"group": id_, "far": known.far}
    if id_ is None or owner == call.scope.account:
        return peer_group(tx, group, named(tx, call, pair))
    return peer_group(tx, group, the_group(tx, Scope(call.scope.partition, owner, call.scope.region), id_))


def updated(
    tx: Tx, call: Call, group: SecurityGroup, before: GroupRule, wanted: t.SecurityGroupRuleRequest
) -> GroupRule:
    """A rule as ModifySecurityGroupRules writes it anew: what is not said is gone, but the kind of peer stays."""
    if "IpProtocol" not in wanted:
        raise missing("ipProtocol")
    rule = _plain(wanted["IpProtocol"], wanted.get("FromPort"), wanted.get("ToPort"), before.egress)
    far: dict[str, Any] = {"group": None}
    if "ReferencedGroupId" in wanted:
        far = _far_end(tx, call, group, {"GroupId": wanted["ReferencedGroupId"]}, new=False)
    peers: dict[str, Any] = {
        "cidr": cidr4(wanted["CidrIpv4"]) if "CidrIpv4" in wanted else None,
        "cidr6": cidr6(wanted["CidrIpv6"]) if "CidrIpv6" in wanted else None,
        **far,
        **_listed(tx, call, wanted.get("PrefixListId")),
    }
    rule = msgspec.structs.replace(rule, id=before.id, description=description(wanted.get("Description")), **peers)
    if [name for name in FAR_ENDS if peers.get(name) is not None] != [kind(before)]:
        raise invalid(f"The source or destination of rule {before.id} must stay of its type.")
    return rule


def _listed(tx: Tx, call: Call, id_: str | None) -> dict[str, Any]:
    """A prefix list: the account's own by name, AWS's with its networks. Raises InvalidPrefixListID.NotFound."""
    if id_ is None:
        return {"prefix_list": None}
    found = any_list(tx, call.scope, id_, call.get(PublicPool).platform)
    return {"prefix_list": id_, "listed": found.cidrs if found.owner == OF_AWS else ()}


def kind(rule: GroupRule) -> str:
    """Of its peer, by the field that holds it."""
    return next(field for field in FAR_ENDS if getattr(rule, field) is not None)


def peer_group(tx: Tx, group: SecurityGroup, peer: SecurityGroup) -> dict[str, Any]:
    """What a rule says of it: of the same VPC, or of one that it is peered with."""
    if peer.vpc == group.vpc:
        return {"group": peer.id}
    way = between(tx, group.vpc, peer.vpc)
    if way is None:
        raise invalid("You have specified two resources that belong to different networks.", "InvalidGroup.NotFound")
    return {"group": peer.id, "far": Far(account=peer.key.account, vpc=peer.vpc, peering=way.id)}


def description(text: str | None) -> str | None:
    if text is not None and not _DESCRIPTION.fullmatch(text):
        raise invalid(
            "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set: "
            " a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
        )
    return text or None


def _plain(name: str, from_port: int | None, to_port: int | None, egress: bool) -> GroupRule:
    """Protocol and ports."""
    protocol = _NUMBERS.get(name.lower(), name)
    if protocol != "-1" and not (re.fullmatch(r"\d{1,3}", protocol, re.ASCII) and int(protocol) <= 255):
        raise invalid(f'Unsupported IP protocol "{name}"  - supported: [tcp, udp, icmp]')
    if protocol in ("6", "17"):
        if from_port is None or to_port is None:
            raise invalid("Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.")
        if not (0 <= from_port <= 65535 and 0 <= to_port <= 65535):
            wrong = to_port if 0 <= from_port <= 65535 else from_port
            raise invalid(f"Invalid value '{wrong}' for portRange. Must be between 0 and 65535")
        if from_port > to_port:
            raise invalid(
                f"Invalid TCP/UDP port range ({from_port}:{to_port}). The from port must not be above the to port."
            )
    elif protocol in ("1", "58"):
        # The type and the code of a message; -1 is any.
        from_port, to_port = -1 if from_port is None else from_port, -1 if to_port is None else to_port
        if not (-1 <= from_port <= 255 and -1 <= to_port <= 255):
            raise invalid(f"ICMP type ({from_port}) and code ({to_port}) must be between -1 and 255")
        if from_port == -1 and to_port != -1:
            raise invalid("ICMP code cannot be specified without an ICMP type")
    else:
        from_port = to_port = None
    return GroupRule(id="", egress=egress, protocol=protocol, from_port=from_port, to_port=to_port)
