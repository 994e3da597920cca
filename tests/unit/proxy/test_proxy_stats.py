"""Envoy's counters, told per balancer and group."""

from __future__ import annotations

from hatoba.proxy.base import Balancer, BalancerTraffic, Forward, GroupTraffic, Listener, Share, Wanted
from hatoba.proxy.stats import traffic

ANSWER = """\
cluster.app/web/50dc_blue.ssl.connection_error: 6
cluster.app/web/50dc_blue.upstream_cx_active: 3
cluster.app/web/50dc_blue.upstream_cx_total: 8
cluster.app/web/50dc_blue.upstream_cx_connect_fail: 2
cluster.app/web/50dc_blue.upstream_rq_2xx: 40
cluster.app/web/50dc_blue.upstream_rq_5xx: 1
cluster.app/web/50dc_blue.upstream_rq_active: 1
cluster.app/web/50dc_blue.upstream_rq_total: 42
cluster.app/web/50dc_blue.upstream_rq_time: P0(nan,0) P50(1.0,1.5) P90(nan,3) P99(nan,12.5) P99.5(nan,13)
http.app/web/50dc.downstream_cx_active: 4
http.app/web/50dc.downstream_cx_rx_bytes_total: 300
http.app/web/50dc.downstream_cx_tx_bytes_total: 12
http.app/web/50dc.rq_direct_response: 2
listener.http/app/web/50dc.downstream_global_cx_overflow: 5
listener.http/app/web/50dc.ssl.connection_error: 7
listener.http/app/other.ssl.connection_error: 9
http.app/web/50dc.downstream_cx_total: 9
http.app/web/50dc.downstream_rq_2xx: 40
http.app/web/50dc.downstream_rq_total: 43
http.app/web/50dc.downstream_cx_length_ms: P0(nan,1.0) P25(nan,1.025)
http.somebody_else.downstream_rq_total: 7
"""


def balancer(id_: str, *groups: str) -> Balancer:
    action = Forward(shares=tuple(Share(group=group) for group in groups))
    return Balancer(id=id_, addresses=("10.0.0.1",), listeners=(Listener(id="l", port=80, default=action),))


def test_counters_go_to_whom_they_belong() -> None:
    told = traffic(ANSWER, Wanted(balancers=(balancer("app/web/50dc", "blue", "green"), balancer("new", "blue"))))
    assert told["app/web/50dc"] == BalancerTraffic(
        requests=43,
        codes={"2xx": 40},
        connections=9,
        active_connections=4,
        rule_answers=2,
        rejected_connections=5,
        received=300,
        sent=12,
        tls_failures=7,
        groups={
            "blue": GroupTraffic(
                requests=42,
                codes={"2xx": 40, "5xx": 1},
                connect_failures=2,
                connections=8,
                active_connections=3,
                tls_failures=6,
                response_seconds={"0.5": 0.0015, "0.9": 0.003, "0.99": 0.0125},
            ),
            "green": GroupTraffic(),
        },
    )
    assert told["new"] == BalancerTraffic(groups={"blue": GroupTraffic()})
