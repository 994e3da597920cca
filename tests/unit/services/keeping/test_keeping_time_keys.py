"""What time does to keys: deletion, rotation, material that expires; also over a crash."""

from __future__ import annotations

from hatoba.services.kms.crypto import pairs
from tests.unit.services.keeping.world import DAY, World, refusal


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
