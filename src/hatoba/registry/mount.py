"""The engine upon the gateway's HTTP server: one handler, for the path /v2 and all below it."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote

from hatoba.gateway import http
from hatoba.registry.engine import Engine
from hatoba.registry.messages import FileSlice, Request


def mount(engine: Engine) -> http.Handler:
    async def handle(request: http.Request) -> http.Response:
        response = await engine.handle(
            Request(
                method=request.method,
                path=unquote(request.path),
                query=dict(parse_qsl(request.query, keep_blank_values=True)),
                headers=request.headers,
                body=request.body,
                peer=request.peer,
                secure=request.secure,
                way=request.way,
            )
        )
        return http.Response(status=response.status, headers=response.headers, body=_body(response.body))

    return handle


def _body(body: bytes | FileSlice) -> bytes | http.FileSlice:
    if isinstance(body, bytes):
        return body
    return http.FileSlice(file=body.file, offset=body.offset, length=body.length)
