"""Messages: what came in → a query or a refusal; what is to be said → bytes. Pure, by dnspython.

The header is looked at before anything is parsed, so that a hostile message costs no more than an honest one: a query
has one question, at most an OPT record beside it, and is short.
"""

from __future__ import annotations

import functools
import math
import struct

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import msgspec
from dns.message import Message
from dns.rdata import Rdata
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

from hatoba.dns.base import Found, Question
from hatoba.dns.zone import NEGATIVE_TTL, SOA

PAYLOAD = 1232  # bytes of a datagram that never needs fragments (the DNS flag day's figure)
PLAIN_PAYLOAD = 512  # what a client takes that does not say (RFC 1035, 2.3.4)
LONGEST_QUERY = PAYLOAD
STREAM_PAYLOAD = 0xFFFF

_HEADER = struct.Struct("!6H")
_RECORD_HEAD = 12  # bytes of a record before its data, its name being a pointer
_ADDRESS_BYTES = {"A": 4, "AAAA": 16}
_NO_TRANSFERS = frozenset((RdataType.AXFR, RdataType.IXFR, RdataType.MAILA, RdataType.MAILB))


class Query(msgspec.Struct, frozen=True, kw_only=True):
    message: Message
    name: str
    kind: str
    limit: int  # bytes of the reply

    @property
    def question(self) -> Question:
        asked = self.message.question[0]
        return Question(
            name=asked.name,
            kind=asked.rdtype,
            signed=bool(self.message.ednsflags & dns.flags.DO),
            unchecked=bool(self.message.flags & dns.flags.CD),
        )


def read(wire: bytes, *, stream: bool) -> Query | bytes | None:
    """The query, or the refusal to send instead of an answer; None: not to be answered at all."""
    if len(wire) < _HEADER.size:
        return None
    _, flags, *counts = _HEADER.unpack_from(wire)
    if flags & dns.flags.QR:
        return None  # an answer: to answer it could go on for ever
    if dns.opcode.from_flags(flags) != dns.opcode.QUERY:
        return refusal(wire, dns.rcode.NOTIMP)
    if len(wire) > LONGEST_QUERY or counts[0] != 1 or counts[1] or counts[2] or counts[3] > 1:
        return refusal(wire, dns.rcode.FORMERR)
    try:
        message = dns.message.from_wire(wire)
        name = message.question[0].name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(message.question[0].rdtype)
    except (dns.exception.DNSException, ValueError):
        return refusal(wire, dns.rcode.FORMERR)
    if message.edns > 0:
        return error(message, dns.rcode.BADVERS)
    if message.question[0].rdclass != RdataClass.IN or message.question[0].rdtype in _NO_TRANSFERS:
        return error(message, dns.rcode.REFUSED)
    return Query(message=message, name="" if name == "." else name, kind=kind, limit=_limit(message, stream))


def expect(wire: bytes) -> Query:
    """The query of a datagram that has been read before."""
    query = read(wire, stream=False)
    assert isinstance(query, Query)
    return query


def _limit(message: Message, stream: bool) -> int:
    if stream:
        return STREAM_PAYLOAD
    return min(max(message.payload, PLAIN_PAYLOAD), PAYLOAD) if message.edns >= 0 else PLAIN_PAYLOAD


def refusal(wire: bytes, code: dns.rcode.Rcode) -> bytes:
    """To what could not be read: a header and nothing else."""
    number, flags = struct.unpack_from("!2H", wire)
    kept = flags & (0x7800 | dns.flags.RD)  # the operation, and whether recursion was desired
    return _HEADER.pack(number, dns.flags.QR | dns.flags.RA | kept | code, 0, 0, 0, 0)


def error(message: Message, code: dns.rcode.Rcode) -> bytes:
    response = _response(message)
    response.set_rcode(code)
    return response.to_wire()


def render(query: Query, found: Found) -> bytes:
    """What our own zones say. Addresses that do not fit are left out, and the client is told to ask over TCP.

    Raises `DNSException` when a value is not what its kind says.
    """
    response = _response(query.message)
    response.flags |= dns.flags.AA
    name = query.message.question[0].name
    if not found.values:
        response.set_rcode(dns.rcode.NOERROR if found.exists else dns.rcode.NXDOMAIN)
        zone = dns.name.from_text(found.zone)
        response.authority.append(dns.rrset.from_rdata(zone, NEGATIVE_TTL, _value("SOA", SOA)))
        return response.to_wire(max_size=query.limit)
    records = dns.rrset.from_rdata_list(name, found.ttl, [_value(found.kind, value) for value in found.values])
    response.answer.append(records)
    wire = response.to_wire(max_size=STREAM_PAYLOAD, prefer_truncation=True, want_shuffle=False)
    if len(wire) <= query.limit:
        return wire
    surplus = math.ceil((len(wire) - query.limit) / (_RECORD_HEAD + _ADDRESS_BYTES.get(found.kind, 0)))
    response.answer[0] = dns.rrset.from_rdata_list(name, found.ttl, list(records)[: max(1, len(records) - surplus)])
    response.flags |= dns.flags.TC
    return response.to_wire(max_size=query.limit, prefer_truncation=True, want_shuffle=False)


def relay(query: Query, upstream: Message) -> bytes:
    """What upstream said, as an answer to this query."""
    response = _response(query.message)
    response.set_rcode(upstream.rcode())
    response.answer, response.authority = upstream.answer, upstream.authority
    response.additional = upstream.additional
    if query.question.signed or query.message.flags & dns.flags.AD:
        response.flags |= upstream.flags & dns.flags.AD
    return response.to_wire(max_size=query.limit, prefer_truncation=True, want_shuffle=False)


@functools.lru_cache(maxsize=1024)
def _value(kind: str, text: str) -> Rdata:
    return dns.rdata.from_text("IN", kind, text)


def _response(message: Message) -> Message:
    return dns.message.make_response(message, recursion_available=True, our_payload=PAYLOAD)
