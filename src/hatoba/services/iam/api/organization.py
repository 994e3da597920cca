"""Which services control policies leave to a part of an organisation, and which its accounts used, when last.

Reports are made at once, for the organisation's management account, and kept for a while. What the organisation looks
like is asked of Organizations; who used what is what IAM notes of every account (`usage`).

Source: the references of GenerateOrganizationsAccessReport and GetOrganizationsAccessReport.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from itertools import islice, pairwise
from typing import Any, NamedTuple

from hatoba.aws.shapes import iam as t
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.gateway.call import Call
from hatoba.services.iam.api.advisor import KEPT
from hatoba.services.iam.api.room import iam, marked_page
from hatoba.services.iam.model import OrganizationJob, Reach, Used, organization_jobs, uses
from hatoba.services.iam.plan.granting import namespaces, reachable
from hatoba.store import Tx

_CONTROL = "SERVICE_CONTROL_POLICY"


class Place(NamedTuple):
    """An account of an organisation, and what is above it."""

    account: str
    path: tuple[str, ...]  # ids: the organisation's, the root's, units', the account's own number


def _refused(message: str) -> AwsError:
    return AwsError(message, code="ValidationError")


@iam.operation
async def generate_organizations_access_report(
    req: t.GenerateOrganizationsAccessReportRequest, call: Call
) -> t.GenerateOrganizationsAccessReportResponse:
    organization = await _own(call)
    path = tuple(part for part in req["EntityPath"].split("/") if part)
    places = [each async for each in _under(call, organization, path)]
    if path[-1] == organization["MasterAccountId"]:  # nothing limits it
        services = tuple(sorted(namespaces()))
    else:
        places = [each for each in places if each.account != organization["MasterAccountId"]]
        policy = req.get("OrganizationsPolicyId")
        levels = (
            [[await _content(call, policy)]] if policy is not None else [await _level(call, id_) for id_ in path[1:]]
        )
        services = reachable(levels)
        if policy is not None:
            limited = await _targets(call, policy)
            places = [each for each in places if limited & set(each.path)]
    scope, id_ = call.scope.everywhere(), call.ids.uuid()
    used = {name: reach for name, reach in _used(call, places).items() if name in services}
    with call.tx() as tx:
        _forget_old(tx, scope, call.now, id_)
        key = organization_jobs.key(scope, id_)
        tx.put(organization_jobs, OrganizationJob(key=key, made=call.now, services=services, used=used))
    return {"JobId": id_}


def _forget_old(tx: Tx, scope: Scope, now: float, near: str) -> None:
    """A few, from a random place on, by whoever adds to the table."""
    for job in islice(tx.scan(organization_jobs, scope, after=near), 8):
        if now - job.made >= KEPT:
            tx.forget(organization_jobs, job.key)


# --- what the organisation looks like


async def _own(call: Call) -> dict[str, Any]:
    """The organisation that the account manages. Raises ValidationError."""
    try:
        found: dict[str, Any] = (await call.aws.organizations.describe_organization())["Organization"]
    except AwsError as error:
        raise _refused(f"The account {call.scope.account} is not a member of an organization.") from error
    if found["MasterAccountId"] != call.scope.account:
        raise _refused("You must be signed in to the management account of the organization.")
    return found


async def _under(call: Call, organization: dict[str, Any], path: tuple[str, ...]) -> AsyncIterator[Place]:
    """The accounts of the entity at a path. Raises ValidationError for a path that leads nowhere."""
    aws = call.aws.organizations
    (root,) = (await aws.list_roots())["Roots"]
    if not any(each["Type"] == _CONTROL and each["Status"] == "ENABLED" for each in root["PolicyTypes"]):
        raise _refused("Service control policies are not enabled for the organization root.")
    true = path[:2] == (organization["Id"], root["Id"])
    for parent, child in pairwise(path[1:]):
        true = true and await _is_above(call, parent, child)
    if not true:
        raise _refused(f"The entity path {'/'.join(path)} is not valid.")
    if path[-1].isdecimal():
        yield Place(path[-1], path)
        return
    async for place in _below(call, path):
        yield place


async def _is_above(call: Call, parent: str, child: str) -> bool:
    try:
        found = (await call.aws.organizations.list_parents(ChildId=child))["Parents"]
    except AwsError:
        return False
    return [each["Id"] for each in found] == [parent]


async def _below(call: Call, path: tuple[str, ...]) -> AsyncIterator[Place]:
    aws = call.aws.organizations
    async for account in _all(aws.list_accounts_for_parent, "Accounts", ParentId=path[-1]):
        yield Place(account["Id"], (*path, account["Id"]))
    async for unit in _all(aws.list_organizational_units_for_parent, "OrganizationalUnits", ParentId=path[-1]):
        async for place in _below(call, (*path, unit["Id"])):
            yield place


async def _level(call: Call, target: str) -> list[str]:
    """The control policies of one target."""
    found = _all(call.aws.organizations.list_policies_for_target, "Policies", TargetId=target, Filter=_CONTROL)
    return [await _content(call, each["Id"]) async for each in found]


async def _content(call: Call, policy: str) -> str:
    try:
        found = (await call.aws.organizations.describe_policy(PolicyId=policy))["Policy"]
    except AwsError as error:
        raise _refused(f"The policy {policy} cannot be found.") from error
    if found["PolicySummary"]["Type"] != _CONTROL:
        raise _refused(f"The policy {policy} is not a service control policy.")
    return str(found["Content"])


async def _targets(call: Call, policy: str) -> set[str]:
    found = _all(call.aws.organizations.list_targets_for_policy, "Targets", PolicyId=policy)
    return {each["TargetId"] async for each in found}


async def _all(operation: Callable[..., Any], member: str, **params: Any) -> AsyncIterator[dict[str, Any]]:
    """Page by page."""
    more: dict[str, str] = {}
    while True:
        page = await operation(**params, **more)
        for each in page[member]:
            yield each
        if not page.get("NextToken"):
            return
        more = {"NextToken": page["NextToken"]}


# --- who used what


def _used(call: Call, places: Iterable[Place]) -> dict[str, Reach]:
    found: dict[str, Reach] = {}
    for place in places:
        for service, used in _by_account(call, place.account).items():
            known = found.get(service)
            accounts = (known.accounts if known is not None else 0) + 1
            if known is None or used.at > known.at:
                found[service] = Reach(at=used.at, region=used.region, path="/".join(place.path), accounts=accounts)
            else:
                found[service] = Reach(at=known.at, region=known.region, path=known.path, accounts=accounts)
    return found


def _by_account(call: Call, account: str) -> dict[str, Used]:
    latest: dict[str, Used] = {}
    for each in call.store.scan(uses, Scope(call.scope.partition, account, "")):
        for service, used in each.services.items():
            if service not in latest or used.at > latest[service].at:
                latest[service] = used
    return latest


# --- the report


@iam.operation
async def get_organizations_access_report(
    req: t.GetOrganizationsAccessReportRequest, call: Call
) -> t.GetOrganizationsAccessReportResponse:
    job = call.store.find(organization_jobs, call.scope.everywhere(), req["JobId"])
    if job is None or call.now - job.made >= KEPT:
        raise t.NoSuchEntityException(f"Job {req['JobId']} cannot be found.")
    sort = req.get("SortKey", "SERVICE_NAMESPACE_ASCENDING")
    rows = list(enumerate(_sorted(job, sort)))
    page, marker = marked_page(call, rows, req, lambda row: f"{row[0]:05d}", (job.id, sort))
    answer: t.GetOrganizationsAccessReportResponse = {
        "JobStatus": "COMPLETED",
        "JobCreationDate": job.made,
        "JobCompletionDate": job.made,
        "NumberOfServicesAccessible": len(job.services),
        "NumberOfServicesNotAccessed": len(job.services) - len(job.used),
        "AccessDetails": [_detail(job, name) for _, name in page],
        "IsTruncated": marker is not None,
    }
    if marker is not None:
        answer["Marker"] = marker
    return answer


def _sorted(job: OrganizationJob, sort: str) -> list[str]:
    if sort.startswith("SERVICE_NAMESPACE"):
        return sorted(job.services, reverse=sort.endswith("DESCENDING"))
    return sorted(
        job.services,
        key=lambda name: (job.used[name].at if name in job.used else 0.0, name),
        reverse=sort.endswith("DESCENDING"),
    )


def _detail(job: OrganizationJob, service: str) -> t.AccessDetail:
    used = job.used.get(service)
    shown: t.AccessDetail = {
        "ServiceName": namespaces()[service],
        "ServiceNamespace": service,
        "TotalAuthenticatedEntities": 0 if used is None else used.accounts,
    }
    if used is not None:
        shown["Region"] = used.region
        shown["EntityPath"] = used.path
        shown["LastAuthenticatedTime"] = used.at
    return shown
