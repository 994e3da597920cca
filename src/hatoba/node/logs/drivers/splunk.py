"""The driver `splunk`: events to Splunk's HTTP Event Collector.

One request per batch, which the collector takes whole or not at all. It is asked before the container starts, unless
`splunk-verify-connection` is false. Source: Splunk, "Format events for HTTP Event Collector"; Docker's driver.
"""

from __future__ import annotations

import asyncio
import gzip
import http.client
import os
import socket
import ssl
import stat
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hatoba.core.errors import PortError
from hatoba.core.reach import may_be_asked
from hatoba.node.logs.batch import LogBatch, Rejected
from hatoba.node.logs.drivers.writer import Writer, boolean, check, extra, tag
from hatoba.node.logs.options import BadOption

PATH = "/services/collector/event/1.0"
SECONDS = 30.0
LARGEST_FILE = 1 << 20  # bytes
UNSENT = "logs-unsent"
_FOR_GOOD = (400, 401, 403, 404)  # answers that the same request will get again
_KNOWN = frozenset(
    {
        "splunk-capath",
        "splunk-format",
        "splunk-gzip",
        "splunk-index",
        "splunk-insecureskipverify",
        "splunk-source",
        "splunk-sourcetype",
        "splunk-token",
        "splunk-url",
        "splunk-verify-connection",
        "tag",
    }
)


class Splunk(msgspec.Struct, frozen=True, kw_only=True):
    """`about` goes with every event: host, source, sourcetype, index."""

    url: str
    token: str
    form: str = "inline"
    tag: str = ""
    about: dict[str, str] = msgspec.field(default_factory=dict)
    attrs: dict[str, str] = msgspec.field(default_factory=dict)
    compressed: bool = False
    unverified: bool = False
    authorities: str = ""
    eager: bool = True
    guest: bool = False  # this machine itself is not asked


def settings(options: Mapping[str, str], writer: Writer) -> Splunk:
    """Raises `BadOption`."""
    check("splunk", options, _KNOWN)
    for required in ("splunk-url", "splunk-token"):
        if not options.get(required):
            raise BadOption(f"splunk: {required} is expected")
    url = urlsplit(options["splunk-url"])
    if url.scheme not in ("http", "https") or not url.hostname or url.path not in ("", "/") or url.query:
        raise BadOption("splunk: expected format scheme://dns_name_or_ip:port for splunk-url")
    form = options.get("splunk-format", "inline")
    if form not in ("inline", "json", "raw"):
        raise BadOption(f"Unknown format specified {form}, supported formats are inline, json and raw")
    if writer.guest and options.get("splunk-capath"):
        raise BadOption("splunk: splunk-capath is a file of an instance, and there is none on Fargate")
    named = {key: options.get(f"splunk-{key}", "") for key in ("source", "sourcetype", "index")}
    return Splunk(
        url=options["splunk-url"],
        token=options["splunk-token"],
        form=form,
        tag=tag(options.get("tag", "{{.ID}}"), writer),
        about={"host": writer.host, **{key: text for key, text in named.items() if text}},
        attrs=extra(options, writer),
        compressed=boolean(options, "splunk-gzip"),
        unverified=boolean(options, "splunk-insecureskipverify"),
        authorities=options.get("splunk-capath", ""),
        guest=writer.guest,
        eager=boolean({"splunk-verify-connection": "true", **options}, "splunk-verify-connection"),
    )


def event(settings: Splunk, time: int, stream: str, text: str) -> bytes:
    """One event. Pure."""
    named = "".join(f"{name}={value} " for name, value in settings.attrs.items())
    said: object = f"{settings.tag} {named}{text}".lstrip()
    if settings.form != "raw":
        line: object = msgspec.Raw(text.encode()) if settings.form == "json" and _is_json(text) else text
        more = {"tag": settings.tag, "attrs": settings.attrs}
        said = {"line": line, "source": stream, **{name: value for name, value in more.items() if value}}
    return msgspec.json.encode({"time": f"{time / 1000:.6f}", **settings.about, "event": said})


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _certificates(path: str) -> str | None:
    """Of a file of this machine, which somebody else names. Raises `OSError` for what is no plain, small one."""
    if not path:
        return None
    found = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        known = os.fstat(found)
        if not stat.S_ISREG(known.st_mode) or known.st_size > LARGEST_FILE:
            raise OSError(f"{path} is no file of certificates")
        return os.read(found, LARGEST_FILE).decode("ascii", "replace")
    finally:
        os.close(found)


def _to_another_machine(address: tuple[str, int], *args: Any, **more: Any) -> socket.socket:
    """In place of `socket.create_connection`, for tasks that have no business on this machine. Raises `OSError`."""
    host, port = address
    for *_, (found, *_) in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if may_be_asked(str(found)):
            return socket.create_connection((str(found), port), *args, **more)
    raise OSError("its address is not asked: it is this machine's own, or one that only its neighbours reach")


class SplunkSink:
    def __init__(self, settings: Splunk) -> None:
        self._settings = settings

    async def send(self, batch: LogBatch) -> None:
        if not batch.parts:
            if self._settings.eager:
                await self._ask("OPTIONS", b"")
            return
        events = [
            event(self._settings, time, part.producer.rpartition("/")[2], text)
            for part in batch.parts
            for time, text in zip(part.times, part.messages, strict=True)
        ]
        await self._ask("POST", b"".join(events))

    async def _ask(self, method: str, body: bytes) -> None:
        try:
            status, said = await asyncio.to_thread(self._request, method, body)
        except (OSError, http.client.HTTPException) as error:
            raise PortError(UNSENT, f"splunk at {self._settings.url}: {str(error) or type(error).__name__}") from error
        if status == 200:
            return
        words = f"splunk: failed to send event: {status}: {said}"
        if status in _FOR_GOOD:
            raise Rejected(words)
        raise PortError(UNSENT, words)

    def _request(self, method: str, body: bytes) -> tuple[int, str]:
        url = urlsplit(self._settings.url)
        assert url.hostname is not None
        if url.scheme == "https":
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                url.hostname, url.port, timeout=SECONDS, context=self._trust()
            )
        else:
            made = http.client.HTTPConnection(url.hostname, url.port, timeout=SECONDS)
        if self._settings.guest:
            made._create_connection = _to_another_machine  # type: ignore[attr-defined]  # there is no other way in
        headers = {"Authorization": f"Splunk {self._settings.token}"}
        if self._settings.compressed and body:
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        try:
            made.request(method, PATH, body or None, headers)
            answer = made.getresponse()
            return answer.status, answer.read(1024).decode("utf-8", "replace")
        finally:
            made.close()

    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=_certificates(self._settings.authorities))
        if self._settings.unverified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    async def close(self) -> None:
        """Nothing is held open."""
