"""Validation in AWS's words, our own strictness, and the models' patterns."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.aws import conform, models, validate
from hatoba.aws.models import Operation
from hatoba.aws.patterns import _TAMED, compiled
from hatoba.core.errors import AwsError


def operation(service: str, name: str) -> Operation:
    found = models.load(service).operation(name)
    assert found is not None
    return found


def refusal(service: str, name: str, params: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        validate.check(operation(service, name), params)
    assert caught.value.status == 400
    return caught.value.code, caught.value.message


_ONE = "1 validation error detected: "


@pytest.mark.parametrize(
    ("service", "name", "params", "code", "message"),
    [
        (
            "ecs",
            "RunTask",
            {"taskDefinition": "a", "launchType": "LAMBDA"},
            "InvalidParameterException",
            f"{_ONE}Value 'LAMBDA' at 'launchType' failed to satisfy constraint: "
            "Member must satisfy enum value set: [EC2, FARGATE, EXTERNAL, MANAGED_INSTANCES]",
        ),
        (
            "ecs",
            "RunTask",
            {"count": 1},
            "InvalidParameterException",
            f"{_ONE}Value null at 'taskDefinition' failed to satisfy constraint: Member must not be null",
        ),
        (
            "ecs",
            "RunTask",
            {"taskDefinition": "a", "networkConfiguration": {"awsvpcConfiguration": {}}},
            "InvalidParameterException",
            f"{_ONE}Value null at 'networkConfiguration.awsvpcConfiguration.subnets' failed to satisfy constraint: "
            "Member must not be null",
        ),
        (
            "ecr",
            "CreateRepository",
            {"repositoryName": "A"},
            "InvalidParameterException",
            "2 validation errors detected: Value 'A' at 'repositoryName' failed to satisfy constraint: Member must "
            "have length greater than or equal to 2; Value 'A' at 'repositoryName' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
            r"(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*",
        ),
        (
            "iam",
            "CreateUser",
            {"UserName": "ok", "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c"}]},
            "ValidationError",
            f"{_ONE}Value null at 'tags.2.member.value' failed to satisfy constraint: Member must not be null",
        ),
        (
            "logs",
            "CreateLogGroup",
            {"logGroupName": "a", "tags": {"k": "v" * 257}},
            "InvalidParameterException",
            f"{_ONE}Value '{{k={'v' * 257}}}' at 'tags' failed to satisfy constraint: Map value must satisfy "
            "constraint: [Member must have length less than or equal to 256]",
        ),
        (
            "sts",
            "AssumeRole",
            {"RoleArn": "arn:aws:iam::123456789012:role/a", "RoleSessionName": "ok", "DurationSeconds": 899},
            "ValidationError",
            f"{_ONE}Value '899' at 'durationSeconds' failed to satisfy constraint: "
            "Member must have value greater than or equal to 900",
        ),
        ("ec2", "CreateSubnet", {}, "MissingParameter", "The request must contain the parameter vpcId"),
        (
            "ec2",
            "RunInstances",
            {"MaxCount": 1, "MinCount": 1, "InstanceType": "zx81"},
            "InvalidParameterValue",
            "Value (zx81) for parameter instanceType is invalid.",
        ),
        (
            "elbv2",
            "CreateTargetGroup",
            {"Name": "a", "Port": 65536},
            "ValidationError",
            f"{_ONE}Value '65536' at 'port' failed to satisfy constraint: "
            "Member must have value less than or equal to 65535",
        ),
    ],
)
def test_refusals(service: str, name: str, params: dict[str, Any], code: str, message: str) -> None:
    assert refusal(service, name, params) == (code, message)


def test_what_keeps_to_its_shape_passes() -> None:
    validate.check(operation("ecs", "ListClusters"), {})
    validate.check(operation("ecs", "RunTask"), {"taskDefinition": "a", "count": 5, "launchType": "FARGATE"})
    validate.check(operation("sts", "GetCallerIdentity"), {})
    validate.check(operation("ec2", "DescribeVpcs"), {"MaxResults": 5})


def test_many_violations_are_all_told() -> None:
    _, message = refusal("ecs", "RunTask", {"launchType": "x", "tags": [{"key": "k" * 129}]})
    assert message.startswith("3 validation errors detected: ")


def test_secrets_are_not_repeated() -> None:
    _, message = refusal("iam", "ChangePassword", {"OldPassword": "hush" * 40, "NewPassword": "n"})
    assert "hush" not in message
    assert "***Sensitive Data Redacted***" in message


def test_what_models_forget_to_mark_is_not_repeated_either() -> None:
    _, message = refusal("sts", "GetSessionToken", {"SerialNumber": "x" * 9, "TokenCode": "hush-hush"})
    assert "hush" not in message
    assert "***Sensitive Data Redacted***' at 'tokenCode'" in message


def test_nor_is_a_secret_in_something_larger() -> None:
    """Lists and maps are shown with what breaks their rules."""
    _, message = refusal("ssm", "StartSession", {"Target": "t", "Parameters": {"k" * 256: ["hush"]}})
    assert "hush" not in message
    assert "at 'parameters'" in message


def test_huge_values_are_not_repeated_whole() -> None:
    _, message = refusal("logs", "CreateLogGroup", {"logGroupName": "x" * 10**6})
    assert len(message) < 2000


def test_unions_have_one_member() -> None:
    listener = {"portMapping": {"port": 80, "protocol": "http"}, "connectionPool": {}}
    code, message = refusal(
        "appmesh",
        "CreateVirtualNode",
        {"meshName": "m", "virtualNodeName": "n", "spec": {"listeners": [listener]}},
    )
    assert code == "BadRequestException"
    assert "connectionPool' failed to satisfy constraint: Member must have exactly one member set" in message


def test_recursive_shapes() -> None:
    """`iam` has none, `elbv2` none; Batch's and Glue's conditions hold themselves."""
    deep: dict[str, Any] = {"Dimensions": {"Key": "REGION", "Values": ["a"]}}
    for _ in range(20):
        deep = {"Not": deep}
    found = operation("ce", "GetCostAndUsage")
    params = {"TimePeriod": {"Start": "2024-01-01", "End": "2024-01-02"}, "Granularity": "DAILY", "Metrics": ["a"]}
    validate.check(found, params | {"Filter": deep})
    deep["Not"]["Not"]["Dimensions"] = {"Key": "nowhere"}
    with pytest.raises(AwsError, match=r"filter\.not\.not\.dimensions\.key"):
        validate.check(found, params | {"Filter": deep})


class TestConform:
    def test_good(self) -> None:
        cluster = {"clusterName": "a", "registeredContainerInstancesCount": 0, "tags": [{"key": "a"}]}
        conform.output(operation("ecs", "DescribeClusters"), {"clusters": [cluster], "failures": []})
        conform.output(operation("ecs", "DescribeTasks"), {"tasks": [{"createdAt": 1, "startedAt": None}]})

    @pytest.mark.parametrize(
        ("result", "says"),
        [
            ({"clusterz": []}, "has no member clusterz"),
            ({"clusters": [{"name": "a"}]}, r"clusters\[0\]: Cluster has no member name"),
            ({"clusters": {}}, "clusters: {} is no list"),
            ({"clusters": [{"runningTasksCount": "1"}]}, "'1' is no int"),
            ({"clusters": [{"runningTasksCount": True}]}, "True is no int"),
            ({"clusters": [{"settings": [{"name": "wrong"}]}]}, "'wrong' is none of containerInsights"),
            ({"clusters": [None]}, "None is no dict"),
        ],
    )
    def test_bad(self, result: dict[str, Any], says: str) -> None:
        with pytest.raises(conform.Nonconforming, match=says):
            conform.output(operation("ecs", "DescribeClusters"), result)

    def test_required(self) -> None:
        with pytest.raises(conform.Nonconforming, match="required member taskDefinition is missing"):
            conform.input(operation("ecs", "RunTask"), {"count": 1})

    def test_nothing_where_there_is_no_output(self) -> None:
        conform.output(operation("iam", "DeleteUser"), {})
        with pytest.raises(conform.Nonconforming):
            conform.output(operation("iam", "DeleteUser"), {"a": 1})

    def test_errors(self) -> None:
        delete = operation("ecs", "DeleteCluster")
        conform.error(delete, AwsError("", code="ClusterNotFoundException"))
        conform.error(delete, AwsError("", code="AccessDeniedException"))
        with pytest.raises(conform.Nonconforming, match="does not declare the error NoSuchEntity"):
            conform.error(delete, AwsError("", code="NoSuchEntity"))
        conform.error(operation("iam", "DeleteUser"), AwsError("", code="NoSuchEntity"))
        conform.error(operation("ec2", "CreateVpc"), AwsError("", code="VpcLimitExceeded"))


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "Straße 12: ok", "a#b"),
        (r"\p{L}+", "é", "1-"),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*", "a\U0001f600\n", "\x00"),
        (r"^[\x{20}-\x{7e}]+$", "abc", "é"),
        (r"^([\p{Alnum}-]+)$", "a-1", "a b"),
        ("abc", "abc", "abcd"),
    ],
)
def test_patterns(pattern: str, yes: str, no: str) -> None:
    expression = compiled(pattern)
    assert expression is not None
    assert expression.fullmatch(yes)
    assert not expression.fullmatch(no)


NEAR = [
    "application-autoscaling", "apprunner", "appmesh", "batch", "cloudformation", "cloudwatch", "codebuild",
    "codecommit", "codedeploy", "codepipeline", "ec2", "ecr", "ecr-public", "ecs", "eks", "elbv2", "events", "iam",
    "kms", "lambda", "logs", "route53", "secretsmanager", "servicediscovery", "ssm", "sts", "xray",
]  # fmt: skip


@pytest.mark.parametrize("service", NEAR)
def test_patterns_are_understood_and_quick(service: str) -> None:
    """Exponential ones show on short texts already: each step is 8 characters longer than one that was quick."""
    patterns = {shape.pattern for shape in models.load(service).shapes.values() if shape.pattern}
    units = ["a", "A", "0", "-", ".", "/", " ", "a-", "a.", "a/", "aa/", "a:", "a ", "a@", "a0", "arn:aws:", "é"]
    for pattern in patterns:
        expression = compiled(pattern)
        assert expression is not None, pattern
        for unit in units:
            for length in range(16, 72, 8):
                text = (unit * length)[:length] + "\0"
                began = time.thread_time()
                expression.fullmatch(text)
                assert time.thread_time() - began < 0.1, (pattern, text)  # microseconds, unless it is exponential


@given(st.text("a0*.-/_A", max_size=8), st.text("\t a:~", max_size=6))
def test_tamed_patterns_mean_the_same(name: str, value: str) -> None:
    for pattern, text in zip(_TAMED, (name, value, value), strict=True):
        expression = compiled(pattern)
        assert expression is not None
        assert bool(expression.fullmatch(text)) == bool(re.fullmatch(pattern, text))


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"[\w+=,.@-]+", "alice.B_1@x-y", "\u0430lice"),  # a Cyrillic letter that looks like ours
        (r"[\w+=,.@-]+", "k", "\u212a"),  # the sign for Kelvin, which is a k in lower case
        (r"\d{12}", "123456789012", "\u0661" * 12),
        (r"^[\w-_]+$", "a-_", "\u00fc"),
        (r"\w+@\w+", "a@b", "\u00fc@b"),
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "\u00dcnal Stra\u00dfe \u0661", "{"),
    ],
)
def test_letters_and_digits_are_asciis_unless_a_property_says_more(pattern: str, good: str, bad: str) -> None:
    found = compiled(pattern)
    assert found is not None
    assert (found.fullmatch(good) is not None, found.fullmatch(bad) is not None) == (True, False)
