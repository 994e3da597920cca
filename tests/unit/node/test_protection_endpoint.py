"""What a task says to its agent about protection, and what it hears: against a control plane of the test's own."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from hatoba.core.keys import Scope
from hatoba.core.secret import Secret
from hatoba.fleet.items import CredentialItem
from hatoba.fleet.model import Workload, workloads
from hatoba.node.metadata.protection import Refused, ask, told, wanted

ARN = "arn:aws:ecs:us-east-1:123456789012:task/default/" + "1" * 32
WORKLOAD = Workload(
    key=workloads.key(Scope("aws", "123456789012", "us-east-1"), "1" * 32),
    node="node-1",
    region="us-east-1",
    metadata={"TaskARN": ARN, "Cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/default"},
)
CREDENTIAL = CredentialItem(
    workload="1" * 32, role="r", access_key="ASIA1", secret_key=Secret("s"), token=Secret("t"), expires=9e9
)


def test_what_is_put() -> None:
    assert wanted(WORKLOAD, None)[0] == "GetTaskProtection"
    operation, members = wanted(WORKLOAD, b'{"ProtectionEnabled": true, "ExpiresInMinutes": 5}')
    assert operation == "UpdateTaskProtection"
    assert members == {
        "cluster": WORKLOAD.metadata["Cluster"],
        "tasks": [ARN],
        "protectionEnabled": True,
        "expiresInMinutes": 5,
    }
    assert "expiresInMinutes" not in wanted(WORKLOAD, b'{"ProtectionEnabled": false}')[1]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"ProtectionEnabled": 1}', b'{"ProtectionEnabled": true, "x": 1}']
)
def test_what_is_put_wrongly(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        wanted(WORKLOAD, body)
    assert refused.value.status == 400


def test_what_is_heard() -> None:
    on = {"protectedTasks": [{"taskArn": ARN, "protectionEnabled": True, "expirationDate": 1665023356}], "failures": []}
    assert told(on) == {
        "protection": {"ProtectionEnabled": True, "TaskArn": ARN, "ExpirationDate": "2022-10-06T02:29:16Z"}
    }
    off = {"protectedTasks": [{"taskArn": ARN, "protectionEnabled": False}]}
    assert told(off) == {"protection": {"ProtectionEnabled": False, "TaskArn": ARN}}
    failed = {"protectedTasks": [], "failures": [{"arn": ARN, "reason": "TASK_NOT_VALID", "detail": "no"}]}
    assert told(failed) == {"failure": {"Arn": ARN, "Reason": "TASK_NOT_VALID", "Detail": "no"}}


async def answered(answer: bytes) -> tuple[dict[str, Any] | Refused, bytes]:
    """What a task hears when the control plane answers so, and what the control plane got."""
    got = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        got = head + await reader.readexactly(length)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        heard = await ask(f"127.0.0.1:{port}", WORKLOAD, CREDENTIAL, b'{"ProtectionEnabled": true}', 1.0)
    except Refused as refusal:
        return refusal, got
    finally:
        server.close()
        await server.wait_closed()
    return heard, got


def response(status: int, body: object) -> bytes:
    content = msgspec.json.encode(body)
    return f"HTTP/1.1 {status} x\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content


async def test_it_asks_with_the_roles_credentials() -> None:
    heard, got = await answered(response(200, {"protectedTasks": [{"taskArn": ARN, "protectionEnabled": True}]}))
    assert heard == {"protection": {"ProtectionEnabled": True, "TaskArn": ARN}}
    assert b"x-amz-target: AmazonEC2ContainerServiceV20141113.UpdateTaskProtection\r\n" in got
    assert b"Credential=ASIA1/" in got
    assert b"x-amz-security-token: t\r\n" in got


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (response(400, {"__type": "x#AccessDeniedException", "message": "no"}), 400, "AccessDeniedException"),
        (response(500, {}), 500, "ServerException"),
        (b"", 500, "ServerException"),
        (response(200, []), 500, "ServerException"),
        (b"nonsense\r\n\r\n", 500, "ServerException"),
        (b"HTTP/1.1 200 x\r\ncontent-length: 9\r\n\r\n{", 500, "ServerException"),
    ],
)
async def test_what_goes_wrong_is_told(answer: bytes, status: int, code: str) -> None:
    refused, _ = await answered(answer)
    assert isinstance(refused, Refused)
    assert (refused.status, refused.code) == (status, code)


async def test_without_a_role_there_is_no_permission() -> None:
    with pytest.raises(Refused) as refused:
        await ask("127.0.0.1:1", WORKLOAD, None, None, 1.0)
    assert (refused.value.status, refused.value.code) == (403, "AccessDeniedException")


async def test_a_refusal_has_the_requests_id_where_there_is_one() -> None:
    content = msgspec.json.encode({"__type": "AccessDeniedException", "message": "no"})
    head = f"HTTP/1.1 400 x\r\nx-amzn-RequestId: r-1\r\ncontent-length: {len(content)}\r\n\r\n"
    refused, _ = await answered(head.encode() + content)
    assert isinstance(refused, Refused)
    assert refused.body(ARN) == {
        "requestID": "r-1",
        "error": {"Arn": ARN, "Code": "AccessDeniedException", "Message": "no"},
    }
    assert "requestID" not in Refused(500, "ServerException", "away").body(ARN)


def test_what_is_put_must_say_whether() -> None:
    with pytest.raises(Refused, match="does not contain 'ProtectionEnabled' field"):
        wanted(WORKLOAD, b'{"ExpiresInMinutes": 5}')
