"""`GET /v1/data-channel/<session>`: who may open it, and the switch to a WebSocket; the sessions that are under way.

The token in the first message opens a session, once. The plugin also signs the request that opens the socket (for the
service `ssmmessages`): a signature that is there has to be right, and be that of whoever started the session.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Iterator

from hatoba.aws import sigv4
from hatoba.aws.wire import WireRequest
from hatoba.core.errors import AwsError
from hatoba.fleet import model as fleet
from hatoba.gateway.access import Identities
from hatoba.gateway.call import Platform, Principal
from hatoba.gateway.http import Request, Response, SocketLimits, WebSocket, switch
from hatoba.services.ssm.session import frames
from hatoba.services.ssm.session.model import BadToken, Session, claim, end, find, owner, sessions
from hatoba.services.ssm.session.talk import Side, Talk
from hatoba.services.ssm.session.transcript import InBoth, InBucket, InLogGroup, Transcript
from hatoba.services.ssm.session.words import OpenDataChannel, decode
from hatoba.services.ssm.session.writers import is_own_log, writer

log = logging.getLogger(__name__)

PREFIX = "/v1/data-channel/"
SERVICE = "ssmmessages"
FAREWELL = 8.0  # seconds for clients to take their last message when we shut down
OPENING = 10.0  # seconds for the first message
REFUSED = 1008  # WebSocket's "policy violation"
LIMITS = SocketLimits(message_bytes=frames.LONGEST + 1024, queue_bytes=512 * 1024)


class DataChannels:
    """The handler of the path, and the talks that it began."""

    def __init__(
        self, platform: Platform, side: Side, identities: Identities, *, endpoint: str, auth: bool = True
    ) -> None:
        """`endpoint`: our host and port, for clients of which it is not known how they reach us. `auth` False:
        signatures are not looked at; the token is needed all the same."""
        self._platform = platform
        self._side = side
        self._identities = identities
        self._endpoint = endpoint
        self._auth = auth
        self._talks: dict[str, Talk] = {}
        self._none = asyncio.Event()
        self.opened = 0
        self.refused = 0

    def start(self) -> None:
        """Sessions of an earlier control plane ended with it."""
        store, now = self._platform.store, self._platform.clock.now()
        with store.tx() as tx:
            for session in tx.all(sessions):
                if session.state == "connected":
                    end(tx, session.id, now, "The platform was started again.")

    async def close(self) -> None:
        """Tells all clients, and lets them go."""
        for talk in self._talks.values():
            talk.end("The platform is shutting down.")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                while self._talks:
                    self._none.clear()
                    await self._none.wait()

    def terminate(self, session: str, why: str) -> bool:
        """Whether it was under way."""
        talk = self._talks.get(session)
        if talk is not None:
            talk.end(why)
        return talk is not None

    def collect(self) -> Iterator[str]:
        """Metrics, as Prometheus text."""
        yield "# HELP hatoba_sessions Sessions (ECS Exec) under way."
        yield "# TYPE hatoba_sessions gauge"
        yield f"hatoba_sessions {len(self._talks)}"
        yield "# HELP hatoba_sessions_total Sessions that were connected to, and attempts that were refused."
        yield "# TYPE hatoba_sessions_total counter"
        yield f'hatoba_sessions_total{{outcome="opened"}} {self.opened}'
        yield f'hatoba_sessions_total{{outcome="refused"}} {self.refused}'

    def url(self, session: str, host: str = "", *, secure: bool = False) -> str:
        return f"{'wss' if secure else 'ws'}://{host or self._endpoint}{PREFIX}{session}?role=publish_subscribe"

    # --- one request

    async def __call__(self, request: Request) -> Response:
        id_ = request.path.removeprefix(PREFIX)
        session = find(self._platform.store, id_)
        try:
            asking = self._signer(request)
        except AwsError as error:
            return self._refuse(403, error.message)
        if session is None:
            return self._refuse(404, f"There is no session {id_[:64]}.")
        if asking is not None and owner(asking) != session.owner:
            return self._refuse(403, f"{asking.arn} did not start the session {id_}.")
        return switch(request, functools.partial(self._opened, id_), limits=LIMITS)

    def _refuse(self, status: int, sentence: str) -> Response:
        self.refused += 1
        headers = {"content-type": "text/plain; charset=utf-8"}
        return Response(status=status, headers=headers, body=f"{sentence}\n".encode(), close=True)

    def _signer(self, request: Request) -> Principal | None:
        signed = "authorization" in request.headers or "X-Amz-Signature=" in request.query
        if not self._auth or not signed:
            return None
        wire = WireRequest(method=request.method, path=request.path, query=request.query, headers=request.headers)
        verified = sigv4.verify(wire, self._identities.find, self._platform.clock.now())
        if verified.service != SERVICE:
            raise AwsError(f"Credential should be scoped to correct service: '{SERVICE}'.", status=403)
        principal = verified.credential.principal
        assert isinstance(principal, Principal)
        return principal

    # --- one socket

    async def _opened(self, id_: str, socket: WebSocket) -> None:
        try:
            async with asyncio.timeout(OPENING):
                opened = decode(await socket.receive(), OpenDataChannel)
            session = await self._claimed(id_, opened)
        except (BadToken, frames.BadFrame, TimeoutError) as error:
            self.refused += 1
            log.info("session %s is not opened: %s", id_, error)
            await socket.close(REFUSED, str(error) or "The first message did not come in time.")
            return
        workload = self._platform.store.find(fleet.workloads, session.scope, session.workload)
        if workload is None:
            await socket.close(REFUSED, "The task is gone.")
            await self._over(session, "The task was gone.")
            return
        try:
            transcript = self._transcript(session, workload)
        except LookupError as error:
            await self._over(session, str(error))
            await socket.close(REFUSED, str(error))
            return
        self.opened += 1
        talk = self._talks[id_] = Talk(self._side, session, workload, opened, socket, transcript)
        why = "An internal error occurred."
        try:
            why = await talk.run()
        finally:
            del self._talks[id_]
            if not self._talks:
                self._none.set()
            await self._over(session, why)

    async def _claimed(self, id_: str, opened: OpenDataChannel) -> Session:
        with self._platform.store.tx() as tx:
            session = claim(tx, id_, opened.token_value, self._platform.clock.now())
        await self._platform.store.durable()  # used up, whatever happens to us next
        return session

    async def _over(self, session: Session, why: str) -> None:
        log.info("session %s of %s ended: %s", session.id, session.owner, why or "the program did")
        with self._platform.store.tx() as tx:
            end(tx, session.id, self._platform.clock.now(), why)

    def _transcript(self, session: Session, workload: fleet.Workload) -> Transcript | None:
        """Raises `LookupError`, as `writer` does."""
        platform, parts = self._platform, list[Transcript]()
        itself = platform.door(session.scope, "ssm")
        who = writer(platform.store, self._identities, workload)
        aws = itself if who is None else platform.door(session.scope, "ssm", who)
        if group := session.log_group:
            logs = (itself if is_own_log(workload, session.container, group) else aws).logs
            parts.append(InLogGroup(logs, group, session.id, platform.clock))
        if session.log_bucket:
            parts.append(InBucket(aws.s3, session.log_bucket, session.log_prefix, session.id))
        return InBoth(*parts) if len(parts) > 1 else next(iter(parts), None)
