"""What upstream said, for as long as it allows: bounded in number and in bytes, the longest unused go first.

Answers are kept as bytes, which are a tenth of the size of parsed ones; times to live count down as they must.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import dns.message
import dns.rcode
from dns.message import Message
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.SOA import SOA

from hatoba.core.clock import Clock
from hatoba.dns.base import Question

ENTRIES = 2048
TOTAL_BYTES = 1 << 20
LONGEST = 300  # seconds; upstream may know better by then, whatever it promised


class _Kept(NamedTuple):
    wire: bytes
    since: float
    until: float


class Cache:
    def __init__(self, clock: Clock, *, entries: int = ENTRIES, total: int = TOTAL_BYTES) -> None:
        self._clock = clock
        self._entries = entries
        self._total = total
        self._kept: OrderedDict[Question, _Kept] = OrderedDict()
        self.size = 0  # bytes

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, question: Question, answer: Message) -> None:
        seconds = min(lifetime(answer), LONGEST)
        if seconds <= 0:
            return
        answer.use_edns(False)
        wire = answer.to_wire(max_size=0xFFFF, want_shuffle=False)
        now = self._clock.monotonic()
        self._drop(question)
        self._kept[question] = _Kept(wire, now, now + seconds)
        self.size += len(wire)
        while self._kept and (len(self._kept) > self._entries or self.size > self._total):
            self._drop(next(iter(self._kept)))

    def get(self, question: Question) -> Message | None:
        kept = self._kept.get(question)
        if kept is None:
            return None
        now = self._clock.monotonic()
        if now >= kept.until:
            self._drop(question)
            return None
        self._kept.move_to_end(question)
        answer = dns.message.from_wire(kept.wire)
        age = int(now - kept.since)
        for records in (*answer.answer, *answer.authority, *answer.additional):
            records.ttl = max(0, records.ttl - age)
        return answer

    def _drop(self, question: Question) -> None:
        kept = self._kept.pop(question, None)
        if kept is not None:
            self.size -= len(kept.wire)


def lifetime(answer: Message) -> int:
    """Seconds: the shortest of the answer's records; of a negative one what its zone says (RFC 2308), or 0."""
    if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return 0
    if answer.answer and answer.rcode() == dns.rcode.NOERROR:
        return min(records.ttl for records in (*answer.answer, *answer.authority))
    for records in answer.authority:
        if records.rdtype == RdataType.SOA and isinstance(soa := records[0], SOA):
            return min(records.ttl, soa.minimum)
    return 0
