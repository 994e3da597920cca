"""The configuration stream as a state machine, against a model of Envoy that keeps Envoy's rules: it asks for
endpoints and routes as clusters and listeners name them, acknowledges clusters once they have their endpoints, and
loses requests (here: fails the test) when a route names a cluster that it does not have."""

from __future__ import annotations

from typing import Any

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.proxy.resource import KIND_OF, TYPE_URL, Kind, Resource, Snapshot, snapshot_of
from hatoba.proxy.session import Session

FOLLOWS: dict[Kind, Kind] = {"cluster": "endpoints", "listener": "routes"}


def make(listeners: dict[str, tuple[str, ...]], version: str = "1", endpoints: str = "1") -> Snapshot:
    """Listener name → clusters that its routes name. A cluster `c` needs the endpoints `c`."""
    clusters = {each for named in listeners.values() for each in named}
    resources = [
        *(Resource(kind="cluster", name=each, version=version, body=b"", needs=(each,)) for each in clusters),
        *(Resource(kind="endpoints", name=each, version=endpoints, body=b"") for each in clusters),
        *(Resource(kind="listener", name=each, version=version, body=b"", needs=(each,)) for each in listeners),
        *(
            Resource(kind="routes", name=each, version="+".join((version, *named)), body=" ".join(named).encode())
            for each, named in listeners.items()
        ),
    ]
    return snapshot_of(resources)


class Envoy:
    """The model. `poison` are names of listeners that it refuses."""

    def __init__(self, session: Session, poison: frozenset[str] = frozenset(), had: Envoy | None = None) -> None:
        self.session = session
        self.poison = poison
        self.has: dict[Kind, dict[str, str]] = {kind: dict(had.has[kind]) if had else {} for kind in TYPE_URL}
        self.bodies: dict[str, bytes] = dict(had.bodies) if had else {}
        self.asked: dict[Kind, set[str]] = {kind: set(had.asked[kind]) if had else set() for kind in TYPE_URL}
        self.warming: tuple[str, set[str]] | None = None  # nonce of a cluster message, endpoints that it waits for
        self.listening = False
        self.messages: list[tuple[Kind, list[str], list[str]]] = []
        self.ask("cluster")
        if had:
            for kind in ("endpoints", "listener", "routes"):
                self.ask(kind, subscribe=self.asked[kind])
            self.listening = True

    def ask(
        self, kind: Kind, subscribe: set[str] | None = None, nonce: str = "", error: str = "", gone: Any = ()
    ) -> None:
        first = not nonce and not gone and (kind != "endpoints" or not self.messages)
        self.session.receive(
            DeltaDiscoveryRequest(
                type_url=TYPE_URL[kind],
                resource_names_subscribe=sorted(subscribe or ()),
                resource_names_unsubscribe=sorted(gone),
                response_nonce=nonce,
                error_detail=Status(code=13, message=error) if error else None,
                initial_resource_versions=self.has[kind] if first else {},
            )
        )

    def run(self) -> None:
        for _ in range(200):
            messages = self.session.pull()
            if not messages:
                assert self.warming is None or not self.session.settled
                return
            for message in messages:
                self.take(message)
        raise AssertionError("The two never come to rest.")

    def take(self, message: Any) -> None:
        kind = KIND_OF[message.type_url]
        names = [each.name for each in message.resources]
        self.messages.append((kind, names, list(message.removed_resources)))
        bad = sorted(self.poison & set(names)) if kind == "listener" else []
        for each in message.resources:
            if each.name not in bad:
                self.has[kind][each.name] = each.version
                self.bodies[each.name] = each.resource.value
                self.used(kind, each)
        for name in message.removed_resources:
            if kind in FOLLOWS:
                self.removed(kind, name)
        if kind in FOLLOWS:
            self.follow(kind, names, bad)
        waits = {name for name in names if name not in bad} if kind == "cluster" else set()
        if waits and not bad:
            self.warming = (message.nonce, waits)
        else:
            self.ask(kind, nonce=message.nonce, error=f"bad: {', '.join(bad)}" if bad else "")
        if kind == "endpoints" and self.warming is not None:
            nonce, left = self.warming
            self.warming = (nonce, left - set(names) - set(message.removed_resources))
            if not self.warming[1]:
                self.warming = None
                self.ask("cluster", nonce=nonce)
        if (kind == "cluster" and not waits and not self.listening) or (kind == "endpoints" and not self.listening):
            self.listening = True
            self.ask("listener")

    def used(self, kind: Kind, each: Any) -> None:
        if kind == "routes":
            for cluster in each.resource.value.decode().split():
                assert cluster in self.has["cluster"], "a route to a cluster that is not there"
                assert cluster in self.has["endpoints"], "a route to a cluster without endpoints"

    def follow(self, kind: Kind, names: list[str], bad: list[str]) -> None:
        new = {name for name in names if name not in bad and name not in self.asked[FOLLOWS[kind]]}
        if new:
            self.asked[FOLLOWS[kind]] |= new
            self.ask(FOLLOWS[kind], subscribe=new)

    def removed(self, kind: Kind, name: str) -> None:
        if kind == "cluster":
            serving = [self.bodies.get(each, b"").decode().split() for each in self.has["listener"]]
            assert not any(name in named for named in serving), "a cluster removed under a route"
        self.has[kind].pop(name, None)
        self.has[FOLLOWS[kind]].pop(name, None)
        self.asked[FOLLOWS[kind]].discard(name)
        self.ask(FOLLOWS[kind], gone=[name])


def versions(snapshot: Snapshot) -> dict[Kind, dict[str, str]]:
    return {kind: {name: each.version for name, each in of.items()} for kind, of in snapshot.items()}


def settled(session: Session, envoy: Envoy, snapshot: Snapshot) -> None:
    envoy.run()
    assert session.settled
    assert envoy.has == versions(snapshot)


def test_nothing_is_said_before_something_is_offered() -> None:
    session = Session()
    Envoy(session)
    assert session.pull() == []
    assert not session.settled


def test_an_empty_offer_is_said_so_that_envoy_need_not_wait() -> None:
    session = Session()
    envoy = Envoy(session)
    session.offer(make({}))
    settled(session, envoy, make({}))
    assert [kind for kind, _, _ in envoy.messages] == ["cluster", "listener"]


def test_a_changed_target_resends_its_endpoints_and_nothing_else() -> None:
    session = Session()
    envoy = Envoy(session)
    session.offer(make({"l": ("a", "b")}))
    envoy.run()
    envoy.messages.clear()
    after = make({"l": ("a", "b")})
    changed = Resource(kind="endpoints", name="a", version="2", body=b"")
    after = {**after, "endpoints": {**after["endpoints"], "a": changed}}
    session.offer(after)
    settled(session, envoy, after)
    assert envoy.messages == [("endpoints", ["a"], [])]


def test_a_changed_cluster_gets_its_endpoints_again() -> None:
    """Envoy makes the cluster anew and would wait for them."""
    session = Session()
    envoy = Envoy(session)
    session.offer(make({"l": ("a",)}))
    envoy.run()
    envoy.messages.clear()
    session.offer(make({"l": ("a",)}, version="2"))
    envoy.run()
    assert envoy.messages[:2] == [("cluster", ["a"], []), ("endpoints", ["a"], [])]
    assert session.settled


def test_a_listener_that_takes_anothers_address_travels_with_its_removal() -> None:
    """Envoy removes first, so the address is free when it is taken."""
    session = Session()
    envoy = Envoy(session)
    session.offer(make({"old": ("a",)}))
    envoy.run()
    envoy.messages.clear()
    session.offer(make({"new": ("a",)}))
    envoy.run()
    assert envoy.messages == [("listener", ["new"], ["old"]), ("routes", ["new"], [])]


def test_an_envoy_that_comes_back_with_everything_is_told_nothing() -> None:
    first = Session()
    envoy = Envoy(first)
    first.offer(make({"l": ("a", "b"), "m": ("b",)}))
    envoy.run()
    second = Session()
    again = Envoy(second, had=envoy)
    second.offer(make({"l": ("a", "b"), "m": ("b",)}))
    settled(second, again, make({"l": ("a", "b"), "m": ("b",)}))
    assert not any(names or gone for _, names, gone in again.messages)


def test_a_refused_resource_is_found_and_the_others_arrive() -> None:
    session = Session()
    envoy = Envoy(session, poison=frozenset({"bad"}))
    session.offer(make({"good": ("a",), "bad": ("b",), "fine": ("a",)}))
    envoy.run()
    assert session.settled
    assert session.refusals == {("listener", "bad"): "bad: bad"}
    assert set(envoy.has["listener"]) == {"good", "fine"}


def test_when_everything_is_refused_that_is_the_end_of_it() -> None:
    session = Session()
    envoy = Envoy(session, poison=frozenset({"bad"}))
    session.offer(make({"bad": ()}))
    envoy.run()
    assert session.settled
    assert session.refusals == {("listener", "bad"): "bad: bad"}


def test_a_stream_that_has_just_begun_is_not_settled_though_nothing_is_wanted() -> None:
    """What Envoy still has from before is not known yet."""
    session = Session()
    session.offer(make({}))
    assert not session.settled


def test_what_was_refused_is_tried_again_only_when_asked_or_changed() -> None:
    session = Session()
    envoy = Envoy(session, poison=frozenset({"bad"}))
    offer = make({"bad": ("a",)})
    session.offer(offer)
    envoy.run()
    envoy.poison = frozenset()
    session.offer(offer)
    envoy.run()
    assert "bad" not in envoy.has["listener"]
    session.offer(offer, again=True)
    settled(session, envoy, offer)
    assert session.refusals == {}


NAMES = st.lists(st.sampled_from("abcd"), max_size=3, unique=True).map(tuple)
OFFERS = st.builds(
    make, st.dictionaries(st.sampled_from("lmno"), NAMES, max_size=3), st.sampled_from("123"), st.sampled_from("123")
)


@settings(max_examples=200)
@given(st.lists(OFFERS, min_size=1, max_size=6))
def test_whatever_is_offered_arrives_in_an_order_that_loses_nothing(offers: list[Snapshot]) -> None:
    session = Session()
    envoy = Envoy(session)
    for offer in offers:
        session.offer(offer)
        settled(session, envoy, offer)


@settings(max_examples=200)
@given(st.lists(st.tuples(OFFERS, st.integers(0, 3)), min_size=1, max_size=6))
def test_offers_that_overtake_each_other_end_with_the_last(offers: list[tuple[Snapshot, int]]) -> None:
    session = Session()
    envoy = Envoy(session)
    for offer, messages in offers:
        session.offer(offer)
        for _ in range(messages):
            for message in session.pull():
                envoy.take(message)
    settled(session, envoy, offers[-1][0])


@settings(max_examples=100)
@given(OFFERS, OFFERS)
def test_a_new_session_takes_up_what_envoy_has(before: Snapshot, after: Snapshot) -> None:
    first = Session()
    envoy = Envoy(first)
    first.offer(before)
    envoy.run()
    second = Session()
    again = Envoy(second, had=envoy)
    second.offer(after)
    settled(second, again, after)


@settings(max_examples=200)
@given(st.lists(st.tuples(OFFERS, st.frozensets(st.sampled_from("lmno"), max_size=2)), min_size=1, max_size=5))
def test_refusals_never_hold_up_the_rest(offers: list[tuple[Snapshot, frozenset[str]]]) -> None:
    session = Session()
    envoy = Envoy(session)
    for offer, poison in offers:
        envoy.poison = poison
        session.offer(offer, again=True)
        envoy.run()
        assert session.settled
        refused = {name for kind, name in session.refusals if kind == "listener"}
        assert refused <= poison
        for name in offer["listener"].keys() - refused:
            assert envoy.has["listener"][name] == offer["listener"][name].version
            assert envoy.has["routes"][name] == offer["routes"][name].version
