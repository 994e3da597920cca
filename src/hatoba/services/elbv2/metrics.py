"""Traffic and health as Prometheus text: of what CloudWatch has in AWS/ApplicationELB and AWS/NetworkELB all that the
proxies count. Which is which, and what is left out, says the room's README.

Counters are the proxies' own, since their start: who reads them takes differences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from hatoba.fleet import model as fleet
from hatoba.proxy.base import BalancerTraffic
from hatoba.store.store import View

_decode = msgspec.msgpack.Decoder(BalancerTraffic).decode
_HELP = {
    "requests_total": ("counter", "Requests that a load balancer got."),
    "responses_total": ("counter", "Answers that clients got, by class of status code."),
    "rule_answers_total": ("counter", "Redirects and fixed responses."),
    "connections_total": ("counter", "Connections that clients opened."),
    "active_connections": ("gauge", "Connections of clients now."),
    "rejected_connections_total": ("counter", "Connections that were refused, as there were too many."),
    "target_requests_total": ("counter", "Requests that a target group got."),
    "target_responses_total": (
        "counter",
        "Answers of targets, by class of status code; 5xx are also what was answered in place of a target.",
    ),
    "target_connections_total": ("counter", "Connections that were opened to targets."),
    "target_active_connections": ("gauge", "Connections to targets now."),
    "target_connection_errors_total": ("counter", "Connections to targets that failed."),
    "target_response_seconds": ("summary", "Until a target began to answer, since the proxy started."),
    "new_flows_total": ("counter", "Flows (connections, and what stands for them in UDP) that clients began."),
    "active_flows": ("gauge", "Flows of clients now."),
    "processed_bytes_total": ("counter", "Bytes that passed, in both directions."),
    "tls_negotiation_errors_total": ("counter", "TLS handshakes of clients that came to nothing."),
    "target_tls_negotiation_errors_total": ("counter", "TLS handshakes with targets that came to nothing."),
    "port_allocation_errors_total": ("counter", "Connections to targets for which there was no port left."),
    "sign_ins_total": ("counter", "Users who came back from an identity provider, by what came of it."),
    "sign_in_seconds_total": ("counter", "That identity providers took for those who signed in."),
    "targets": ("gauge", "Targets, by their health."),
}


def collector(view: View, traffic: Mapping[str, bytes]) -> Callable[[], Iterable[str]]:
    """`traffic`: what nodes sampled last, by load balancer."""
    return lambda: _text(view, traffic)


def _text(view: View, traffic: Mapping[str, bytes]) -> Iterator[str]:
    families: dict[str, list[str]] = {name: [] for name in _HELP}
    for balancer, body in sorted(traffic.items()):
        for name, labels, value in _of_balancer(balancer, _decode(body)):
            families[name].append(f"hatoba_elb_{name}{{{labels}}} {value:g}")
    states = Counter((status.group, status.state) for status in view.all(fleet.target_statuses))
    for (group, state), count in sorted(states.items()):
        families["targets"].append(f'hatoba_elb_targets{{target_group="{_short(group)}",state="{state}"}} {count}')
    for name, lines in families.items():
        if lines:
            kind, said = _HELP[name]
            yield f"# HELP hatoba_elb_{name} {said}"
            yield f"# TYPE hatoba_elb_{name} {kind}"
            yield from lines


def _of_balancer(id_: str, traffic: BalancerTraffic) -> Iterator[tuple[str, str, float]]:
    own = f'load_balancer="{id_}"'
    if id_.startswith("net/"):
        yield from _of_flows(own, traffic)
        return
    yield "requests_total", own, traffic.requests
    yield "connections_total", own, traffic.connections
    yield "active_connections", own, traffic.active_connections
    yield "rejected_connections_total", own, traffic.rejected_connections
    yield "rule_answers_total", own, traffic.rule_answers
    yield "processed_bytes_total", own, traffic.received + traffic.sent
    yield "tls_negotiation_errors_total", own, traffic.tls_failures
    if (signed := traffic.sign_ins) is not None:
        for outcome in ("success", "failure", "error", "refreshed", "too_long"):
            yield "sign_ins_total", f'{own},outcome="{outcome}"', getattr(signed, outcome)
        yield "sign_in_seconds_total", own, signed.seconds
    for code, count in sorted(traffic.codes.items()):
        yield "responses_total", f'{own},code="{code}"', count
    for arn, group in sorted(traffic.groups.items()):
        labels = f'{own},target_group="{_short(arn)}"'
        yield "target_requests_total", labels, group.requests
        yield "target_connections_total", labels, group.connections
        yield "target_active_connections", labels, group.active_connections
        yield "target_connection_errors_total", labels, group.connect_failures
        yield "target_tls_negotiation_errors_total", labels, group.tls_failures
        for code, count in sorted(group.codes.items()):
            yield "target_responses_total", f'{labels},code="{code}"', count
        for quantile, seconds in sorted(group.response_seconds.items()):
            yield "target_response_seconds", f'{labels},quantile="{quantile}"', seconds


def _of_flows(own: str, traffic: BalancerTraffic) -> Iterator[tuple[str, str, float]]:
    yield "rejected_connections_total", own, traffic.rejected_connections
    yield "target_tls_negotiation_errors_total", own, traffic.target_tls_failures
    yield "port_allocation_errors_total", own, traffic.port_failures
    for protocol, flows in sorted(traffic.flows.items()):
        labels = f'{own},protocol="{protocol}"'
        yield "new_flows_total", labels, flows.new
        yield "active_flows", labels, flows.active
        yield "processed_bytes_total", labels, flows.received + flows.sent
        if protocol == "TLS":
            yield "tls_negotiation_errors_total", labels, flows.tls_failures


def _short(arn: str) -> str:
    """`targetgroup/web/50dc6c495c0c9188`, as CloudWatch's dimension has it."""
    return arn.rpartition(":")[2]
