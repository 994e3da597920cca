"""What time does to parameters: their policies are carried out; and what two requests do at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hatoba.gateway.room import Service
from hatoba.services.ssm.api import put
from tests.unit.services.keeping.world import DAY, World, refusal

EXPIRES = '{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2023-11-20T00:00:00.000Z"}}'
WARNS = '{"Type":"ExpirationNotification","Version":"1.0","Attributes":{"Before":"2","Unit":"Days"}}'
UNCHANGED = '{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"12","Unit":"Hours"}}'
EXPIRY = 1_700_438_400.0


class Events:
    """EventBridge, as far as policies ask for it."""

    def __init__(self) -> None:
        self.service = Service("events")
        self.told: list[dict[str, Any]] = []
        told = self.told

        async def put_events(req: dict[str, Any], call: Any) -> dict[str, Any]:
            told.extend(req["Entries"])
            return {"FailedEntryCount": 0, "Entries": []}

        self.service.operation(put_events)


async def test_an_expired_parameter_is_deleted() -> None:
    world = World()
    aws = world.aws()
    await aws.ssm.put_parameter(Name="/a", Value="x", Type="String", Tier="Advanced", Policies=f"[{EXPIRES}]")
    assert await world.settle() == EXPIRY
    world.crash()
    world.clock.time = EXPIRY - 1
    assert await world.settle() == EXPIRY
    world.clock.time = EXPIRY
    await world.settle()
    assert (await world.aws().ssm.get_parameters(Names=["/a"]))["InvalidParameters"] == ["/a"]


async def test_an_expiration_that_was_moved_holds() -> None:
    world = World()
    aws = world.aws()
    put = {"Name": "/a", "Value": "x", "Overwrite": True}
    await aws.ssm.put_parameter(Type="String", Tier="Advanced", Policies=f"[{EXPIRES}]", **put)
    await aws.ssm.put_parameter(**put, Policies=f"[{EXPIRES.replace('11-20', '11-25')}]")
    assert await world.settle() == EXPIRY + 5 * DAY
    await aws.ssm.put_parameter(**put)  # says nothing of policies, so they stay
    assert await world.settle() == EXPIRY + 5 * DAY
    await aws.ssm.put_parameter(**put, Policies="[]")
    assert await world.settle() is None


async def test_notifications_come_once_and_again_after_a_change() -> None:
    events = Events()
    world = World(events.service)
    aws = world.aws()
    policies = f"[{EXPIRES},{WARNS},{UNCHANGED}]"
    await aws.ssm.put_parameter(Name="/a", Value="x", Type="String", Tier="Advanced", Policies=policies)
    began = world.clock.now()
    assert await world.settle() == began + DAY / 2
    world.clock.advance(DAY)
    assert await world.settle() == EXPIRY - 2 * DAY
    await aws.ssm.put_parameter(Name="/a", Value="y", Overwrite=True)
    world.clock.time = EXPIRY - 1
    assert await world.settle() == EXPIRY
    assert sorted(each["Source"] + each["Resources"][0][-2:] for each in events.told) == ["aws.ssm/a"] * 3
    shown = (await aws.ssm.describe_parameters())["Parameters"][0]["Policies"]
    assert [each["PolicyStatus"] for each in shown] == ["Pending", "Finished", "Finished"]


async def test_without_anybody_to_tell_a_notification_has_failed() -> None:
    world = World()
    aws = world.aws()
    await aws.ssm.put_parameter(Name="/a", Value="x", Type="String", Tier="Advanced", Policies=f"[{UNCHANGED}]")
    world.clock.advance(DAY)
    assert await world.settle() is None
    shown = (await aws.ssm.describe_parameters())["Parameters"][0]["Policies"]
    assert [each["PolicyStatus"] for each in shown] == ["Failed"]


@pytest.mark.parametrize(
    ("policies", "code"),
    [
        ("[", "ValidationException"),
        ('[{"Type":"Other","Version":"1.0","Attributes":{}}]', "InvalidPolicyTypeException"),
        (f"[{EXPIRES},{EXPIRES}]", "IncompatiblePolicyException"),
        (f"[{WARNS}]", "IncompatiblePolicyException"),
        (f"[{EXPIRES.replace('2023', 'then')}]", "InvalidPolicyAttributeException"),
        (f"[{UNCHANGED.replace('Hours', 'Weeks')}]", "InvalidPolicyAttributeException"),
        (f"[{UNCHANGED.replace('12', '-1')}]", "InvalidPolicyAttributeException"),
        ("[" + ",".join([UNCHANGED] * 11) + "]", "PoliciesLimitExceededException"),
    ],
)
async def test_policies_that_cannot_be(policies: str, code: str) -> None:
    put = World().aws().ssm.put_parameter
    assert await refusal(put(Name="/a", Value="x", Type="String", Tier="Advanced", Policies=policies)) == code


async def test_a_key_that_changed_while_a_value_was_encrypted_is_the_one_it_is_under() -> None:
    world = World()
    aws = world.aws()
    key = (await aws.kms.create_key())["KeyMetadata"]["KeyId"]
    put_ = {"Name": "/a", "Overwrite": True}
    await aws.ssm.put_parameter(Name="/a", Value="1", Type="SecureString")
    # The pattern takes its time, in which somebody else gives the parameter another key.
    slow = asyncio.create_task(aws.ssm.put_parameter(**put_, Value="2", AllowedPattern="^[0-9]$"))
    await asyncio.sleep(0)
    await aws.ssm.put_parameter(**put_, Value="3", KeyId=key)
    assert (await slow)["Version"] == 3
    found = await aws.ssm.get_parameter(Name="/a", WithDecryption=True)
    assert found["Parameter"]["Value"] == "2"
    assert (await aws.ssm.describe_parameters())["Parameters"][0]["KeyId"] == key
    await aws.kms.disable_key(KeyId=key)
    assert await refusal(aws.ssm.get_parameter(Name="/a", WithDecryption=True)) == "InvalidKeyId"


async def test_there_are_only_so_many_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(put.MOST, "Standard", 2)
    aws = World().aws()
    for name in ("/a", "/b"):
        await aws.ssm.put_parameter(Name=name, Value="x", Type="String")
    again = {"Value": "y", "Type": "String"}
    assert await refusal(aws.ssm.put_parameter(Name="/c", **again)) == "ParameterLimitExceeded"
    assert (await aws.ssm.put_parameter(Name="/a", Overwrite=True, **again))["Version"] == 2
    assert (await aws.ssm.put_parameter(Name="/c", Tier="Advanced", **again))["Version"] == 1
