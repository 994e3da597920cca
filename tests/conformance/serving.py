"""A control plane behind the real server, in a thread of this process, for real clients.

What a platform consists of, each folder says for itself; how it is served, who may ask, and how a test acts within its
loop stands here. Every account has a root key and every region is empty at first, so that tests share one platform and
do not meet.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeVar

import boto3
import pytest
import uvloop
from botocore.config import Config
from botocore.exceptions import ClientError

from hatoba.aws.sigv4 import Credential
from hatoba.core.clock import Clock
from hatoba.core.keys import Scope
from hatoba.gateway import access
from hatoba.gateway.call import Principal
from hatoba.gateway.front import front
from hatoba.gateway.http import Handler, Request, Response, Server
from hatoba.gateway.own import Own
from hatoba.gateway.plane import ControlPlane
from tools.waiting import PATIENCE

T = TypeVar("T")
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ACCOUNT, REGION = "123456789012", "us-east-1"
_numbers = itertools.count(101)


def fresh_region() -> str:
    word = "".join(chr(ord("a") + int(digit)) for digit in str(next(_numbers)))
    return f"eu-{word}-1"


def fresh_account() -> str:
    return f"{next(_numbers):012d}"


class RootOfAnyAccount:
    """`AKIA` and an account's number."""

    def find(self, access_key_id: str) -> Credential | None:
        account = access_key_id.removeprefix("AKIA")
        if len(account) != 12 or not account.isdigit():
            return None
        root = access.root("aws", account, access_key_id)
        return Credential(access_key_id=access_key_id, secret=SECRET, principal=root)


class Served:
    """What is served, as tests get at it. Made in the loop that serves it."""

    plane: ControlPlane
    port = 0

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()

    def connect(self, service: str, access_key: str, secret: str, token: str | None = None, *, region: str) -> Any:
        """A client of boto3 that tries once."""
        return boto3.client(
            service,
            endpoint_url=f"http://localhost:{self.port}",
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Something that takes its time, in the platform's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)

    def run(self, act: Callable[[], T]) -> T:
        """Something synchronous in the platform's own loop, and durable."""

        async def acted() -> T:
            result = act()
            await self.plane.store.durable()
            return result

        return self.wait(acted())

    def door(
        self, scope: Scope, service: str, principal: Principal | None = None, *, source: str = ""
    ) -> Callable[..., Any]:
        """What another room does: `ask("ec2", "describe_vpcs", …)` under its service role (`source`: for that resource)
        or one that it assumed."""

        def ask(name: str, operation: str, **params: Any) -> Any:
            door = self.plane.door(scope, service, principal, source=source)
            return self.wait(getattr(getattr(door, name), operation)(**params))

        return ask


async def no_registry(request: Request) -> Response:
    return Response(status=404)


@asynccontextmanager
async def listening(
    plane: ControlPlane, *, registry: Handler = no_registry, own: Own | None = None, clock: Clock | None = None
) -> AsyncIterator[int]:
    """The port at which it is served."""
    paths = own or Own(version="test", components=dict)
    server = Server(front(aws=plane.path, registry=registry, own_paths=paths), **({"clock": clock} if clock else {}))
    yield await server.listen("localhost", 0)
    await server.close(grace=1)


@contextmanager
def in_a_thread(made: Callable[[], AbstractAsyncContextManager[T]]) -> Iterator[T]:
    """What `made` opens, in a loop and a thread of its own for as long as the block lasts."""
    opened: list[tuple[T, asyncio.AbstractEventLoop]] = []
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with made() as thing:
            opened.append((thing, asyncio.get_running_loop()))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: uvloop.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    thing, loop = opened[0]
    try:
        yield thing
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)


def refused(code: str, call: Callable[..., Any], **params: Any) -> str:
    """The words of a refusal with this code."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    text: str = error["Message"]
    return text
