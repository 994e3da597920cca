"""What time does to keys, parameters and secrets: deletion, expiry, rotation, replication; also over a crash."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hatoba.core.errors import AwsError
from hatoba.gateway.room import Service
from hatoba.services.kms.crypto import pairs
from hatoba.services.ssm.api import put
from tests.unit.services.keeping.world import DAY, Functions, World

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:rotate"
MIDNIGHT = 1_699_920_000.0  # of the day on which the clock stands


async def refusal(asked: Any) -> str:
    with pytest.raises(AwsError) as caught:
        await asked
    return caught.value.code


# --- keys


async def test_a_key_is_deleted_when_its_time_has_come() -> None:
    world = World()
    aws = world.aws()
    key = (await aws.kms.create_key())["KeyMetadata"]["KeyId"]
    await aws.kms.create_alias(AliasName="alias/a", TargetKeyId=key)
    when = (await aws.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7))["DeletionDate"]
    assert await world.settle() == when == world.clock.now() + 7 * DAY
    world.crash()
    world.clock.time = when - 1
    assert await world.settle() == when
    world.clock.time = when
    await world.settle()
    assert await refusal(world.aws().kms.describe_key(KeyId=key)) == "NotFoundException"
    assert (await world.aws().kms.list_aliases())["Aliases"] == []


async def test_a_primary_waits_for_its_replicas() -> None:
    world = World()
    here, there = world.aws(), world.aws("eu-west-1")
    key = (await here.kms.create_key(MultiRegion=True))["KeyMetadata"]["KeyId"]
    for region in ("eu-west-1", "eu-west-2"):
        await here.kms.replicate_key(KeyId=key, ReplicaRegion=region)
    await here.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    await there.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=10)
    await world.aws("eu-west-2").kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=12)
    world.clock.advance(10 * DAY)
    assert await world.settle() == world.clock.now() + 2 * DAY
    assert (await here.kms.describe_key(KeyId=key))["KeyMetadata"]["KeyState"] == "PendingReplicaDeletion"
    world.clock.advance(2 * DAY)
    assert await world.settle() == world.clock.now() + 7 * DAY
    shown = (await here.kms.describe_key(KeyId=key))["KeyMetadata"]
    assert shown["KeyState"] == "PendingDeletion"
    assert shown["MultiRegionConfiguration"]["ReplicaKeys"] == []


async def test_keys_rotate_by_themselves_and_old_ciphertexts_stay_readable() -> None:
    world = World()
    aws = world.aws()
    key = (await aws.kms.create_key())["KeyMetadata"]["KeyId"]
    await aws.kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    blobs = []
    for _ in range(3):
        blobs.append((await aws.kms.encrypt(KeyId=key, Plaintext=b"x"))["CiphertextBlob"])
        world.clock.advance(90 * DAY)
        assert await world.settle() == world.clock.now() + 90 * DAY
    world.crash()
    for blob in blobs:
        assert (await world.aws().kms.decrypt(CiphertextBlob=blob))["Plaintext"] == b"x"
    rotations = (await world.aws().kms.list_key_rotations(KeyId=key))["Rotations"]
    assert [each["RotationType"] for each in rotations] == ["AUTOMATIC"] * 3


async def test_a_disabled_key_does_not_rotate() -> None:
    world = World()
    aws = world.aws()
    key = (await aws.kms.create_key())["KeyMetadata"]["KeyId"]
    await aws.kms.enable_key_rotation(KeyId=key)
    await aws.kms.disable_key(KeyId=key)
    world.clock.advance(400 * DAY)
    assert await world.settle() is None
    await aws.kms.enable_key(KeyId=key)
    await world.settle()
    assert len((await aws.kms.list_key_rotations(KeyId=key))["Rotations"]) == 1


async def test_imported_material_expires_and_can_be_brought_again() -> None:
    world = World()
    kms = world.aws().kms
    key = (await kms.create_key(Origin="EXTERNAL"))["KeyMetadata"]["KeyId"]

    async def bring(seconds: float) -> None:
        how = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
        asked = await kms.get_parameters_for_import(KeyId=key, **how)
        wrapped = pairs.encrypt(asked["PublicKey"], "RSAES_OAEP_SHA_256", b"m" * 32)
        when = world.clock.now() + seconds
        token = {"ImportToken": asked["ImportToken"], "EncryptedKeyMaterial": wrapped, "ValidTo": when}
        await kms.import_key_material(KeyId=key, **token)

    await bring(DAY)
    blob = (await kms.encrypt(KeyId=key, Plaintext=b"x"))["CiphertextBlob"]
    assert await world.settle() == world.clock.now() + DAY
    world.clock.advance(DAY)
    assert await world.settle() is None
    assert (await kms.describe_key(KeyId=key))["KeyMetadata"]["KeyState"] == "PendingImport"
    assert await refusal(kms.decrypt(CiphertextBlob=blob)) == "KMSInvalidStateException"
    await bring(DAY)
    assert (await kms.decrypt(CiphertextBlob=blob))["Plaintext"] == b"x"


async def test_a_wrapping_key_is_good_for_a_day() -> None:
    world = World()
    kms = world.aws().kms
    key = (await kms.create_key(Origin="EXTERNAL"))["KeyMetadata"]["KeyId"]
    how = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    asked = await kms.get_parameters_for_import(KeyId=key, **how)
    world.clock.advance(DAY)
    brought = {"ImportToken": asked["ImportToken"], "EncryptedKeyMaterial": b"x" * 256}
    for_ever = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
    assert await refusal(kms.import_key_material(KeyId=key, **brought, **for_ever)) == "ExpiredImportTokenException"


# --- parameters

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


# --- secrets


async def test_a_secret_is_gone_after_its_days() -> None:
    world = World()
    aws = world.aws()
    await aws.secretsmanager.create_secret(Name="a", SecretString="x")
    when = (await aws.secretsmanager.delete_secret(SecretId="a", RecoveryWindowInDays=7))["DeletionDate"]
    assert await world.settle() == when
    world.crash()
    world.clock.time = when
    assert await world.settle() is not None  # the key of secretsmanager rotates one day
    assert await refusal(world.aws().secretsmanager.describe_secret(SecretId="a")) == "ResourceNotFoundException"


async def test_a_restored_secret_stays() -> None:
    world = World()
    aws = world.aws()
    await aws.secretsmanager.create_secret(Name="a", SecretString="x")
    await aws.secretsmanager.delete_secret(SecretId="a")
    await aws.secretsmanager.restore_secret(SecretId="a")
    world.clock.advance(31 * DAY)
    await world.settle()
    assert (await aws.secretsmanager.get_secret_value(SecretId="a"))["SecretString"] == "x"


async def test_replicas_follow_their_primary() -> None:
    world = World()
    here, there = world.aws().secretsmanager, world.aws("eu-west-1").secretsmanager
    made = await here.create_secret(
        Name="a", SecretString="1", AddReplicaRegions=[{"Region": "eu-west-1"}], Tags=[{"Key": "k", "Value": "v"}]
    )
    assert made["ReplicationStatus"][0]["Status"] == "InProgress"
    await world.settle()
    assert (await here.describe_secret(SecretId="a"))["ReplicationStatus"][0]["Status"] == "InSync"
    copy = await there.get_secret_value(SecretId="a")
    assert (copy["SecretString"], copy["VersionId"]) == ("1", made["VersionId"])
    assert copy["ARN"] == made["ARN"].replace("us-east-1", "eu-west-1")
    await here.put_secret_value(SecretId="a", SecretString="2")
    await here.update_secret(SecretId="a", Description="d")
    await here.tag_resource(SecretId="a", Tags=[{"Key": "l", "Value": "w"}])
    await world.settle()
    assert (await there.get_secret_value(SecretId="a"))["SecretString"] == "2"
    assert (await there.get_secret_value(SecretId="a", VersionStage="AWSPREVIOUS"))["SecretString"] == "1"
    shown = await there.describe_secret(SecretId="a")
    assert (shown["Description"], shown["PrimaryRegion"], len(shown["Tags"])) == ("d", "us-east-1", 2)
    assert await refusal(there.put_secret_value(SecretId="a", SecretString="3")) == "InvalidRequestException"
    assert await refusal(here.delete_secret(SecretId="a")) == "InvalidRequestException"
    await here.remove_regions_from_replication(SecretId="a", RemoveReplicaRegions=["eu-west-1"])
    await world.settle()
    assert await refusal(there.describe_secret(SecretId="a")) == "ResourceNotFoundException"


async def test_a_replica_becomes_a_secret_of_its_own() -> None:
    world = World()
    here, there = world.aws().secretsmanager, world.aws("eu-west-1").secretsmanager
    await here.create_secret(Name="a", SecretString="1", AddReplicaRegions=[{"Region": "eu-west-1"}])
    await world.settle()
    await there.stop_replication_to_replica(SecretId="a")
    await here.put_secret_value(SecretId="a", SecretString="2")
    await there.put_secret_value(SecretId="a", SecretString="3")
    await world.settle()
    assert (await here.get_secret_value(SecretId="a"))["SecretString"] == "2"
    assert (await there.get_secret_value(SecretId="a"))["SecretString"] == "3"
    assert "ReplicationStatus" not in await here.describe_secret(SecretId="a")


async def test_a_secret_in_the_way_of_a_replica() -> None:
    world = World()
    here, there = world.aws().secretsmanager, world.aws("eu-west-1").secretsmanager
    await there.create_secret(Name="a", SecretString="mine")
    await here.create_secret(Name="a", SecretString="1", AddReplicaRegions=[{"Region": "eu-west-1"}])
    await world.settle()
    status = (await here.describe_secret(SecretId="a"))["ReplicationStatus"][0]
    assert (status["Status"], "already exists" in status["StatusMessage"]) == ("Failed", True)
    assert (await there.get_secret_value(SecretId="a"))["SecretString"] == "mine"
    again = {"AddReplicaRegions": [{"Region": "eu-west-1"}], "ForceOverwriteReplicaSecret": True}
    await here.replicate_secret_to_regions(SecretId="a", **again)
    await world.settle()
    assert (await there.get_secret_value(SecretId="a"))["SecretString"] == "1"


async def test_a_hundred_versions_of_a_secret_are_kept_and_those_of_the_last_day() -> None:
    world = World()
    aws = world.aws().secretsmanager
    await aws.create_secret(Name="a", SecretString="0", ClientRequestToken="0" * 32)
    await aws.update_secret_version_stage(SecretId="a", VersionStage="keep", MoveToVersionId="0" * 32)
    for number in range(99):
        await aws.put_secret_value(SecretId="a", SecretString=str(number))
    assert await refusal(aws.put_secret_value(SecretId="a", SecretString="x")) == "LimitExceededException"
    world.clock.advance(DAY + 1)
    for number in range(5):
        await aws.put_secret_value(SecretId="a", SecretString=str(number))
    kept = (await aws.list_secret_version_ids(SecretId="a", IncludeDeprecated=True))["Versions"]
    assert len(kept) == 100
    assert (await aws.get_secret_value(SecretId="a", VersionStage="keep"))["SecretString"] == "0"
    assert (await aws.get_secret_value(SecretId="a"))["SecretString"] == "4"


async def test_versions_that_a_primary_has_let_go_of_leave_its_replicas() -> None:
    world = World()
    here, there = world.aws().secretsmanager, world.aws("eu-west-1").secretsmanager
    await here.create_secret(Name="a", SecretString="0", AddReplicaRegions=[{"Region": "eu-west-1"}])
    for number in range(98):
        await here.put_secret_value(SecretId="a", SecretString=str(number))
    await world.settle()
    world.clock.advance(DAY + 1)
    for number in range(5):
        await here.put_secret_value(SecretId="a", SecretString=str(number))
    await world.settle()
    versions = [
        {each["VersionId"] for each in (await aws.list_secret_version_ids(SecretId="a", **every))["Versions"]}
        for aws in (here, there)
        for every in ({}, {"IncludeDeprecated": True})
    ]
    assert versions[0] == versions[2]
    assert versions[3] <= versions[1]


# --- rotation


async def rotating(world: World, **rules: Any) -> Any:
    aws = world.aws().secretsmanager
    await aws.create_secret(Name="a", SecretString="1", ClientRequestToken="1" * 32)
    given = {"RotationLambdaARN": FUNCTION, "RotationRules": rules or {"AutomaticallyAfterDays": 30}}
    await aws.rotate_secret(SecretId="a", ClientRequestToken="2" * 32, **given)
    return aws


async def test_without_functions_rotation_is_refused() -> None:
    aws = World().aws().secretsmanager
    await aws.create_secret(Name="a", SecretString="1")
    given = {"RotationLambdaARN": FUNCTION, "RotationRules": {"AutomaticallyAfterDays": 30}}
    assert await refusal(aws.rotate_secret(SecretId="a", **given)) == "InvalidRequestException"
    assert "RotationEnabled" not in await aws.describe_secret(SecretId="a")


async def test_a_rotation_goes_through_its_steps() -> None:
    functions = Functions()
    world = World(functions.service)
    aws = await rotating(world)
    assert await refusal(aws.rotate_secret(SecretId="a")) == "InvalidRequestException"  # one is under way
    following = await world.settle()
    assert functions.steps == ["createSecret", "setSecret", "testSecret", "finishSecret"]
    assert (await aws.get_secret_value(SecretId="a"))["SecretString"] == f"rotated {'2' * 32}"
    shown = await aws.describe_secret(SecretId="a")
    assert shown["VersionIdsToStages"] == {"1" * 32: ["AWSPREVIOUS"], "2" * 32: ["AWSCURRENT"]}
    assert shown["LastRotatedDate"] == world.clock.now()
    assert following == shown["NextRotationDate"] == MIDNIGHT + 30 * DAY
    world.clock.time = following
    await world.settle()
    assert len(functions.steps) == 8
    assert (await aws.get_secret_value(SecretId="a", VersionStage="AWSPREVIOUS"))["VersionId"] == "2" * 32


async def test_a_rotation_goes_on_after_a_crash() -> None:
    functions = Functions()
    world = World(functions.service)
    await rotating(world)
    await world.store.durable()
    world.crash()
    await world.settle()
    assert functions.steps[-1] == "finishSecret"
    found = await world.aws().secretsmanager.get_secret_value(SecretId="a")
    assert found["VersionId"] == "2" * 32


async def test_a_rotation_that_fails_is_tried_again_and_then_waits() -> None:
    functions = Functions()
    functions.fail = {"testSecret"}
    world = World(functions.service)
    aws = await rotating(world)
    for wait in (10.0, 20.0, 40.0, 80.0):
        assert await world.settle() == world.clock.now() + wait
        world.clock.advance(wait)
    assert await world.settle() == MIDNIGHT + 30 * DAY
    assert functions.steps.count("testSecret") == 5
    assert (await aws.get_secret_value(SecretId="a"))["SecretString"] == "1"
    functions.fail = set()
    world.clock.time = MIDNIGHT + 30 * DAY
    await world.settle()
    assert (await aws.get_secret_value(SecretId="a"))["VersionId"] == "2" * 32  # the one that was begun


async def test_a_value_put_by_hand_counts_as_a_rotation() -> None:
    functions = Functions()
    world = World(functions.service)
    aws = await rotating(world)
    await world.settle()
    world.clock.advance(10 * DAY)
    await aws.put_secret_value(SecretId="a", SecretString="mine", VersionStages=["mine"])
    assert await world.settle() == MIDNIGHT + 30 * DAY
    await aws.put_secret_value(SecretId="a", SecretString="by hand")
    assert await world.settle() == MIDNIGHT + 40 * DAY


async def test_a_cancelled_rotation_stops() -> None:
    functions = Functions()
    world = World(functions.service)
    aws = await rotating(world)
    assert (await aws.cancel_rotate_secret(SecretId="a"))["VersionId"] == "2" * 32
    world.clock.advance(60 * DAY)
    await world.settle()
    assert functions.steps == []
    assert not (await aws.describe_secret(SecretId="a"))["RotationEnabled"]


async def test_a_rotation_may_wait_for_its_time() -> None:
    functions = Functions()
    world = World(functions.service)
    aws = world.aws().secretsmanager
    await aws.create_secret(Name="a", SecretString="1")
    rules = {"ScheduleExpression": "cron(0 4 15 * ? *)", "Duration": "3h"}
    await aws.rotate_secret(SecretId="a", RotationLambdaARN=FUNCTION, RotationRules=rules, RotateImmediately=False)
    assert "AWSPENDING" in str((await aws.describe_secret(SecretId="a"))["VersionIdsToStages"])
    when = await world.settle()
    assert functions.steps == ["testSecret"]  # tried out, on a version that has gone
    assert list((await aws.describe_secret(SecretId="a"))["VersionIdsToStages"].values()) == [["AWSCURRENT"]]
    assert when == MIDNIGHT + DAY + 4 * 3600  # the 15th of November, 2023
    world.clock.time = when
    await world.settle()
    assert functions.steps[1:] == ["createSecret", "setSecret", "testSecret", "finishSecret"]
    assert (await aws.get_secret_value(SecretId="a"))["SecretString"].startswith("rotated")
