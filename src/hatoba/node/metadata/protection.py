"""`$ECS_AGENT_URI/task-protection/v1/state`: a task asks to be left alone while it is busy.

The request is made at the platform's own endpoint, signed with the task role's credentials: it may what its role may.
What the task hears has the members of the open ECS agent: `protection`, or `failure`, or `error` with the request's id.
"""

from __future__ import annotations

import datetime
from typing import Any, Literal

import msgspec

from hatoba.aws.sigv4 import Credential, sign
from hatoba.aws.wire import WireRequest
from hatoba.fleet.items import CredentialItem
from hatoba.fleet.model import Workload
from hatoba.gateway.http.client import Unanswered, post

_PATIENCE = 5.0  # seconds for an answer of the control plane
_TARGET = "AmazonEC2ContainerServiceV20141113"
Operation = Literal["GetTaskProtection", "UpdateTaskProtection"]


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    """What is put."""

    protection_enabled: bool | None = None
    expires_in_minutes: int | None = None


class Refused(Exception):
    """An answer other than 200: its status, its `error`, and the request's id when the control plane gave one."""

    def __init__(self, status: int, code: str, message: str, request_id: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.request_id = status, code, message, request_id

    def body(self, task: str) -> dict[str, Any]:
        error = {"Arn": task, "Code": self.code, "Message": self.message}
        return {"requestID": self.request_id, "error": error} if self.request_id else {"error": error}


NOBODY = Refused(404, "ResourceNotFoundException", "Failed to find a task for the request")


def wanted(workload: Workload, state: bytes | None) -> tuple[Operation, dict[str, Any]]:
    """The operation and its input: what was put, or a look at what is."""
    about = {"cluster": workload.metadata.get("Cluster", ""), "tasks": [workload.metadata.get("TaskARN", "")]}
    if state is None:
        return "GetTaskProtection", about
    try:
        given = msgspec.json.decode(state, type=State)
    except (msgspec.DecodeError, RecursionError) as error:  # broken JSON, or valid JSON of another shape
        message = f"UpdateTaskProtection: failed to decode request: {error}"
        raise Refused(400, "InvalidParameterException", message) from None
    if given.protection_enabled is None:
        raise Refused(400, "InvalidParameterException", "Invalid request: does not contain 'ProtectionEnabled' field")
    expires = {} if given.expires_in_minutes is None else {"expiresInMinutes": given.expires_in_minutes}
    return "UpdateTaskProtection", {**about, "protectionEnabled": given.protection_enabled, **expires}


def told(answer: dict[str, Any]) -> dict[str, Any]:
    """The control plane's answer in the agent's words."""
    for failure in answer.get("failures") or ():
        return {"failure": {name.capitalize(): value for name, value in failure.items()}}
    (task,) = answer["protectedTasks"]
    shape = {"ProtectionEnabled": task["protectionEnabled"], "TaskArn": task["taskArn"]}
    if "expirationDate" in task:
        until = datetime.datetime.fromtimestamp(task["expirationDate"], datetime.UTC)
        shape["ExpirationDate"] = until.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"protection": shape}


async def ask(
    endpoint: str, workload: Workload, credential: CredentialItem | None, state: bytes | None, now: float
) -> dict[str, Any]:
    """`endpoint`: host:port of the control plane; `state`: the body that was put, None for a look. Raises `Refused`."""
    if credential is None:
        raise Refused(403, "AccessDeniedException", "Invalid Request: no task IAM role credentials available for task")
    operation, members = wanted(workload, state)
    content = msgspec.json.encode(members)
    headers = _signed(endpoint, workload, credential, operation, content, now)
    try:
        heard = await post(endpoint, headers, content, patience=_PATIENCE)
    except Unanswered as error:
        raise Refused(500, "ServerException", f"{operation}: the control plane does not answer: {error}") from None
    try:
        answer = msgspec.json.decode(heard.body, type=dict[str, Any]) if heard.body else {}
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused(500, "ServerException", f"{operation}: the control plane answers strangely: {error}") from None
    if heard.status != 200:
        code = str(answer.get("__type", "ServerException")).rpartition("#")[2]
        message = str(answer.get("message") or answer.get("Message") or code)
        raise Refused(heard.status, code, message, heard.headers.get("x-amzn-requestid", ""))
    return told(answer)


def _signed(
    endpoint: str, workload: Workload, credential: CredentialItem, operation: Operation, body: bytes, now: float
) -> dict[str, str]:
    headers = {
        "host": endpoint,
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": f"{_TARGET}.{operation}",
    }
    key = Credential(
        access_key_id=credential.access_key, secret=credential.secret_key.reveal(), token=credential.token.reveal()
    )
    return sign(WireRequest(method="POST", path="/", headers=headers, body=body), key, workload.region, "ecs", now)
