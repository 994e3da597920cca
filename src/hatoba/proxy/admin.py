"""Asks an Envoy's admin socket: one request, one answer, connection closed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hatoba.core.errors import PortError


async def ask(socket: Path, method: str, path: str, timeout: float = 5.0) -> str:
    """The answer's body. Raises `PortError("Admin")` when nobody answers or the status is not 200."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                rest = "host: admin\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
                writer.write(f"{method} {path} HTTP/1.1\r\n{rest}".encode())
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                body = await (_chunks(reader) if "transfer-encoding: chunked" in head else reader.read())
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise PortError("Admin", f"Envoy's admin socket {socket} does not answer: {error or 'timeout'}") from error
    if " 200 " not in head.split("\r\n")[0]:
        raise PortError("Admin", f"{method} {path}: {head.splitlines()[0]}")
    return body.decode()


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int(await reader.readline(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    return b"".join(parts)
