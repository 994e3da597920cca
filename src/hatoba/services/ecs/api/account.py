"""Account settings: list, put, delete; for a principal, or for all of the account that have none of their own.

The root user's settings are the account's defaults (the API reference, PutAccountSetting): both are one record.
"""

from __future__ import annotations

import re

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import small_next_token
from hatoba.services.ecs.api.room import ecs, page
from hatoba.services.ecs.model.account import (
    DEFAULTS,
    LONG_FORMATS,
    AccountSettings,
    account_settings,
    effective,
    principal,
    settings_id,
    stored,
)

_VALUES = {
    "containerInsights": ("enabled", "disabled", "enhanced"),
    "defaultLogDriverMode": ("blocking", "non-blocking"),
    "fargateTaskRetirementWaitPeriod": ("0", "7", "14"),
    "tagResourceAuthorization": ("on", "off"),
    "guardDutyActivate": (),  # set by GuardDuty
}
_SWITCH = ("enabled", "disabled", "on", "off")
_PRINCIPAL = re.compile(r"arn:[a-z-]+:iam::(\d{12}):(root|user/.+|role/.+)")
MOST = 10


@ecs.operation
async def list_account_settings(req: t.ListAccountSettingsRequest, call: Call) -> t.ListAccountSettingsResponse:
    whose = _whose(call, req.get("principalArn"))
    if req.get("value") is not None and req.get("name") is None:
        raise t.InvalidParameterException("You must specify an account setting name to filter by value.")
    found = effective if req.get("effectiveSettings") else stored
    rows = [
        (name, value)
        for name, value in sorted(found(call.store, call.scope, whose).items())
        if req.get("name") in (None, name) and req.get("value") in (None, value)
    ]
    settings, more = page(call, rows, req, lambda row: row[0], limit=MOST, most=MOST)
    return {"settings": [_setting(name, value, whose) for name, value in settings], **small_next_token(more)}


@ecs.operation
async def put_account_setting(req: t.PutAccountSettingRequest, call: Call) -> t.PutAccountSettingResponse:
    return {"setting": _put(call, _whose(call, req.get("principalArn")), req["name"], req["value"])}


@ecs.operation
async def put_account_setting_default(
    req: t.PutAccountSettingDefaultRequest, call: Call
) -> t.PutAccountSettingDefaultResponse:
    return {"setting": _put(call, _root(call), req["name"], req["value"])}


@ecs.operation
async def delete_account_setting(req: t.DeleteAccountSettingRequest, call: Call) -> t.DeleteAccountSettingResponse:
    whose, name = _whose(call, req.get("principalArn")), req["name"]
    with call.tx() as tx:
        record = tx.find(account_settings, call.scope, settings_id(whose))
        if record is not None and name in record.values:
            left = {other: value for other, value in record.values.items() if other != name}
            tx.put(account_settings, replace(record, values=left))
        return {"setting": _setting(name, effective(tx, call.scope, whose)[name], whose)}


def _root(call: Call) -> str:
    return f"arn:{call.scope.partition}:iam::{call.scope.account}:root"


def _whose(call: Call, given: str | None) -> str:
    """The principal whose settings are meant. Only the root user may name another one than itself."""
    own = principal(call.principal)
    if given is None or given == own:
        return own
    found = _PRINCIPAL.fullmatch(given)
    if found is None or found[1] != call.scope.account:
        raise t.InvalidParameterException(f"The principal ARN '{given}' is not valid.")
    if call.principal.kind in ("user", "role"):
        raise t.InvalidParameterException("You must be the root user to manage the settings of another principal.")
    return given


def _put(call: Call, whose: str, name: str, value: str) -> t.Setting:
    if name not in DEFAULTS or value not in _VALUES.get(name, _SWITCH):
        raise t.InvalidParameterException(f"Invalid value '{value}' for the setting {name}.")
    if name in LONG_FORMATS and value not in ("enabled", "on"):
        raise t.InvalidParameterException("You can no longer disable Long Arn settings")
    if name == "fargateTaskRetirementWaitPeriod" and whose != _root(call):
        raise t.InvalidParameterException("fargateTaskRetirementWaitPeriod can only be set for the root user.")
    with call.tx() as tx:
        key = account_settings.key(call.scope, settings_id(whose))
        record = tx.get(account_settings, key) or AccountSettings(key=key)
        after = replace(record, values={**record.values, name: value})
        if after != record:
            tx.put(account_settings, after)
    return _setting(name, value, whose)


def _setting(name: str, value: str, whose: str) -> t.Setting:
    kind = "aws_managed" if name == "guardDutyActivate" else "user"
    return {"name": name, "value": value, "principalArn": whose, "type": kind}  # type: ignore[typeddict-item]
