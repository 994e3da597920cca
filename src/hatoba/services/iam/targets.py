"""What IAM's requests name: ARNs, and the records behind them where there are any. For the `access` table.

Of what is not there the ARN is the one that its name would give it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from hatoba.gateway.call import Call
from hatoba.gateway.needs import EVERYTHING, Params
from hatoba.services.iam.model import POLICY, USER, Kind, Named, access_keys, find_device


class Target(NamedTuple):
    resource: str
    record: Named | None = None


Find = Callable[[Params, Call], Target]


def arn_of(call: Call, resource: str) -> str:
    return f"arn:{call.scope.partition}:iam::{call.scope.account}:{resource}"


def by_name(kind: Kind[Any]) -> Find:
    """Of users, whoever asks when none is named."""

    def find(req: Params, call: Call) -> Target:
        name = req.get(f"{kind.title}Name")
        if not isinstance(name, str) or not name:
            own = kind is USER and call.principal.kind == "user"
            return Target(call.principal.arn, _own(call)) if own else Target(EVERYTHING)
        record = kind.find(call.store, call.scope, name)
        return (
            Target(kind.arn(record), record) if record is not None else Target(arn_of(call, f"{kind.resource}/{name}"))
        )

    return find


def _own(call: Call) -> Named | None:
    return USER.find(call.store, call.scope, call.principal.arn.rpartition("/")[2])


def new(kind: Kind[Any]) -> Find:
    """Where it will be."""

    def find(req: Params, call: Call) -> Target:
        return Target(arn_of(call, f"{kind.resource}{req.get('Path') or '/'}{req.get(f'{kind.title}Name') or ''}"))

    return find


def renamed(kind: Kind[Any]) -> Find:
    """Where it will be: who gives something another name or path needs the right to both."""
    old = by_name(kind)

    def find(req: Params, call: Call) -> Target:
        target = old(req, call)
        if target.record is None:
            return target
        name = req.get(f"New{kind.title}Name") or target.record.name
        path = req.get("NewPath") or target.record.path
        return Target(arn_of(call, f"{kind.resource}{path}{name}"), target.record)

    return find


def policy(req: Params, call: Call) -> Target:
    arn = str(req.get("PolicyArn") or "") or EVERYTHING
    record = POLICY.find(call.store, call.scope, arn.rpartition("/")[2])
    return Target(arn, record if record is not None and POLICY.arn(record) == arn else None)


def said(member: str) -> Find:
    """By the ARN that the request gives."""

    def find(req: Params, call: Call) -> Target:
        return Target(str(req.get(member) or "") or EVERYTHING)

    return find


def of_device(req: Params, call: Call) -> Target:
    """The user who is named, or else who has the device."""
    if req.get("UserName"):
        return by_name(USER)(req, call)
    device = find_device(call.store, call.scope, str(req.get("SerialNumber") or ""))
    user = USER.find(call.store, call.scope, device.user) if device is not None and device.user is not None else None
    return Target(USER.arn(user), user) if user is not None else Target(arn_of(call, "user/*"))


def of_key(req: Params, call: Call) -> Target:
    """The user whose the access key is."""
    key = call.store.find(access_keys, call.scope.everywhere(), str(req.get("AccessKeyId") or ""))
    user = USER.find(call.store, call.scope, key.user) if key is not None else None
    return Target(USER.arn(user), user) if user is not None else Target(arn_of(call, "user/*"))


def new_device(req: Params, call: Call) -> Target:
    return Target(arn_of(call, f"mfa{req.get('Path') or '/'}{req.get('VirtualMFADeviceName') or ''}"))


def new_oidc(req: Params, call: Call) -> Target:
    return Target(arn_of(call, f"oidc-provider/{str(req.get('Url') or '').removeprefix('https://')}"))


def new_saml(req: Params, call: Call) -> Target:
    return Target(arn_of(call, f"saml-provider/{req.get('Name') or ''}"))


def under(kind: Kind[Any]) -> Find:
    """A list, of a path."""

    def find(req: Params, call: Call) -> Target:
        return Target(arn_of(call, f"{kind.resource}{req.get('PathPrefix') or '/'}"))

    return find
