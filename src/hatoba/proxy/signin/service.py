"""The process beside Envoy that lets requests pass or answers them.

    python -m hatoba.proxy.signin.service FOLDER FORM RESOLVER READY_FD     (what it is told: on its standard input)

It listens on `FOLDER/signin.sock` once it knows what is wanted: a new one takes the place of an old one in a single
rename, and Envoy finds it with its next connection. It is told of changes by the agent, on the same socket. It outlives
the agent and keeps nothing on disk but its note; keys are in its memory, and it can be killed at any moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import msgspec
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse

from hatoba.core.clock import SystemClock
from hatoba.proxy import launches
from hatoba.proxy.signin import envoy, names
from hatoba.proxy.signin.flow import Answered, Asked, Balancer
from hatoba.proxy.signin.provider import OverTls, Provider
from hatoba.proxy.signin.words import Rule, SignIns, Told

SOCKET, NOTE = "signin.sock", "signin.pid"
CONTROL, TELL, COUNT = "hatoba.SignIn", "Tell", "Count"
_PARTING = 15.0  # seconds that requests under way have when it is to end

Decode = msgspec.msgpack.Decoder(Told).decode


class Service:
    def __init__(self, provider: Provider, now: Callable[[], float]) -> None:
        self._provider = provider
        self._now = now
        self._told = Told()
        self._balancers: dict[str, Balancer] = {}
        self._any: dict[tuple[str, str], Rule] = {}  # by balancer and listener

    def tell(self, told: Told) -> None:
        """What is unchanged keeps what it remembers."""
        before = {site.balancer: site for site in self._told.sites}
        made = {}
        for site in told.sites:
            known = self._balancers.get(site.balancer)
            if known is None or before[site.balancer] != site:
                counted = known.counted if known is not None else SignIns()
                known = Balancer(site, self._provider, self._now, os.urandom, counted)
            made[site.balancer] = known
        self._told, self._balancers = told, made
        self._any = {(site.balancer, rule.listener): rule for site in told.sites for rule in site.rules}

    def counted(self) -> dict[str, SignIns]:
        """By balancer."""
        return {id_: balancer.counted for id_, balancer in self._balancers.items()}

    async def check(self, request: Any) -> Any:
        where, asked = envoy.asked(request)
        balancer = self._balancers.get(where)
        if balancer is None:
            return envoy.verdict(Answered(status=500, reason="AuthUnhandledException"), None)
        found = await balancer.check(asked)
        return envoy.verdict(found, self._rule(where, asked, found))

    def _rule(self, where: str, asked: Asked, found: object) -> Rule | None:
        """Whose listener says what its answers look like."""
        of = found.rule if isinstance(found, Answered) else None
        return of or self._any.get((where, asked.listener))


async def _serve(folder: Path, form: str, resolver: str, ready: int, first: Told) -> None:
    clock = SystemClock()
    provider = OverTls(names.resolve(resolver, clock.monotonic), loopback=not resolver)
    service = Service(provider, clock.now)
    service.tell(first)

    async def check(request: Any, _: Any) -> Any:
        return await service.check(request)

    async def tell(request: bytes, _: Any) -> bytes:
        service.tell(Decode(request))
        return b""

    async def count(_: bytes, __: Any) -> bytes:
        return msgspec.msgpack.encode(service.counted())

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                envoy.SERVICE, {"Check": _act(check, CheckRequest.FromString, CheckResponse.SerializeToString)}
            ),
            grpc.method_handlers_generic_handler(CONTROL, {TELL: _act(tell), COUNT: _act(count)}),
        )
    )
    own = folder / f"signin-{os.getpid()}.sock"
    server.add_insecure_port(f"unix:{own}")
    await server.start()
    own.rename(folder / SOCKET)
    started = launches.started_at(os.getpid()) or 0
    note = folder / f"{NOTE}.new"
    note.write_bytes(msgspec.json.encode(launches.Running(pid=os.getpid(), started=started, form=form)))
    note.rename(folder / NOTE)
    os.close(ready)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await server.stop(grace=_PARTING)


def _act(
    act: Callable[[Any, Any], Awaitable[Any]],
    read: Callable[[bytes], Any] | None = None,
    write: Callable[[Any], bytes] | None = None,
) -> Any:
    return grpc.unary_unary_rpc_method_handler(act, request_deserializer=read, response_serializer=write)


def main(folder: str, form: str, resolver: str, ready: str) -> int:
    os.umask(0o077)
    first = Decode(sys.stdin.buffer.read())
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(Path(folder), form, resolver, int(ready), first))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
