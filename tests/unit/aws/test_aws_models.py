"""Models, the index and the generated files."""

from __future__ import annotations

import pytest

from hatoba.aws import generate, index, models
from hatoba.aws.models import UnknownService
from hatoba.aws.shapes import ec2, ecs, error_class
from hatoba.core.errors import AwsError


@pytest.mark.parametrize(("path", "data"), generate.outputs().items(), ids=lambda value: getattr(value, "name", ""))
def test_generated_files_are_current(path: generate.Path, data: bytes) -> None:
    """If not: python -m hatoba.aws.generate"""
    assert path.read_bytes() == data


@pytest.mark.parametrize("name", models.services())
def test_every_model_loads(name: str) -> None:
    model = models.load(name)
    for operation_name in model.operations:
        operation = model.operation(operation_name)
        assert operation is not None
        assert all(model.shapes[error].exception for error in operation.errors)


@pytest.mark.parametrize("name", ["", "nothing", "../ecs", "ecs/2014-11-13", "*"])
def test_unknown_services(name: str) -> None:
    with pytest.raises(UnknownService):
        models.load(name)


def test_operations() -> None:
    logs = models.load("logs")
    tail = logs.operation("StartLiveTail")
    assert tail is not None
    assert (tail.event_output, tail.streaming_output, tail.token_member) == ("responseStream", None, None)
    assert logs.operation("Nothing") is None
    assert logs.operation("StartLiveTail") is tail
    run = models.load("ecs").operation("RunTask")
    assert run is not None
    assert run.token_member == "clientToken"
    assert "ClusterNotFoundException" in run.errors
    put = models.load("s3").operation("PutObject")
    assert put is not None
    assert (put.streaming_input, put.method, put.uri) == ("Body", "PUT", "/{Bucket}/{Key+}")
    web = models.load("sts").operation("AssumeRoleWithWebIdentity")
    assert web is not None
    assert not web.wants_signature


def test_protocols_of_a_service() -> None:
    cloudwatch = models.load("cloudwatch")
    assert cloudwatch.protocols == ("smithy-rpc-v2-cbor", "json", "query")
    assert cloudwatch.query_compatible
    assert models.load("ecs").target_prefix == "AmazonEC2ContainerServiceV20141113"
    assert models.load("ec2").xml_namespace == "http://ec2.amazonaws.com/doc/2016-11-15"


def test_index() -> None:
    assert [s.name for s in index.by_signing_name("elasticloadbalancing")] == ["elb", "elbv2"]
    assert [s.name for s in index.by_target_prefix("Logs_20140328")] == ["logs"]
    assert [s.name for s in index.by_endpoint_prefix("api.ecr")] == ["ecr"]
    assert index.by_name("nothing") is None
    assert index.choose(()) is None
    ecs_service = index.choose(index.by_signing_name("ecs"))
    assert ecs_service is not None
    assert ecs_service.name == "ecs"


def test_error_classes() -> None:
    error = ecs.ClusterNotFoundException("Cluster not found.")
    assert isinstance(error, AwsError)
    assert (error.code, error.status, error.message) == ("ClusterNotFoundException", 400, "Cluster not found.")
    assert ecs.ClusterNotFoundException is error_class("ecs", "ClusterNotFoundException")
    assert ecs.ServerException("").status == 500
    # The query protocols' own codes.
    assert error_class("iam", "NoSuchEntityException")("").code == "NoSuchEntity"
    assert error_class("iam", "NoSuchEntityException")("").status == 404


def test_shapes_at_run_time() -> None:
    assert ecs.Tag(key="a", value="b") == {"key": "a", "value": "b"}
    assert ec2.Vpc(VpcId="vpc-1") == {"VpcId": "vpc-1"}
    with pytest.raises(AttributeError, match="ecs has no shape named 'Nothing'"):
        ecs.Nothing  # noqa: B018
