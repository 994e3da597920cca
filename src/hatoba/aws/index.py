"""Which service a request may be for, found without loading a model.

`services.json` holds the head of every model (generated, checked by a test). Several services can share a signing name
(`elasticloadbalancing`: elb and elbv2), so that lookups give candidates, which the gateway's
routing tells apart by the request.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec

FILE = Path(__file__).with_name("services.json")


class Service(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    api_version: str
    signing_name: str
    endpoint_prefix: str
    service_id: str
    protocols: tuple[str, ...]
    target_prefix: str | None = None


@cache
def services() -> tuple[Service, ...]:
    return msgspec.json.decode(FILE.read_bytes(), type=tuple[Service, ...])


def by_name(name: str) -> Service | None:
    """By botocore's name: `elbv2`."""
    return next(iter(_table("name").get(name, ())), None)


def signing_name(name: str) -> str:
    """By which a service is known to signatures and as a principal: `elasticloadbalancing` of botocore's `elbv2`."""
    known = by_name(name)
    return known.signing_name if known is not None else name


def by_signing_name(name: str) -> tuple[Service, ...]:
    """By the service of a signature's credential scope: `elasticloadbalancing`."""
    return _table("signing_name").get(name, ())


def by_target_prefix(prefix: str) -> tuple[Service, ...]:
    """By the first half of `X-Amz-Target`, or the service in a path of RPC v2: `GraniteServiceVersion20100801`."""
    return _table("target_prefix").get(prefix, ())


def by_endpoint_prefix(prefix: str) -> tuple[Service, ...]:
    """By the first part of a host name: `api.ecr`."""
    return _table("endpoint_prefix").get(prefix, ())


def choose(candidates: tuple[Service, ...]) -> Service | None:
    """Of those that a request may be for, the one that gives them all its name, or else the first."""
    namesake = (service for service in candidates if service.name == service.signing_name)
    return next(namesake, candidates[0] if candidates else None)


_KEYS: dict[str, Callable[[Service], str | None]] = {
    "name": lambda service: service.name,
    "signing_name": lambda service: service.signing_name,
    "target_prefix": lambda service: service.target_prefix,
    "endpoint_prefix": lambda service: service.endpoint_prefix,
}


@cache
def _table(column: str) -> dict[str, tuple[Service, ...]]:
    rows: dict[str, tuple[Service, ...]] = {}
    for service in services():
        value = _KEYS[column](service)
        if value is not None:
            rows[value] = (*rows.get(value, ()), service)
    return rows
