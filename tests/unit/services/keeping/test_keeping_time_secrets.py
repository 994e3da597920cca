"""What time does to secrets: deletion, replicas, rotation; also over a crash."""

from __future__ import annotations

from typing import Any

from tests.unit.services.keeping.world import DAY, MIDNIGHT, Functions, World, refusal

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:rotate"


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
