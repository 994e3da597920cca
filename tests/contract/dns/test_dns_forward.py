"""Names that are not ours, asked of a second server that stands for the host's."""

from __future__ import annotations

import asyncio
import socket

import dns.message
import dns.name
import dns.rcode
import pytest
from dns.rdatatype import RdataType

from hatoba.dns.base import Entry, Question
from hatoba.dns.forward import Limits, Server
from hatoba.dns.server import Limits as ServerLimits
from tests.contract.dns.names_rig import bound_pair, forwarder, name_server
from tools.waiting import PATIENCE, until

MANY = tuple(f"192.0.2.{n + 1}" for n in range(120))
WORLD = {
    "example.com": Entry(addresses=("192.0.2.1", "2001:db8::1"), ttl=100),
    "many.example.com": Entry(addresses=MANY),
}
OURS = {"web.local": Entry(addresses=("10.0.0.1",))}
QUICK = Limits(timeout=0.1, patience=0.5)


def question(name: str) -> Question:
    return Question(dns.name.from_text(name), RdataType.A)


async def test_a_foreign_name_comes_from_upstream_and_is_remembered() -> None:
    async with (
        name_server(WORLD, ("",)) as world,
        forwarder(world.address) as forward,
        name_server(OURS, upstream=forward) as names,
    ):
        assert await names.addresses("Example.COM") == ["192.0.2.1"]
        assert await names.addresses("example.com", "AAAA") == ["2001:db8::1"]
        asked = world.server.counts.messages
        assert asked == 2
        for _ in range(5):
            assert await names.addresses("example.com") == ["192.0.2.1"]
        missing = dns.message.make_query("nothing.example.org", "A")
        for _ in range(3):
            assert (await names.udp(missing)).rcode() == dns.rcode.NXDOMAIN
        assert world.server.counts.messages == asked + 1
        assert names.server.counts.forwarded == 3


async def test_long_answers_go_over_tcp_on_both_sides() -> None:
    async with (
        name_server(WORLD) as world,
        forwarder(world.address) as forward,
        name_server(OURS, upstream=forward) as names,
    ):
        assert sorted(await names.addresses("many.example.com")) == sorted(MANY)
        assert sorted(await names.addresses("many.example.com")) == sorted(MANY)


async def test_our_names_are_never_asked_of_others() -> None:
    async with (
        name_server(WORLD, ("",)) as world,
        forwarder(world.address) as forward,
        name_server(OURS, ("local",), upstream=forward) as names,
    ):
        assert await names.addresses("web.local") == ["10.0.0.1"]
        assert await names.addresses("other.local") == []
        assert world.server.counts.messages == 0


async def test_the_next_server_is_asked_when_one_is_silent() -> None:
    silent, stream, port = bound_pair()
    async with (
        name_server(WORLD) as world,
        forwarder(Server("127.0.0.1", port), world.address, limits=QUICK) as forward,
    ):
        answer = await forward.ask(question("example.com"))
        assert answer is not None
        assert answer.answer[0][0].to_text() == "192.0.2.1"
        assert len(silent.recv(2000)) > 12
        # From now on the one that answers comes first.
        assert await forward.ask(question("many.example.com")) is not None
        with pytest.raises(BlockingIOError):
            silent.recv(2000)
    silent.close()
    stream.close()


async def test_nobody_answers() -> None:
    silent, stream, port = bound_pair()
    loop = asyncio.get_running_loop()
    async with (
        forwarder(Server("127.0.0.1", port), limits=QUICK) as forward,
        name_server(OURS, upstream=forward) as names,
    ):
        began = loop.time()
        response = await names.udp(dns.message.make_query("example.com", "A"))
        assert response.rcode() == dns.rcode.SERVFAIL
        assert 0.15 < loop.time() - began < 2.0
        tried = 0
        while True:
            try:
                silent.recv(2000)
            except BlockingIOError:
                break
            tried += 1
        assert tried == 2
    silent.close()
    stream.close()


async def test_without_any_server_the_answer_is_a_failure_at_once() -> None:
    async with forwarder() as forward, name_server(OURS, upstream=forward) as names:
        assert (await names.udp(dns.message.make_query("example.com", "A"))).rcode() == dns.rcode.SERVFAIL


async def test_a_refusal_is_passed_on_when_nobody_knows_better() -> None:
    async with name_server({}, upstream=None) as world, forwarder(world.address, limits=QUICK) as forward:
        answer = await forward.ask(question("example.com"))  # its own upstream is nobody: it says SERVFAIL
        assert answer is not None
        assert answer.rcode() == dns.rcode.SERVFAIL
        assert forward.known(question("example.com")) is None


async def test_one_question_of_many_goes_out_once() -> None:
    silent, stream, port = bound_pair()
    async with forwarder(Server("127.0.0.1", port), limits=Limits(tries=1, timeout=0.2)) as forward:
        answers = await asyncio.gather(*(forward.ask(question(name)) for name in ["a.example", "A.Example"] * 20))
        assert answers == [None] * 40
        silent.recv(2000)
        with pytest.raises(BlockingIOError):
            silent.recv(2000)
    silent.close()
    stream.close()


async def test_a_waiter_that_leaves_takes_nothing_from_the_others() -> None:
    silent, stream, port = bound_pair()
    loop = asyncio.get_running_loop()
    async with forwarder(Server("127.0.0.1", port), limits=Limits(timeout=5.0)) as forward:
        first = asyncio.ensure_future(forward.ask(question("example.com")))
        second = asyncio.ensure_future(forward.ask(question("example.com")))
        wire, source = await loop.run_in_executor(None, _receive, silent)
        first.cancel()
        response = dns.message.make_response(dns.message.from_wire(wire))
        silent.sendto(response.to_wire(), source)
        async with asyncio.timeout(PATIENCE):
            assert await second is not None
    silent.close()
    stream.close()


def _receive(bound: socket.socket) -> tuple[bytes, tuple[str, int]]:
    bound.settimeout(PATIENCE)
    received: tuple[bytes, tuple[str, int]] = bound.recvfrom(2000)
    return received


async def test_forged_answers_are_not_believed() -> None:
    """Another number, another question, another address: each is passed over, and the true answer is taken."""
    silent, stream, port = bound_pair()
    loop = asyncio.get_running_loop()
    async with forwarder(Server("127.0.0.1", port), limits=Limits(timeout=5.0)) as forward:
        waiting = asyncio.ensure_future(forward.ask(question("example.com")))
        wire, source = await loop.run_in_executor(None, _receive, silent)
        query = dns.message.from_wire(wire)
        true = dns.message.make_response(query)
        true.set_rcode(dns.rcode.NXDOMAIN)
        number = dns.message.make_response(query)
        number.id = query.id ^ 1
        other = dns.message.make_response(dns.message.make_query("evil.example", "A", id=query.id))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(dns.message.make_response(query).to_wire(), source)
        for answer in (number.to_wire(), other.to_wire(), b"rubbish", true.to_wire()):
            silent.sendto(answer, source)
        async with asyncio.timeout(PATIENCE):
            answer_taken = await waiting
        assert answer_taken is not None
        assert answer_taken.rcode() == dns.rcode.NXDOMAIN
    silent.close()
    stream.close()


async def test_what_waits_is_bounded() -> None:
    silent, stream, port = bound_pair()
    async with (
        forwarder(Server("127.0.0.1", port), limits=Limits(timeout=0.3, tries=1, asking=3)) as forward,
        name_server(OURS, upstream=forward, limits=ServerLimits(waiting=2)) as names,
    ):
        loop = asyncio.get_running_loop()
        began = loop.time()
        answers = await asyncio.gather(*(forward.ask(question(f"n{n}.example")) for n in range(50)))
        assert answers == [None] * 50
        assert loop.time() - began < 2.0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for number in range(10):
                query = dns.message.make_query(f"m{number}.example", "A")
                client.sendto(query.to_wire(), ("127.0.0.1", names.port))
            await until(lambda: names.server.counts.messages == 10)
            assert names.server.counts.dropped == 8
    silent.close()
    stream.close()
