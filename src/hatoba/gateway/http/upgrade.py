"""From a request to a WebSocket: what RFC 6455 asks of the opening handshake.

    async def handler(request):
        principal = ...                        # who may, is settled before anything is switched
        return switch(request, talk)           # 101; then `await talk(socket)`, on this connection

A request that is none, or another version's, gets the answer that says so. Extensions are not agreed to: what travels
here is small, or compressed already, and an inflating reader is one more thing to bound.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence

from hatoba.gateway.http.messages import Request, Response, Switch, Talk
from hatoba.gateway.http.websocket import SocketLimits

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


def offers(headers: Mapping[str, str]) -> bool:
    """Whether the client would rather talk WebSocket on this connection."""
    return "websocket" in _words(headers, "upgrade") and "upgrade" in _words(headers, "connection")


def switch(
    request: Request, talk: Talk, *, protocols: Sequence[str] = (), limits: SocketLimits | None = None
) -> Response:
    """The answer that makes the connection a WebSocket, or the one that says why it does not become one.

    `protocols`: subprotocols that we speak, the best first; the first that the client offers too is agreed upon.
    """
    if request.method != "GET" or request.http10 or not offers(request.headers):
        return _refused(426, "A WebSocket is opened by GET, HTTP/1.1, with connection: Upgrade.", upgrade="websocket")
    if request.headers.get("sec-websocket-version") != "13":
        return _refused(426, "Version 13 of WebSocket is spoken here.", **{"sec-websocket-version": "13"})
    key = request.headers.get("sec-websocket-key", "")
    if not _nonce(key):
        return _refused(400, "Sec-WebSocket-Key has to be 16 bytes in Base64.")
    headers = {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-accept": accept_key(key)}
    offered = _words(request.headers, "sec-websocket-protocol", lower=False)
    agreed = next((protocol for protocol in protocols if protocol in offered), None)
    if agreed is not None:
        headers["sec-websocket-protocol"] = agreed
    return Response(status=101, headers=headers, switch=Switch(talk=talk, limits=limits or SocketLimits()))


def accept_key(key: str) -> str:
    return base64.b64encode(hashlib.sha1(key.encode() + _MAGIC, usedforsecurity=False).digest()).decode()


def _nonce(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def _words(headers: Mapping[str, str], name: str, *, lower: bool = True) -> list[str]:
    text = headers.get(name, "")
    return [word.strip() for word in (text.lower() if lower else text).split(",")]


def _refused(status: int, sentence: str, **headers: str) -> Response:
    return Response(
        status=status,
        headers={"content-type": "text/plain; charset=utf-8", **headers},
        body=f"{sentence}\n".encode(),
        close=True,
    )
