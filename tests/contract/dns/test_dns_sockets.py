"""The name server on real sockets, asked by dnspython."""

from __future__ import annotations

import asyncio
import random
import socket

import dns.flags
import dns.message
import dns.rcode
import pytest

from hatoba.dns.base import Entry
from hatoba.dns.server import Limits
from tests.contract.dns.names_rig import name_server
from tools.waiting import PATIENCE, until

MANY = tuple(f"10.0.{n // 200}.{n % 200 + 1}" for n in range(200))
ENTRIES = {
    "web.local": Entry(addresses=("10.0.0.1", "10.0.0.2", "fd00::1")),
    "many.local": Entry(addresses=MANY),
}


async def test_both_transports_say_the_same() -> None:
    async with name_server(ENTRIES, ("local",)) as names:
        for kind, expected in [("A", ["10.0.0.1", "10.0.0.2"]), ("AAAA", ["fd00::1"]), ("TXT", [])]:
            query = dns.message.make_query("web.local", kind)
            for response in (await names.udp(query), await names.tcp(query)):
                assert response.rcode() == dns.rcode.NOERROR
                found = [record.to_text() for records in response.answer for record in records]
                assert sorted(found) == expected
        assert (await names.udp(dns.message.make_query("no.local", "A"))).rcode() == dns.rcode.NXDOMAIN


async def test_two_hundred_addresses_come_over_tcp() -> None:
    async with name_server(ENTRIES) as names:
        assert (await names.udp(dns.message.make_query("many.local", "A"))).flags & dns.flags.TC
        assert sorted(await names.addresses("many.local")) == sorted(MANY)


async def test_answers_come_from_the_address_that_was_asked() -> None:
    """Clients refuse answers from elsewhere; dnspython does as well, unless told otherwise."""
    async with name_server(ENTRIES) as names:
        assert len(await names.addresses("web.local")) == 2


async def test_rubbish_neither_ends_it_nor_slows_it() -> None:
    chance = random.Random(7)
    valid = dns.message.make_query("web.local", "A").to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        async with name_server(ENTRIES) as names:
            client.setblocking(False)
            for _ in range(300):
                wire = bytearray(chance.randbytes(chance.randrange(0, 60)) if chance.random() < 0.5 else valid)
                if wire:
                    wire[chance.randrange(len(wire))] = chance.randrange(256)
                client.sendto(bytes(wire), ("127.0.0.1", names.port))
                await asyncio.sleep(0)
            assert len(await names.addresses("web.local")) == 2
    async with name_server(ENTRIES) as names:
        for rubbish in (b"", b"\0", b"\0\0", b"\0\5hello", b"\xff\xff" + bytes(70_000), chance.randbytes(500)):
            _, writer = await asyncio.open_connection("127.0.0.1", names.port)
            writer.write(rubbish)
            writer.close()
        assert len(await names.addresses("web.local")) == 2


async def test_a_client_that_has_gone_does_no_harm() -> None:
    """The answer to a closed port comes back as an ICMP error, which the socket reports later."""
    async with name_server(ENTRIES) as names:
        for _ in range(20):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.sendto(dns.message.make_query("web.local", "A").to_wire(), ("127.0.0.1", names.port))
        assert len(await names.addresses("web.local")) == 2


async def test_several_questions_on_one_connection() -> None:
    async with name_server(ENTRIES) as names:
        reader, writer = await asyncio.open_connection("127.0.0.1", names.port)
        queries = [dns.message.make_query("web.local", kind) for kind in ("A", "AAAA", "A")]
        for query in queries:
            wire = query.to_wire()
            writer.write(len(wire).to_bytes(2, "big") + wire)
        for query in queries:
            length = int.from_bytes(await reader.readexactly(2), "big")
            assert query.is_response(dns.message.from_wire(await reader.readexactly(length)))
        writer.close()


async def test_an_idle_connection_is_closed() -> None:
    async with name_server(ENTRIES, limits=Limits(idle=0.05)) as names:
        reader, writer = await asyncio.open_connection("127.0.0.1", names.port)
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()


async def test_connections_of_one_source_are_bounded() -> None:
    async with name_server(ENTRIES, limits=Limits(connections=2)) as names:
        held = [await asyncio.open_connection("127.0.0.1", names.port) for _ in range(2)]
        for reader, writer in held:  # both are being served
            wire = dns.message.make_query("web.local", "A").to_wire()
            writer.write(len(wire).to_bytes(2, "big") + wire)
            await reader.readexactly(2)
        reader, writer = await asyncio.open_connection("127.0.0.1", names.port)
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()
        for _, writer in held:
            writer.close()


async def test_more_than_its_share_is_dropped() -> None:
    async with name_server(ENTRIES, limits=Limits(messages=5)) as names:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", names.port))
            for number in range(20):
                await loop.sock_sendall(client, dns.message.make_query("web.local", "A", id=number).to_wire())
            await until(lambda: names.server.counts.messages == 20)
            # A second may have turned in between: two shares at the most.
            assert 10 <= names.server.counts.dropped <= 15


async def test_closing_lets_go_of_the_port() -> None:
    async with name_server(ENTRIES) as names:
        await names.addresses("web.local")
        port = names.port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", port))
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
