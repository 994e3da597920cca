"""Messages in, messages out: what is asked is answered, and nothing that comes in does harm."""

from __future__ import annotations

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rrset
import pytest
from dns.message import Message
from hypothesis import given
from hypothesis import strategies as st

from hatoba.dns.base import Entry, Found, Question
from hatoba.dns.desk import Desk
from hatoba.dns.replies import LONGEST_QUERY, Query
from hatoba.dns.zone import Zone


class Nobody:
    def __init__(self, answer: Message | None = None) -> None:
        self.asked: list[Question] = []
        self.answer = answer

    def known(self, question: Question) -> Message | None:
        return None

    async def ask(self, question: Question) -> Message | None:
        self.asked.append(question)
        return self.answer


MANY = tuple(f"10.0.{n // 250}.{n % 250 + 1}" for n in range(300))
ENTRIES = {
    "web.local": Entry(addresses=("10.0.0.1", "10.0.0.2", "10.0.0.3"), ttl=30),
    "twelve.local": Entry(addresses=MANY[:12]),
    "many.local": Entry(addresses=MANY),
    "wrong.local": Entry(addresses=("not an address",)),
}


def make_desk(upstream: Nobody | None = None) -> Desk:
    return Desk(Zone.of(ENTRIES, ["local"]).find, upstream or Nobody())


def ask(desk: Desk, query: Message, *, stream: bool = False) -> Message:
    answer = desk.answer(query.to_wire(), stream=stream)
    assert isinstance(answer, bytes)
    response = dns.message.from_wire(answer)
    assert query.is_response(response)
    return response


def addresses(response: Message) -> list[str]:
    return [record.to_text() for records in response.answer for record in records]


def test_answers_with_the_name_as_it_was_asked() -> None:
    response = ask(make_desk(), dns.message.make_query("WeB.LocaL", "A", id=7))
    assert response.id == 7
    assert response.answer[0].name.to_text() == "WeB.LocaL."
    assert response.answer[0].ttl == 30
    assert response.flags & dns.flags.AA
    assert response.flags & dns.flags.RA
    assert response.flags & dns.flags.RD


def test_addresses_take_turns_whatever_else_is_asked_between() -> None:
    desk = make_desk()
    firsts = []
    for _ in range(6):
        firsts.append(addresses(ask(desk, dns.message.make_query("web.local", "A")))[0])
        ask(desk, dns.message.make_query("web.local", "AAAA"))  # as the C library does
    assert sorted(firsts[:3]) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    assert firsts[:3] == firsts[3:]


def test_negative_answers_carry_a_short_start_of_authority() -> None:
    missing = ask(make_desk(), dns.message.make_query("nothing.local", "A"))
    assert missing.rcode() == dns.rcode.NXDOMAIN
    empty = ask(make_desk(), dns.message.make_query("web.local", "AAAA"))
    assert empty.rcode() == dns.rcode.NOERROR
    assert not empty.answer
    for response in (missing, empty):
        assert response.authority[0].name.to_text() == "local."
        assert response.authority[0].ttl == response.authority[0][0].minimum == 5


def test_more_than_eight_addresses_fit_a_plain_datagram() -> None:
    response = ask(make_desk(), dns.message.make_query("twelve.local", "A"))
    assert len(addresses(response)) == 12
    assert not response.flags & dns.flags.TC


@pytest.mark.parametrize(("payload", "limit"), [(None, 512), (100, 512), (1000, 1000), (1232, 1232), (65000, 1232)])
def test_what_does_not_fit_is_left_out_and_said_so(payload: int | None, limit: int) -> None:
    desk = make_desk()
    query = dns.message.make_query("many.local", "A", use_edns=None if payload is None else 0, payload=payload)
    wire = desk.answer(query.to_wire(), stream=False)
    assert isinstance(wire, bytes)
    assert limit - 16 < len(wire) <= limit
    response = dns.message.from_wire(wire)
    assert response.flags & dns.flags.TC
    assert set(addresses(response)) < set(MANY)
    whole = ask(desk, query, stream=True)
    assert sorted(addresses(whole)) == sorted(MANY)
    assert not whole.flags & dns.flags.TC


def test_changed_names_are_told_at_once() -> None:
    table = {"a.local": Entry(addresses=("10.0.0.1",))}
    desk = Desk(lambda name, kind: Zone.of(table).find(name, kind), Nobody())
    query = dns.message.make_query("a.local", "A")
    assert addresses(ask(desk, query)) == ["10.0.0.1"]
    table["a.local"] = Entry(addresses=("10.0.0.2",))
    desk.changed()
    assert addresses(ask(desk, query)) == ["10.0.0.2"]


def test_values_that_cannot_be_told_are_a_failure_and_no_end() -> None:
    assert ask(make_desk(), dns.message.make_query("wrong.local", "A")).rcode() == dns.rcode.SERVFAIL


async def test_other_names_are_relayed_with_the_clients_own_number_and_case() -> None:
    upstream = dns.message.make_response(dns.message.make_query("example.com", "A"))
    upstream.answer.append(dns.rrset.from_text("example.com.", 9, "IN", "A", "1.2.3.4"))
    nobody = Nobody(upstream)
    desk = make_desk(nobody)
    query = dns.message.make_query("EXAMPLE.com", "A", id=99)
    waiting = desk.answer(query.to_wire(), stream=False)
    assert isinstance(waiting, Query)
    response = dns.message.from_wire(await desk.relayed(waiting))
    assert query.is_response(response)
    assert response.id == 99
    assert addresses(response) == ["1.2.3.4"]
    nobody.answer = None
    assert dns.message.from_wire(await desk.relayed(waiting)).rcode() == dns.rcode.SERVFAIL


def code(wire: bytes) -> int:
    answer = make_desk().answer(wire, stream=False)
    assert isinstance(answer, bytes)
    assert answer[:2] == wire[:2]
    return dns.message.from_wire(answer).rcode()


def test_refusals() -> None:
    good = dns.message.make_query("web.local", "A")
    update = dns.message.make_query("web.local", "A")
    update.set_opcode(dns.opcode.NOTIFY)
    assert code(update.to_wire()) == dns.rcode.NOTIMP
    assert code(dns.message.make_query("version.bind", "TXT", "CH").to_wire()) == dns.rcode.REFUSED
    assert code(dns.message.make_query("local", "AXFR").to_wire()) == dns.rcode.REFUSED
    assert code(dns.message.make_query("web.local", "A", use_edns=1).to_wire()) == dns.rcode.BADVERS
    assert code(good.to_wire()[:-1]) == dns.rcode.FORMERR
    assert code(good.to_wire() + bytes(LONGEST_QUERY)) == dns.rcode.FORMERR
    assert code(good.to_wire()[:4] + b"\0\2" + good.to_wire()[6:]) == dns.rcode.FORMERR


def test_answers_and_scraps_are_not_answered() -> None:
    response = dns.message.make_response(dns.message.make_query("web.local", "A"))
    for wire in (response.to_wire(), b"", b"\0" * 11):
        assert make_desk().answer(wire, stream=False) is None


VALID = dns.message.make_query("web.local", "A", use_edns=0).to_wire()
HEADS = st.tuples(st.binary(min_size=2, max_size=2), st.sampled_from([0x0100, 0x0000, 0x0120])).map(
    lambda parts: parts[0] + parts[1].to_bytes(2, "big") + b"\0\1\0\0\0\0"
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An honest query with a few bytes changed, and cut or grown."""
    wire = bytearray(VALID)
    for place, value in draw(st.lists(st.tuples(st.integers(0, len(wire) - 1), st.integers(0, 255)), max_size=4)):
        wire[place] = value
    return bytes(wire[: draw(st.integers(0, len(wire)))]) + draw(st.binary(max_size=20))


@given(
    wire=st.one_of(
        st.binary(max_size=100),
        damaged(),
        st.tuples(HEADS, st.sampled_from([b"\0\0", b"\0\1"]), st.binary(max_size=80)).map(
            lambda parts: parts[0] + parts[1] + parts[2]
        ),
    ),
    stream=st.booleans(),
)
def test_random_bytes_do_no_harm(wire: bytes, stream: bool) -> None:
    answer = make_desk().answer(wire, stream=stream)
    if isinstance(answer, bytes):
        assert answer[:2] == wire[:2]
        try:
            assert dns.message.from_wire(answer).flags & dns.flags.QR
        except dns.exception.DNSException:
            raise AssertionError("an answer that cannot be read") from None


@given(st.lists(st.sampled_from(["web.local", "twelve.local", "none.local", "WEB.local"]), max_size=30))
def test_a_written_answer_says_what_a_new_one_says(names: list[str]) -> None:
    desk = make_desk()
    for name in names:
        query = dns.message.make_query(name, "A")
        assert sorted(addresses(ask(desk, query))) == sorted(addresses(ask(make_desk(), query)))


def test_found_is_asked_in_lower_case() -> None:
    seen: list[tuple[str, str]] = []

    def find(name: str, kind: str) -> Found | None:
        seen.append((name, kind))
        return None

    Desk(find, Nobody()).answer(dns.message.make_query("A.B.Example", "AAAA").to_wire(), stream=False)
    Desk(find, Nobody()).answer(dns.message.make_query(".", "NS").to_wire(), stream=False)
    assert seen == [("a.b.example", "AAAA"), ("", "NS")]
