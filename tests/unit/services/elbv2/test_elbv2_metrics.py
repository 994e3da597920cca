"""Traffic as Prometheus text."""

from __future__ import annotations

import msgspec

from hatoba.core.secret import Sealer
from hatoba.fleet import model as fleet
from hatoba.proxy.base import BalancerTraffic, FlowTraffic, GroupTraffic
from hatoba.proxy.signin.words import SignIns
from hatoba.services.elbv2.metrics import collector
from hatoba.store import Store
from hatoba.store.memory import MemoryDisk, MemoryJournal

GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/73e2"
TRAFFIC = BalancerTraffic(
    requests=43,
    codes={"2xx": 40, "5xx": 3},
    connections=9,
    active_connections=4,
    rule_answers=1,
    rejected_connections=5,
    received=300,
    sent=12,
    tls_failures=6,
    sign_ins=SignIns(success=21, failure=2, error=3, refreshed=4, too_long=1, seconds=1.5),
    groups={
        GROUP: GroupTraffic(
            requests=42,
            codes={"2xx": 40},
            connections=8,
            active_connections=7,
            connect_failures=2,
            tls_failures=11,
            response_seconds={"0.5": 0.0015, "0.99": 0.0125},
        )
    },
)
TOLD = """\
# HELP hatoba_elb_requests_total Requests that a load balancer got.
# TYPE hatoba_elb_requests_total counter
hatoba_elb_requests_total{load_balancer="app/web/50dc"} 43
# HELP hatoba_elb_responses_total Answers that clients got, by class of status code.
# TYPE hatoba_elb_responses_total counter
hatoba_elb_responses_total{load_balancer="app/web/50dc",code="2xx"} 40
hatoba_elb_responses_total{load_balancer="app/web/50dc",code="5xx"} 3
# HELP hatoba_elb_rule_answers_total Redirects and fixed responses.
# TYPE hatoba_elb_rule_answers_total counter
hatoba_elb_rule_answers_total{load_balancer="app/web/50dc"} 1
# HELP hatoba_elb_connections_total Connections that clients opened.
# TYPE hatoba_elb_connections_total counter
hatoba_elb_connections_total{load_balancer="app/web/50dc"} 9
# HELP hatoba_elb_active_connections Connections of clients now.
# TYPE hatoba_elb_active_connections gauge
hatoba_elb_active_connections{load_balancer="app/web/50dc"} 4
# HELP hatoba_elb_rejected_connections_total Connections that were refused, as there were too many.
# TYPE hatoba_elb_rejected_connections_total counter
hatoba_elb_rejected_connections_total{load_balancer="app/web/50dc"} 5
# HELP hatoba_elb_target_requests_total Requests that a target group got.
# TYPE hatoba_elb_target_requests_total counter
hatoba_elb_target_requests_total{load_balancer="app/web/50dc",target_group="targetgroup/web/73e2"} 42
# HELP hatoba_elb_target_responses_total Answers of targets, by class of status code; 5xx are also what was answered \
in place of a target.
# TYPE hatoba_elb_target_responses_total counter
hatoba_elb_target_responses_total{load_balancer="app/web/50dc",target_group="targetgroup/web/73e2",\
code="2xx"} 40
# HELP hatoba_elb_target_connections_total Connections that were opened to targets.
# TYPE hatoba_elb_target_connections_total counter
hatoba_elb_target_connections_total{load_balancer="app/web/50dc",target_group="targetgroup/web/73e2"} 8
# HELP hatoba_elb_target_active_connections Connections to targets now.
# TYPE hatoba_elb_target_active_connections gauge
hatoba_elb_target_active_connections{load_balancer="app/web/50dc",target_group="targetgroup/web/73e2"} 7
# HELP hatoba_elb_target_connection_errors_total Connections to targets that failed.
# TYPE hatoba_elb_target_connection_errors_total counter
hatoba_elb_target_connection_errors_total{load_balancer="app/web/50dc",target_group="targetgroup/web/73e2"} 2
# HELP hatoba_elb_target_response_seconds Until a target began to answer, since the proxy started.
# TYPE hatoba_elb_target_response_seconds summary
hatoba_elb_target_response_seconds{load_balancer="app/web/50dc",target_group="targetgroup/web/73e2",\
quantile="0.5"} 0.0015
hatoba_elb_target_response_seconds{load_balancer="app/web/50dc",target_group="targetgroup/web/73e2",\
quantile="0.99"} 0.0125
# HELP hatoba_elb_processed_bytes_total Bytes that passed, in both directions.
# TYPE hatoba_elb_processed_bytes_total counter
hatoba_elb_processed_bytes_total{load_balancer="app/web/50dc"} 312
# HELP hatoba_elb_tls_negotiation_errors_total TLS handshakes of clients that came to nothing.
# TYPE hatoba_elb_tls_negotiation_errors_total counter
hatoba_elb_tls_negotiation_errors_total{load_balancer="app/web/50dc"} 6
# HELP hatoba_elb_target_tls_negotiation_errors_total TLS handshakes with targets that came to nothing.
# TYPE hatoba_elb_target_tls_negotiation_errors_total counter
hatoba_elb_target_tls_negotiation_errors_total{load_balancer="app/web/50dc",target_group="targetgroup/web/73e2"} 11
# HELP hatoba_elb_sign_ins_total Users who came back from an identity provider, by what came of it.
# TYPE hatoba_elb_sign_ins_total counter
hatoba_elb_sign_ins_total{load_balancer="app/web/50dc",outcome="success"} 21
hatoba_elb_sign_ins_total{load_balancer="app/web/50dc",outcome="failure"} 2
hatoba_elb_sign_ins_total{load_balancer="app/web/50dc",outcome="error"} 3
hatoba_elb_sign_ins_total{load_balancer="app/web/50dc",outcome="refreshed"} 4
hatoba_elb_sign_ins_total{load_balancer="app/web/50dc",outcome="too_long"} 1
# HELP hatoba_elb_sign_in_seconds_total That identity providers took for those who signed in.
# TYPE hatoba_elb_sign_in_seconds_total counter
hatoba_elb_sign_in_seconds_total{load_balancer="app/web/50dc"} 1.5
# HELP hatoba_elb_targets Targets, by their health.
# TYPE hatoba_elb_targets gauge
hatoba_elb_targets{target_group="targetgroup/web/73e2",state="healthy"} 2
hatoba_elb_targets{target_group="targetgroup/web/73e2",state="unhealthy"} 1"""


async def test_what_nodes_sampled_is_told_once_it_is_asked_for() -> None:
    store = Store(MemoryJournal(MemoryDisk()), fleet.TABLES, Sealer(b"k" * 32))
    store.open()
    traffic: dict[str, bytes] = {}
    collect = collector(store, traffic)
    assert list(collect()) == []
    traffic["app/web/50dc"] = msgspec.msgpack.encode(TRAFFIC)
    with store.tx() as tx:
        for number, state in enumerate(("healthy", "healthy", "unhealthy")):
            key = fleet.target_statuses.key(fleet.FLEET, fleet.target_id(GROUP, f"t{number}"))
            tx.put(fleet.target_statuses, fleet.TargetStatus(key=key, group=GROUP, target=f"t{number}", state=state))
    assert "\n".join(collect()) == TOLD
    await store.durable()
    store.close()


FLOWS = """\
# HELP hatoba_elb_rejected_connections_total Connections that were refused, as there were too many.
# TYPE hatoba_elb_rejected_connections_total counter
hatoba_elb_rejected_connections_total{load_balancer="net/flows/50dc"} 4
# HELP hatoba_elb_new_flows_total Flows (connections, and what stands for them in UDP) that clients began.
# TYPE hatoba_elb_new_flows_total counter
hatoba_elb_new_flows_total{load_balancer="net/flows/50dc",protocol="TLS"} 7
# HELP hatoba_elb_active_flows Flows of clients now.
# TYPE hatoba_elb_active_flows gauge
hatoba_elb_active_flows{load_balancer="net/flows/50dc",protocol="TLS"} 2
# HELP hatoba_elb_processed_bytes_total Bytes that passed, in both directions.
# TYPE hatoba_elb_processed_bytes_total counter
hatoba_elb_processed_bytes_total{load_balancer="net/flows/50dc",protocol="TLS"} 110
# HELP hatoba_elb_tls_negotiation_errors_total TLS handshakes of clients that came to nothing.
# TYPE hatoba_elb_tls_negotiation_errors_total counter
hatoba_elb_tls_negotiation_errors_total{load_balancer="net/flows/50dc",protocol="TLS"} 3
# HELP hatoba_elb_target_tls_negotiation_errors_total TLS handshakes with targets that came to nothing.
# TYPE hatoba_elb_target_tls_negotiation_errors_total counter
hatoba_elb_target_tls_negotiation_errors_total{load_balancer="net/flows/50dc"} 5
# HELP hatoba_elb_port_allocation_errors_total Connections to targets for which there was no port left.
# TYPE hatoba_elb_port_allocation_errors_total counter
hatoba_elb_port_allocation_errors_total{load_balancer="net/flows/50dc"} 6"""


async def test_flows_of_network_load_balancers_as_text() -> None:
    store = Store(MemoryJournal(MemoryDisk()), fleet.TABLES, Sealer(b"k" * 32))
    store.open()
    flows = FlowTraffic(new=7, active=2, received=10, sent=100, tls_failures=3)
    counted = BalancerTraffic(flows={"TLS": flows}, rejected_connections=4, target_tls_failures=5, port_failures=6)
    told = {"net/flows/50dc": msgspec.msgpack.encode(counted)}
    assert "\n".join(collector(store, told)()) == FLOWS
    await store.durable()
    store.close()
