"""A steady load of requests, with every failure counted: for rolling updates that must not lose one.

with Load("100.64.64.1", 80, rate=200) as load:
    ...
assert load.failures == []
"""

from __future__ import annotations

import asyncio
import threading
import time
from types import TracebackType

CONNECTIONS = 8
PATIENCE = 10.0  # seconds for one answer


class Load:
    """Keep-alive connections that share `rate` requests a second, at most `seconds` long."""

    def __init__(
        self, host: str, port: int = 80, *, rate: float = 200.0, path: str = "/", seconds: float = 300.0
    ) -> None:
        self._address = (host, port)
        self._rate = rate
        self._request = f"GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.answers: dict[bytes, int] = {}  # bodies
        self.failures: list[str] = []
        self.latencies: list[float] = []  # seconds

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(PATIENCE + 5)

    @property
    def count(self) -> int:
        return len(self.latencies) + len(self.failures)

    async def _run(self) -> None:
        await asyncio.gather(*(self._connection(number) for number in range(CONNECTIONS)))

    async def _connection(self, number: int) -> None:
        pause = CONNECTIONS / self._rate
        began = due = time.monotonic() + number * pause / CONNECTIONS
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while not self._stop.is_set() and time.monotonic() < began + self._seconds:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due += pause
            started = time.monotonic()
            try:
                async with asyncio.timeout(PATIENCE):
                    if streams is None:
                        streams = await asyncio.open_connection(*self._address)
                    status, body, keep = await self._ask(*streams)
            except (OSError, EOFError, ValueError, TimeoutError) as error:
                self.failures.append(f"{time.strftime('%H:%M:%S')} {type(error).__name__}: {error}")
                streams = None
                continue
            if status != 200:
                self.failures.append(f"{time.strftime('%H:%M:%S')} {status} {body[:80]!r}")
            else:
                self.answers[body] = self.answers.get(body, 0) + 1
                self.latencies.append(time.monotonic() - started)
            if not keep:
                streams[1].close()
                streams = None
        if streams is not None:
            streams[1].close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, bytes, bool]:
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = int(head.split(" ", 2)[1])
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await reader.readline(), 16):
                body += await reader.readexactly(size)
                await reader.readexactly(2)
            await reader.readexactly(2)
        else:
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        return status, body, headers.get("connection") != "close"
