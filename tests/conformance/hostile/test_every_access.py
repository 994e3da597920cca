"""Whatever is asked of whatever operation, its room's access table says what is needed, and stumbles over nothing.

Requests are drawn from the shapes; in the place of some of their texts stand names and ARNs of what there is, whole,
cut short, of other kinds and of elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatoba.app.rooms import ROOMS
from hatoba.aws import models
from hatoba.gateway import access
from hatoba.gateway.call import Call
from hatoba.gateway.needs import Need
from tests.conformance.aws.aws_oracle import Values
from tests.conformance.hostile.composed import SCOPE, Composed, composed

ODD = (
    "arn:",
    "arn:aws:ecs",
    "arn:aws:{}:us-east-1:123456789012:",
    "arn:aws:{}:eu-west-1:999999999999:x/y/z/{}:7",
    "arn:aws:iam::123456789012:role/",
    "a:b:c",
    "/",
    ":",
    "*",
    "",
    "9" * 5000,
)
# What a room's operations may need of others.
BESIDE = ("iam:PassRole", "iam:CreateServiceLinkedRole", "kms:", "ssm:", "ec2:CreateTags", "lambda:InvokeFunction")
ELSEWHERE = {"ssm:StartSession": ("ecs",)}  # what an action knows of other services' resources
SERVICES = sorted(room.service.name for room in ROOMS)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    with composed(Path(tmp_path_factory.mktemp("composed"))) as platform:
        platform.ready()
        yield platform


@pytest.mark.slow
@pytest.mark.parametrize("service", SERVICES)
def test_needs_of_any_request(platform: Composed, service: str) -> None:
    room = next(room.service for room in ROOMS if room.service.name == service)
    names = sorted(name for name in models.load(service).operations if room.handler(name) is not None)
    values = Values(service, output=False)
    pool = [*(text.replace("{}", service) for text in ODD), *texts(platform.known)]

    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        operation = values.model.operation(data.draw(st.sampled_from(names)))
        assert operation is not None
        drawn = data.draw(values.of(operation))
        params = placed(drawn, pool, Random(data.draw(st.integers(0, 2**16))))
        needs = list(room.access.needs(operation.name, params, call(platform, service, operation.name)))
        for need in needs:
            sound(need, room.access.prefix, texts(params))

    check()


@pytest.mark.parametrize("service", SERVICES)
def test_needs_of_a_request_that_says_nothing(platform: Composed, service: str) -> None:
    """What is missing is for the operation to say."""
    room = next(room.service for room in ROOMS if room.service.name == service)
    for name in models.load(service).operations:
        if room.handler(name) is not None:
            for need in room.access.needs(name, {}, call(platform, service, name)):
                sound(need, room.access.prefix, [])


def sound(need: Need, prefix: str, given: list[str]) -> None:
    """Its action is one of the room's, or known to be of another; its resource an ARN, or what the request says."""
    own = need.action.startswith(f"{prefix}:")
    assert own or need.action.startswith(BESIDE), need
    resource = need.resource
    services = (need.action.partition(":")[0], *ELSEWHERE.get(need.action, ()))
    assert resource == "*" or resource in given or resource.startswith(tuple(f"arn:aws:{one}:" for one in services)), (
        need
    )
    for key, value in need.keys.items():
        assert ":" in key, need
        assert isinstance(value, str) or all(isinstance(one, str) for one in value), need


def call(platform: Composed, service: str, operation: str) -> Call:
    root = access.root("aws", SCOPE.account)
    return Call(platform.plane, scope=SCOPE, service=service, operation=operation, principal=root, request_id="r")


def placed(value: Any, pool: list[str], chance: Random) -> Any:
    """The same request, with some of its texts taken from the pool."""
    match value:
        case dict():
            return {name: placed(item, pool, chance) for name, item in value.items()}
        case list():
            return [placed(item, pool, chance) for item in value]
        case str():
            return chance.choice(pool) if chance.random() < 0.7 else value
        case _:
            return value


def texts(value: Any) -> list[str]:
    match value:
        case dict():
            return [text for item in value.values() for text in texts(item)]
        case list() | tuple():
            return [text for item in value for text in texts(item)]
        case str():
            return [value]
        case _:
            return []
