"""What goes out: framing, streams, files, back-pressure, deadlines and draining."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hatoba.core.errors import Refused
from hatoba.gateway.http import FileSlice, Limits, Request, Response, Server
from tests.unit.gateway.wire import Wire, connected, echo, get, on_uvloop, post, serving

MEGABYTE = 1 << 20


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def streamed(request: Request) -> Response:
    return Response(body=pieces(b"one", b"", b"two"))


@on_uvloop
async def test_a_stream_of_unknown_length_is_sent_in_chunks_and_the_connection_stays() -> None:
    async with serving(streamed) as (_, port), connected(port) as wire:
        for _ in range(2):
            wire.send(get())
            answer = await wire.answer()
            assert (answer.body, answer.headers["transfer-encoding"]) == (b"onetwo", "chunked")


@on_uvloop
async def test_an_old_client_gets_a_stream_until_the_connection_ends() -> None:
    async with serving(streamed) as (_, port), connected(port) as wire:
        wire.send(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        answer = await wire.answer()
        assert "transfer-encoding" not in answer.headers
        assert answer.body == b"onetwo"


@on_uvloop
async def test_an_old_client_keeps_its_connection_if_it_asks_for_that() -> None:
    async with serving(echo) as (_, port), connected(port) as wire:
        wire.send(b"GET /1 HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        assert (await wire.answer()).headers["connection"] == "keep-alive"
        wire.send(b"GET /2 HTTP/1.0\r\n\r\n")
        assert (await wire.answer()).headers["connection"] == "close"
        assert await wire.closed()


@on_uvloop
async def test_head_has_the_length_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)

    async def handler(request: Request) -> Response:
        match request.path:
            case "/bytes":
                return Response(body=b"x" * 100)
            case "/file":
                return Response(body=FileSlice(file=path.open("rb"), offset=0, length=100))
            case "/told":
                return Response(headers={"content-length": "100"})
        return Response(headers={"content-length": "100"}, body=pieces(b"x" * 100))

    async with serving(handler) as (_, port), connected(port) as wire:
        for target in ("/bytes", "/file", "/told", "/stream"):
            wire.send(f"HEAD {target} HTTP/1.1\r\nhost: a\r\n\r\n".encode())
            answer = await wire.answer(head_only=True)
            assert answer.headers["content-length"] == "100", target
        wire.send(get("/bytes"))
        assert len((await wire.answer()).body) == 100


@on_uvloop
async def test_no_content_has_no_length() -> None:
    async def handler(request: Request) -> Response:
        return Response(status=204)

    async with serving(handler) as (_, port), connected(port) as wire:
        wire.send(get() + get())
        assert "content-length" not in (await wire.answer()).headers
        assert (await wire.answer()).status == 204


@on_uvloop
async def test_a_line_break_in_a_header_does_not_begin_another_one() -> None:
    async def handler(request: Request) -> Response:
        return Response(headers={"location": "/a\r\nset-cookie: evil"})

    async with serving(handler) as (_, port), connected(port) as wire:
        wire.send(get())
        answer = await wire.answer()
        assert answer.headers["location"] == "/a set-cookie: evil"
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(("offset", "length"), [(0, 0), (0, 10), (5, 3 * MEGABYTE), (MEGABYTE, 9 * MEGABYTE)])
@on_uvloop
async def test_a_range_of_a_file_is_sent_and_the_file_closed(tmp_path: Path, offset: int, length: int) -> None:
    content = os.urandom(10 * MEGABYTE)
    path = tmp_path / "file"
    path.write_bytes(content)
    files = []

    async def handler(request: Request) -> Response:
        files.append(path.open("rb"))
        return Response(body=FileSlice(file=files[-1], offset=offset, length=length))

    async with serving(handler) as (_, port), connected(port) as wire:
        # A small answer before each: the file must not overtake what is still in the transport's buffer.
        wire.send(get() + get())
        for _ in range(2):
            assert (await wire.answer()).body == content[offset : offset + length]
        await until(lambda: all(file.closed for file in files))


@on_uvloop
async def test_a_file_is_closed_when_the_client_goes_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as new:
        new.truncate(500 * MEGABYTE)
    files = []

    async def handler(request: Request) -> Response:
        files.append(path.open("rb"))
        return Response(body=FileSlice(file=files[-1], offset=0, length=500 * MEGABYTE))

    async with serving(handler) as (server, port):
        async with connected(port) as wire:
            wire.send(get())
            await wire.reader.readexactly(MEGABYTE)
            wire.reset()
        await until(lambda: not server.connections and files[0].closed)
        assert server.failures == 0


@on_uvloop
async def test_a_stream_is_ended_when_the_client_goes_while_it_waits() -> None:
    ended = asyncio.Event()

    async def forever() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def handler(request: Request) -> Response:
        return Response(body=forever())

    async with serving(handler) as (_, port):
        async with connected(port) as wire:
            wire.send(get())
            await wire.reader.readuntil(b"first")
        await ended.wait()


@on_uvloop
async def test_a_handler_is_not_cancelled_when_the_client_goes() -> None:
    """It may be between two steps that belong together."""
    started, may_go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(request: Request) -> Response:
        started.set()
        await may_go_on.wait()
        done.set()
        return Response()

    async with serving(handler) as (server, port):
        async with connected(port) as wire:
            wire.send(get())
            await started.wait()
            wire.reset()
        await until(lambda: not server.connections)
        may_go_on.set()
        await done.wait()


@on_uvloop
async def test_a_slow_reader_of_a_stream_holds_up_who_produces_it() -> None:
    produced = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal produced
        while True:
            produced += MEGABYTE
            yield b"x" * MEGABYTE

    async def handler(request: Request) -> Response:
        return Response(body=endless())

    async with serving(handler) as (_, port), connected(port) as wire:
        wire.send(get())
        await wire.reader.readexactly(MEGABYTE)
        last = -1
        while produced != last:  # until it stands still: buffers of both sockets are full
            last = produced
            await asyncio.sleep(0.05)
        assert produced < 64 * MEGABYTE


@on_uvloop
async def test_an_upload_is_read_at_the_pace_of_the_handler() -> None:
    """Memory stays flat although the client would send 200 MB at once."""
    go_on = asyncio.Event()
    size = 200 * MEGABYTE

    async def handler(request: Request) -> Response:
        await go_on.wait()
        total = 0
        async for piece in request.body:
            total += len(piece)
        return Response(body=b"%d" % total)

    async with serving(handler) as (_, port):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        def client() -> bytes:
            with socket.create_connection(("127.0.0.1", port)) as wire:
                wire.sendall(post(b"", length=size))
                wire.settimeout(0.2)
                block, left, stuck = b"x" * MEGABYTE, size, False
                while left:
                    try:
                        left -= wire.send(block[: min(left, MEGABYTE)])
                    except TimeoutError:
                        assert not stuck
                        stuck = True
                        wire.settimeout(5)
                        loop.call_soon_threadsafe(go_on.set)
                assert stuck, "the server took 200 MB that nobody read"
                return wire.recv(65536)

        loop = asyncio.get_running_loop()
        assert (await asyncio.to_thread(client)).endswith(b"\r\n\r\n%d" % size)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


@on_uvloop
async def test_the_connection_ends_when_the_input_ended_while_the_answer_was_sent() -> None:
    async def handler(request: Request) -> Response:
        return Response(body=b"x" * (32 * MEGABYTE))

    async with serving(handler) as (_, port), connected(port) as wire:
        wire.send(get())
        await wire.head()
        wire.end()
        assert len(await wire.reader.read()) == 32 * MEGABYTE  # up to the server's own end


# --- deadlines


@on_uvloop
async def test_an_idle_connection_is_closed() -> None:
    async with serving(echo, Limits(idle_seconds=0.05)) as (_, port), connected(port) as wire:
        wire.send(get())
        await wire.answer()
        assert await wire.closed()


@on_uvloop
async def test_a_head_that_comes_too_slowly_is_refused_however_it_trickles() -> None:
    async with serving(echo, Limits(head_seconds=0.1)) as (_, port), connected(port) as wire:
        wire.send(b"GET / HTTP/1.1\r\n")
        answer = asyncio.ensure_future(wire.answer())
        while not answer.done():
            wire.send(b"x: y\r\n")
            await asyncio.sleep(0.01)
        assert answer.result().status == 408


@on_uvloop
async def test_a_body_that_stops_coming_fails() -> None:
    async with serving(echo, Limits(body_seconds=0.05)) as (_, port), connected(port) as wire:
        wire.send(post(b"abc", length=10))
        answer = await wire.answer()
        assert (answer.status, answer.body) == (400, b"The request's body came too slowly.\n")


@on_uvloop
async def test_a_client_that_takes_nothing_is_cut_off() -> None:
    async def handler(request: Request) -> Response:
        return Response(body=b"x" * (64 * MEGABYTE))

    async with serving(handler, Limits(write_seconds=0.1)) as (server, port), connected(port) as wire:
        wire.send(get())
        await until(lambda: not server.connections)
        assert server.failures == 0


@on_uvloop
async def test_a_handler_may_take_longer_than_every_deadline() -> None:
    async def handler(request: Request) -> Response:
        await asyncio.sleep(0.2)
        return Response(body=b"done")

    limits = Limits(idle_seconds=0.05, head_seconds=0.05, body_seconds=0.05, write_seconds=0.05)
    async with serving(handler, limits) as (_, port), connected(port) as wire:
        wire.send(post(b"abc"))
        assert (await wire.answer()).body == b"done"


# --- listening and draining


@on_uvloop
async def test_draining_finishes_what_is_being_answered_and_closes_what_is_idle() -> None:
    started, may_answer = asyncio.Event(), asyncio.Event()

    async def handler(request: Request) -> Response:
        if request.path == "/slow":
            started.set()
            await may_answer.wait()
        return Response(body=b"done")

    server = Server(handler)
    port = await server.listen("127.0.0.1", 0)
    async with connected(port) as busy, connected(port) as idle:
        idle.send(get())
        await idle.answer()
        busy.send(get("/slow"))
        await started.wait()
        closing = asyncio.ensure_future(server.close(grace=5))
        assert await idle.closed()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        may_answer.set()
        answer = await busy.answer()
        assert (answer.body, answer.headers["connection"]) == (b"done", "close")
        await closing
        assert not server.connections


@on_uvloop
async def test_what_does_not_finish_in_time_is_cut_off() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(request: Request) -> Response:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return Response()

    server = Server(handler)
    port = await server.listen("127.0.0.1", 0)
    async with connected(port) as wire:
        wire.send(get())
        await started.wait()
        await server.close(grace=0.05)
        await cancelled.wait()
        assert await wire.closed()


@on_uvloop
async def test_a_port_in_use_is_refused_with_its_holder() -> None:
    async with serving(echo) as (_, port):
        with pytest.raises(
            Refused, match=rf"Port {port} on 127.0.0.1 is in use by .+ \(pid {os.getpid()}\)\. .+--port"
        ):
            await Server(echo).listen("127.0.0.1", port)


@on_uvloop
async def test_a_socket_of_the_file_system_is_served(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(tmp_path / "socket"))
    server = Server(echo)
    await server.serve(listener)
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "socket"))
    wire = Wire(reader, writer)
    wire.send(get())
    assert (await wire.answer()).body == b"GET / "
    wire.writer.close()
    await server.close(grace=0)


@on_uvloop
async def test_an_address_that_is_not_ours_is_refused() -> None:
    with pytest.raises(Refused, match=r"192\.0\.2\.1 is not an address of this machine"):
        await Server(echo).listen("192.0.2.1", 0)


@on_uvloop
async def test_a_failing_handler_ends_its_connection_only() -> None:
    async def handler(request: Request) -> Response:
        if request.path == "/fail":
            raise RuntimeError("a bug")
        return Response(body=b"fine")

    async with serving(handler) as (server, port):
        async with connected(port) as wire:
            wire.send(get("/fail"))
            assert await wire.closed()
        async with connected(port) as wire:
            wire.send(get())
            assert (await wire.answer()).body == b"fine"
        assert server.failures == 1
        assert "hatoba_http_failures_total 1" in server.collect()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  what is waited for is the server's own, without an event for tests
        await asyncio.sleep(0.005)
