"""A socket for the operator on this machine: what no AWS operation says. Whoever may open it (root) may ask.

POST /node-token           a join token for one more node
POST /node-remove/<name>   an act, and what it is about (also node-list, node-cordon, interrupt/<task> …)
"""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from hatoba.core.errors import Refused
from hatoba.gateway.http import Request, Response, Server

Act = Callable[[str], Awaitable[str]]


async def serve(path: Path, acts: Mapping[str, Act]) -> Server:
    """Answers `POST /<name>` or `POST /<name>/<argument>` with the text of that act."""

    async def handle(request: Request) -> Response:
        name, _, argument = request.path.strip("/").partition("/")
        act = acts.get(name)
        if act is None or request.method != "POST":
            return Response(status=404, body=b"There is nothing of that name.\n")
        try:
            return Response(headers={"content-type": "text/plain"}, body=(await act(unquote(argument))).encode())
        except Refused as refused:
            return Response(status=409, body=str(refused).encode())

    server = Server(handle)
    await server.serve(owners_only(path))
    return server


def owners_only(path: Path) -> socket.socket:
    """A socket of this machine that nobody else may open, bound."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10.0)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(path: Path, act: str, argument: str = "") -> str:
    """For the command line. Raises `Refused`."""
    connection = _Connection(path)
    try:
        connection.request("POST", f"/{act}/{quote(argument, safe='')}")
        answer = connection.getresponse()
        text = answer.read().decode()
    except OSError as error:
        raise Refused(f"The control plane does not answer ({error.strerror}). Is Hatoba up?") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise Refused(text)
    return text
