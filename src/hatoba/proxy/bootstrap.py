"""The file that an Envoy starts with: who it is, where its configuration comes from, its admin socket, its limits.

Everything else arrives over ADS. JSON is YAML to Envoy. Pure.
"""

from __future__ import annotations

from typing import Any

import msgspec

# Only what `stats` reads and what tells about Envoy's own state: a counter costs memory in every cluster.
_STATISTICS = (
    r"http\..*\.(rq_direct_response|downstream_(rq_total|rq_[1-5]xx|cx_total|cx_active|cx_rx_bytes_total"
    r"|cx_tx_bytes_total))",
    r"cluster\..*\.(upstream_rq_total|upstream_rq_[1-5]xx|upstream_rq_active|upstream_cx_active|upstream_cx_connect_fail"
    r"|upstream_cx_connect_timeout|upstream_rq_time|upstream_cx_total|bind_errors|ssl\.connection_error)",
    r"tcp\.flows/.*\.downstream_cx_(total|rx_bytes_total|tx_bytes_total)",
    r"listener\.(flows|http)/.*\.(downstream_cx_active|downstream_global_cx_overflow|ssl\.connection_error)",
    r"udp\.flows/.*\.downstream_sess_(total|active|rx_bytes|tx_bytes)",
    r"(listener_manager|cluster_manager|control_plane|server)\..*",
)

# A compiled pattern of more than 100 instructions would be refused, and with it all of a listener's routes: a rule's
# five values of 128 characters each take more. The API bounds their length.
_RUNTIME = {"re2.max_program_size.error_level": 1_000_000, "re2.max_program_size.warn_level": 1_000_000}


class Bootstrap(msgspec.Struct, frozen=True, kw_only=True):
    """`node` tells this Envoy from the others of the same configuration server."""

    node: str
    config_socket: str
    admin_socket: str
    number: int = 0  # of the launch: one that takes over has a higher one
    most_connections: int = 50_000


def render(bootstrap: Bootstrap) -> bytes:
    """The file's content."""
    return msgspec.json.format(msgspec.json.encode(_document(bootstrap)), indent=2) + b"\n"


def _document(bootstrap: Bootstrap) -> dict[str, Any]:
    # An Envoy that takes over while the agent is away waits for it: with nothing it must not begin to serve.
    ads = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
    return {
        "node": {"id": bootstrap.node, "cluster": "hatoba", "metadata": {"number": bootstrap.number}},
        "admin": {"address": {"pipe": {"path": bootstrap.admin_socket, "mode": 0o600}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [
                    {
                        "envoy_grpc": {
                            "cluster_name": "agent",
                            # An agent that comes back is found at once, not after Envoy's usual half minute.
                            "retry_policy": {"retry_back_off": {"base_interval": "0.05s", "max_interval": "0.25s"}},
                        }
                    }
                ],
            },
            "cds_config": ads,
            "lds_config": ads,
        },
        "static_resources": {"clusters": [_agent(bootstrap.config_socket)]},
        "layered_runtime": {"layers": [{"name": "own", "static_layer": _RUNTIME}]},
        "stats_config": {
            "stats_matcher": {"inclusion_list": {"patterns": [{"safe_regex": {"regex": each}} for each in _STATISTICS]}}
        },
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3"
                        ".DownstreamConnectionsConfig",
                        "max_active_downstream_connections": bootstrap.most_connections,
                    },
                }
            ]
        },
    }


def _agent(socket: str) -> dict[str, Any]:
    return {
        "name": "agent",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": "agent",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": socket}}}}]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }
