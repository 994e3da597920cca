"""Remembered answers: as long as they may be kept, within bounds."""

from __future__ import annotations

import dns.message
import dns.name
import dns.rcode
import dns.rrset
from dns.message import Message
from dns.rdatatype import RdataType
from hypothesis import given
from hypothesis import strategies as st

from hatoba.core.clock import ManualClock
from hatoba.dns.base import Question
from hatoba.dns.cache import Cache, lifetime
from hatoba.dns.forward import Server, name_servers


def question(name: str) -> Question:
    return Question(dns.name.from_text(name), RdataType.A)


def answer(name: str, ttl: int, *addresses: str) -> Message:
    response = dns.message.make_response(dns.message.make_query(name, "A"))
    response.answer.append(dns.rrset.from_text(f"{name}.", ttl, "IN", "A", *(addresses or ("1.2.3.4",))))
    return response


def negative(ttl: int, minimum: int, code: dns.rcode.Rcode = dns.rcode.NXDOMAIN) -> Message:
    response = dns.message.make_response(dns.message.make_query("x.example", "A"))
    response.set_rcode(code)
    response.authority.append(dns.rrset.from_text("example.", ttl, "IN", "SOA", f"a. b. 1 2 3 4 {minimum}"))
    return response


def test_times_to_live_count_down_and_end() -> None:
    clock = ManualClock()
    cache = Cache(clock)
    cache.put(question("A.example"), answer("a.example", 60))
    clock.advance(21.5)
    kept = cache.get(question("a.EXAMPLE"))
    assert kept is not None
    assert kept.answer[0].ttl == 39
    clock.advance(38.5)
    assert cache.get(question("a.example")) is None
    assert (len(cache), cache.size) == (0, 0)


def test_lifetimes() -> None:
    assert lifetime(answer("a.example", 60)) == 60
    assert lifetime(negative(60, 10)) == 10
    assert lifetime(negative(5, 10)) == 5
    assert lifetime(negative(60, 10, dns.rcode.NOERROR)) == 10
    assert lifetime(negative(60, 10, dns.rcode.SERVFAIL)) == 0
    assert lifetime(dns.message.make_response(dns.message.make_query("x.example", "A"))) == 0


def test_signed_answers_are_kept_apart() -> None:
    cache = Cache(ManualClock())
    cache.put(question("a.example"), answer("a.example", 60))
    assert cache.get(question("a.example")._replace(signed=True)) is None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 400), st.integers(0, 30)), max_size=40))
def test_never_more_than_allowed(steps: list[tuple[int, int, int]]) -> None:
    clock = ManualClock()
    cache = Cache(clock, entries=4, total=300)
    until: dict[str, float] = {}
    for number, ttl, pause in steps:
        name = f"n{number}.example"
        cache.put(question(name), answer(name, ttl))
        if ttl:
            until[name] = clock.time + min(ttl, 300)
        clock.advance(pause)
        assert len(cache) <= 4
        assert cache.size <= 300
        for known, end in until.items():
            if clock.time >= end:
                assert cache.get(question(known)) is None


def test_the_longest_unused_goes_first() -> None:
    cache = Cache(ManualClock(), entries=2)
    for name in ("a.example", "b.example"):
        cache.put(question(name), answer(name, 60))
    cache.get(question("a.example"))
    cache.put(question("c.example"), answer("c.example", 60))
    assert cache.get(question("a.example")) is not None
    assert cache.get(question("b.example")) is None


def test_name_servers_of_a_resolv_conf() -> None:
    text = "# nameserver 9.9.9.9\nsearch a b\nnameserver 10.0.0.1\nnameserver nonsense\n;x\nnameserver\n"
    assert name_servers(text) == (Server("10.0.0.1"),)
    assert name_servers("nameserver 1.1.1.1\n" * 5) == (Server("1.1.1.1"),) * 3
    assert name_servers("nameserver ::1") == (Server("::1"),)
