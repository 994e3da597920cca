"""Account settings: per principal, or the account's default."""

from __future__ import annotations

import re
from typing import Literal, cast

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
    "tagResourceAuthorization": "on",
    "taskLongArnFormat": "enabled",
}


LONG_FORMATS = ("containerInstanceLongArnFormat", "serviceLongArnFormat", "taskLongArnFormat")
LogMode = Literal["blocking", "non-blocking"]
_SESSION = re.compile(r"arn:[a-z-]+:sts::\d{12}:assumed-role/([^/]+)/.+")


class AccountSettings(Record, frozen=True, kw_only=True):
    """The id is a principal's ARN, or "" for the account's default, which is the root user's."""

    values: dict[str, str] = msgspec.field(default_factory=dict)


account_settings = Table("ecs.account_settings", AccountSettings)


def principal(asking: Principal) -> str:
    """Whose settings count: a session's are those of its role."""
    return asking.role or asking.arn


def owner(created_by: str, scope: Scope) -> str:
    """Whose settings count for what somebody made: of a session only its own ARN was kept, so its role is meant."""
    session = _SESSION.fullmatch(created_by)
    return f"arn:{scope.partition}:iam::{scope.account}:role/{session[1]}" if session is not None else created_by


def log_mode(view: View, scope: Scope, principal: str) -> LogMode:
    """The delivery mode of log drivers that are not told one, for tasks that the principal starts."""
    return cast(LogMode, effective(view, scope, principal)["defaultLogDriverMode"])


def settings_id(principal: str) -> str:
    return "" if principal.endswith(":root") else principal


def stored(view: View, scope: Scope, principal: str) -> dict[str, str]:
    record = view.find(account_settings, scope, settings_id(principal))
    return record.values if record else {}


def effective(view: View, scope: Scope, principal: str) -> dict[str, str]:
    return {**DEFAULTS, **stored(view, scope, ""), **stored(view, scope, principal)}
