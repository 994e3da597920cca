"""Asks an Envoy's admin socket: one request, one answer, connection closed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hatoba.core.errors import PortError

_LONGEST = 64 * 1024 * 1024


async def ask(socket: Path, method: str, path: str, timeout: float = 5.0) -> str:
    """The answer's body. Raises `PortError("Admin")` when nobody answers or the status is not 200."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                # HTTP/1.0: the answer ends with the connection.
                writer.write(f"{method} {path} HTTP/1.0\r\nhost: admin\r\ncontent-length: 0\r\n\r\n".encode())
                status = await reader.readline()
                while (await reader.readline()).strip():
                    pass
                body = await reader.read(_LONGEST)
                while more := await reader.read(_LONGEST):
                    body += more
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        raise PortError("Admin", f"Envoy's admin socket {socket} does not answer: {error or 'timeout'}") from error
    if b" 200 " not in status:
        raise PortError("Admin", f"{method} {path}: {status.decode(errors='replace').strip()}")
    return body.decode()
