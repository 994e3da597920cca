"""Every operation of every room is decided: without a policy it is refused in its service's words and changes nothing;
with what it needs, and nothing else, it is not refused.

What it needs is found out by being refused: each time the one thing that was lacking is allowed, action and resource,
until nothing is lacking any more. So a need that no policy can meet, and one that is never asked for, are noticed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatoba.app.rooms import ROOMS
from hatoba.aws import models, validate
from hatoba.aws.models import Operation
from hatoba.core.errors import AwsError
from hatoba.gateway.access import Authorizer
from hatoba.gateway.call import Call, Principal
from hatoba.gateway.needs import Need, anyone, inside
from hatoba.services.iam.authorizer import PolicyAuthorizer
from hatoba.services.iam.model import USER
from hatoba.store import Store
from tests.conformance.hostile.composed import SCOPE, Composed, composed
from tests.conformance.hostile.spoiled import true_inputs
from tests.conformance.hostile.test_every_operation import STREAMS, found, operations

LIMITED = Principal(kind="user", account=SCOPE.account, arn=f"arn:aws:iam::{SCOPE.account}:user/limited", id="")
MOST = 20  # things that one request needs
SEVERAL = 4  # resources of one action
# What AWS answers to anybody, and what decides only once it has looked further.
FREE = {"GetCallerIdentity", "GetSessionToken", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}
BY_ITSELF = {"AssumeRole"}
EACH = {"DeleteObjects"}  # answers what was refused of several things, one by one
CODES = {"ec2": "UnauthorizedOperation", "query": "AccessDenied", "rest-xml": "AccessDenied"}
SERVICES = sorted(room.service.name for room in ROOMS)


class Judge:
    """Policies decide about one user; everybody else, rooms and who prepares, may do everything."""

    def __init__(self, store: Store) -> None:
        self._policies: Authorizer = PolicyAuthorizer(store)
        self.lacking: Need | None = None  # what was refused last
        self.asked = 0

    def decide(self, call: Call, operation: Operation, needs: Iterable[Need]) -> None:
        if call.principal is not LIMITED:
            return
        for need in needs:
            self.asked += 1
            try:
                self._policies.decide(call, operation, [need])
            except AwsError:
                self.lacking = need
                raise


class World:
    def __init__(self, platform: Composed, judge: Judge) -> None:
        self.platform, self.judge = platform, judge
        self._spent = True

    def ready(self) -> dict[str, Any]:
        """What requests may name; made anew if one has been carried out."""
        if self._spent:
            self.platform.ready()
            self._spent = False
        return self.platform.known

    def allow(self, *needs: Need) -> None:
        """These, and nothing else."""
        statements = [{"Effect": "Allow", "Action": need.action, "Resource": need.resource} for need in needs]
        self.hold({"Version": "2012-10-17", "Statement": statements} if needs else None)

    def hold(self, policy: dict[str, Any] | None) -> None:
        async def write() -> None:
            store = self.platform.plane.store
            with store.tx() as tx:
                user = USER.the(tx, SCOPE, "limited")
                tx.put(
                    USER.table,
                    msgspec.structs.replace(user, inline={} if policy is None else {"policy": json.dumps(policy)}),
                )
            await store.durable()

        self.platform.wait(write())

    def call(self, operation: Operation) -> Call:
        """The user's."""
        return Call(
            self.platform.plane,
            scope=SCOPE,
            service=operation.service,
            operation=operation.name,
            principal=LIMITED,
            request_id="r",
            source_ip="127.0.0.1",
        )

    def ask(self, operation: Operation, params: dict[str, Any]) -> AwsError | None:
        """As the user; None when it was carried out."""
        plane = self.platform.plane
        bound = plane.operations.find(operation.model, operation.name)
        assert bound is not None
        call = self.call(operation)
        self.judge.lacking, self.judge.asked = None, 0
        try:
            self.platform.wait(plane.operations.perform(bound, params, call))
        except AwsError as error:
            return error
        self._spent = True
        return None


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    judges: list[Judge] = []

    def judge(store: Store) -> Judge:
        judges.append(Judge(store))
        return judges[-1]

    with composed(Path(tmp_path_factory.mktemp("composed")), judge) as platform:
        yield World(platform, judges[0])


def decided(service: str) -> list[Operation]:
    """All but those that anybody may ask."""
    names = [name for of, name in operations() if of == service and name not in {*FREE, *STREAMS}]
    return [found(service, name) for name in names]


def test_few_operations_are_anybodys() -> None:
    rules = [(name, rule) for room in ROOMS for name, rule in room.service.access.rules.items()]
    assert {name for name, rule in rules if rule is anyone} == FREE
    assert {name for name, rule in rules if rule is inside} == BY_ITSELF | EACH


@pytest.mark.parametrize("service", SERVICES)
def test_without_a_policy_nothing_is_allowed_and_nothing_changes(world: World, service: str) -> None:
    code = CODES.get(models.load(service).protocol, "AccessDeniedException")
    world.ready()
    world.hold(None)
    for operation in decided(service):
        asked = sound_inputs(operation, world.ready())
        assert asked, f"{operation.name}: no request passes the model (tests/conformance/hostile/passing.py)"
        refused = 0
        for params in asked:
            before = world.platform.seq
            error = world.ask(operation, params)
            if operation.name in EACH and world.judge.lacking is not None:
                assert world.platform.seq == before
                refused += 1
                continue
            assert error is not None, (operation.name, params)
            assert world.platform.seq == before, operation.name
            if world.judge.asked == 0 and operation.name in BY_ITSELF | EACH:
                continue
            assert error.code == code, (operation.name, error.code, error.message)
            assert f"User: {LIMITED.arn} is not authorized to perform: " in error.message, (operation.name, error)
            refused += 1
        assert refused, operation.name


@pytest.mark.slow
@pytest.mark.parametrize("service", SERVICES)
def test_with_what_it_needs_and_nothing_else_it_is_allowed(world: World, service: str) -> None:
    for operation in decided(service):
        for which in range(len(sound_inputs(operation, world.ready()))):
            needed = needs_of(world, operation, sound_inputs(operation, world.ready())[which])
            assert needed or operation.name in BY_ITSELF | EACH, operation.name


def sound_inputs(operation: Operation, known: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that the model allows: others are refused before anybody is asked."""

    def sound(params: dict[str, Any]) -> bool:
        try:
            validate.check(operation, params)
        except AwsError:
            return False
        return True

    return [params for params in true_inputs(operation, known) if sound(params)]


def needs_of(world: World, operation: Operation, params: dict[str, Any]) -> list[Need]:
    needed: list[Need] = []
    for _ in range(MOST):
        world.allow(*needed)
        error = world.ask(operation, params)
        lacking = world.judge.lacking
        if lacking is None:
            assert error is None or "is not authorized to perform: " not in error.message, (operation.name, error)
            return needed
        known = [(need.action, need.resource) for need in needed]
        assert (lacking.action, lacking.resource) not in known, (operation.name, lacking)
        if [action for action, _ in known].count(lacking.action) == SEVERAL:
            # What is only made by the request has another name each time: its kind is what can be allowed.
            kind = f"{lacking.resource.rpartition('/')[0]}/*"
            assert (lacking.action, kind) not in known, (operation.name, lacking)
            lacking = msgspec.structs.replace(lacking, resource=kind)
        needed.append(lacking)
    raise AssertionError(f"{operation.name} is never satisfied: {needed}")
