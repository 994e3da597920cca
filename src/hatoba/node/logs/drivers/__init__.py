"""Log drivers other than `awslogs`: where a container's output goes instead of the control plane.

    forward     fluentd: its protocol, over TCP or a socket       local       json-file: files on this node, rotated
    syslog      a syslog server, or this machine's                journald    this machine's journal
    gelf        UDP or TCP, in GELF                               splunk      its HTTP Event Collector
    address     where a server is                                 datagrams   sending to those that only listen
    writer      who writes: what drivers tell of the container

Each has settings (what its options come to, kept sealed while the container's output is open) and a sink, which
delivers batches from the spool. What a sink has taken leaves the spool; what it has not is tried again, in order, for
as long as the container runs. Unlike the control plane, a sink does not know what it has had already: after a crash in
the middle of a batch, lines may come twice.

FireLens is the driver `fluentd` to the socket of the task's router.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from hatoba.node.logs.batch import LogBatch
from hatoba.node.logs.drivers import forward, gelf, journald, local, splunk, syslog
from hatoba.node.logs.drivers.writer import Writer, spooling
from hatoba.node.logs.options import BadOption, Options

PATIENCE = 10.0  # seconds for which a sink may keep an ended container waiting


class Sink(Protocol):
    async def send(self, batch: LogBatch) -> None:
        """As `batch.Send`; a batch without parts asks whether the container may start."""
        ...

    async def close(self) -> None: ...


class _Driver(NamedTuple):
    type: type[msgspec.Struct]
    settings: Callable[[Mapping[str, str], Writer], msgspec.Struct]
    sink: Callable[[Any], Sink]
    spooling: Callable[[Mapping[str, str]], tuple[str, int]] = spooling


_DRIVERS = {
    "fluentd": _Driver(forward.Forward, forward.settings, forward.ForwardSink, forward.spooling),
    "gelf": _Driver(gelf.Gelf, gelf.settings, gelf.GelfSink),
    "journald": _Driver(journald.Journald, journald.settings, journald.JournaldSink),
    "json-file": _Driver(local.Local, local.settings, local.LocalSink),
    "splunk": _Driver(splunk.Splunk, splunk.settings, splunk.SplunkSink),
    "syslog": _Driver(syslog.Syslog, syslog.settings, syslog.SyslogSink),
}


def parse(driver: str, options: Mapping[str, str], writer: Writer) -> Options:
    """What the options of a driver come to. Raises `BadOption`."""
    if (found := _DRIVERS.get(driver)) is None:
        raise BadOption(f"the log driver {driver} is not available on this node")
    mode, limit = found.spooling(options)
    settings = msgspec.msgpack.encode(found.settings(options, writer))
    return Options(driver=driver, settings=settings, mode=mode, limit=limit, patience=PATIENCE)


def sink(options: Options) -> Sink:
    """What delivers the output of a container that is open."""
    found = _DRIVERS[options.driver]
    return found.sink(msgspec.msgpack.decode(options.settings, type=found.type))
