"""Takes every call that was made, and brings it to the trail by the batch.

A call that writes leaves its event in the store, in its own transaction; so what was done is known even if the process
dies at once. Whatever has ended waits in memory for a second at most, is then written to the trail with its outcome,
and what the store kept of it is forgotten. What a service reads under its own role is not kept: nobody asked for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from hatoba.aws.sensitive import conceal
from hatoba.core.clock import Clock
from hatoba.core.errors import AwsError
from hatoba.core.tasks import TaskGroup
from hatoba.core.threads import Threads
from hatoba.gateway.audit import Asked
from hatoba.services.cloudtrail.model import EVERYWHERE, Pending, pendings
from hatoba.services.cloudtrail.plan.event import asker, clock_time, event
from hatoba.services.cloudtrail.plan.reading import only_reads
from hatoba.services.cloudtrail.plan.things import things
from hatoba.store import Store, Tx
from hatoba.trail.port import Entry, Place, Question, Thing, Trail

log = logging.getLogger(__name__)

BATCH_SECONDS = 1.0
SWEEP_SECONDS = 600.0
MOST_WAITING = 50_000  # calls that only read, while the disk does not keep up; beyond that they are counted, not kept
_INTERNAL = ("InternalFailure", "An internal error occurred.")


class Ended(NamedTuple):
    asked: Asked
    about: tuple[Thing, ...]
    began: float
    result: Mapping[str, Any] | None
    error: AwsError | None
    seconds: float


class Recorder:
    """Implements `gateway.audit.Auditor`. `kept`: seconds; `most_bytes` of disk; `tell` writes lines for people."""

    def __init__(
        self, store: Store, clock: Clock, trail: Trail, *, kept: float, most_bytes: int, tell: Callable[[str], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._trail = trail
        self._kept = kept
        self._most_bytes = most_bytes
        self._tell = tell
        self._ended: list[Ended] = []
        self._wake = asyncio.Event()
        self._tasks = TaskGroup("audit")
        self._threads = Threads("audit", 1)
        self.lost = 0

    # --- what the gateway tells

    def writes(self, asked: Asked, tx: Tx) -> None:
        key = pendings.key(EVERYWHERE, asked.call.request_id)
        if tx.get(pendings, key) is None:
            tx.put(pendings, Pending(key=key, entry=_entry(asked, _about(asked, None), self._clock.now())))

    def ended(self, asked: Asked, result: Mapping[str, Any] | None, error: AwsError | None, seconds: float) -> None:
        reads = only_reads(asked.operation.name)
        if reads and (asked.call.principal.kind == "service" or len(self._ended) >= MOST_WAITING):
            self.lost += asked.call.principal.kind != "service"
            return
        # What it was about is looked up in the store: here, on the loop.
        about = () if reads else _about(asked, result)
        self._ended.append(Ended(asked, about, self._clock.now() - seconds, result, error, seconds))
        self._wake.set()

    async def find(self, question: Question) -> list[tuple[Place, Entry]]:
        return await self._trail.find(question)

    # --- to the trail

    async def start(self) -> None:
        """First what a process that died has left."""
        await self._bring([record.entry for record in self._store.all(pendings)])
        self._tasks.start(self._bring_on(), "the trail")
        self._tasks.start(self._sweep(), "the trail's bounds")

    async def close(self) -> None:
        await self._tasks.close()
        await self.flush()
        await self._trail.close()

    async def _bring_on(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(BATCH_SECONDS)
            self._wake.clear()
            await self.flush()

    async def flush(self) -> None:
        """Returns once everything that has ended until now is on the trail."""
        ended, self._ended = self._ended, []
        if ended:
            # Encoding takes a while when there is much: not on the loop.
            await self._bring(await self._threads.run(_entries, ended))
            await self._threads.run(self._tell_of, ended)

    async def _bring(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        await self._trail.add(entries)
        with self._store.tx() as tx:
            for entry in entries:
                tx.forget(pendings, pendings.key(EVERYWHERE, entry.id))

    async def _sweep(self) -> None:
        while True:
            await self._trail.forget(before=self._clock.now() - self._kept, most_bytes=self._most_bytes)
            await asyncio.sleep(SWEEP_SECONDS)

    def _tell_of(self, ended: Iterable[Ended]) -> None:
        for asked, _, began, result, error, seconds in ended:
            call = asked.call
            code = error.code if error is not None else "ok" if result is not None else _INTERNAL[0]
            who = _in_a_line(asker(call)) or "nobody"
            self._tell(
                f"{clock_time(began)} {call.scope.account} {call.scope.region} {who} {call.service}:{call.operation}"
                f" {code} {1000 * seconds:.1f} ms from {call.source_ip or '-'} {call.request_id}"
            )

    def collect(self) -> str:
        return f"# TYPE hatoba_audit_lost_total counter\nhatoba_audit_lost_total {self.lost}\n"


def _in_a_line(name: str) -> str:
    """What a provider calls somebody may be any text, and must not look like a line of ours."""
    return name if name.isprintable() and " " not in name else ascii(name)


def _entries(ended: Iterable[Ended]) -> list[Entry]:
    return [_entry(*each) for each in ended]


def _about(asked: Asked, result: Mapping[str, Any] | None) -> tuple[Thing, ...]:
    return things(asked.operation, (need.resource for need in asked.call.needs), result)


def _entry(
    asked: Asked,
    about: tuple[Thing, ...],
    began: float,
    result: Mapping[str, Any] | None = None,
    error: AwsError | None = None,
    seconds: float | None = None,
) -> Entry:
    call, operation = asked.call, asked.operation
    reads = only_reads(operation.name)
    failure = None
    if error is not None:
        failure = (error.code, error.message)
    elif result is None and seconds is not None:
        failure = _INTERNAL
    source = f"{operation.model.signing_name}.amazonaws.com"
    fits = result is not None or seconds is None  # it has been answered, or is being carried out
    document = event(
        call,
        source=source,
        began=began,
        read_only=reads,
        parameters=conceal(operation, operation.input, asked.params, fits=fits),
        answer=None if reads else conceal(operation, operation.output, result, fits=True),
        error=failure,
        seconds=seconds,
    )
    return Entry(
        id=call.request_id,
        time=began,
        account=call.scope.account,
        region=call.scope.region,
        name=call.operation,
        source=source,
        user=asker(call),
        access_key=call.principal.access_key or "",
        read_only=reads,
        things=about,
        document=msgspec.json.encode(document, enc_hook=str),
    )
