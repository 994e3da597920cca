"""Account settings: per principal, or the account's default."""

from __future__ import annotations

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.gateway.call import Principal
from hatoba.store import Table
from hatoba.store.store import View

DEFAULTS = {
    "awsvpcTrunking": "disabled",
    "containerInsights": "disabled",
    "containerInstanceLongArnFormat": "enabled",
    "defaultLogDriverMode": "non-blocking",
    "fargateEventWindows": "disabled",
    "fargateFIPSMode": "disabled",
    "fargateTaskRetirementWaitPeriod": "7",
    "guardDutyActivate": "off",
    "serviceLongArnFormat": "enabled",
    "tagResourceAuthorization": "off",
    "taskLongArnFormat": "enabled",
}


class AccountSettings(Record, frozen=True, kw_only=True):
    """The id is a principal's ARN, or "" for the account's default, which is the root user's."""

    values: dict[str, str] = msgspec.field(default_factory=dict)


account_settings = Table("ecs.account_settings", AccountSettings)


def principal(asking: Principal) -> str:
    """Whose settings count: a session's are those of its role."""
    return asking.role or asking.arn


def settings_id(principal: str) -> str:
    return "" if principal.endswith(":root") else principal


def stored(view: View, scope: Scope, principal: str) -> dict[str, str]:
    record = view.find(account_settings, scope, settings_id(principal))
    return record.values if record else {}


def effective(view: View, scope: Scope, principal: str) -> dict[str, str]:
    return {**DEFAULTS, **stored(view, scope, ""), **stored(view, scope, principal)}
