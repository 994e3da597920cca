"""Which services somebody may use by their policies, and which they did use, when last.

Reports are made at once and kept for a while; they are of services, not of single actions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from hatoba.aws.shapes import iam as t
from hatoba.core.keys import Scope
from hatoba.gateway.call import Call
from hatoba.services.iam import model
from hatoba.services.iam.api.policy import holders
from hatoba.services.iam.api.room import iam, marked_page
from hatoba.services.iam.model import (
    GROUP,
    ROLE,
    USER,
    AccessJob,
    Kind,
    Named,
    Principal,
    User,
    Visit,
    access_jobs,
    groups,
    the_document,
    users,
)
from hatoba.services.iam.plan.granting import grants, namespaces
from hatoba.store import Tx

KEPT = 7 * 86400.0  # seconds


class Grant(NamedTuple):
    """A policy, and through whom somebody has it."""

    name: str
    arn: str | None  # None: inline
    entity: str  # USER, GROUP, ROLE
    holder: str
    document: str


def _entity(call: Call, arn: str) -> tuple[str, Principal]:
    """A user, group or role. Raises NoSuchEntity."""
    kinds: tuple[tuple[str, Kind[User] | Kind[model.Group] | Kind[model.Role]], ...] = (
        ("USER", USER),
        ("GROUP", GROUP),
        ("ROLE", ROLE),
    )
    for noun, kind in kinds:
        record = kind.find(call.store, call.scope, arn.rpartition("/")[2])
        if record is not None and kind.arn(record) == arn:  # type: ignore[arg-type]
            return noun, record
    raise t.NoSuchEntityException(f"ARN {arn} cannot be found.")


def _grants(call: Call, noun: str, principal: Principal) -> Iterator[Grant]:
    """Its own policies, and a user's groups'."""
    for name, document in principal.inline.items():
        yield Grant(name, None, noun, principal.name, document)
    for arn in principal.attached:
        attached = the_document(call.store, call.scope, arn)
        if attached is not None:
            yield Grant(arn.rpartition("/")[2], arn, noun, principal.name, attached)
    for id_ in principal.groups if isinstance(principal, User) else ():
        group = call.store.find(groups, principal.scope, id_)
        if group is not None:
            yield from _grants(call, "GROUP", group)


@iam.operation
async def list_policies_granting_service_access(
    req: t.ListPoliciesGrantingServiceAccessRequest, call: Call
) -> t.ListPoliciesGrantingServiceAccessResponse:
    found = list(_grants(call, *_entity(call, req["Arn"])))
    asked = list(dict.fromkeys(req["ServiceNamespaces"]))
    if unknown := [name for name in asked if name not in namespaces()]:
        raise t.InvalidInputException(f"Service namespace {unknown[0]} is not valid.")
    return {
        "PoliciesGrantingServiceAccess": [
            {"ServiceNamespace": name, "Policies": [_shown(one) for one in found if grants(one.document, name)]}
            for name in asked
        ],
        "IsTruncated": False,
    }


def _shown(grant: Grant) -> t.PolicyGrantingServiceAccess:
    if grant.arn is not None:
        return {"PolicyName": grant.name, "PolicyType": "MANAGED", "PolicyArn": grant.arn}
    shown: t.PolicyGrantingServiceAccess = {"PolicyName": grant.name, "PolicyType": "INLINE"}
    shown["EntityName"] = grant.holder
    shown["EntityType"] = "USER" if grant.entity == "USER" else "GROUP" if grant.entity == "GROUP" else "ROLE"
    return shown


# --- reports


@iam.operation
async def generate_service_last_accessed_details(
    req: t.GenerateServiceLastAccessedDetailsRequest, call: Call
) -> t.GenerateServiceLastAccessedDetailsResponse:
    if req.get("Granularity", "SERVICE_LEVEL") != "SERVICE_LEVEL":
        raise t.InvalidInputException("Single actions are not tracked here: Granularity must be SERVICE_LEVEL.")
    documents, who = _about(call, req["Arn"])
    services = tuple(sorted(name for name in namespaces() if any(grants(text, name) for text in documents)))
    visits = tuple(visit for visit in _visits(call, who) if visit.service in services)
    scope, id_ = call.scope.everywhere(), call.ids.uuid()
    with call.tx() as tx:
        _forget_old(tx, scope, call.now, id_)
        job = AccessJob(key=access_jobs.key(scope, id_), made=call.now, services=services, visits=visits)
        tx.put(access_jobs, job)
    return {"JobId": id_}


def _about(call: Call, arn: str) -> tuple[list[str], list[tuple[str, Named]]]:
    """The policies that count, and the users and roles whose use does."""
    if ":policy/" in arn:
        document = the_document(call.store, call.scope, arn)
        if document is None:
            raise t.NoSuchEntityException(f"ARN {arn} cannot be found.")
        held = [(noun.upper(), record) for noun, record in holders(call.store, call.scope.account, arn)]
        return [document], [each for noun, record in held for each in _users(call, noun, record)]
    noun, principal = _entity(call, arn)
    return [grant.document for grant in _grants(call, noun, principal)], list(_users(call, noun, principal))


def _users(call: Call, noun: str, principal: Principal) -> Iterator[tuple[str, Named]]:
    """The users of a group; anybody else is one."""
    if noun != "GROUP":
        yield noun, principal
        return
    for user in call.store.index(users, "group", (principal.key.account, principal.id)):
        yield "USER", user


def _visits(call: Call, who: Iterable[tuple[str, Named]]) -> Iterator[Visit]:
    for noun, record in {record.unique: (noun, record) for noun, record in who}.values():
        known = call.store.find(model.uses, record.scope, record.unique)
        arn = f"arn:{record.key.partition}:iam::{record.key.account}:{noun.lower()}{record.path}{record.name}"
        for service, used in known.services.items() if known is not None else ():
            yield Visit(service=service, arn=arn, at=used.at, region=used.region)


def _forget_old(tx: Tx, scope: Scope, now: float, near: str) -> None:
    """A few, from a random place on: so that the table is swept by whoever adds to it."""
    for job in islice(tx.scan(access_jobs, scope, after=near), 8):
        if now - job.made >= KEPT:
            tx.forget(access_jobs, job.key)


def _job(call: Call, id_: str) -> AccessJob:
    job = call.store.find(access_jobs, call.scope.everywhere(), id_)
    if job is None or call.now - job.made >= KEPT:
        raise t.NoSuchEntityException(f"Job {id_} cannot be found.")
    return job


@iam.operation
async def get_service_last_accessed_details(
    req: t.GetServiceLastAccessedDetailsRequest, call: Call
) -> t.GetServiceLastAccessedDetailsResponse:
    job = _job(call, req["JobId"])
    page, marker = marked_page(call, job.services, req, lambda name: name, job.id)
    answer: t.GetServiceLastAccessedDetailsResponse = {
        "JobStatus": "COMPLETED",
        "JobType": "SERVICE_LEVEL",
        "JobCreationDate": job.made,
        "JobCompletionDate": job.made,
        "ServicesLastAccessed": [_accessed(job, name) for name in page],
        "IsTruncated": marker is not None,
    }
    if marker is not None:
        answer["Marker"] = marker
    return answer


def _accessed(job: AccessJob, service: str) -> t.ServiceLastAccessed:
    visits = [visit for visit in job.visits if visit.service == service]
    shown: t.ServiceLastAccessed = {
        "ServiceName": namespaces()[service],
        "ServiceNamespace": service,
        "TotalAuthenticatedEntities": len(visits),
    }
    if visits:
        latest = max(visits, key=lambda visit: visit.at)
        shown["LastAuthenticated"] = latest.at
        shown["LastAuthenticatedEntity"] = latest.arn
        shown["LastAuthenticatedRegion"] = latest.region
    return shown


@iam.operation
async def get_service_last_accessed_details_with_entities(
    req: t.GetServiceLastAccessedDetailsWithEntitiesRequest, call: Call
) -> t.GetServiceLastAccessedDetailsWithEntitiesResponse:
    job, service = _job(call, req["JobId"]), req["ServiceNamespace"]
    if service not in job.services:
        raise t.InvalidInputException(f"Service namespace {service} is not part of the report.")
    found = sorted((visit for visit in job.visits if visit.service == service), key=lambda visit: visit.arn)
    page, marker = marked_page(call, found, req, lambda visit: visit.arn, (job.id, service))
    answer: t.GetServiceLastAccessedDetailsWithEntitiesResponse = {
        "JobStatus": "COMPLETED",
        "JobCreationDate": job.made,
        "JobCompletionDate": job.made,
        "EntityDetailsList": [detail for visit in page if (detail := _entity_detail(call, visit)) is not None],
        "IsTruncated": marker is not None,
    }
    if marker is not None:
        answer["Marker"] = marker
    return answer


def _entity_detail(call: Call, visit: Visit) -> t.EntityDetails | None:
    """None for one that is not there any more."""
    try:
        noun, record = _entity(call, visit.arn)
    except t.NoSuchEntityException:
        return None
    info: t.EntityInfo = {
        "Arn": visit.arn,
        "Name": record.name,
        "Type": "USER" if noun == "USER" else "ROLE",
        "Id": record.unique,
        "Path": record.path,
    }
    return {"EntityInfo": info, "LastAuthenticated": visit.at}
