"""The service settings of Parameter Store: the tier that is taken when none is given, and high throughput."""

from __future__ import annotations

from hatoba.aws.shapes import ssm as t
from hatoba.gateway.call import Call
from hatoba.services.ssm import model
from hatoba.services.ssm.api.room import ssm
from hatoba.services.ssm.model import Setting
from hatoba.services.ssm.plan.names import invalid

_TIER = "/ssm/parameter-store/default-parameter-tier"
_KNOWN = {  # the values of each, the default first
    _TIER: ("Standard", "Advanced", "Intelligent-Tiering"),
    "/ssm/parameter-store/high-throughput-enabled": ("false", "true"),
}


def default_tier(call: Call) -> str:
    found = call.store.find(model.settings, call.scope, _TIER)
    return found.value if found is not None else _KNOWN[_TIER][0]


@ssm.operation
async def get_service_setting(req: t.GetServiceSettingRequest, call: Call) -> t.GetServiceSettingResult:
    return {"ServiceSetting": _shown(call, _name(req["SettingId"]))}


@ssm.operation
async def update_service_setting(req: t.UpdateServiceSettingRequest, call: Call) -> t.UpdateServiceSettingResult:
    name, value = _name(req["SettingId"]), req["SettingValue"]
    if value not in _KNOWN[name]:
        raise invalid(f"Setting value {value[:64]} is not valid for {name}. Valid values: {', '.join(_KNOWN[name])}.")
    key = model.settings.key(call.scope, name)
    with call.tx() as tx:
        tx.write(model.settings, Setting(key=key, value=value, modified=call.now, user=call.principal.arn))
    return {}


@ssm.operation
async def reset_service_setting(req: t.ResetServiceSettingRequest, call: Call) -> t.ResetServiceSettingResult:
    name = _name(req["SettingId"])
    with call.tx() as tx:
        tx.forget(model.settings, model.settings.key(call.scope, name))
    return {"ServiceSetting": _shown(call, name)}


def _name(setting: str) -> str:
    name = setting.partition(":servicesetting")[2] if setting.startswith("arn:") else setting
    if name not in _KNOWN:
        raise t.ServiceSettingNotFound(f"The setting {setting[:128]} is not one of Parameter Store's.")
    return name


def _shown(call: Call, name: str) -> t.ServiceSetting:
    found = call.store.find(model.settings, call.scope, name)
    shown: t.ServiceSetting = {
        "SettingId": name,
        "SettingValue": found.value if found is not None else _KNOWN[name][0],
        "ARN": call.arn(f"servicesetting{name}"),
        "Status": "Default" if found is None else "Customized",
    }
    if found is not None:
        shown["LastModifiedDate"], shown["LastModifiedUser"] = found.modified, found.user
    return shown
