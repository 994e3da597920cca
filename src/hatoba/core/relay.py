"""Bytes between two connections, as they come, until the one that answers has said all."""

from __future__ import annotations

import asyncio
import contextlib

SIZE = 64 * 1024  # bytes that are taken at a time

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def relay(client: Ends, server: Ends) -> None:
    """Closes both. A client that says no more is still answered, where its connection knows how to tell so: TLS does
    not, and who ends that is gone."""
    asking = asyncio.create_task(_carry(client[0], server[1]))
    answering = asyncio.create_task(_carry(server[0], client[1]))
    try:
        await asyncio.wait((asking, answering), return_when=asyncio.FIRST_COMPLETED)
        if asking.done() and asking.exception() is None:
            await asyncio.wait((answering,))
    finally:
        for task in (asking, answering):
            task.cancel()
        await asyncio.gather(asking, answering, return_exceptions=True)
        for _, writer in (client, server):
            writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Raises `OSError` when either is gone."""
    while data := await reader.read(SIZE):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        with contextlib.suppress(OSError):
            writer.write_eof()
