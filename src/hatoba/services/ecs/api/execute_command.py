"""ExecuteCommand: checks, and has Systems Manager start a session with the container, in the caller's name.

As on AWS, whoever may execute commands needs `ssm:StartSession` too. The task role needs nothing: no agent of ours is
in the container, the node starts the program itself.
"""

from __future__ import annotations

import shlex

from hatoba.aws.shapes import ecs as t
from hatoba.aws.shapes import ssm as ts
from hatoba.gateway.call import Call
from hatoba.services.ecs.api.room import ecs
from hatoba.services.ecs.api.task import definition_of
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.cluster import find_cluster
from hatoba.services.ecs.model.task import need_task
from hatoba.services.ecs.plan import execute

DOCUMENT = "AmazonECS-ExecuteInteractiveCommand"


@ecs.operation
async def execute_command(req: t.ExecuteCommandRequest, call: Call) -> t.ExecuteCommandResponse:
    cluster = find_cluster(call.store, call.scope, req.get("cluster"))
    if not req["interactive"]:
        raise t.InvalidParameterException("Interactive is the only mode supported currently.")
    task = need_task(call.store, call.scope, cluster.id, req["task"])
    container = execute.container(task, req.get("container"))
    kept = execute.kept(cluster.configuration, definition_of(call.store, task), container.name)
    parameters = {"command": [_checked(req["command"])], **kept.parameters}
    target = f"ecs:{cluster.id}_{task.id}_{container.runtime_id}"
    try:
        started = await call.aws_as_caller.ssm.start_session(
            Target=target, DocumentName=DOCUMENT, Parameters=parameters
        )
    except ts.TargetNotConnected as error:
        raise t.TargetNotConnectedException(f"{execute.INTERNAL} The node of the task is not connected.") from error
    return {
        "clusterArn": arns.cluster_arn(call.scope, cluster.id),
        "containerArn": arns.container_arn(call.scope, cluster.id, task.id, container.name),
        "containerName": container.name,
        "interactive": True,
        "taskArn": task.arn,
        "session": {
            "sessionId": started["SessionId"],
            "streamUrl": _reached(started["StreamUrl"], call),
            "tokenValue": started["TokenValue"],
        },
    }


def _checked(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise t.InvalidParameterException(f"The command cannot be parsed: {error}.") from None
    if not words:
        raise t.InvalidParameterException("Command cannot be empty.")
    return command


def _reached(url: str, call: Call) -> str:
    """The stream, by the name and the way by which the caller has reached us."""
    _, _, rest = url.partition("://")
    return f"{'wss' if call.secure else 'ws'}://{call.host}/{rest.partition('/')[2]}" if call.host else url
