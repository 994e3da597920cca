"""Records → the proxy's configuration, as a golden text file that reviewers read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from hatoba.proxy import base as proxy
from hatoba.proxy.snapshot import left_out, snapshot
from hatoba.services.elbv2.model.group import HealthCheck
from hatoba.services.elbv2.plan import actions, attributes, conditions
from hatoba.services.elbv2.plan.spec import Serving, Source, wanted
from tests.unit.services.elbv2.records import balancer, forward, group, listener, rule, target

GOLDEN = Path(__file__).parent / "golden"


def everything() -> proxy.Wanted:
    app, blue = group(), group("green", speaks="GRPC", check=HealthCheck(path="/h", codes="0,5-9", port="9000"))
    sticky = group(
        "sticky",
        attributes={
            attributes.STICKY: "true",
            attributes.STICKY_TYPE: "app_cookie",
            attributes.APP_COOKIE: "session",
            attributes.DELAY: "1",
            attributes.SLOW_START: "30",
        },
    )
    main = listener(forward((app, 1)))
    other = listener(actions.checked([{"Type": "redirect", "RedirectConfig": _to_https()}]), 8080)
    checked = conditions.checked(
        [
            {"Field": "host-header", "Values": ["*.example.com"]},
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Beta", "Values": ["yes", "1"]}},
            {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "2"}, {"Value": "x*"}]}},
        ]
    )
    by_path = conditions.checked(
        [
            {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*"]}},
            {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET", "HEAD"]}},
        ]
    )
    gone = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "410", "MessageBody": "gone"}}
    rules = (
        rule(main, 5, forward((app, 90), (blue, 10), sticky=60), *checked),
        rule(main, 10, actions.checked([gone]), *by_path),
        rule(main, 20, forward((sticky, 1)), *by_path),
    )
    set_ = {attributes.IDLE_TIMEOUT: "5", attributes.PRESERVE_HOST: "true", attributes.FORWARDED_FOR: "remove"}
    targets = (
        target(),
        target("172.31.16.9", zone="eu-west-1b", port=8080, draining_until=1.0),
        target("172.31.32.9", zone="eu-west-1c"),
        target("10.0.0.1", zone="all"),
    )
    return wanted(
        balancer(attributes=set_),
        [Serving(listener=main, rules=rules), Serving(listener=other)],
        [Source(group=app, targets=targets), Source(group=blue), Source(group=sticky)],
    )


def _to_https() -> dict[str, Any]:
    return {"Protocol": "HTTPS", "StatusCode": "HTTP_301"}


def test_golden() -> None:
    text = msgspec.json.format(msgspec.json.encode(everything()), indent=2).decode() + "\n"
    golden = GOLDEN / "everything.json"
    assert text == golden.read_text(), f"the configuration changed; if it should, write it to {golden}"


def test_the_proxy_carries_all_of_it_out() -> None:
    known = everything()
    assert left_out(known) is None
    assert snapshot(known, {})


def test_it_survives_the_way_to_the_node() -> None:
    known = everything()
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(known), type=proxy.Wanted) == known


def test_only_enabled_zones_are_served() -> None:
    addresses = [each.address for each in everything().groups[0].targets]
    assert addresses == ["172.31.0.9", "172.31.16.9", "10.0.0.1"]


def test_addresses_follow_the_subnets_that_are_wanted() -> None:
    assert everything().balancers[0].addresses == ("172.31.0.4", "172.31.16.4")
    one = balancer(places=balancer().places[:1])
    assert wanted(one, [], []).balancers[0].addresses == ("172.31.0.4",)
