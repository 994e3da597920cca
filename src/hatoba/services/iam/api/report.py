"""The credential report, and all of the account at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from hatoba.aws.shapes import iam as t
from hatoba.gateway.call import Call
from hatoba.services.iam import managed, trusts, usage, views
from hatoba.services.iam.api.password import rules_of
from hatoba.services.iam.api.policy import counted
from hatoba.services.iam.api.profile import shown as shown_profile
from hatoba.services.iam.api.room import iam, marked_page, own_tags, truncated
from hatoba.services.iam.model import (
    POLICY,
    ROLE,
    USER,
    AccessKey,
    CredentialReport,
    Group,
    Policy,
    Principal,
    Role,
    User,
    access_keys,
    credential_reports,
    groups,
    instance_profiles,
    mfa_devices,
    policies,
    roles,
    signing_certificates,
    users,
)
from hatoba.services.iam.plan.report import CertificateLine, KeyLine, UserLine, report

KEPT = 4 * 3600.0  # seconds that a report is good for
DAY = 86400.0
P = TypeVar("P", bound=Principal)


# --- the credential report


@iam.operation
async def generate_credential_report(req: object, call: Call) -> t.GenerateCredentialReportResponse:
    """Made at once, and not again as long as the latest is good."""
    key = credential_reports.key(call.scope.everywhere(), "account")
    with call.tx() as tx:
        known = tx.get(credential_reports, key)
        if known is not None and call.now - known.made < KEPT:
            return {"State": "COMPLETE"}
        tx.write(credential_reports, CredentialReport(key=key, content=report(_lines(call)), made=call.now))
    return {"State": "STARTED", "Description": "No report exists. Starting a new report generation task"}


@iam.operation
async def get_credential_report(req: object, call: Call) -> t.GetCredentialReportResponse:
    known = call.store.find(credential_reports, call.scope.everywhere(), "account")
    if known is None:
        raise t.CredentialReportNotPresentException("No report exists. Please generate a new report.")
    if call.now - known.made >= KEPT:
        raise t.CredentialReportExpiredException("The most recent report has expired. Please generate a new report.")
    return {"Content": known.content.encode(), "ReportFormat": "text/csv", "GeneratedTime": known.made}


def _lines(call: Call) -> Iterator[UserLine]:
    scope, rules = call.scope.everywhere(), rules_of(call.store, call)
    arn = f"arn:{scope.partition}:iam::{scope.account}:root"
    yield UserLine(name="<root_account>", arn=arn, made=None, root=True)
    for user in call.store.scan(users, scope):
        changed = user.login.changed if user.login is not None else None
        due = changed + rules.days * DAY if changed is not None and rules is not None and rules.days else None
        which = (scope.account, user.id)
        yield UserLine(
            name=user.name,
            arn=USER.arn(user),
            made=user.created,
            password=changed,
            rotation=due,
            factor=call.store.count(mfa_devices, "user", which) > 0,
            keys=[_key(call, key) for key in call.store.index(access_keys, "user", which)],
            certificates=[
                CertificateLine(active=each.status == "Active", made=each.created)
                for each in call.store.index(signing_certificates, "user", which)
            ],
        )


def _key(call: Call, key: AccessKey) -> KeyLine:
    line, last = KeyLine(active=key.status == "Active", made=key.created), usage.last(call.store, key.scope, key.id)
    if last is None:
        return line
    return msgspec.structs.replace(line, used=last[1].at, region=last[1].region, service=last[0])


# --- all of the account

Row = tuple[str, str, Any]  # order, kind, record


@iam.operation
async def get_account_authorization_details(
    req: t.GetAccountAuthorizationDetailsRequest, call: Call
) -> t.GetAccountAuthorizationDetailsResponse:
    """Of AWS's managed policies those that are attached to somebody."""
    wanted = req.get("Filter") or ["User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy"]
    rows = (row for row in _everything(call) if row[1] in wanted)
    page, marker = marked_page(call, rows, req, lambda row: row[0], sorted(wanted))
    return {
        "UserDetailList": [_user(call, record) for _, kind, record in page if kind == "User"],
        "GroupDetailList": [_group(record) for _, kind, record in page if kind == "Group"],
        "RoleDetailList": [_role(call, record) for _, kind, record in page if kind == "Role"],
        "Policies": [_policy(call, record) for _, kind, record in page if kind.endswith("Policy")],
        **truncated(marker),
    }


def _everything(call: Call) -> Iterator[Row]:
    scope = call.scope.everywhere()
    yield from ((f"0{each.id}", "User", each) for each in call.store.scan(users, scope))
    yield from ((f"1{each.id}", "Group", each) for each in call.store.scan(groups, scope))
    yield from ((f"2{each.id}", "Role", each) for each in call.store.scan(roles, scope))
    yield from ((f"3{each.id}", "LocalManagedPolicy", each) for each in call.store.scan(policies, scope))
    for known in sorted(managed.everything(), key=lambda each: each.name):
        if counted(call.store, scope.account, known.arn(scope.partition)) != (0, 0):
            yield f"4{known.name}", "AWSManagedPolicy", known


def _inline(record: Principal) -> list[t.PolicyDetail]:
    return [{"PolicyName": name, "PolicyDocument": views.document(text)} for name, text in record.inline.items()]


def _attached(record: Principal) -> list[t.AttachedPolicy]:
    return [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in record.attached]


def _user(call: Call, record: User) -> t.UserDetail:
    found = (call.store.find(groups, record.scope, id_) for id_ in record.groups)
    detail: t.UserDetail = {
        "UserPolicyList": _inline(record),
        "GroupList": [group.name for group in found if group is not None],
        "AttachedManagedPolicies": _attached(record),
    }
    for name, value in views.user(record, own_tags(call.store, USER, record)).items():
        detail[name] = value  # type: ignore[literal-required]
    return detail


def _group(record: Group) -> t.GroupDetail:
    return {
        **views.group(record),
        "GroupPolicyList": _inline(record),
        "AttachedManagedPolicies": _attached(record),
    }


def _role(call: Call, record: Role) -> t.RoleDetail:
    whole = views.role(
        trusts.told(call.store, record),
        own_tags(call.store, ROLE, record),
        usage.last(call.store, record.scope, record.unique),
    )
    held = call.store.index(instance_profiles, "role", (record.key.account, record.id))
    detail: t.RoleDetail = {
        "InstanceProfileList": [shown_profile(call, profile) for profile in held],
        "RolePolicyList": _inline(record),
        "AttachedManagedPolicies": _attached(record),
    }
    for name, value in whole.items():
        if name not in ("Description", "MaxSessionDuration"):
            detail[name] = value  # type: ignore[literal-required]
    return detail


def _policy(call: Call, record: Policy | managed.Managed) -> t.ManagedPolicyDetail:
    if isinstance(record, managed.Managed):
        arn = record.arn(call.scope.partition)
        shown = views.managed_policy(record, call.scope.partition, *counted(call.store, call.scope.account, arn))
        versions = [views.managed_version(record, whole=True)]
    else:
        shown = views.policy(record, *counted(call.store, record.key.account, POLICY.arn(record)))
        versions = [views.policy_version(record, version, whole=True) for version in record.versions[::-1]]
    detail: t.ManagedPolicyDetail = {"PolicyVersionList": versions}
    for name, value in shown.items():
        if name != "Tags":
            detail[name] = value  # type: ignore[literal-required]
    return detail
