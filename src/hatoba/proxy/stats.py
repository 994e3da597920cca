"""Envoy's counters, read from its admin socket and told per balancer and group.

Only the few statistics that `bootstrap` lets Envoy keep are asked for, in the plain text form (`name: value`), which is
the cheapest for both sides. Names are matched against those of known balancers and groups, so no name is ever parsed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hatoba.proxy import names
from hatoba.proxy.base import Balancer, BalancerTraffic, FlowTraffic, GroupTraffic, Wanted
from hatoba.proxy.flows import sockets
from hatoba.proxy.snapshot import groups_of

QUERY = "/stats?usedonly&filter=^(http|cluster|tcp|udp|listener)%5C."

_QUANTILES = {"50": "0.5", "90": "0.9", "99": "0.99"}
_RANK = re.compile(r"P([0-9.]+)\([^,]*,([0-9.]+)\)")
_TLS_FAILED, _REJECTED = "ssl.connection_error", "downstream_global_cx_overflow"
_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")


def traffic(text: str, wanted: Wanted) -> dict[str, BalancerTraffic]:
    """The admin interface's answer to `QUERY` → counters by balancer id. What never moved is 0."""
    values, times = _values(text), _times(text)
    return {
        balancer.id: _network(values, balancer) if balancer.kind == "network" else _http(values, times, balancer)
        for balancer in wanted.balancers
    }


def _http(values: Mapping[str, int], times: Mapping[str, Mapping[str, float]], balancer: Balancer) -> BalancerTraffic:
    groups = {id_: _group(values, times, f"cluster.{_cluster(balancer.id, id_)}.") for id_ in groups_of(balancer)}
    return _balancer(values, balancer.id, groups)


def _network(values: Mapping[str, int], balancer: Balancer) -> BalancerTraffic:
    known = {protocol: _flows(values, balancer.id, protocol) for protocol in ("TCP", "TLS", "UDP")}
    listening = (f"listener.{names.flow_stat(balancer.id, protocol)}." for protocol in known)
    return BalancerTraffic(
        connections=sum(each.new for each in known.values()),
        active_connections=sum(each.active for each in known.values()),
        rejected_connections=sum(values.get(f"{each}{_REJECTED}", 0) for each in listening),
        target_tls_failures=_of_clusters(values, balancer, _TLS_FAILED),
        port_failures=_of_clusters(values, balancer, "bind_errors"),
        flows={protocol: each for protocol, each in known.items() if each != FlowTraffic()},
    )


def _of_clusters(values: Mapping[str, int], balancer: Balancer, what: str) -> int:
    """The sum over a network balancer's sockets, each of which has a cluster of its own."""
    clusters = (
        names.stat(names.flows(balancer.id, listener.id, address))
        for listener in balancer.listeners
        for address, _ in sockets(balancer)
    )
    return sum(values.get(f"cluster.{cluster}.{what}", 0) for cluster in clusters)


def _flows(values: Mapping[str, int], balancer: str, protocol: str) -> FlowTraffic:
    name = names.flow_stat(balancer, protocol)
    if protocol == "UDP":
        sessions = f"udp.{name}.downstream_sess_"
        return FlowTraffic(
            new=values.get(f"{sessions}total", 0),
            active=values.get(f"{sessions}active", 0),
            received=values.get(f"{sessions}rx_bytes", 0),
            sent=values.get(f"{sessions}tx_bytes", 0),
        )
    proxied = f"tcp.{name}.downstream_cx_"
    return FlowTraffic(
        new=values.get(f"{proxied}total", 0),
        active=values.get(f"listener.{name}.downstream_cx_active", 0),
        received=values.get(f"{proxied}rx_bytes_total", 0),
        sent=values.get(f"{proxied}tx_bytes_total", 0),
        tls_failures=values.get(f"listener.{name}.{_TLS_FAILED}", 0),
    )


def _cluster(balancer: str, group: str) -> str:
    return names.stat(names.cluster(balancer, group))


def _values(text: str) -> dict[str, int]:
    values: dict[str, int] = {}
    for line in text.splitlines():
        name, colon, value = line.rpartition(": ")
        if colon and value.isdigit():
            values[name] = int(value)
    return values


def _times(text: str) -> dict[str, dict[str, float]]:
    """Percentiles since the start, in seconds; Envoy writes `P50(of this interval,since the start)`, in ms."""
    found: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(": P0(")
        if colon and name.endswith(".upstream_rq_time"):
            found[name] = {
                quantile: float(ms) / 1e3 for rank, ms in _RANK.findall(value) if (quantile := _QUANTILES.get(rank))
            }
    return found


def _codes(values: Mapping[str, int], prefix: str) -> dict[str, int]:
    counted = {each: values.get(f"{prefix}rq_{each}", 0) for each in _CLASSES}
    return {each: count for each, count in counted.items() if count}


def _balancer(values: Mapping[str, int], id_: str, groups: Mapping[str, GroupTraffic]) -> BalancerTraffic:
    own, listening = f"http.{names.stat(id_)}.", f"listener.{names.listening_stat(id_)}."
    prefix = f"{own}downstream_"
    return BalancerTraffic(
        requests=values.get(f"{prefix}rq_total", 0),
        codes=_codes(values, prefix),
        connections=values.get(f"{prefix}cx_total", 0),
        rule_answers=values.get(f"{own}rq_direct_response", 0),
        active_connections=values.get(f"{prefix}cx_active", 0),
        rejected_connections=values.get(f"{listening}{_REJECTED}", 0),
        received=values.get(f"{prefix}cx_rx_bytes_total", 0),
        sent=values.get(f"{prefix}cx_tx_bytes_total", 0),
        tls_failures=values.get(f"{listening}{_TLS_FAILED}", 0),
        groups=groups,
    )


def _group(values: Mapping[str, int], times: Mapping[str, Mapping[str, float]], own: str) -> GroupTraffic:
    prefix = f"{own}upstream_"
    return GroupTraffic(
        connections=values.get(f"{prefix}cx_total", 0),
        tls_failures=values.get(f"{own}{_TLS_FAILED}", 0),
        requests=values.get(f"{prefix}rq_total", 0),
        codes=_codes(values, prefix),
        connect_failures=values.get(f"{prefix}cx_connect_fail", 0),
        response_seconds=times.get(f"{prefix}rq_time", {}),
        active_connections=values.get(f"{prefix}cx_active", 0),
    )
