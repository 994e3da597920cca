"""Account settings: list, put, delete; for a principal or for the account."""

from __future__ import annotations

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.ecs.api.room import ecs, page
from hatoba.services.ecs.model.account import DEFAULTS, AccountSettings, account_settings, effective, stored

_VALUES = {
    "containerInsights": ("enabled", "disabled", "enhanced"),
    "defaultLogDriverMode": ("blocking", "non-blocking"),
    "fargateTaskRetirementWaitPeriod": ("0", "7", "14"),
    "tagResourceAuthorization": ("on", "off"),
    "guardDutyActivate": (),
}
_SWITCH = ("enabled", "disabled", "on", "off")


@ecs.operation
async def list_account_settings(req: t.ListAccountSettingsRequest, call: Call) -> t.ListAccountSettingsResponse:
    principal = req.get("principalArn") or call.principal.arn
    values = effective(call.store, call.scope, principal)
    if not req.get("effectiveSettings"):
        values = stored(call.store, call.scope, principal)
    rows = [
        (name, value)
        for name, value in sorted(values.items())
        if req.get("name") in (None, name) and req.get("value") in (None, value)
    ]
    found, more = page(call, rows, req, lambda row: row[0], limit=10)
    answer: t.ListAccountSettingsResponse = {"settings": [_setting(name, value, principal) for name, value in found]}
    if more:
        answer["nextToken"] = more
    return answer


@ecs.operation
async def put_account_setting(req: t.PutAccountSettingRequest, call: Call) -> t.PutAccountSettingResponse:
    principal = req.get("principalArn") or call.principal.arn
    return {"setting": _put(call, principal, principal, req["name"], req["value"])}


@ecs.operation
async def put_account_setting_default(
    req: t.PutAccountSettingDefaultRequest, call: Call
) -> t.PutAccountSettingDefaultResponse:
    root = f"arn:{call.scope.partition}:iam::{call.scope.account}:root"
    return {"setting": _put(call, "", root, req["name"], req["value"])}


@ecs.operation
async def delete_account_setting(req: t.DeleteAccountSettingRequest, call: Call) -> t.DeleteAccountSettingResponse:
    principal, name = req.get("principalArn") or call.principal.arn, req["name"]
    with call.tx() as tx:
        record = tx.find(account_settings, call.scope, principal)
        if record is not None and name in record.values:
            left = {other: value for other, value in record.values.items() if other != name}
            tx.put(account_settings, replace(record, values=left))
        return {"setting": _setting(name, effective(tx, call.scope, principal)[name], principal)}


def _put(call: Call, id_: str, principal: str, name: str, value: str) -> t.Setting:
    if name not in DEFAULTS or value not in _VALUES.get(name, _SWITCH):
        raise t.InvalidParameterException(f"Invalid value '{value}' for the setting {name}.")
    with call.tx() as tx:
        key = account_settings.key(call.scope, id_)
        record = tx.get(account_settings, key) or AccountSettings(key=key)
        tx.put(account_settings, replace(record, values={**record.values, name: value}))
    return _setting(name, value, principal)


def _setting(name: str, value: str, principal: str) -> t.Setting:
    kind = "aws_managed" if name == "guardDutyActivate" else "user"
    return {"name": name, "value": value, "principalArn": principal, "type": kind}  # type: ignore[typeddict-item]
