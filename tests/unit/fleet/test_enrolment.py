"""Who may join: a token works once, for a while, towards the control plane that made it, and for its secret only."""

from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hatoba.core.errors import Refused
from hatoba.fleet import messages as msg
from hatoba.fleet import model as m
from hatoba.fleet.enrol import Authority, Token, transit_of
from hatoba.node.session import Identity, join
from tests.unit.fleet.connected import POOL, POOL6, Control, fleet


@pytest.fixture
async def control(tmp_path: Path) -> Control:
    made = Control(tmp_path / "authority")
    await made.start()
    return made


async def refused(control: Control, token: str, folder: Path, words: str) -> None:
    """Nothing changes on either side."""
    nodes, enrolments = control.store.all(m.nodes), control.store.all(m.enrolments)
    identity = Identity(folder)
    with pytest.raises(Refused, match=words):
        await join(identity, token, "intruder")
    assert not identity.exists
    assert (control.store.all(m.nodes), control.store.all(m.enrolments)) == (nodes, enrolments)


async def test_a_token_is_good_once(control: Control, tmp_path: Path) -> None:
    token = await control.enrolments.token("127.0.0.1", control.port)
    identity = Identity(tmp_path / "one")
    await join(identity, token, "first")
    (node,) = control.store.all(m.nodes)
    assert (node.id, node.name, node.state, node.number) == (identity.node, "first", "lost", 0)
    assert identity.addresses == (POOL, transit_of(POOL, 0))
    assert identity.pool6 == POOL6
    (tmp_path / "one" / "addresses").write_text(f"{POOL}\n{transit_of(POOL, 0)}\n")
    assert identity.pool6 == "", "it joined before there was one"
    await refused(control, token, tmp_path / "two", "unknown, used up or expired")
    await control.stop()


async def test_two_that_race_for_a_token_are_not_both_let_in(control: Control, tmp_path: Path) -> None:
    token = await control.enrolments.token("127.0.0.1", control.port)
    joins = [join(Identity(tmp_path / str(n)), token, f"n{n}") for n in range(5)]
    outcomes = await asyncio.gather(*joins, return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert len(control.store.all(m.nodes)) == 1
    await control.stop()


async def test_an_expired_token_is_refused_and_cleared_away(control: Control, tmp_path: Path) -> None:
    token = await control.enrolments.token("127.0.0.1", control.port, lifetime=-1.0)
    await refused(control, token, tmp_path / "one", "expired")
    await control.enrolments.token("127.0.0.1", control.port)
    assert len(control.store.all(m.enrolments)) == 1
    await control.stop()


async def test_a_wrong_secret_is_refused_and_does_not_use_the_token_up(control: Control, tmp_path: Path) -> None:
    token = await control.enrolments.token("127.0.0.1", control.port)
    wrong = Token.parse(token)._replace(secret="0" * 32).text()
    await refused(control, wrong, tmp_path / "one", "unknown, used up or expired")
    await join(Identity(tmp_path / "two"), token, "second")
    await control.stop()


async def test_a_control_plane_with_another_certificate_learns_no_secret(tmp_path: Path) -> None:
    """Somebody in between: the node finds out before it says anything."""
    control, impostor = Control(tmp_path / "a"), Control(tmp_path / "b")
    await control.start()
    await impostor.start()
    token = Token.parse(await control.enrolments.token("127.0.0.1", control.port))._replace(port=impostor.port)
    said: list[object] = []
    impostor.enrolments.join = lambda *args: said.append(args)  # type: ignore[method-assign,assignment,func-returns-value]
    await refused(control, token.text(), tmp_path / "one", "is not the control plane that made this token")
    assert said == []
    await control.stop()
    await impostor.stop()


@pytest.mark.parametrize("text", ["", "nonsense", "ä", "aGVsbG8", "e30="])
async def test_what_is_not_a_token_is_said_to_be_none(text: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not a join token"):
        await join(Identity(tmp_path / "one"), text, "one")


async def test_a_request_that_is_none_is_refused_and_the_token_stays(control: Control) -> None:
    token = await control.enrolments.token("127.0.0.1", control.port)
    with pytest.raises(Refused, match="cannot be read"):
        await control.enrolments.join(token, "-----BEGIN NOTHING-----", "one")
    assert len(control.store.all(m.enrolments)) == 1
    assert control.store.all(m.nodes) == []
    await control.stop()


async def talk(control: Control, context: ssl.SSLContext, *messages: bytes) -> list[msg.Down]:
    """What the control plane answers until it hangs up."""
    answers = []
    reader, writer = await asyncio.open_connection("127.0.0.1", control.port, ssl=context)
    try:
        for message in messages:
            writer.write(message)
        while True:
            answers.append(await asyncio.wait_for(msg.read_down(reader), 5))
    except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
        return answers
    finally:
        writer.close()


def anybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def test_without_a_certificate_there_is_only_joining(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        (answer,) = await talk(control, anybody(), msg.frame(node.hello(0, 0)))
        assert isinstance(answer, msg.Refusal)
        assert "certificate" in answer.text
        for message in (msg.Alive(), msg.Reports(reports=()), msg.Logs(number=1, workload="w", body=b"")):
            (answer,) = await talk(control, anybody(), msg.frame(message))
            assert isinstance(answer, msg.Refusal)


async def test_a_stranger_cannot_send_much(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, _):
        assert await talk(control, anybody(), (60 << 20).to_bytes(4, "big")) == []
        assert await talk(control, anybody(), b"\0\0\0\x05hello") == []


async def test_a_certificate_of_another_authority_is_refused(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (control, (node,)):
        other = Authority(tmp_path / "other")
        forged = Identity(tmp_path / "forged")
        request = forged.request(node.id)
        forged.keep(
            msg.Joined(
                node=node.id,
                certificate=other.certify(request, node.id),
                authority=control.authority.pem,
                pool=POOL,
                transit=POOL,
            )
        )
        assert await talk(control, forged.context(), msg.frame(node.hello(0, 0))) == []
        assert control.sessions.connected == [node.id]


async def test_a_node_does_not_talk_to_a_server_of_another_authority(tmp_path: Path) -> None:
    async with fleet(tmp_path) as (_, (node,)):
        impostor = Control(tmp_path / "other")
        await impostor.start()
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection(
                "127.0.0.1", impostor.port, ssl=node.identity.context(), server_hostname="hatoba-control"
            )
        await impostor.stop()


async def test_a_nodes_certificate_does_not_make_it_a_server(tmp_path: Path) -> None:
    async with fleet(tmp_path, 2) as (_, (one, two)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(one.folder / "identity/node.pem", one.folder / "identity/node.key")
        server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        for name in ("hatoba-control", one.id):
            with pytest.raises(ssl.SSLError):
                await asyncio.open_connection("127.0.0.1", port, ssl=two.identity.context(), server_hostname=name)
        server.close()


def test_the_authority_is_kept_and_its_keys_are_private(tmp_path: Path) -> None:
    first, second = Authority(tmp_path / "a"), Authority(tmp_path / "a")
    assert (first.fingerprint, first.pem) == (second.fingerprint, second.pem)
    assert {oct(p.stat().st_mode & 0o777) for p in (tmp_path / "a").iterdir()} == {"0o600"}


def test_the_pools_parts_run_out_with_a_clear_word() -> None:
    assert transit_of(POOL, 0) != transit_of(POOL, 1)
    with pytest.raises(Refused, match="no room for a node number"):
        transit_of(POOL, 10_000)


def test_an_authority_of_an_earlier_version_gets_what_strict_clients_ask_for_and_keeps_its_key(tmp_path: Path) -> None:
    Authority(tmp_path)
    file = tmp_path / "authority.pem"
    made = x509.load_pem_x509_certificate(file.read_bytes())
    key = serialization.load_pem_private_key((tmp_path / "authority.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    builder = (
        x509.CertificateBuilder(made.issuer, made.subject, made.public_key(), made.serial_number)
        .not_valid_before(made.not_valid_before_utc)
        .not_valid_after(made.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    earlier = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    file.write_bytes(earlier)
    now = time.time()
    certificate, _ = Authority(tmp_path).endpoint(["*." + "x" * 60 + ".example"], now, 60.0)
    again = file.read_bytes()
    assert again != earlier
    leaf = x509.load_pem_x509_certificate(certificate)
    for pem in (earlier, again):
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(pem))
    Authority(tmp_path)
    assert file.read_bytes() == again, "once"
