"""The words of the proxy engine: what a balancer should be (wanted) and what became of its targets (facts).

`Wanted` is everything that one network namespace's proxy carries; it is a plain value, so it can be sent to a node,
compared and kept. `Health` is what a target's checker found out. `Proxy` is the port: the real one drives an Envoy,
the simulated one stands in for it in the control plane's simulation.

Ids are the caller's own, stable and unique: a listener that keeps its id keeps its sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple
from typing import Protocol as Port

import msgspec

from hatoba.core.errors import PortError
from hatoba.core.secret import Secret
from hatoba.proxy.signin.words import Secrets, Signer, SignIn, SignIns

Kind = Literal["http", "network"]
Protocol = Literal["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP"]
TlsVersion = Literal["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"]
ProtocolVersion = Literal["HTTP1", "HTTP2", "GRPC"]


# --- what a request meets: conditions and actions -----------------------------------------------------------------


class HostIs(msgspec.Struct, frozen=True, kw_only=True, tag="host"):
    """Any of the patterns (`*` and `?`) or regular expressions matches the Host header, without regard to case."""

    values: tuple[str, ...] = ()
    expressions: tuple[str, ...] = ()  # RE2, found anywhere unless they are anchored


class PathIs(msgspec.Struct, frozen=True, kw_only=True, tag="path"):
    """Any of the patterns (`*` and `?`) or expressions matches the path, query excluded, with regard to case."""

    values: tuple[str, ...] = ()
    expressions: tuple[str, ...] = ()


class HeaderIs(msgspec.Struct, frozen=True, kw_only=True, tag="header"):
    """Any of the patterns (`*` and `?`, without regard to case) or expressions matches the header's value."""

    name: str
    values: tuple[str, ...] = ()
    expressions: tuple[str, ...] = ()


class MethodIs(msgspec.Struct, frozen=True, kw_only=True, tag="method"):
    values: tuple[str, ...]


class QueryHas(msgspec.Struct, frozen=True, kw_only=True, tag="query"):
    """Any of the (key, value) patterns is in the query; an empty key matches every key, `\\*` is an asterisk."""

    values: tuple[tuple[str, str], ...]


class SourceIn(msgspec.Struct, frozen=True, kw_only=True, tag="source"):
    """The connection's peer is in any of the blocks (CIDR)."""

    values: tuple[str, ...]


Condition = HostIs | PathIs | HeaderIs | MethodIs | QueryHas | SourceIn


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A target group's part of the requests; the weights are relative to their sum."""

    group: str
    weight: int = 1  # 0..999


class Forward(msgspec.Struct, frozen=True, kw_only=True, tag="forward"):
    shares: tuple[Share, ...]
    sticky_seconds: int | None = None  # a client stays with the group it got first


class Redirect(msgspec.Struct, frozen=True, kw_only=True, tag="redirect"):
    """Parts that are None stay as the request had them, the port as the listener has it: it is always told.

    In host, path and query the words `#{host}` (without a port), `#{path}` (without its first slash) and `#{query}`
    stand for the request's own.
    """

    status: Literal[301, 302] = 302
    protocol: Literal["HTTP", "HTTPS"] | None = None
    host: str | None = None
    port: int | None = None
    path: str | None = None
    query: str | None = None


class FixedResponse(msgspec.Struct, frozen=True, kw_only=True, tag="fixed"):
    status: int
    content_type: str = "text/plain"
    body: str = ""


Action = Forward | Redirect | FixedResponse


class Substitution(msgspec.Struct, frozen=True, kw_only=True):
    """What the expression (RE2) matches is replaced, each time; `\\1` stands for its first group."""

    expression: str
    replacement: str


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """All conditions must hold; the lowest priority number is tried first. What is forwarded is rewritten once the rule
    has been chosen; what does not match stays as it is."""

    id: str
    priority: int
    conditions: tuple[Condition, ...]
    action: Action
    host: Substitution | None = None  # what becomes of the Host header
    url: Substitution | None = None  # of path and query
    sign_in: SignIn | None = None  # first of all


# --- what is wanted -----------------------------------------------------------------------------------------------


class Clients(msgspec.Struct, frozen=True, kw_only=True):
    """Clients are asked for certificates. With `authorities` (PEM) they must have one that goes back to them, and
    targets are told what was verified; without, a certificate may be anything, and targets are told all of it."""

    authorities: str = ""
    revocations: str = ""  # PEM: the authorities' lists
    expired: bool = False  # certificates that are over are taken too


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """What a listener agrees to. `certificates` are ids of `Wanted.certificates`: the first is shown to clients that
    ask for none of the names that the others are for. `ciphers` (BoringSSL's names) are for versions before 1.3."""

    certificates: tuple[str, ...]
    minimum: TlsVersion = "TLSv1.2"
    maximum: TlsVersion = "TLSv1.3"
    ciphers: tuple[str, ...] = ()  # empty: Envoy's own
    speaks: tuple[str, ...] = ()  # of a network balancer: what is offered by ALPN, the preferred one first
    clients: Clients | None = None


class Headers(msgspec.Struct, frozen=True, kw_only=True):
    """What a listener does to headers of its own accord."""

    answers: tuple[tuple[str, str], ...] = ()  # (name, value): in every answer, whatever the target says
    server: bool = True  # the balancer's own answers say who gives them
    names: tuple[tuple[str, str], ...] = ()  # (usual name, name): of what targets are told about TLS


class Listener(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """A network balancer's has no rules, and forwards."""

    id: str
    port: int
    protocol: Protocol = "HTTP"
    default: Action
    rules: tuple[Rule, ...] = ()
    tls: Tls | None = None  # of HTTPS and TLS
    idle_timeout: float = 350.0  # of TCP and TLS: seconds without a byte on either side
    headers: Headers = Headers()
    sign_in: SignIn | None = None  # where no rule holds


class BalancerAttributes(msgspec.Struct, frozen=True, kw_only=True):
    idle_timeout: float = 60.0  # seconds without a byte on either side
    client_keep_alive: float = 3600.0  # the longest life of a client's connection, seconds
    forwarded_for: Literal["append", "preserve", "remove"] = "append"
    forwarded_for_port: bool = False  # the client's port too, in X-Forwarded-For
    preserve_host: bool = True  # False: its port is the listener's; none where that is 80 or 443
    http2: bool = True
    drop_invalid_headers: bool = False  # names are letters, digits and hyphens
    desync: Literal["monitor", "defensive", "strictest"] = "defensive"
    tls_headers: bool = False  # targets are told version and cipher that were agreed upon with the client


class Balancer(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """`addresses` are those of the balancer's interfaces in this network namespace: it listens on each, and connects
    to its targets from the first of the target's address family. `zones` are those of the addresses: where a group is
    not to be reached across zones, what comes in at an address stays in its zone. `prefixes` are its blocks of IPv6
    (/80): datagrams of IPv4 clients come to targets of IPv6 from the first address of the first."""

    id: str
    kind: Kind = "http"
    name: str = ""  # by which it is found: the host that a request of HTTP/1.0 asks for when it names none
    addresses: tuple[str, ...]
    zones: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    listeners: tuple[Listener, ...] = ()
    attributes: BalancerAttributes = BalancerAttributes()
    access_log: str = ""  # by which name requests are noted (`delivery`); "": not at all
    connection_log: str = ""  # likewise connections
    health_log: str = ""  # likewise checks of targets
    signer: Signer | None = None  # of one with rules that want users to sign in


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """`draining`: no new requests, those under way may finish; the caller drops the target when its delay is over.

    `node`: it is a port of that node, whose address is filled in by who carries the balancer; "": of no node.
    """

    id: str
    address: str
    port: int
    weight: int = 1
    state: Literal["active", "draining"] = "active"
    zone: str = ""  # "": reached from every zone
    node: str = ""


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True):
    """How a group's targets are asked. `codes` are ranges, both ends included: `((200, 299), (301, 301))`; of gRPC they
    are its own statuses."""

    enabled: bool = True
    protocol: Literal["HTTP", "HTTPS", "TCP"] = "HTTP"
    version: ProtocolVersion = "HTTP1"  # as the group's
    path: str = "/"
    port: int | None = None  # None: the port on which the target receives traffic
    interval: float = 30.0
    timeout: float = 5.0
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2
    codes: tuple[tuple[int, int], ...] = ((200, 200),)


class GroupAttributes(msgspec.Struct, frozen=True, kw_only=True):
    slow_start: float = 0.0  # seconds over which a newly healthy target's share grows; 0: at once
    algorithm: Literal["round_robin", "least_outstanding_requests", "weighted_random"] = "round_robin"
    sticky_seconds: int | None = None  # a client stays with the target it got first
    sticky_cookie: str | None = None  # the application's own cookie; None: one that the balancer makes
    sticky_source: bool = False  # of a network balancer: a client's address stays with the target it got first
    across_zones: bool = True  # False: what comes in at an address goes to targets in its zone
    anomalies: bool = False  # a target that answers badly, compared to the others, is passed over for a while
    least_healthy: int = 1  # with fewer than these healthy, the unhealthy ones are asked too
    least_healthy_percent: int = 0  # …or with less than this part of them
    proxy_protocol: bool = False  # a connection to a target begins by telling it, in version 2, who the client is
    preserve_source: bool = False  # targets see the client's address as that of the connection
    end_removed: bool = False  # connections to a target end when it is dropped; else they last as long as they like
    end_unhealthy: bool = False  # …and when it is found unhealthy


class TargetGroup(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    id: str
    name: str = ""  # in logs
    protocol: Protocol = "HTTP"
    protocol_version: ProtocolVersion = "HTTP1"
    six: bool = False  # its targets' addresses are of IPv6
    targets: tuple[Target, ...] = ()
    health_check: HealthCheck = HealthCheck()
    attributes: GroupAttributes = GroupAttributes()


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """PEM, all of it; `chain` begins with the certificate itself."""

    id: str
    chain: str
    private_key: Secret


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the proxy of one network namespace carries. Groups that no listener names are not checked."""

    balancers: tuple[Balancer, ...] = ()
    groups: tuple[TargetGroup, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    secrets: tuple[Secrets, ...] = ()  # of balancers with a signer


# --- what became of it --------------------------------------------------------------------------------------------

HealthState = Literal["initial", "healthy", "unhealthy", "draining", "unavailable"]
HealthReason = Literal[
    "",  # healthy: nothing to explain
    "registering",  # known, not yet asked
    "checking",  # asked, not yet enough answers
    "code_mismatch",  # answered with other codes than those wanted
    "timeout",
    "failed",  # no connection, a broken answer
    "deregistering",
    "disabled",  # health checks are switched off
]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a target, and in one sentence why."""

    state: HealthState
    reason: HealthReason = ""
    text: str = ""


class TargetKey(NamedTuple):
    group: str
    target: str


class HealthFact(msgspec.Struct, frozen=True, kw_only=True):
    """A target's health changed. `at` is wall time."""

    group: str
    target: str
    health: Health
    at: float


OnHealth = Callable[[HealthFact], None]


class GroupTraffic(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of one balancer's use of one group, since its proxy started."""

    requests: int = 0
    codes: Mapping[str, int] = {}  # by class: {"2xx": 10}; the proxy's own answers in a target's place are among them
    connect_failures: int = 0
    connections: int = 0
    active_connections: int = 0
    tls_failures: int = 0  # handshakes with targets that came to nothing
    response_seconds: Mapping[str, float] = {}  # from the last byte sent to the first one back: {"0.5": 0.003}


class FlowTraffic(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of a network balancer's flows (connections, and what stands for them in UDP) of one protocol."""

    new: int = 0
    active: int = 0
    received: int = 0  # bytes, from clients
    sent: int = 0  # bytes, to clients
    tls_failures: int = 0  # handshakes that came to nothing


class BalancerTraffic(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of one balancer, since its proxy started."""

    requests: int = 0
    codes: Mapping[str, int] = {}  # what clients got, by class
    rule_answers: int = 0  # redirects and fixed responses
    connections: int = 0
    active_connections: int = 0
    rejected_connections: int = 0  # as the proxy had too many
    received: int = 0  # bytes, from clients (of network balancers: see `flows`)
    sent: int = 0  # bytes, to clients
    tls_failures: int = 0  # handshakes of clients that came to nothing
    target_tls_failures: int = 0  # of a network balancer: handshakes with targets
    port_failures: int = 0  # of a network balancer: connections to targets for which there was no port left
    groups: Mapping[str, GroupTraffic] = {}
    sign_ins: SignIns | None = None  # of one whose users sign in
    flows: Mapping[str, FlowTraffic] = {}  # of a network balancer, by protocol: TCP, TLS, UDP


class Rejected(PortError):
    """Envoy refused a resource; the last accepted configuration stays in force. `resource` names its kind."""

    def __init__(self, resource: str, message: str) -> None:
        super().__init__("Rejected", f"{resource}: {message}")
        self.resource = resource
        # Flows of datagrams have ports of the whole namespace for as long as they last: a listener may wait for one.
        self.passes = "Address already in use" in message


class Proxy(Port):
    """The balancers of one network namespace."""

    async def apply(self, wanted: Wanted) -> None:
        """Makes `wanted` effective; returns once the proxy has acknowledged it.

        Raises `Rejected` when a part is refused and `PortError("Unsupported")` when one cannot be carried out (all
        other parts are in force then), `PortError("Timeout")` when the proxy does not answer. Applying the same value
        again changes nothing. A newer call overtakes an older one that still waits.
        """
        ...

    def health(self) -> Mapping[TargetKey, Health]:
        """What is known about each checked target now; changes arrive through the `OnHealth` given at the start."""
        ...

    async def traffic(self) -> Mapping[str, BalancerTraffic]:
        """Counters by balancer id."""
        ...

    async def release(self) -> None:
        """Lets go of the proxy without stopping it: traffic flows on, and a later start adopts it."""
        ...

    async def stop(self) -> None:
        """Ends the proxy and removes what it left."""
        ...
