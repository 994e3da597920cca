"""`hatoba exec`: a program in a task's container, with this terminal or with pipes, and its exit code.

On top of the public API: ExecuteCommand, then the Session Manager protocol on the stream. Beside what the plugin says,
the opening asks for pipes where this is no terminal, and for the exit code (`words.OpenDataChannel`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shlex
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from typing import Any

import hatoba
from hatoba.cli.daily import Cloud, told
from hatoba.core.clock import SystemClock
from hatoba.core.errors import Refused
from hatoba.core.ids import RandomIds
from hatoba.gateway.http.client import Unanswered
from hatoba.gateway.http.dial import dial
from hatoba.gateway.http.websocket import SocketClosed, WebSocket
from hatoba.services.ssm.session import frames as f
from hatoba.services.ssm.session import words
from hatoba.services.ssm.session.flow import Incoming, Outgoing
from hatoba.services.ssm.session.frames import Frame, Payload

PATIENCE = 10.0  # seconds for the stream to open
WINDOW = 128 * 1024  # bytes of input that the other side has not taken
PIECE = 16 * 1024


def exec_(given: argparse.Namespace) -> int:
    ecs = Cloud(given).client("ecs")
    command = shlex.join(given.words) or "sh"
    with told():
        task = given.task or _task_of(ecs, given.cluster, given.service)
        asked = {"cluster": given.cluster, "task": task, "command": command, "interactive": True}
        if given.container:
            asked["container"] = given.container
        session = ecs.execute_command(**asked)["session"]
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    with _raw() if terminal else contextlib.nullcontext():
        try:
            return asyncio.run(_Client(session, terminal).run())
        except Unanswered as error:
            raise Refused(f"The session could not be opened: {error}") from None


def _task_of(ecs: Any, cluster: str, service: str | None) -> str:
    if not service:
        raise Refused("Which task? `hatoba ps` lists them; --service NAME takes one of a service's.")
    found = ecs.list_tasks(cluster=cluster, serviceName=service)["taskArns"]
    for task in ecs.describe_tasks(cluster=cluster, tasks=found)["tasks"] if found else ():
        if task["lastStatus"] == "RUNNING":
            return str(task["taskArn"])
    raise Refused(f"No task of {service} runs.")


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Every key is the program's, Ctrl-C too."""
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


class _Client:
    """The client's end of a data channel."""

    def __init__(self, session: dict[str, str], terminal: bool) -> None:
        self._session = session
        self._terminal = terminal
        self._clock, self._ids = SystemClock(), RandomIds()
        self._out, self._in = Outgoing(WINDOW), Incoming(1 << 20)
        self._keys: asyncio.Queue[bytes] = asyncio.Queue()
        self._read_on = threading.Semaphore(2)
        self._room = asyncio.Event()
        self._resized = asyncio.Event()
        self._code: int | None = None

    async def run(self) -> int:
        """The exit code. Raises `Unanswered`."""
        self._socket = socket = await dial(
            self._session["streamUrl"], nonce=bytes.fromhex(self._ids.hex(32)), patience=PATIENCE
        )
        size = os.get_terminal_size(1) if self._terminal else os.terminal_size((0, 0))
        opening = words.OpenDataChannel(
            request_id=self._ids.uuid(),
            token_value=self._session["tokenValue"],
            client_id=self._ids.uuid(),
            client_version=hatoba.__version__,
            terminal=self._terminal,
            exit_code=True,
            columns=size.columns,
            rows=size.lines,
        )
        await socket.send(words.encode(opening).decode())
        work = [asyncio.create_task(each) for each in (self._listen(socket), self._again(), self._type())]
        if self._terminal:
            asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, self._resized.set)
            work.append(asyncio.create_task(self._resize()))
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in work:
                if task.done():
                    task.result()
        except SocketClosed as closed:
            return self._failed(closed.reason or "The connection was lost.")
        except BrokenPipeError:
            return 128 + signal.SIGPIPE
        finally:
            for task in work:
                task.cancel()
        return 0 if self._code is None else self._code

    def _failed(self, why: str) -> int:
        print(f"{why}\r" if self._terminal else why, file=sys.stderr)
        return 1 if self._code is None else self._code

    # --- in

    async def _listen(self, socket: WebSocket) -> None:
        """Until the channel is closed."""
        while True:
            message = await socket.receive()
            frame = f.decode(message if isinstance(message, bytes) else message.encode())
            match frame.kind:
                case f.OUTPUT:
                    if self._in.came(frame):
                        await self._acknowledge(frame)
                    while (ready := self._in.take()) is not None:
                        await self._hear(ready)
                        await self._acknowledge(ready)
                case f.ACKNOWLEDGE:
                    said = words.decode(frame.payload, words.Acknowledged)
                    self._out.acknowledged(said.id, self._clock.monotonic())
                    self._room.set()
                case f.CLOSED:
                    why = words.decode(frame.payload, words.ChannelClosed).output
                    if why:
                        self._code = self._failed(why)
                    return

    async def _hear(self, frame: Frame) -> None:
        match frame.payload_type:
            case Payload.OUTPUT:
                _write(1, frame.payload)
            case Payload.STDERR:
                _write(2, frame.payload)
            case Payload.EXIT_CODE:
                self._code = int(frame.payload)
            case Payload.HANDSHAKE_REQUEST:
                request = words.decode(frame.payload, words.HandshakeRequest)
                await self._send(Payload.HANDSHAKE_RESPONSE, words.encode(_answer(request)))
            case Payload.HANDSHAKE_COMPLETE:
                threading.Thread(target=self._read, args=(asyncio.get_running_loop(),), daemon=True).start()

    async def _acknowledge(self, frame: Frame) -> None:
        said = words.Acknowledged(type=frame.kind, id=frame.id, sequence=frame.sequence)
        await self._socket.send(f.encode(self._frame(f.ACKNOWLEDGE, payload=words.encode(said), flags=f.SYN | f.FIN)))

    # --- out

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread of its own, which nothing waits for: standard input may be anything, and never end."""
        while True:
            self._read_on.acquire()
            try:
                data = os.read(0, PIECE)
                loop.call_soon_threadsafe(self._keys.put_nowait, data)
            except OSError:
                data = b""
            except RuntimeError:  # the loop is closed: the program has ended
                return
            if not data:
                return

    async def _type(self) -> None:
        while True:
            data = await self._keys.get()
            while not self._out.has_room:
                self._room.clear()
                await self._room.wait()
            await self._send(Payload.OUTPUT, data, flags=0 if data else f.FIN)
            self._read_on.release()

    async def _resize(self) -> None:
        while True:
            await self._resized.wait()
            self._resized.clear()
            columns, rows = os.get_terminal_size(1)
            await self._send(Payload.SIZE, words.encode(words.Size(cols=columns, rows=rows)))

    async def _again(self) -> None:
        while True:
            now = self._clock.monotonic()
            await asyncio.sleep(max(0.05, (self._out.due or now + 0.2) - now))
            message = self._out.again(self._clock.monotonic())
            if message is not None:
                await self._socket.send(message)

    async def _send(self, payload_type: Payload, payload: bytes, *, flags: int = 0) -> None:
        number = self._out.number()
        frame = self._frame(f.INPUT, payload_type=payload_type, payload=payload, sequence=number, flags=flags)
        data = f.encode(frame)
        self._out.sent(number, frame.id, data, self._clock.monotonic())
        await self._socket.send(data)

    def _frame(self, kind: str, *, payload: bytes, payload_type: int = 0, sequence: int = 0, flags: int = 0) -> Frame:
        return Frame(
            kind=kind,
            id=self._ids.uuid(),
            created=int(self._clock.now() * 1000),
            sequence=sequence,
            flags=flags,
            payload_type=payload_type,
            payload=payload,
        )


def _answer(request: words.HandshakeRequest) -> words.HandshakeResponse:
    done = tuple(
        words.ProcessedAction(
            action_type=action.action_type,
            action_status=1 if action.action_type == "SessionType" else 3,
            error="" if action.action_type == "SessionType" else f"Unsupported action {action.action_type}",
        )
        for action in request.requested_client_actions
    )
    errors = tuple(action.error for action in done if action.error)
    return words.HandshakeResponse(
        client_version=hatoba.__version__, processed_client_actions=done, errors=errors or None
    )


def _write(descriptor: int, data: bytes) -> None:
    """All of it. Whoever reads us slowly slows the program down: nothing is acknowledged meanwhile."""
    while data:
        data = data[os.write(descriptor, data) :]
