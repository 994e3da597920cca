"""The node's end of the session: connects, keeps what it hears, says what it knows, and connects again.

What arrives is written to `Memory` before it is acted upon; a message of an older epoch or generation is refused, a
delta with another base makes the node ask again from the start (it reconnects and gets a snapshot). Reports wait here
until they are acknowledged; only the latest of each thing is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hatoba.core.errors import PortError, Refused
from hatoba.core.tasks import TaskGroup
from hatoba.fleet import messages as msg
from hatoba.fleet.enrol import CONTROL, Code, Token
from hatoba.node.memory import Memory

log = logging.getLogger(__name__)

ANSWER = 10.0  # seconds to wait for the other side
FILE_ANSWER = 60.0  # likewise, for a file to be where it belongs
HEARTBEAT = 5.0
SILENCE = 15.0  # seconds without an acknowledgement of what we sent, after which a connection is given up
FIRST_RETRY, LONGEST_RETRY = 0.1, 5.0
QUESTIONS_SINCE, FILES_SINCE = 2, 3  # the first protocols that know them


class Listener(Protocol):
    """Who acts on what the session hears."""

    def welcome(self, welcome: msg.Welcome) -> None: ...

    def items(self, put: Iterable[msg.Item], gone: Iterable[msg.Gone]) -> None: ...

    def acknowledged(self, kind: str, id_: str, report: int) -> None: ...


Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


async def _tls(
    host: str, port: int, context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=CONTROL)
    # A control plane that is gone without a word is noticed when our signs of life are not acknowledged.
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SILENCE * 1000))
    return reader, writer


class Session:
    def __init__(
        self,
        memory: Memory,
        listener: Listener,
        hello: Callable[[int, int], msg.Hello],
        *,
        host: str,
        port: int,
        context: ssl.SSLContext | None,
        connect: Connect | None = None,
        execute: Callable[[msg.Execute], None] | None = None,
    ) -> None:
        """`connect`: another way to the control plane than TLS to `host` and `port`. `execute`: who runs things inside
        containers when the control plane wants it."""
        self._memory = memory
        self._listener = listener
        self._hello = hello
        self._connect = connect or (lambda: _tls(host, port, context))
        self._execute = execute
        self._writer: asyncio.StreamWriter | None = None
        self._reports: dict[tuple[str, str], msg.Report] = {}
        self._unsent: dict[tuple[str, str], None] = {}  # in the order in which they came up
        self._samples: tuple[msg.Sample, ...] = ()
        self._traffic: tuple[msg.TrafficSample, ...] = ()
        self._logs: dict[int, tuple[msg.Logs, asyncio.Future[msg.LogsKept]]] = {}
        self._files: dict[int, asyncio.Future[msg.LogsKept]] = {}
        self._questions: dict[int, asyncio.Future[msg.Told]] = {}
        self._number = 0
        self._protocol = 0  # the control plane's
        self._wake = asyncio.Event()
        self._tasks = TaskGroup("session")
        self.connected = asyncio.Event()
        self.failures = 0

    def start(self) -> None:
        self._tasks.start(self._run(), "run")

    async def close(self) -> None:
        await self._tasks.close()

    # --- what the node says

    def report(self, kind: str, report: msg.Report) -> None:
        self._reports[kind, report.id] = report
        self._unsent[kind, report.id] = None
        self._wake.set()

    def withdraw(self, kind: str, id_: str) -> None:
        """The thing is gone from both sides: nothing more to say of it."""
        self._reports.pop((kind, id_), None)
        self._unsent.pop((kind, id_), None)

    def samples(self, samples: tuple[msg.Sample, ...]) -> None:
        self._samples = samples
        self._wake.set()

    def traffic(self, samples: tuple[msg.TrafficSample, ...]) -> None:
        self._traffic = samples
        self._wake.set()

    async def logs(self, workload: str, body: bytes) -> msg.LogsKept:
        """Returns once the batch is durable (or never can be); sends again after a reconnect."""
        self._number += 1
        number = self._number
        message = msg.Logs(number=number, workload=workload, body=body)
        future: asyncio.Future[msg.LogsKept] = asyncio.get_running_loop().create_future()
        self._logs[number] = (message, future)
        if self._writer is not None and self.connected.is_set():
            self._writer.write(msg.frame(message))
        try:
            return await future
        finally:
            del self._logs[number]

    async def log_file(self, name: str, body: bytes) -> msg.LogsKept:
        """What became of a load balancer's file. Raises `PortError` when the control plane goes away meanwhile, or
        takes no such files: it stays on the disk, not in memory, and is sent anew."""
        if self._writer is None or not self.connected.is_set():
            raise PortError("disconnected", "the control plane is not connected")
        if self._protocol < FILES_SINCE:
            raise PortError("too-old", "the control plane is older than this node and takes no files of load balancers")
        self._number += 1
        number = self._number
        future: asyncio.Future[msg.LogsKept] = asyncio.get_running_loop().create_future()
        self._files[number] = future
        try:
            self._writer.write(msg.frame(msg.LogFile(number=number, name=name, body=body)))
            async with asyncio.timeout(FILE_ANSWER):
                return await future
        except TimeoutError:
            raise PortError("timeout", "the control plane did not answer in time") from None
        finally:
            del self._files[number]

    async def ask(self, workload: str, what: str) -> bytes:
        """A question to the control plane, and its answer. Raises `PortError` when there is none in time."""
        if self._writer is None or not self.connected.is_set():
            raise PortError("disconnected", "the control plane is not connected")
        if self._protocol < QUESTIONS_SINCE:
            raise PortError("too-old", "the control plane is older than this node and answers no questions")
        self._number += 1
        number = self._number
        future: asyncio.Future[msg.Told] = asyncio.get_running_loop().create_future()
        self._questions[number] = future
        try:
            self._writer.write(msg.frame(msg.Ask(number=number, workload=workload, what=what)))
            async with asyncio.timeout(ANSWER):
                told = await future
        except TimeoutError:
            raise PortError("timeout", "the control plane did not answer in time") from None
        finally:
            del self._questions[number]
        if told.error:
            raise PortError(told.error, told.detail)
        return told.body

    # --- the connection

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A further connection to the control plane. Raises `OSError` and `TimeoutError`."""
        async with asyncio.timeout(ANSWER):
            return await self._connect()

    async def _run(self) -> None:
        delay = FIRST_RETRY
        while True:
            try:
                await self._connection()
            except Refused as refused:
                log.error("the control plane refuses this node: %s", refused)
                delay = LONGEST_RETRY
            except (OSError, asyncio.IncompleteReadError, msg.Broken, TimeoutError) as error:
                log.info("no session with the control plane: %s", error)
            except Exception:  # the node must not fall silent: it starts over from a snapshot
                self.failures += 1
                log.exception("the session failed")
            if self.connected.is_set():
                delay = FIRST_RETRY
            self._writer = None
            self.connected.clear()
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_RETRY)

    async def _connection(self) -> None:
        async with asyncio.timeout(ANSWER):
            reader, writer = await self._connect()
        self._writer = writer
        sender: asyncio.Task[None] | None = None
        try:
            writer.write(msg.frame(self._hello(*self._memory.position)))
            async with asyncio.timeout(ANSWER):
                welcome = await msg.read_down(reader)
            if isinstance(welcome, msg.Refusal):
                raise Refused(welcome.text)
            if not isinstance(welcome, msg.Welcome):
                raise msg.Broken("no welcome")
            self._protocol = welcome.protocol
            self._listener.welcome(welcome)
            self._unsent = dict.fromkeys(self._reports)
            for message, _ in self._logs.values():
                writer.write(msg.frame(message))
            self.connected.set()
            self._wake.set()
            sender = self._tasks.start(self._send(writer), "send")
            while True:
                self._hear(await msg.read_down(reader))
        finally:
            if sender is not None:
                sender.cancel()
            _give_up(self._questions.values())
            _give_up(self._files.values())
            writer.close()

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        """Reports leave once this node could say the same again after a restart."""
        while not writer.is_closing():
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await self._wake.wait()
            except TimeoutError:
                writer.write(msg.frame(msg.Alive()))
                continue
            self._wake.clear()
            reports = tuple(self._reports[name] for name in self._unsent if name in self._reports)
            self._unsent.clear()
            if reports:
                await self._memory.durable()
                writer.write(msg.frame(msg.Reports(reports=reports)))
            if self._samples or self._traffic:
                writer.write(msg.frame(msg.Samples(samples=self._samples, traffic=self._traffic)))
                self._samples, self._traffic = (), ()
            with contextlib.suppress(ConnectionError):  # whoever reads is told, too
                await writer.drain()

    def _hear(self, message: msg.Down) -> None:
        match message:
            case msg.Snapshot():
                epoch, generation = self._memory.position
                if (message.epoch, message.generation) < (epoch, generation):
                    raise msg.Broken(f"a snapshot of {message.epoch}/{message.generation}, older than ours")
                self._listener.items(*self._memory.keep_snapshot(message))
            case msg.Delta():
                if (message.epoch, message.base) != self._memory.position:
                    raise msg.Broken(f"a delta on {message.epoch}/{message.base}, which is not ours")
                self._memory.keep_delta(message)
                self._listener.items(message.put, message.gone)
            case msg.Acknowledged():
                for kind, id_, number in message.reports:
                    self._acknowledge(kind, id_, number)
            case msg.LogsKept():
                waiting = self._logs[message.number][1] if message.number in self._logs else None
                waiting = waiting or self._files.get(message.number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
            case msg.Told():
                asked = self._questions.get(message.number)
                if asked is not None and not asked.done():
                    asked.set_result(message)
            case msg.Execute():
                if self._execute is not None:
                    self._execute(message)
            case msg.Refusal():
                raise msg.Broken(message.text)
            case _:
                raise msg.Broken(f"unexpected {type(message).__name__}")

    def _acknowledge(self, kind: str, id_: str, number: int) -> None:
        report = self._reports.get((kind, id_))
        if report is not None and report.report <= number:
            del self._reports[kind, id_]
        self._listener.acknowledged(kind, id_, number)


def _give_up(waiting: Iterable[asyncio.Future[Any]]) -> None:
    for each in waiting:
        if not each.done():
            each.set_exception(PortError("disconnected", "the control plane has gone"))


def parse_pass(text: str, activation: str) -> Token | Code:
    """What a node joins with: the code of an activation, or a token. Raises `Refused`."""
    return Code.parse(text) if activation else Token.parse(text)


# --- identity ------------------------------------------------------------------------------------------------------


class Identity:
    """The node's key and certificate, in a folder of its own (mode 700)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def exists(self) -> bool:
        return (self._folder / "node.pem").exists()

    @property
    def node(self) -> str:
        certificate = x509.load_pem_x509_certificate((self._folder / "node.pem").read_bytes())
        return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)

    @property
    def addresses(self) -> tuple[str, str]:
        """The instance's address pool, and this node's own part of it."""
        pool, transit, *_ = (self._folder / "addresses").read_text().split()
        return pool, transit

    @property
    def pool6(self) -> str:
        """The instance's IPv6 blocks; "" when the node joined before there were any."""
        return "".join((self._folder / "addresses").read_text().split()[2:])

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self._folder / "node.pem", self._folder / "node.key")
        context.load_verify_locations(self._folder / "authority.pem")
        return context

    def request(self, name: str) -> str:
        """Makes the node's key; the certificate request to send, as PEM."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        path = self._folder / "node.key"
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
        return request.public_bytes(serialization.Encoding.PEM).decode()

    def keep(self, joined: msg.Joined) -> None:
        (self._folder / "authority.pem").write_text(joined.authority)
        (self._folder / "addresses").write_text(f"{joined.pool}\n{joined.transit}\n{joined.pool6}\n")
        (self._folder / "node.pem").write_text(joined.certificate)  # last: its presence means that we have joined


async def join(identity: Identity, token_text: str, name: str, activation: str = "") -> None:
    """Uses a join token up, or an activation once by its code, and keeps what comes back. Raises `Refused`."""
    token = parse_pass(token_text, activation)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the certificate is known by its fingerprint, checked below
    try:
        async with asyncio.timeout(ANSWER):
            reader, writer = await asyncio.open_connection(token.host, token.port, ssl=context)
    except (OSError, TimeoutError) as error:
        raise Refused(f"The control plane at {token.host}:{token.port} cannot be reached: {error}.") from None
    try:
        served = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        if hashlib.sha256(served).digest() != token.fingerprint:  # before the secret is shown to anybody
            made = "code" if activation else "token"
            raise Refused(f"{token.host}:{token.port} is not the control plane that made this {made}.")
        request = identity.request(name)
        writer.write(msg.frame(msg.Join(token=token_text, request=request, name=name, activation=activation)))
        async with asyncio.timeout(ANSWER):
            answer = await msg.read_down(reader)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, msg.Broken) as error:
        raise Refused(f"The control plane did not answer the join: {error}.") from None
    finally:
        writer.close()
    if isinstance(answer, msg.Refusal):
        raise Refused(answer.text)
    if not isinstance(answer, msg.Joined):
        raise Refused("The control plane answered the join with something else.")
    identity.keep(answer)
