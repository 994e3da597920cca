"""One Envoy's configuration stream as a state machine without I/O: its requests in, our responses out.

The protocol is the incremental variant of xDS, aggregated on one stream. Each kind of resource has at most one message
under way. A message goes out only when nothing that it builds upon is missing: clusters with their endpoints, then
listeners with their routes and certificates, then the removal of clusters. So Envoy never holds a route to a cluster
that it does not know yet, and no request is lost to the order of things.

A refusal (NACK) of a message with several resources sends each of them again alone, to find the one at fault; that one
is then left as Envoy has it, until its content changes or it is offered anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse
from envoy.service.discovery.v3.discovery_pb2 import Resource as Message
from google.protobuf.any_pb2 import Any as Packed

from hatoba.proxy.resource import EMPTY, KIND_OF, KINDS, TYPE_URL, Kind, Resource, Snapshot

# Within a stage the order on the stream suffices. Envoy acknowledges clusters only once their endpoints are there too.
_STAGES: tuple[tuple[Kind, ...], ...] = (("cluster", "endpoints"), ("listener", "routes", "secret"))
_UNCERTAIN = "?"
_ABSENT = "-"
_WILDCARD: tuple[Kind, ...] = ("cluster", "listener")  # Envoy wants all of these, and the others by name


class _Channel:
    """What Envoy has and wants of one kind."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.opened = False  # Envoy has asked for this kind
        self.greeted = False  # and got a first answer, be it empty: until then it waits
        self.known: dict[str, str] = {}  # name → version that Envoy has
        self.subscribed: set[str] = set()
        self.stale: set[str] = set()  # must be sent though the version is known
        self.alone: set[str] = set()  # to be sent one by one, after a refusal of several
        self.refused: dict[str, tuple[str, str]] = {}  # name → version refused, Envoy's words
        self.nonce = ""  # of the message under way
        self.sent: dict[str, str | None] = {}  # its content; None: removed

    def wants(self, name: str) -> bool:
        return self.kind in _WILDCARD or name in self.subscribed

    def absent(self, name: str) -> None:
        """Envoy was told that there is no such thing."""
        self.known.pop(name, None)
        if name in self.subscribed:
            self.known[name] = _ABSENT


def _held(channel: _Channel) -> set[str]:
    return channel.known.keys() - channel.refused.keys()


class Session:
    """Feed it `receive` and `offer`, then send what `pull` returns; `settled` says when all has arrived."""

    def __init__(self) -> None:
        self._offered: Snapshot | None = None
        self._channels = {kind: _Channel(kind) for kind in KINDS}
        self._serial = 0
        self.responses = 0  # messages with resources, since the start

    def offer(self, snapshot: Snapshot, *, again: bool = False) -> None:
        """What Envoy should have from now on. With `again`, what was refused before is tried once more."""
        self._offered = snapshot
        for channel in self._channels.values():
            wanted = snapshot[channel.kind]
            for name, (version, _) in list(channel.refused.items()):
                if again or name not in wanted or wanted[name].version != version:
                    del channel.refused[name]

    def receive(self, request: Any) -> None:
        """A DeltaDiscoveryRequest: a subscription, an acknowledgement, a refusal, or several of these in one."""
        kind = KIND_OF.get(request.type_url)
        if kind is None:
            return
        channel = self._channels[kind]
        if not channel.opened:
            channel.opened = True
            channel.known = dict(request.initial_resource_versions)
        for name in request.resource_names_unsubscribe:
            channel.subscribed.discard(name)
            channel.known.pop(name, None)
        for name in request.resource_names_subscribe:
            if name in channel.subscribed and name not in request.initial_resource_versions:
                channel.stale.add(name)  # subscribed anew: Envoy wants to hear it again
            channel.subscribed.add(name)
        if request.response_nonce and request.response_nonce == channel.nonce:
            self._answered(channel, request.error_detail.message if request.HasField("error_detail") else None)

    def _answered(self, channel: _Channel, refusal: str | None) -> None:
        sent, channel.sent, channel.nonce = channel.sent, {}, ""
        if refusal is None:
            for name, version in sent.items():
                if version is None:
                    channel.absent(name)
                else:
                    channel.known[name] = version
            return
        updates = {name: version for name, version in sent.items() if version is not None}
        for name in sent.keys() - updates.keys():
            channel.absent(name)  # removals are carried out even where an addition beside them is refused
        # What Envoy holds of the others is uncertain: to be sent again when it changes, and removed when unwanted.
        channel.known.update(dict.fromkeys(updates, _UNCERTAIN))
        if len(updates) > 1:
            channel.alone.update(updates)
            return
        channel.refused.update({name: (version, refusal) for name, version in updates.items()})

    def pull(self) -> list[Any]:
        """The DeltaDiscoveryResponses to send now."""
        if self._offered is None:
            return []
        messages = [self._greeting(channel) for channel in self._channels.values() if self._to_greet(channel)]
        for stage in _STAGES:
            channels = [self._channels[kind] for kind in stage]
            for channel in channels:
                due, gone = self._due(channel), self._gone_with(channel)
                if not channel.nonce and channel.opened and (due or gone):
                    messages.append(self._message(channel, due, gone))
            if not all(self._complete(channel) for channel in channels):
                return messages
        channel = self._channels["cluster"]
        if not channel.nonce and (gone := self._gone(channel)):
            messages.append(self._message(channel, (), gone))
        return messages

    def _to_greet(self, channel: _Channel) -> bool:
        """Not before what it builds upon is there: with the first word on listeners Envoy begins to serve, and the one
        that it takes over from ceases to."""
        return channel.opened and not channel.greeted and channel.kind in _WILDCARD and self._ready_for(channel)

    def _greeting(self, channel: _Channel) -> Any:
        channel.greeted = True
        return self._message(channel, self._due(channel), ())

    def _ready_for(self, channel: _Channel) -> bool:
        return channel.kind == "cluster" or all(self._complete(self._channels[kind]) for kind in _STAGES[0])

    def _due(self, channel: _Channel) -> tuple[Resource, ...]:
        """What Envoy lacks or has in another version."""
        assert self._offered is not None
        known, stale, offered = channel.known, channel.stale, self._offered[channel.kind]
        # Of nearly all Envoy has that very version: they are passed over without a call.
        others = [each for name, each in offered.items() if known.get(name) != each.version or name in stale]
        due = [each for each in others if self._lacks(channel, each.name, each)]
        singles = [each for each in due if each.name in channel.alone]
        return tuple(singles[:1] if singles else due)

    @staticmethod
    def _lacks(channel: _Channel, name: str, each: Resource) -> bool:
        if not channel.wants(name) or name in channel.refused:
            return False
        return name in channel.stale or channel.known.get(name) != each.version

    def _gone(self, channel: _Channel) -> tuple[str, ...]:
        """What Envoy has though it is no longer wanted."""
        assert self._offered is not None
        wanted = self._offered[channel.kind]
        return tuple(sorted(name for name in channel.known if name not in wanted))

    def _gone_with(self, channel: _Channel) -> tuple[str, ...]:
        """What is removed in the same message as others of its kind are added."""
        assert self._offered is not None
        if channel.kind == "listener":
            return self._gone(channel)  # Envoy frees their addresses first: a new one may take them
        if channel.kind == "cluster":
            return ()  # only when no route names them any more
        # Endpoints and routes go with what names them. But what Envoy waits for must be answered, even if it was taken
        # back half-way.
        wanted = self._offered[channel.kind]
        return tuple(sorted(name for name in channel.subscribed if name not in wanted and name not in channel.known))

    def _complete(self, channel: _Channel) -> bool:
        """Nothing of the kind is under way or to be said, and Envoy has asked for all that it will need."""
        if channel.nonce or self._due(channel) or self._gone_with(channel):
            return False
        return channel.subscribed.issuperset(self._needed(channel.kind))

    def _needed(self, kind: Kind) -> Iterable[str]:
        """Names that Envoy will ask for, as it has accepted what builds upon them."""
        assert self._offered is not None
        above: dict[Kind, Kind] = {"endpoints": "cluster", "routes": "listener", "secret": "listener"}
        if kind not in above:
            return ()
        channel = self._channels[above[kind]]
        parents = [self._offered[channel.kind][name] for name in _held(channel) if name in self._offered[channel.kind]]
        return {need for parent in parents for need in (parent.secrets if kind == "secret" else parent.needs)}

    def _message(self, channel: _Channel, due: Iterable[Resource], gone: Iterable[str]) -> Any:
        self._serial += 1
        channel.nonce = str(self._serial)
        channel.sent = {each.name: each.version for each in due} | dict.fromkeys(gone)
        if channel.sent:
            self.responses += 1
        for each in due:
            channel.stale.discard(each.name)
            channel.alone.discard(each.name)
            if channel.kind == "cluster":
                # A cluster that is made or remade waits for its endpoints, even for those that Envoy has.
                endpoints = self._channels["endpoints"]
                endpoints.stale.update(need for need in each.needs if need in endpoints.subscribed)
        return DeltaDiscoveryResponse(
            type_url=TYPE_URL[channel.kind],
            nonce=channel.nonce,
            resources=[
                Message(
                    name=each.name,
                    version=each.version,
                    resource=Packed(type_url=TYPE_URL[channel.kind], value=each.body),
                )
                for each in due
            ],
            removed_resources=[name for name, version in channel.sent.items() if version is None],
        )

    @property
    def settled(self) -> bool:
        """Envoy has acknowledged everything that is offered, or refused it."""
        if self._offered is None:
            return False
        return (
            all(self._channels[kind].opened for kind in _WILDCARD)
            and all(self._complete(channel) for channel in self._channels.values())
            and not self._gone(self._channels["cluster"])
        )

    @property
    def refusals(self) -> Mapping[tuple[Kind, str], str]:
        """What Envoy refused of the present offer, in its words."""
        return {
            (channel.kind, name): words
            for channel in self._channels.values()
            for name, (_, words) in channel.refused.items()
        }

    @property
    def offered(self) -> Snapshot:
        return self._offered if self._offered is not None else EMPTY
