"""What Envoy is sent, as text files that reviewers read. `HATOBA_GOLDEN=write` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener as ListenerMessage
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret as SecretMessage
from google.protobuf import text_format
from msgspec.structs import replace

from hatoba.core.secret import Secret
from hatoba.proxy.base import (
    Balancer,
    BalancerAttributes,
    Certificate,
    FixedResponse,
    Forward,
    GroupAttributes,
    HeaderIs,
    Health,
    HostIs,
    Listener,
    MethodIs,
    PathIs,
    QueryHas,
    Redirect,
    Rule,
    Share,
    Target,
    TargetGroup,
    Tls,
    Wanted,
)
from hatoba.proxy.bootstrap import Bootstrap, render
from hatoba.proxy.health import CHECKING, HEALTHY, TimedOut, unhealthy
from hatoba.proxy.resource import KINDS, Snapshot
from hatoba.proxy.signin.words import Signer, SignIn
from hatoba.proxy.snapshot import snapshot

GOLDEN = Path(__file__).parent / "golden"
MESSAGES = {
    "cluster": Cluster,
    "endpoints": ClusterLoadAssignment,
    "listener": ListenerMessage,
    "routes": RouteConfiguration,
    "secret": SecretMessage,
}
SIGN_IN = SignIn(
    id="d1",
    issuer="https://idp.example",
    authorization="https://idp.example/authorize",
    token="https://idp.example/token",
    user_info="https://idp.example/userinfo",
    client="shop",
    cookie="AWSELBAuthSessionCookie",
    scope="openid",
    timeout=3600,
)
SICK = unhealthy(TimedOut())


def targets(*ids: str, draining: str = "") -> tuple[Target, ...]:
    return tuple(
        Target(id=id_, address=f"10.0.0.{10 + n}", port=8080, state="draining" if id_ == draining else "active")
        for n, id_ in enumerate(ids)
    )


def to(*groups: str) -> Forward:
    return Forward(shares=tuple(Share(group=group) for group in groups))


def balancer(default: Forward | Redirect | FixedResponse, *rules: Rule, **attributes: object) -> Balancer:
    return Balancer(
        id="app/web/50dc6c495c0c9188",
        addresses=("10.0.0.5", "10.0.1.5"),
        listeners=(Listener(id="f2f7dc8efc522ab2", port=80, default=default, rules=rules),),
        attributes=BalancerAttributes(**attributes),  # type: ignore[arg-type]
    )


CASES: dict[str, tuple[Wanted, dict[str, dict[str, Health]]]] = {
    "one-group": (
        Wanted(
            balancers=(balancer(to("web")),),
            groups=(TargetGroup(id="web", targets=targets("a", "b", "c", "d", draining="d")),),
        ),
        {"web": {"a": HEALTHY, "b": SICK, "c": CHECKING, "d": HEALTHY}},
    ),
    "nobody-is-healthy": (
        Wanted(balancers=(balancer(to("web")),), groups=(TargetGroup(id="web", targets=targets("a", "b", "c")),)),
        {"web": {"a": SICK, "b": SICK, "c": CHECKING}},
    ),
    "weights-and-rules": (
        Wanted(
            balancers=(
                balancer(
                    Forward(shares=(Share(group="blue", weight=90), Share(group="green", weight=10))),
                    Rule(
                        id="2", priority=20, conditions=(HeaderIs(name="X-Canary", values=("y*",)),), action=to("green")
                    ),
                    Rule(
                        id="1",
                        priority=10,
                        conditions=(
                            HostIs(values=("*.example.com",)),
                            PathIs(values=("/api/*", "/v?")),
                            MethodIs(values=("GET", "HEAD")),
                            QueryHas(values=(("version", "1.*"), ("", "beta"))),
                        ),
                        action=FixedResponse(status=200, content_type="application/json", body="{}"),
                    ),
                    Rule(
                        id="3",
                        priority=30,
                        conditions=(PathIs(values=("/old",)),),
                        action=Redirect(status=301, protocol="HTTPS", port=443, path="/new", query="from=old"),
                    ),
                    forwarded_for="remove",
                    drop_invalid_headers=True,
                    idle_timeout=4.5,
                    http2=False,
                ),
            ),
            groups=(
                TargetGroup(id="blue", attributes=GroupAttributes(slow_start=30.0)),
                TargetGroup(
                    id="green",
                    protocol="HTTPS",
                    protocol_version="HTTP2",
                    attributes=GroupAttributes(algorithm="least_outstanding_requests"),
                ),
                TargetGroup(id="not-in-use", targets=targets("x")),
            ),
        ),
        {},
    ),
    "https": (
        Wanted(
            balancers=(
                Balancer(
                    id="app/web/50dc6c495c0c9188",
                    addresses=("10.0.0.5",),
                    listeners=(
                        Listener(
                            id="f2f7dc8efc522ab2",
                            port=443,
                            protocol="HTTPS",
                            default=FixedResponse(status=200),
                            tls=Tls(
                                certificates=("one", "two"),
                                minimum="TLSv1.2",
                                maximum="TLSv1.3",
                                ciphers=("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
                            ),
                        ),
                    ),
                ),
            ),
            certificates=tuple(
                Certificate(id=id_, chain=f"chain of {id_}", private_key=Secret(f"key of {id_}"))
                for id_ in ("one", "two", "shown by nobody")
            ),
        ),
        {},
    ),
    "sign-in": (
        Wanted(
            balancers=(
                Balancer(
                    id="app/web/50dc6c495c0c9188",
                    addresses=("10.0.0.5",),
                    listeners=(
                        Listener(
                            id="f2f7dc8efc522ab2",
                            port=443,
                            protocol="HTTPS",
                            default=to("web"),
                            rules=(
                                Rule(
                                    id="r1",
                                    priority=1,
                                    conditions=(PathIs(values=("/public/*",)),),
                                    action=FixedResponse(status=200),
                                ),
                                Rule(
                                    id="r2",
                                    priority=2,
                                    conditions=(PathIs(values=("/old/*",)),),
                                    action=Redirect(path="/new"),
                                    sign_in=replace(SIGN_IN, id="r2"),
                                ),
                            ),
                            tls=Tls(certificates=("one",)),
                            sign_in=SIGN_IN,
                        ),
                    ),
                    signer=Signer(name="arn:…:loadbalancer/app/web/50dc6c495c0c9188", key="k1"),
                ),
            ),
            groups=(TargetGroup(id="web", targets=targets("a")),),
        ),
        {"web": {"a": HEALTHY}},
    ),
    "group-is-missing": (Wanted(balancers=(balancer(to("gone")),)), {}),
}


def rendered(resources: Snapshot) -> str:
    parts = []
    for kind in KINDS:
        for name, each in sorted(resources[kind].items()):
            message = MESSAGES[kind].FromString(each.body)
            parts.append(f"# {kind} {name}\n{text_format.MessageToString(message)}")
    return "\n".join(parts)


def same(name: str, text: str) -> None:
    file = GOLDEN / name
    if os.environ.get("HATOBA_GOLDEN") == "write":
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.parametrize("case", CASES)
def test_envoys_resources_are_as_reviewed(case: str) -> None:
    wanted, health = CASES[case]
    same(f"{case}.txt", rendered(snapshot(wanted, health)))


def test_with_a_module_for_trace_headers_it_is_as_reviewed() -> None:
    own = HeaderIs(name="X-Amzn-Trace-Id", values=("Root=1-*",))
    wanted, health = CASES["one-group"]
    here = balancer(to("web"), Rule(id="traced", priority=1, conditions=(own,), action=to("web")))
    found = snapshot(Wanted(balancers=(here,), groups=wanted.groups), health, tracer="/opt/hatoba/trace.so")
    same("traced.txt", rendered({**found, "cluster": {}, "endpoints": {}}))


def test_the_bootstrap_is_as_reviewed() -> None:
    same(
        "bootstrap.json",
        render(
            Bootstrap(node="vpc-1", config_socket="/run/h/xds.sock", admin_socket="/run/h/vpc-1/admin.sock")
        ).decode(),
    )


def test_a_changed_target_changes_nothing_but_its_groups_endpoints() -> None:
    wanted, health = CASES["one-group"]
    before = snapshot(wanted, health)
    after = snapshot(
        Wanted(balancers=wanted.balancers, groups=(TargetGroup(id="web", targets=targets("a", "e")),)), {"web": {}}
    )
    assert {kind for kind in KINDS if before[kind] != after[kind]} == {"endpoints"}


def test_a_changed_default_action_leaves_the_listener_and_its_sockets_alone() -> None:
    wanted, health = CASES["one-group"]
    fixed = Wanted(balancers=(balancer(FixedResponse(status=503)),), groups=wanted.groups)
    assert snapshot(wanted, health)["listener"] == snapshot(fixed, health)["listener"]
    assert snapshot(wanted, health)["routes"] != snapshot(fixed, health)["routes"]


def test_a_rule_that_wants_users_to_sign_in_leaves_the_listener_and_its_sockets_alone() -> None:
    wanted, health = CASES["sign-in"]
    (known,) = wanted.balancers
    (listener,) = known.listeners
    free = replace(known, listeners=(replace(listener, rules=(), sign_in=None),), signer=None)
    before = snapshot(replace(wanted, balancers=(free,)), health)
    after = snapshot(wanted, health, sign_in="/run/signin.sock")
    assert {kind for kind in KINDS if before[kind] != after[kind]} == {"cluster", "routes"}


def test_the_same_wish_gives_the_same_versions() -> None:
    """In another process too: what is hashed must not depend on the order of sets and maps."""
    versions = {
        case: {kind: {name: each.version for name, each in of.items()} for kind, of in snapshot(*CASES[case]).items()}
        for case in CASES
    }
    same(
        "versions.txt",
        "".join(f"{case} {kind} {each}\n" for case, kinds in versions.items() for kind, each in kinds.items()),
    )
