"""Rooms that call each other: the same rules as for a client, and the same errors."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from botocore import xform_name

from hatoba.aws import models
from hatoba.aws.conform import Nonconforming
from hatoba.aws.models import Operation
from hatoba.aws.shapes import ecs as ecs_shapes
from hatoba.aws.shapes import elbv2 as t
from hatoba.core.errors import AwsError
from hatoba.gateway.access import denied
from hatoba.gateway.call import Call, Principal
from hatoba.gateway.needs import Need
from hatoba.gateway.room import Service, snake
from tests.unit.gateway.plane import SCOPE, door, plane, things, write
from tests.unit.gateway.wire import on_uvloop


def balancers() -> Service:
    elbv2 = Service("elbv2", alias="elasticloadbalancingv2")

    @elbv2.operation
    async def describe_target_groups(req: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"TargetGroups": [{"TargetGroupName": name, "VpcId": call.principal.arn} for name in req["Names"]]}

    @elbv2.operation
    async def describe_target_health(req: dict[str, Any], call: Call) -> dict[str, Any]:
        raise AwsError("Not there.", code="TargetGroupNotFound")

    @elbv2.operation
    async def register_targets(req: dict[str, Any], call: Call) -> dict[str, Any]:
        write(call, req["TargetGroupArn"])
        return {}

    @elbv2.operation
    async def deregister_targets(req: dict[str, Any], call: Call) -> dict[str, Any]:
        write(call, "x", version=7)
        return {}

    @elbv2.operation
    async def delete_listener(req: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"Nonsense": 1}

    return elbv2


@on_uvloop
async def test_a_call_under_the_service_role_of_who_asks() -> None:
    with plane(balancers()) as (made, _):
        answer = await door(made).elbv2.describe_target_groups(Names=["a", "b"])
        names = [group["TargetGroupName"] for group in answer["TargetGroups"]]
        assert names == ["a", "b"]
        assert answer["TargetGroups"][0]["VpcId"] == ("arn:aws:sts::123456789012:assumed-role/AWSServiceRoleForECS/ecs")


@on_uvloop
async def test_a_service_answers_to_its_alias_and_to_hyphens() -> None:
    scaling = Service("application-autoscaling")

    @scaling.operation
    async def describe_scalable_targets(req: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"ScalableTargets": []}

    with plane(balancers(), scaling) as (made, _):
        await door(made).elasticloadbalancingv2.describe_target_groups(Names=["a"])
        await door(made).application_autoscaling.describe_scalable_targets(ServiceNamespace="ecs")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"Name": ["a"]}, "has no member Name"),
        ({"Names": "a"}, "is no list"),
        ({"Names": [1]}, "is no str"),
    ],
)
@on_uvloop
async def test_what_no_client_could_send_is_a_bug_of_the_caller(params: dict[str, Any], said: str) -> None:
    with plane(balancers()) as (made, _):
        with pytest.raises(Nonconforming, match=said):
            await door(made).elbv2.describe_target_groups(**params)


@on_uvloop
async def test_the_constraints_of_the_model_hold_between_rooms_too() -> None:
    with plane(balancers()) as (made, _):
        with pytest.raises(AwsError, match="Member must have value less than or equal to 400"):
            await door(made).elbv2.describe_target_groups(PageSize=1000)


@on_uvloop
async def test_errors_are_those_of_the_called_services_shapes() -> None:
    with plane(balancers()) as (made, _):
        with pytest.raises(t.TargetGroupNotFoundException, match="Not there") as raised:
            await door(made).elbv2.describe_target_health(TargetGroupArn="x")
        assert raised.value.code == "TargetGroupNotFound"


@on_uvloop
async def test_what_is_not_there_is_named() -> None:
    with plane(balancers()) as (made, _):
        aws = door(made)
        with pytest.raises(AwsError, match=r"elbv2\.CreateRule .+ not implement") as missing:
            await aws.elbv2.create_rule(ListenerArn="x", Conditions=[], Priority=1, Actions=[])
        assert missing.value.code == "NotImplementedException"
        with pytest.raises(AwsError, match="elbv2 has no operation nonsense"):
            await aws.elbv2.nonsense()
        with pytest.raises(AwsError, match="no service 'nonsense'"):
            await aws.nonsense.operation()
        with pytest.raises(AwsError, match=r"lambda\.Invoke .+ not implement"):
            await aws.lambda_.invoke(FunctionName="f")  # Python has a word of that name


@on_uvloop
async def test_an_answer_is_durable_before_it_is_given() -> None:
    with plane(balancers()) as (made, journal):
        journal.may_write.clear()
        asking = asyncio.ensure_future(door(made).elbv2.register_targets(TargetGroupArn="x", Targets=[]))
        reading = asyncio.ensure_future(door(made).elbv2.describe_target_groups(Names=["a"]))
        failing = asyncio.ensure_future(door(made).elbv2.describe_target_health(TargetGroupArn="x"))
        for _ in range(10):
            await asyncio.sleep(0)
        assert made.store.find(things, SCOPE, "x") is not None
        # The write is in memory: a read and an error may tell of it, so that they wait as well.
        assert not asking.done()
        assert not reading.done()
        assert not failing.done()
        journal.may_write.set()
        await asking
        await reading
        with pytest.raises(AwsError):
            await failing


@on_uvloop
async def test_a_lost_race_is_the_services_own_fault() -> None:
    with plane(balancers()) as (made, _):
        with pytest.raises(AwsError, match="Another request changed") as raised:
            await door(made).elbv2.deregister_targets(TargetGroupArn="x", Targets=[])
        assert raised.value.status >= 500


@on_uvloop
async def test_an_answer_that_the_model_does_not_know_fails_in_tests() -> None:
    with plane(balancers()) as (made, _):
        with pytest.raises(Nonconforming, match="Nonsense"):
            await door(made).elbv2.delete_listener(ListenerArn="x")


@on_uvloop
async def test_the_door_asks_the_authorizer() -> None:
    asked: list[tuple[str, str, str]] = []

    class Nobody:
        def decide(self, call: Call, operation: Operation, needs: Iterable[Need]) -> None:
            asked.append((call.principal.kind, operation.name, call.scope.region))
            raise denied(call.principal, operation, next(iter(needs)), "because nobody may")

    with plane(balancers(), authorizer=Nobody()) as (made, _):
        with pytest.raises(AwsError, match="is not authorized to perform: elasticloadbalancing:RegisterTargets"):
            await door(made).elbv2.register_targets(TargetGroupArn="x", Targets=[])
        assert asked == [("service", "RegisterTargets", "eu-west-1")]
        assert made.store.find(things, SCOPE, "x") is None


@on_uvloop
async def test_an_operation_may_demand_more_than_its_table_says() -> None:
    """And as whom it asks further is known: the caller's permissions, and through which service."""
    logs, lambda_ = Service("logs"), Service("lambda")
    seen: list[tuple[str, str, str, tuple[str, ...]]] = []

    @logs.operation
    async def put_subscription_filter(req: dict[str, Any], call: Call) -> None:
        call.demand(Need(action="logs:One"), Need(action="logs:Two", resource="arn"))
        await call.aws_as_caller.lambda_.invoke(FunctionName="f")
        await call.aws.lambda_.invoke(FunctionName="f")

    @lambda_.operation
    async def invoke(req: dict[str, Any], call: Call) -> dict[str, Any]:
        seen.append((call.principal.kind, call.principal.arn.rpartition("/")[2], call.by, call.via))
        return {}

    class NotTwo:
        def decide(self, call: Call, operation: Operation, needs: Iterable[Need]) -> None:
            for need in needs:
                if need.action == "logs:Two" and "strict" in call.principal.id:
                    raise denied(call.principal, operation, need, "because")

    def door_of(made: Any, name: str) -> Any:
        user = Principal(kind="user", account="123456789012", arn=f"arn:aws:iam::123456789012:user/{name}", id=name)
        return made.door(SCOPE, "test", user)

    request = {"logGroupName": "g", "filterName": "f", "filterPattern": "", "destinationArn": "arn:aws:x"}
    with plane(logs, lambda_, authorizer=NotTwo()) as (made, _):
        with pytest.raises(AwsError, match="perform: logs:Two on resource: arn because"):
            await door_of(made, "strict").logs.put_subscription_filter(**request)
        assert seen == []
        await door_of(made, "ann").logs.put_subscription_filter(**request)
        assert seen == [("user", "ann", "logs", ("logs",)), ("service", "logs", "logs", ())]


@on_uvloop
async def test_a_token_that_the_model_demands_is_made_for_the_caller() -> None:
    """As the SDKs do; each call has its own."""
    efs = Service("efs")

    @efs.operation
    async def create_access_point(req: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"ClientToken": req["ClientToken"]}

    with plane(efs) as (made, _):
        aws = door(made)
        first, second, mine = [
            (await aws.efs.create_access_point(FileSystemId="fs-01234567", **given))["ClientToken"]
            for given in ({}, {}, {"ClientToken": "mine"})
        ]
        assert len({first, second, mine}) == 3
        assert mine == "mine"


def test_a_room_cannot_declare_an_operation_twice() -> None:
    service = balancers()

    async def delete_listener(req: dict[str, Any], call: Call) -> dict[str, Any]:
        return {}

    with pytest.raises(TypeError, match="twice"):
        service.operation(delete_listener)


def test_an_undeclared_error_fails_in_tests() -> None:
    ecs = Service("ecs")

    @ecs.operation
    async def list_clusters(req: dict[str, Any], call: Call) -> dict[str, Any]:
        raise ecs_shapes.ClusterNotFoundException("not declared there")

    @on_uvloop
    async def case() -> None:
        with plane(ecs) as (made, _):
            with pytest.raises(Nonconforming, match="does not declare"):
                await door(made).ecs.list_clusters()

    case()


@pytest.mark.parametrize(
    "service",
    [
        "ecs", "ecr", "ec2", "elbv2", "iam", "sts", "logs", "cloudwatch", "events", "ssm", "secretsmanager", "kms",
        "servicediscovery", "appmesh", "application-autoscaling", "autoscaling", "codedeploy", "codebuild",
        "codepipeline", "codecommit", "eks", "apprunner", "batch", "cloudformation", "xray", "route53", "s3", "sqs",
    ],
)  # fmt: skip
def test_our_names_of_operations_are_the_sdks(service: str) -> None:
    for operation in models.load(service).operations:
        assert snake(operation) == xform_name(operation)
