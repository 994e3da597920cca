"""A small identity provider (OpenID Connect, code flow) and a browser, for tests. No more of either than they need.

The provider knows one user, who is always signed in: whoever comes to its authorization endpoint is sent back with a
code, good once. It notes what it was asked, and does wrong what a test tells it to.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

Open = Callable[[str, int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


def unsigned(claims: dict[str, Any]) -> str:
    """An ID token. Nobody looks at its signature: it comes from the provider's own server."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'RS256'})}.{part(claims)}.c2lnbmF0dXJl"


class IdentityProvider:
    """`url` is where it is reached, and its issuer."""

    def __init__(self, url: str, now: Callable[[], float], client: str = "shop", secret: str = "s3cr:et/") -> None:
        self.url, self.client, self.secret = url, client, secret
        self.claims: dict[str, Any] = {"sub": "alice", "email": "alice@example.com"}
        self.tells: dict[str, Any] = {}  # in ID tokens, in the place of what is true
        self.lasts: int | None = 3600  # seconds, of access tokens
        self.refreshes = False
        self.wrong: dict[str, tuple[int, bytes]] = {}  # by path: what is answered instead
        self.slow: dict[str, float] = {}  # seconds, by path
        self.asked: list[tuple[str, dict[str, str]]] = []  # path, and what was said
        self._now = now
        self._codes: dict[str, dict[str, str]] = {}
        self._access: set[str] = set()
        self._refresh: set[str] = set()
        self._made = 0
        self._server: asyncio.Server | None = None

    async def start(self, listener: socket.socket, tls: ssl.SSLContext) -> None:
        self._server = await asyncio.start_server(self._serve, sock=listener, ssl=tls)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"(?im)^content-length: (\d+)", head)
            body = (await reader.readexactly(int(length[1]))).decode() if length else ""
            target = head.split(" ", 2)[1]
            where = urlsplit(target)
            await asyncio.sleep(self.slow.get(where.path, 0.0))
            status, content, more = self._answer(
                where.path, head, {k: v[0] for k, v in parse_qs(where.query or body).items()}
            )
            writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\n{more}\r\n".encode() + content)
            await writer.drain()
        writer.close()

    def _answer(self, path: str, head: str, said: dict[str, str]) -> tuple[int, bytes, str]:
        self.asked.append((path, said))
        if path in self.wrong:
            return (*self.wrong[path], "")
        if path == "/authorize":
            back = {"code": self._new("code"), "state": said["state"]}
            self._codes[back["code"]] = said
            return 302, b"", f"location: {said['redirect_uri']}?{urlencode(back)}\r\n"
        if path == "/token":
            return self._token(head, said)
        bearer = re.search(r"(?im)^authorization: Bearer (\S+)", head)
        if path == "/userinfo" and bearer is not None and bearer[1] in self._access:
            return 200, json.dumps(self.claims).encode(), ""
        return 401, b"", ""

    def _token(self, head: str, said: dict[str, str]) -> tuple[int, bytes, str]:
        basic = re.search(r"(?im)^authorization: Basic (\S+)", head)
        shown = urlencode({"": self.client})[1:] + ":" + urlencode({"": self.secret})[1:]
        if basic is None or base64.b64decode(basic[1]).decode() != shown:
            return 401, b'{"error": "invalid_client"}', ""
        told: dict[str, Any] = {"access_token": self._new("access"), "token_type": "Bearer"}
        if said["grant_type"] == "authorization_code":
            asked = self._codes.pop(said["code"], None)
            if asked is None or asked["redirect_uri"] != said["redirect_uri"]:
                return 400, b'{"error": "invalid_grant"}', ""
            claims = {"iss": self.url, "aud": self.client, "sub": self.claims.get("sub"), "exp": self._now() + 300}
            told["id_token"] = unsigned({**claims, "nonce": asked.get("nonce"), **self.tells})
        elif said["refresh_token"] not in self._refresh:
            return 400, b'{"error": "invalid_grant"}', ""
        else:
            self._refresh.discard(said["refresh_token"])  # each is good once
        self._access.add(told["access_token"])
        if self.lasts is not None:
            told["expires_in"] = self.lasts
        if self.refreshes:
            told["refresh_token"] = self._new("refresh")
            self._refresh.add(told["refresh_token"])
        return 200, json.dumps(told).encode(), ""

    def forget(self) -> None:
        """The user has logged out: nothing that was given is good any more."""
        self._refresh.clear()
        self._access.clear()

    def _new(self, kind: str) -> str:
        self._made += 1
        return f"{kind}-{self._made}-" + "x" * 40


class Page(NamedTuple):
    status: int
    url: str
    headers: list[tuple[str, str]]
    body: str

    def header(self, name: str) -> str:
        return next((value for each, value in self.headers if each == name), "")


class Browser:
    """Keeps cookies by host, as far as they are `Secure`, and follows redirects."""

    def __init__(self, open_: Open) -> None:
        self._open = open_
        self.cookies: dict[str, dict[str, str]] = {}
        self.set_cookies: list[str] = []  # as they came
        self.visited: list[str] = []

    async def get(self, url: str, *, follow: bool = True, **headers: str) -> Page:
        for _ in range(10):
            page = await self._once(url, headers)
            if page.status not in (301, 302) or not follow:
                return page
            url = page.header("location")
        raise AssertionError(f"too many redirects: {self.visited}")

    async def _once(self, url: str, headers: dict[str, str]) -> Page:
        where = urlsplit(url)
        self.visited.append(url)
        jar = self.cookies.setdefault(where.hostname or "", {})
        lines = [f"GET {where.path or '/'}{'?' + where.query if where.query else ''} HTTP/1.1", f"Host: {where.netloc}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if jar:
            lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in jar.items()))
        reader, writer = await self._open(where.hostname or "", where.port or 443)
        try:
            writer.write(("\r\n".join(lines) + "\r\nConnection: close\r\n\r\n").encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"(?im)^content-length: (\d+)", head)
            body = (await reader.readexactly(int(length[1]) if length else 0)).decode()
        finally:
            writer.close()
        first, *rest = head.strip().split("\r\n")
        told = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in rest)]
        for name, value in told:
            if name == "set-cookie":
                self._keep(jar, value)
        return Page(int(first.split(" ")[1]), url, told, body)

    def _keep(self, jar: dict[str, str], text: str) -> None:
        self.set_cookies.append(text)
        name, _, value = text.partition(";")[0].partition("=")
        assert "; Secure" in text
        assert "; HttpOnly" in text
        if "Max-Age=0" in text:
            jar.pop(name, None)
        else:
            jar[name] = value
