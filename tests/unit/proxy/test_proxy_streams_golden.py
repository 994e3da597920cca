"""What Envoy is sent for network balancers, and what a change of theirs is made of."""

from __future__ import annotations

import pytest
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener as ListenerMessage
from envoy.extensions.filters.udp.udp_proxy.v3.udp_proxy_pb2 import UdpProxyConfig
from msgspec.structs import replace

from hatoba.proxy import streams
from hatoba.proxy.base import (
    Balancer,
    FixedResponse,
    FlowTraffic,
    Forward,
    GroupAttributes,
    HealthCheck,
    Listener,
    Rule,
    Share,
    SourceIn,
    Target,
    TargetGroup,
    TargetKey,
    Tls,
    Wanted,
)
from hatoba.proxy.ending import Place, dropped, unhealthy
from hatoba.proxy.forwarding import EVERYBODY
from hatoba.proxy.health import HEALTHY, TimedOut
from hatoba.proxy.health import unhealthy as sick
from hatoba.proxy.resource import KINDS
from hatoba.proxy.snapshot import checked, endpoints_of, replaced, snapshot
from hatoba.proxy.stats import traffic
from tests.unit.proxy.test_proxy_golden import rendered, same

ID = "net/flows/50dc6c495c0c9188"


def target(id_: str, zone: str = "", number: int = 10, state: str = "active") -> Target:
    return Target(id=id_, address=f"10.0.0.{number}", port=53, zone=zone, state=state)  # type: ignore[arg-type]


def balancer(*listeners: Listener) -> Balancer:
    return Balancer(id=ID, kind="network", addresses=("10.0.0.5", "10.0.1.5"), zones=("a", "b"), listeners=listeners)


def to(*shares: tuple[str, int]) -> Forward:
    return Forward(shares=tuple(Share(group=group, weight=weight) for group, weight in shares))


FOUR, SIX, TEN = EVERYBODY[False], EVERYBODY[True], SourceIn(values=("10.0.0.0/8",))


def ruled(*rules: Rule) -> Listener:
    return Listener(id="l", port=53, protocol="TCP_UDP", default=to(("near", 1)), rules=rules)


NEAR = TargetGroup(
    id="near",
    protocol="TCP_UDP",
    health_check=HealthCheck(protocol="TCP"),
    targets=(target("one", "a"), target("two", "b", 11), target("three", "b", 12)),
    attributes=GroupAttributes(across_zones=False),
)
WIDE = TargetGroup(
    id="wide",
    protocol="TLS",
    health_check=HealthCheck(protocol="TCP"),
    targets=(target("four", "a", 13), target("five", "b", 14, "draining")),
    attributes=GroupAttributes(sticky_source=True, proxy_protocol=True, preserve_source=True, end_removed=True),
)
NAMES = Listener(id="names", port=53, protocol="TCP_UDP", default=to(("near", 1)))
SECURE = Listener(
    id="secure",
    port=853,
    protocol="TLS",
    default=to(("wide", 5), ("gone", 1), ("near", 0)),
    idle_timeout=60.0,
    tls=Tls(certificates=("one",), speaks=("h2",)),
)
WISH = Wanted(balancers=(balancer(NAMES, SECURE),), groups=(NEAR, WIDE))
HEALTH = {"near": {"one": HEALTHY, "two": HEALTHY, "three": sick(TimedOut())}, "wide": {"four": sick(TimedOut())}}


def test_a_network_balancers_resources_are_as_reviewed() -> None:
    here = replace(balancer(NAMES, SECURE), addresses=("10.0.0.5",), zones=("a",))
    same("network.txt", rendered(snapshot(replace(WISH, balancers=(here,)), HEALTH)))


def test_other_targets_weights_and_groups_are_a_matter_of_endpoints() -> None:
    before = snapshot(WISH, HEALTH)
    elsewhere = replace(NAMES, default=to(("near", 2), ("other", 3)))
    other = TargetGroup(id="other", protocol="TCP", targets=(target("six"),))
    after = snapshot(Wanted(balancers=(balancer(elsewhere, SECURE),), groups=(NEAR, WIDE, other)), HEALTH)
    assert {kind for kind in KINDS if before[kind] != after[kind]} == {"endpoints"}
    assert before["endpoints"][f"{ID}|secure|10.0.0.5"] == after["endpoints"][f"{ID}|secure|10.0.0.5"]


def test_a_change_of_health_is_the_endpoints_of_those_who_forward_there() -> None:
    before = snapshot(WISH, HEALTH)
    changed = {**HEALTH, "near": {"one": HEALTHY, "two": HEALTHY, "three": HEALTHY}}
    after = replaced(before, endpoints_of(WISH, {"near"}, changed))
    assert after == snapshot(WISH, changed)
    same_ones = {name for name, each in after["endpoints"].items() if before["endpoints"][name] == each}
    assert same_ones == {f"{ID}|secure|10.0.0.5", f"{ID}|secure|10.0.1.5", f"{ID}|names|10.0.0.5"}


def test_the_targets_of_network_balancers_are_checked_too() -> None:
    assert set(checked(WISH)) == {"near", "wide"}


@pytest.mark.parametrize(
    ("listener", "why"),
    [
        (Listener(id="l", port=1, protocol="HTTP", default=to(("near", 1))), "no listeners for HTTP"),
        (Listener(id="l", port=1, protocol="TLS", default=to(("near", 1))), "no certificate"),
        (Listener(id="l", port=1, protocol="TCP", default=FixedResponse(status=200)), "forward"),
        (
            ruled(Rule(id="r", priority=1, conditions=(SourceIn(values=("10.0.0.0/8",)),), action=to(("near", 1)))),
            "family",
        ),
        (ruled(Rule(id="r", priority=1, conditions=(SIX,), action=FixedResponse(status=200))), "family"),
    ],
)
def test_what_cannot_be_carried_out_is_told(listener: Listener, why: str) -> None:
    assert why in (streams.unsupported(listener) or "")


def test_connections_end_where_that_is_wanted_and_nobody_is_left() -> None:
    without = Wanted(balancers=WISH.balancers)
    assert dropped(WISH, without) == {Place("10.0.0.13", 53), Place("10.0.0.14", 53)}  # of `wide` only
    moved = Wanted(groups=(TargetGroup(id="new", targets=(target("x", number=13),)),))
    assert dropped(WISH, moved) == {Place("10.0.0.14", 53)}
    assert unhealthy(WISH, TargetKey("wide", "four")) == frozenset()
    ended = replace(WIDE, attributes=GroupAttributes(end_unhealthy=True))
    assert unhealthy(Wanted(groups=(ended,)), TargetKey("wide", "four")) == {Place("10.0.0.13", 53)}
    assert str(Place("2001:db8::1", 53)) == "[2001:db8::1]:53"


COUNTED = f"""\
tcp.flows/{ID}/TCP.downstream_cx_total: 7
tcp.flows/{ID}/TCP.downstream_cx_rx_bytes_total: 70
tcp.flows/{ID}/TCP.downstream_cx_tx_bytes_total: 700
listener.flows/{ID}/TCP.downstream_cx_active: 2
listener.flows/{ID}/TLS.ssl.connection_error: 3
udp.flows/{ID}/UDP.downstream_sess_total: 4
udp.flows/{ID}/UDP.downstream_sess_active: 1
udp.flows/{ID}/UDP.downstream_sess_rx_bytes: 5
udp.flows/{ID}/UDP.downstream_sess_tx_bytes: 6
listener.flows/{ID}/TCP.downstream_global_cx_overflow: 1
listener.flows/{ID}/TLS.downstream_global_cx_overflow: 2
cluster.{ID}_secure_10_0_0_5.ssl.connection_error: 8
cluster.{ID}_secure_10_0_1_5.ssl.connection_error: 9
cluster.{ID}_names_10_0_0_5.bind_errors: 10
cluster.other_names_10_0_0_5.bind_errors: 11
"""


def test_flows_are_counted_by_protocol() -> None:
    told = traffic(COUNTED, WISH)[ID]
    assert told.flows == {
        "TCP": FlowTraffic(new=7, active=2, received=70, sent=700),
        "TLS": FlowTraffic(tls_failures=3),
        "UDP": FlowTraffic(new=4, active=1, received=5, sent=6),
    }
    assert (told.connections, told.active_connections) == (11, 3)
    assert (told.rejected_connections, told.target_tls_failures, told.port_failures) == (3, 17, 10)


def test_clients_are_seen_by_targets_of_their_own_family() -> None:
    dual = replace(balancer(), addresses=("10.0.0.5", "fd00::5"), zones=("a", "a"))
    wide6 = replace(WIDE, six=True)
    datagrams = Listener(id="udp", port=53, protocol="TCP_UDP", default=to(("wide", 1)))

    def opened(group: TargetGroup) -> list[tuple[str, str, bool]]:
        found = []
        for made in streams.listeners(dual, datagrams, {"wide": group}):
            name, _, kind = made.name.rpartition("|")
            (each,) = ListenerMessage.FromString(made.body).listener_filters or [None]
            flow = UdpProxyConfig()
            seen = each is not None and (not each.typed_config.Unpack(flow) or flow.use_original_src_ip)
            found.append(("six" if name.endswith("fd00::5") else "four", kind, seen))
        return found

    assert opened(WIDE) == [("four", "udp", True), ("four", "tcp", True), ("six", "tcp", False)]
    assert opened(wide6) == [
        ("four", "udp", False),
        ("four", "tcp", False),
        ("six", "udp", True),
        ("six", "tcp", True),
    ]


def test_clients_of_each_family_get_what_the_first_rule_for_them_says() -> None:
    """Else what the default action says; other rules, weights and groups touch no socket of the other family."""
    dual = replace(balancer(), addresses=("10.0.0.5", "fd00::5"), zones=("a", "a"))
    six = replace(WIDE, id="six", protocol="TCP_UDP", six=True)
    groups = {each.id: each for each in (NEAR, WIDE, six)}
    late = Rule(id="late", priority=9, conditions=(SIX,), action=to(("wide", 1)))
    first = Rule(id="first", priority=3, conditions=(SIX,), action=to(("six", 2), ("wide", 0)))

    def behind(*rules: Rule) -> dict[str, list[str]]:
        found = snapshot(_dual(dual, groups, *rules), {})
        return {
            name.rpartition("|")[2]: [
                each.locality.zone for each in ClusterLoadAssignment.FromString(made.body).endpoints
            ]
            for name, made in found["endpoints"].items()
        }

    assert behind() == {"10.0.0.5": ["near"], "fd00::5": ["near"]}
    assert behind(late) == {"10.0.0.5": ["near"], "fd00::5": ["wide"]}
    assert behind(late, first) == {"10.0.0.5": ["near"], "fd00::5": ["six"]}
    assert behind(replace(late, conditions=(FOUR,)), first) == {"10.0.0.5": ["wide"], "fd00::5": ["six"]}
    opened = [name.rpartition("|") for name in snapshot(_dual(dual, groups, first), {})["listener"]]
    assert [(name[-4:], kind) for name, _, kind in opened] == [
        ("10.0.0.5"[-4:], "udp"),
        ("10.0.0.5"[-4:], "tcp"),
        ("fd00::5"[-4:], "udp"),
        ("fd00::5"[-4:], "tcp"),
    ]


def _dual(dual: Balancer, groups: dict[str, TargetGroup], *rules: Rule) -> Wanted:
    return Wanted(balancers=(replace(dual, listeners=(ruled(*rules),)),), groups=tuple(groups.values()))
