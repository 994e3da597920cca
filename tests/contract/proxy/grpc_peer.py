"""A gRPC server, or one call to one, as a process of its own: for a network namespace.

grpc_peer.py serve PORT               says `ready`
grpc_peer.py call ADDRESS PORT ROOT   calls over TLS, streams both ways, says what came back
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def _twice(requests: Any, context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request * 2
    context.set_trailing_metadata((("x-end", "yes"),))


async def _refuse(request: bytes, context: Any) -> bytes:
    await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not so")
    raise AssertionError


async def serve(port: str) -> None:
    server = grpc.aio.server()
    handlers = {
        "Twice": grpc.stream_stream_rpc_method_handler(_twice),
        "Refuse": grpc.unary_unary_rpc_method_handler(_refuse),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    say("ready")
    await server.wait_for_termination()


async def call(address: str, port: str, root: str) -> None:
    trusted = grpc.ssl_channel_credentials(await asyncio.to_thread(Path(root).read_bytes))
    options = (("grpc.ssl_target_name_override", "shop.example"),)
    async with grpc.aio.secure_channel(f"{address}:{port}", trusted, options) as channel:
        stream = channel.stream_stream("/test.Echo/Twice")()
        for message in (b"a", b"b"):  # each is answered before the next one is sent
            await stream.write(message)
            say((await stream.read()).decode())
        await stream.done_writing()
        say(dict(await stream.trailing_metadata())["x-end"], (await stream.code()).name)
        try:
            await channel.unary_unary("/test.Echo/Refuse")(b"")
        except grpc.aio.AioRpcError as error:
            say(error.code().name, error.details())


if __name__ == "__main__":
    asyncio.run({"serve": serve, "call": call}[sys.argv[1]](*sys.argv[2:]))
