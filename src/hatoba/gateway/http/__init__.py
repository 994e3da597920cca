"""The HTTP server: an asyncio protocol on llhttp (httptools) and uvloop. Knows no AWS; it is handed one handler.

    messages    a request, its body as a stream, an answer
    body        the incoming body: back-pressure, limits, `Expect: 100-continue`
    head        what its bytes say
    connection  one client's connection: parsing, pipelining, each `deadline`
    sending     answers onto the wire: bytes, streams, file ranges by sendfile
    upgrade     from a request to a WebSocket
    websocket   messages, pings and the end of a WebSocket
    dial        a WebSocket to another server
    server      listening, draining
    reached     where a connection is from, and was meant to go before its destination was translated
    client      one small request to another server
    ports       who sits on a port that is in use

Why not an existing server: docs/decisions/0003-http-server.md.
"""

from hatoba.gateway.http.body import Body, BodyCut, BodyTooLarge
from hatoba.gateway.http.messages import FileSlice, Handler, Request, Response
from hatoba.gateway.http.reached import Arrival
from hatoba.gateway.http.server import Limits, Server
from hatoba.gateway.http.upgrade import switch
from hatoba.gateway.http.websocket import SocketClosed, SocketLimits, WebSocket

__all__ = [
    "Arrival",
    "Body",
    "BodyCut",
    "BodyTooLarge",
    "FileSlice",
    "Handler",
    "Limits",
    "Request",
    "Response",
    "Server",
    "SocketClosed",
    "SocketLimits",
    "WebSocket",
    "switch",
]
