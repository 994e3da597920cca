"""What a request says of an entry of a network ACL → the entry, checked. Pure.

Source: the API reference's CreateNetworkAclEntry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hatoba.services.ec2.api.peers import cidr4, cidr6
from hatoba.services.ec2.model.acl import LAST, Entry
from hatoba.services.ec2.model.errors import invalid, missing
from hatoba.services.ec2.model.group import PROTOCOL_NAMES

_NUMBERS = {name: number for number, name in PROTOCOL_NAMES.items()} | {"all": "-1"}
_ICMP = {"1": 4, "58": 6}


def spoken(protocol: str) -> tuple[str, ...]:
    """The number and the names of a protocol: filters know both."""
    return (protocol, *(name for name, number in _NUMBERS.items() if number == protocol))


def rule_number(number: int) -> int:
    """Raises InvalidParameterValue."""
    if not 1 <= number < LAST:
        raise invalid(f"The rule number {number} is invalid. It must be between 1 and {LAST - 1}.")
    return number


def entry(req: Mapping[str, Any]) -> Entry:
    """Raises MissingParameter, InvalidParameterCombination, InvalidParameterValue."""
    protocol = _protocol(req["Protocol"])
    cidr = _cidr(req)
    version = 6 if ":" in cidr else 4
    ports: dict[str, int] = {}
    if protocol in _ICMP:
        if _ICMP[protocol] != version:
            raise invalid(f"Protocol {protocol} cannot be used with an IPv{version} CIDR block.")
        ports = _icmp(req)
    elif protocol in ("6", "17"):
        ports = _ports(req)
    return Entry(
        number=rule_number(req["RuleNumber"]),
        egress=req["Egress"],
        allow=req["RuleAction"] == "allow",
        protocol=protocol,
        cidr=cidr,
        **ports,
    )


def _protocol(name: str) -> str:
    protocol = _NUMBERS.get(name.lower(), name)
    if protocol != "-1" and not (re.fullmatch(r"\d{1,3}", protocol, re.ASCII) and int(protocol) <= 255):
        raise invalid(f"Invalid value '{name}' for IP protocol. Unknown protocol.")
    return protocol if protocol == "-1" else str(int(protocol))


def _cidr(req: Mapping[str, Any]) -> str:
    four, six = req.get("CidrBlock"), req.get("Ipv6CidrBlock")
    if four is not None and six is not None:
        raise invalid(
            "The parameter cidrBlock cannot be used with the parameter ipv6CidrBlock", "InvalidParameterCombination"
        )
    if four is not None:
        return cidr4(four)
    if six is not None:
        return cidr6(six)
    raise missing("cidrBlock or ipv6CidrBlock")


def _ports(req: Mapping[str, Any]) -> dict[str, int]:
    given = req.get("PortRange", {})
    if "From" not in given or "To" not in given:
        raise missing("portRange")
    first, last = given["From"], given["To"]
    if not 0 <= first <= last <= 65535:
        raise invalid(f"Invalid TCP/UDP port range ({first}:{last})")
    return {"from_port": first, "to_port": last}


def _icmp(req: Mapping[str, Any]) -> dict[str, int]:
    given = req.get("IcmpTypeCode", {})
    if "Type" not in given or "Code" not in given:
        raise missing("icmpTypeCode")
    kind, code = given["Type"], given["Code"]
    if not (-1 <= kind <= 255 and -1 <= code <= 255) or (kind == -1 and code != -1):
        raise invalid(f"Invalid ICMP type and code ({kind}:{code})")
    return {"icmp_type": kind, "icmp_code": code}
