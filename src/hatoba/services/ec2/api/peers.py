"""Blocks of addresses, as rules name them: in canonical form, bits beyond the prefix dropped. Pure."""

from __future__ import annotations

import ipaddress

from hatoba.services.ec2.model.errors import invalid


def cidr4(text: str) -> str:
    """Raises InvalidParameterValue."""
    try:
        if "/" not in text:
            raise ValueError(text)
        return str(ipaddress.IPv4Network(text, strict=False))
    except ValueError:
        raise invalid(f"CIDR block {text} is malformed") from None


def network6(text: str, parameter: str) -> ipaddress.IPv6Network:
    """Raises InvalidParameterValue."""
    try:
        return _network6(text)
    except ValueError:
        raise invalid(f"Value ({text}) for parameter {parameter} is invalid. This is not a valid CIDR block.") from None


def cidr6(text: str) -> str:
    """Raises InvalidParameterValue."""
    try:
        return str(_network6(text))
    except ValueError:
        raise invalid(f"CIDR block {text} is malformed") from None


def _network6(text: str) -> ipaddress.IPv6Network:
    """Python takes the name of a device (`fd00::%eth0/64`) for a part of an address. Raises ValueError."""
    if "/" not in text or "%" in text:
        raise ValueError(text)
    return ipaddress.IPv6Network(text, strict=False)
