"""Sessions with containers: started (by ECS' ExecuteCommand, or by anybody who knows a target), resumed, terminated.

The targets are ECS' (`ecs:<cluster>_<task>_<runtime id>`); there are no managed instances here. A session lives as long
as its socket: one that is resumed after its line broke is over, and says so as Systems Manager does, without a token.
"""

from __future__ import annotations

from hatoba.aws.shapes import ssm as t
from hatoba.core.secret import Secret
from hatoba.fleet import model as fleet
from hatoba.fleet.channels import Executor
from hatoba.gateway.call import Call
from hatoba.services.ssm.api.room import ssm
from hatoba.services.ssm.plan.documents import BUCKET, COMMAND, DOCUMENTS, LOG_GROUP, PREFIX
from hatoba.services.ssm.session.endpoint import DataChannels
from hatoba.services.ssm.session.model import (
    TOKEN_SECONDS,
    Session,
    Target,
    end,
    find,
    forget_old,
    owner,
    sessions,
    target_of,
    task_arn,
)
from hatoba.store.store import View

DOCUMENT = "AmazonECS-ExecuteInteractiveCommand"
TERMINATED = "The session was terminated."


@ssm.operation
async def start_session(req: t.StartSessionRequest, call: Call) -> t.StartSessionResponse:
    found = target(call, req["Target"])
    if found is None:
        raise t.TargetNotConnected(f"{req['Target']} is not connected.")
    workload, container = found
    document = req.get("DocumentName") or DOCUMENT
    if document not in DOCUMENTS:
        raise t.InvalidDocument(f"Document with name {document} does not exist.")
    parameters = {name: " ".join(values) for name, values in (req.get("Parameters") or {}).items()}
    unknown = parameters.keys() - {COMMAND, LOG_GROUP, BUCKET, PREFIX}
    if unknown:
        raise t.InvalidDocument(f"The document {document} has no parameter {', '.join(sorted(unknown))}.")
    id_ = f"ecs-execute-command-{call.ids.hex(17)}"
    token = call.ids.hex(64)
    with call.tx() as tx:
        forget_old(tx, call.scope, call.now, id_)
        tx.put(
            sessions,
            Session(
                key=sessions.key(call.scope, id_),
                owner=owner(call.principal),
                target=req["Target"],
                workload=workload.id,
                container=container,
                command=parameters.get(COMMAND, ""),
                log_group=parameters.get(LOG_GROUP, ""),
                log_bucket=parameters.get(BUCKET, ""),
                log_prefix=parameters.get(PREFIX, ""),
                document=document,
                reason=req.get("Reason", ""),
                token=Secret(token),
                token_until=call.now + TOKEN_SECONDS,
                started=call.now,
            ),
        )
    return {
        "SessionId": id_,
        "TokenValue": token,
        "StreamUrl": call.get(DataChannels).url(id_, call.host, secure=call.secure),
    }


def target(call: Call, text: str) -> tuple[fleet.Workload, str] | None:
    """The workload, and the name of its container, if a session can be had with it."""
    parsed = target_of(text)
    found = _running(call.store, call, parsed) if parsed is not None else None
    reaches = found is not None and call.get(Executor).reaches(found[0])  # type: ignore[type-abstract]
    return found if reaches else None


def _running(view: View, call: Call, wanted: Target) -> tuple[fleet.Workload, str] | None:
    workload = view.find(fleet.workloads, call.scope, wanted.task)
    status = view.find(fleet.workload_statuses, call.scope, wanted.task)
    if workload is None or status is None or not workload.execute:
        return None
    if workload.metadata.get("TaskARN") != task_arn(call.scope, wanted):
        return None  # of another cluster than the one for which the caller was asked
    for container in status.containers:
        if container.runtime_id == wanted.runtime and container.state == "running":
            return workload, container.name
    return None


@ssm.operation
async def resume_session(req: t.ResumeSessionRequest, call: Call) -> t.ResumeSessionResponse:
    return {"SessionId": _own(call, req["SessionId"]).id}


@ssm.operation
async def terminate_session(req: t.TerminateSessionRequest, call: Call) -> t.TerminateSessionResponse:
    session = find(call.store, req["SessionId"])
    own = session is not None and session.scope == call.scope and session.owner == owner(call.principal)
    if own and not call.get(DataChannels).terminate(req["SessionId"], TERMINATED):
        with call.tx() as tx:
            end(tx, req["SessionId"], call.now, TERMINATED)  # nobody has come yet: nobody shall
    return {"SessionId": req["SessionId"]}


def _own(call: Call, id_: str) -> Session:
    session = find(call.store, id_)
    if session is None or session.scope != call.scope or session.owner != owner(call.principal):
        raise t.DoesNotExistException(f"Session {id_} does not exist.")
    return session
