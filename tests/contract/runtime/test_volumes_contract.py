"""Volumes and limits of storage, as the node agent relies on them, whichever runtime is below it."""

from __future__ import annotations

import pytest

from hatoba.core.errors import PortError
from hatoba.runtime.base import Mount, Resources, Volume
from hatoba.runtime.failures import Failure
from tests.contract.runtime.worlds import World, spec

FOREVER = ("sleep", "60")
DATA = Mount(target="/data", kind="volume", source="data")


async def test_a_volume_has_to_be_made_first(world: World) -> None:
    with pytest.raises(PortError) as caught:
        await world.runtime.create(await spec(world, "a", *FOREVER, group="task", mounts=(DATA,)))
    assert caught.value.code == Failure.VOLUME
    assert await world.runtime.containers() == []
    await world.runtime.make_volume(Volume(name="data", group="task"))
    await world.runtime.create(await spec(world, "a", *FOREVER, group="task", mounts=(DATA,)))


async def test_a_groups_volume_goes_with_it_and_others_stay(world: World) -> None:
    kept = Volume(name="kept", labels={"of": "team"})
    await world.runtime.make_volume(kept)
    await world.runtime.make_volume(Volume(name="data", group="task"))
    await world.runtime.make_volume(Volume(name="kept", labels={"of": "somebody else"}))  # as it was made first
    await world.runtime.set_group("task", Resources())
    await world.runtime.remove_group("task")
    assert await world.runtime.volumes() == [kept]
    with pytest.raises(PortError):
        await world.runtime.create(await spec(world, "a", *FOREVER, group="task", mounts=(DATA,)))


async def test_a_new_agent_finds_volumes_and_limits(world: World) -> None:
    await world.runtime.set_group("task", Resources(), storage=64 << 20)
    await world.runtime.make_volume(Volume(name="data", group="task"))
    await world.runtime.make_volume(Volume(name="kept"))
    runtime = await world.restart()
    found = await runtime.storage("task")
    assert found is not None
    assert found.limit == 64 << 20
    assert found.used < 8 << 20
    assert [volume.name for volume in await runtime.volumes()] == ["kept"]
    await runtime.create(await spec(world, "a", *FOREVER, group="task", mounts=(DATA,)))
    await runtime.delete("a")
    await runtime.remove_group("task")
    assert await runtime.storage("task") is None


async def test_a_group_without_a_limit_tells_no_usage(world: World) -> None:
    await world.runtime.set_group("task", Resources())
    assert await world.runtime.storage("task") is None
    assert await world.runtime.storage("nobody") is None
    await world.runtime.remove_group("task")


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden"])
async def test_a_name_that_leads_elsewhere_is_refused(world: World, name: str) -> None:
    for group in ("", "task"):
        with pytest.raises(PortError) as caught:
            await world.runtime.make_volume(Volume(name=name, group=group))
        assert caught.value.code == Failure.VOLUME
