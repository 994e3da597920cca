"""What is refused, what is made complete, and what a target's health is called."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.core.errors import AwsError
from hatoba.fleet import model as fleet
from hatoba.fleet.carriers import choose
from hatoba.services.elbv2.model.group import HealthCheck
from hatoba.services.elbv2.plan import actions, attributes, conditions, health, health_check
from hatoba.services.elbv2.plan.names import check_name
from tests.unit.services.elbv2.records import balancer, group, target

ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/app/0000000000000003"
ZONES = frozenset({"eu-west-1a"})


def status(state: str, reason: str = "", text: str = "") -> fleet.TargetStatus:
    key = fleet.target_statuses.key(fleet.FLEET, "x")
    return fleet.TargetStatus(key=key, group="g", target="t", state=state, reason=reason, text=text)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (None, ("initial", "Elb.RegistrationInProgress", "Target registration is in progress")),
        (
            status("initial", "registering"),
            ("initial", "Elb.RegistrationInProgress", "Target registration is in progress"),
        ),
        (status("initial", "checking"), ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")),
        (status("healthy"), ("healthy", None, None)),
        (
            status("unhealthy", "code_mismatch", "Health checks failed with these codes: [502]"),
            ("unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [502]"),
        ),
        (status("unhealthy", "timeout", "Request timed out"), ("unhealthy", "Target.Timeout", "Request timed out")),
        (
            status("unhealthy", "failed", "Health checks failed"),
            ("unhealthy", "Target.FailedHealthChecks", "Health checks failed"),
        ),
    ],
)
def test_health_in_words(said: fleet.TargetStatus | None, shown: tuple[str, str | None, str | None]) -> None:
    assert health.health(target(), ZONES, said) == shown


def test_draining_and_unused_come_before_what_the_node_says() -> None:
    well = status("healthy")
    assert health.health(target(draining_until=9.0), None, well) == health.DRAINING
    assert health.health(target(), None, well) == health.UNUSED
    assert health.health(target(zone="eu-west-1c"), ZONES, well) == health.OTHER_ZONE
    assert health.health(target(zone="all"), ZONES, well).state == "healthy"


@pytest.mark.parametrize("name", ["", "a" * 33, "a_b", "-a", "a-", "internal-web", "é"])
def test_bad_names(name: str) -> None:
    with pytest.raises(AwsError, match="Load balancer name"):
        check_name(name, "Load balancer")


def test_good_names() -> None:
    check_name("a" * 32, "Load balancer")
    check_name("internal-app", "Target group")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ([], "at least one action"),
        ([{"Type": "authenticate-oidc"}], "authenticate-oidc' are not implemented yet"),
        ([{"Type": "forward"}], "must name a target group"),
        ([{"Type": "forward", "TargetGroupArn": ARN}] * 2, "only one action"),
        ([{"Type": "forward", "TargetGroupArn": ARN, "RedirectConfig": {}}], "of another type"),
        ([{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": ARN, "Weight": 1000}]}}], "weight"),
        ([{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": ARN}] * 2}}], "different"),
        ([{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}}], "creates a loop"),
        ([{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Port": "0"}}], "redirect port"),
        (
            [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Path": "/v2/#{query}"}}],
            "path '/v2/#{query}' cannot contain '#{query}'",
        ),
        ([{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Host": "#{port}"}}], "cannot contain"),
        ([{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Query": "#{x"}}], "cannot contain '#{x'"),
        ([{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Path": "/a b"}}], "not valid"),
        ([{"Type": "fixed-response"}], "fixed response configuration"),
        (
            [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "ContentType": "image/png"}}],
            "content type",
        ),
    ],
)
def test_bad_actions(given: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(AwsError, match=why):
        actions.checked(given)


def test_a_complete_action_is_complete_already() -> None:
    for action in (
        {"Type": "forward", "TargetGroupArn": ARN},
        {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_302", "Host": "example.com"}},
        {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}, "Order": 1},
    ):
        once = actions.checked([action])
        assert actions.checked([once]) == once


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ([], "condition must be specified"),
        ([{}], "field must be specified"),
        ([{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.1"]}}], "not a valid CIDR block"),
        ([{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/255.0.0.0"]}}], "not a valid CIDR block"),
        ([{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.1/8"]}}], "not a valid CIDR block"),
        ([{"Field": "path-pattern"}], "value must be specified"),
        ([{"Field": "path-pattern", "Values": ["/"]}] * 2, "only one condition"),
        ([{"Field": "path-pattern", "Values": [f"/{n}" for n in range(6)]}], "can only have '5'"),
        ([{"Field": "path-pattern", "Values": ["/a*?*", "/b*?*", "/*"]}], "can only have '6' condition wildcards"),
        ([{"Field": "path-pattern", "RegexValues": ["("]}], "'\\(' is not valid"),
        ([{"Field": "path-pattern", "RegexValues": ["a" * 129]}], "between 1 and 128"),
        ([{"Field": "path-pattern", "RegexValues": ["a"], "Values": ["a"]}], "both Values and RegexValues"),
        (
            [{"Field": "path-pattern", "RegexValues": ["a"], "PathPatternConfig": {"RegexValues": ["a"]}}],
            "both RegexValues and 'PathPatternConfig'",
        ),
        ([{"Field": "http-request-method", "RegexValues": ["a"]}], "RegexValues cannot be specified"),
        ([{"Field": "path-pattern", "HostHeaderConfig": {"Values": ["a"]}}], "another field"),
        ([{"Field": "http-header", "Values": ["a"]}], "must specify HttpHeaderConfig"),
        ([{"Field": "http-header", "HttpHeaderConfig": {"Values": ["a"]}}], "header name ''"),
        ([{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "Host", "Values": ["a"]}}], "host-header"),
        ([{"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["get"]}}], "HTTP method"),
        ([{"Field": "host-header", "Values": ["a b"]}], "not valid in a host name"),
        ([{"Field": "path-pattern", "Values": ["/\n"]}], "not valid"),
        ([{"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a"}]}}], "between 1 and 128"),
    ],
)
def test_bad_conditions(given: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(AwsError, match=why):
        conditions.checked(given)


@pytest.mark.parametrize(
    ("req", "why"),
    [
        ({"HealthCheckTimeoutSeconds": 30}, "interval must be greater than the timeout"),
        ({"HealthCheckPath": "index"}, "must begin with"),
        ({"HealthCheckPath": "/\x00"}, "not valid in a path"),
        ({"HealthCheckPort": "0"}, "port '0'"),
        ({"HealthCheckPort": "²"}, "port '²'"),
        ({"HealthCheckProtocol": "TCP"}, "protocol 'TCP'"),
        ({"HealthCheckEnabled": False}, "must be true"),
        ({"Matcher": {"HttpCode": "500"}}, "within '200-499'"),
        ({"Matcher": {"HttpCode": "299-200"}}, "within '200-499'"),
        ({"Matcher": {"HttpCode": ""}}, "must be codes"),
        ({"Matcher": {"GrpcCode": "0"}}, "GrpcCode is not supported"),
        ({"Matcher": {}}, "must be codes"),
    ],
)
def test_bad_health_checks(req: dict[str, Any], why: str) -> None:
    with pytest.raises(AwsError, match=why):
        health_check.checked(HealthCheck(), req, "HTTP1")


def test_health_check_defaults_and_ranges() -> None:
    assert health_check.checked(health_check.default("HTTP1"), {}, "HTTP1") == HealthCheck()
    grpc = health_check.default("GRPC")
    assert (grpc.path, grpc.codes) == ("/AWS.ALB/healthcheck", "12")
    assert health_check.ranges("200,202,300-399") == ((200, 200), (202, 202), (300, 399))


@given(st.text(max_size=12))
def test_any_matcher_is_understood_or_refused(text: str) -> None:
    try:
        after = health_check.checked(HealthCheck(), {"Matcher": {"HttpCode": text}}, "HTTP1")
    except AwsError:
        return
    assert all(200 <= low <= high <= 499 for low, high in health_check.ranges(after.codes))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("idle_timeout.timeout_seconds", "0"),
        ("idle_timeout.timeout_seconds", "4001"),
        ("idle_timeout.timeout_seconds", "1e3"),
        ("deletion_protection.enabled", "yes"),
        ("load_balancing.cross_zone.enabled", "false"),
        ("no.such.key", "true"),
    ],
)
def test_bad_balancer_attributes(key: str, value: str) -> None:
    with pytest.raises(AwsError, match=key):
        attributes.checked_for_balancer([{"Key": key, "Value": value}], balancer())


def test_group_attributes_have_to_go_together() -> None:
    with pytest.raises(AwsError, match="cookie_name"):
        attributes.checked_for_group(
            [{"Key": attributes.STICKY, "Value": "true"}, {"Key": attributes.STICKY_TYPE, "Value": "app_cookie"}],
            group(),
        )
    slow = attributes.checked_for_group([{"Key": attributes.SLOW_START, "Value": "30"}], group())
    with pytest.raises(AwsError, match="slow start"):
        attributes.checked_for_group(
            [{"Key": attributes.ALGORITHM, "Value": "weighted_random"}], group(attributes=slow)
        )
    assert attributes.of_group(group(attributes=slow))[attributes.SLOW_START] == "30"
    assert attributes.of_group(group())[attributes.DELAY] == "300"


def node(number: int, *, state: Any = "ready", schedulable: bool = True, **more: Any) -> fleet.Node:
    key = fleet.nodes.key(fleet.FLEET, f"n{number}")
    return fleet.Node(
        key=key, name="", number=number, address="", cpu=1, memory=1, state=state, schedulable=schedulable, **more
    )


def test_which_node() -> None:
    assert choose([], None, ()) is None
    assert choose([], "n1", ()) is None
    assert choose([node(2), node(1)], None, ()) == "n1"
    assert choose([node(2), node(1)], None, ("n2",)) == "n2"
    assert choose([node(1), node(2)], "n2", ()) == "n2"
    assert choose([node(1), node(2, state="lost")], "n2", ()) == "n1"
    assert choose([node(2, state="lost")], "n2", ()) == "n2"  # where else to go
    assert choose([node(1, schedulable=False), node(2)], None, ()) == "n2"
    assert choose([node(1, schedulable=False), node(2)], "n1", ()) == "n1"


def test_no_balancer_goes_to_a_node_of_somebodys_own() -> None:
    """Other accounts' certificates come with it."""
    own = node(1, account="123456789012", managed="mi-1")
    assert choose([own], None, ()) is None
    assert choose([own, node(2)], None, ("n1",)) == "n2"
    assert choose([own, node(2)], "n1", ()) == "n2"


def test_names_for_the_world() -> None:
    assert balancer().dns_name == "web-1234567890.eu-west-1.elb.amazonaws.com"
    assert balancer(scheme="internal").dns_name == "internal-web-1234567890.eu-west-1.elb.amazonaws.com"
    assert balancer().description == "ELB app/web/50dc6c495c0c9188"
