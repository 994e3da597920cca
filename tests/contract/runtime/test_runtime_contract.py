"""What the node agent relies on, whichever runtime is below it."""

from __future__ import annotations

import signal

import pytest

from hatoba.core.errors import PortError
from hatoba.runtime.base import ContainerSpec, ExecSpec, Exited, OutOfMemory, Resources
from hatoba.runtime.failures import Failure
from hatoba.runtime.machine import this_platform
from tests.contract.runtime.worlds import CONFIG, World, catches, spec

FOREVER = ("sleep", "60")


async def test_a_pulled_image_has_its_config_and_is_listed_under_its_name(world: World) -> None:
    image = await world.runtime.pull(world.publish("base"), this_platform())
    assert image.config.cmd == CONFIG.cmd
    assert image.config.env == CONFIG.env
    assert image.names == ("busybox:base",)
    assert [known.digest for known in await world.runtime.images()] == [image.digest]


async def test_an_unknown_tag_is_not_found(world: World) -> None:
    source = world.publish("base")
    with pytest.raises(PortError) as caught:
        await world.runtime.pull(
            type(source)(
                name="busybox:nope", host=source.host, scheme=source.scheme, repository="busybox", reference="nope"
            ),
            this_platform(),
        )
    assert caught.value.code == Failure.IMAGE_NOT_FOUND


async def test_a_removed_image_is_gone_and_removing_it_again_is_fine(world: World) -> None:
    image = await world.runtime.pull(world.publish("base"), this_platform())
    await world.runtime.remove_image(image.digest)
    await world.runtime.remove_image(image.digest)
    assert await world.runtime.images() == []
    with pytest.raises(PortError) as caught:
        await world.runtime.create(ContainerSpec(id="a", image=image.digest, args=FOREVER))
    assert caught.value.code == Failure.IMAGE_NOT_FOUND


async def test_a_life_from_create_to_exit(world: World) -> None:
    events = world.runtime.events()
    made = await world.runtime.create(await spec(world, "a", "sh", "-c", "exit 7", labels={"task": "t1"}))
    assert (made.state, made.labels) == ("created", {"task": "t1"})
    assert await world.runtime.start("a") > 0
    exit = await world.runtime.wait("a")
    assert (exit.code, exit.oom) == (7, False)
    assert await anext(events) == Exited(id="a", exit=exit)
    [listed] = await world.runtime.containers()
    assert (listed.state, listed.exit, listed.pid) == ("stopped", exit, 0)


async def test_creating_and_starting_twice_finds_the_first(world: World) -> None:
    wanted = await spec(world, "a", *FOREVER)
    await world.runtime.create(wanted)
    await world.runtime.create(wanted)
    first = await world.runtime.start("a")
    assert await world.runtime.start("a") == first
    assert (await world.runtime.create(wanted)).pid == first
    assert len(await world.runtime.containers()) == 1


async def test_an_ended_container_starts_anew(world: World) -> None:
    await world.runtime.create(await spec(world, "a", "sh", "-c", "exit 3"))
    for _ in range(2):
        await world.runtime.start("a")
        assert (await world.runtime.wait("a")).code == 3


async def test_stop_signals_and_waits(world: World) -> None:
    await world.runtime.create(await spec(world, "a", "sh", "-c", "trap 'exit 42' TERM; while :; do sleep 0.05; done"))
    await catches(world, await world.runtime.start("a"), signal.SIGTERM)
    exit = await world.runtime.stop("a", signal.SIGTERM, 20)
    assert exit is not None
    assert exit.code == 42


async def test_stop_kills_what_does_not_listen(world: World) -> None:
    await world.runtime.create(await spec(world, "a", "sh", "-c", "trap '' TERM; while :; do sleep 1; done"))
    await world.runtime.start("a")
    exit = await world.runtime.stop("a", signal.SIGTERM, 0.2)
    assert exit is not None
    assert exit.code == 128 + signal.SIGKILL
    assert not exit.oom


async def test_stopping_what_never_ran_or_has_ended(world: World) -> None:
    await world.runtime.create(await spec(world, "a", "sh", "-c", "exit 5"))
    assert await world.runtime.stop("a", signal.SIGTERM, 1) is None
    await world.runtime.start("a")
    await world.runtime.wait("a")
    await world.runtime.signal("a", signal.SIGTERM)
    exit = await world.runtime.stop("a", signal.SIGTERM, 1)
    assert exit is not None
    assert exit.code == 5


async def test_running_out_of_memory_is_told_apart(world: World) -> None:
    events = world.runtime.events()
    limits = Resources(memory=16 << 20)
    await world.runtime.create(
        await spec(world, "a", "sh", "-c", "exec dd if=/dev/zero of=/dev/null bs=64M", resources=limits)
    )
    await world.runtime.start("a")
    exit = await world.runtime.wait("a")
    assert (exit.code, exit.oom) == (137, True)
    seen = [await anext(events)]
    while not isinstance(seen[-1], Exited):
        seen.append(await anext(events))
    assert seen[-1] == Exited(id="a", exit=exit)
    assert all(isinstance(event, OutOfMemory) for event in seen[:-1])


async def test_delete_kills_and_is_idempotent(world: World) -> None:
    await world.runtime.create(await spec(world, "a", *FOREVER))
    await world.runtime.start("a")
    await world.runtime.delete("a")
    await world.runtime.delete("a")
    assert await world.runtime.containers() == []
    with pytest.raises(PortError) as caught:
        await world.runtime.start("a")
    assert caught.value.code == Failure.CONTAINER_NOT_FOUND


async def test_a_deleted_id_can_be_used_again(world: World) -> None:
    for code in (1, 2):
        await world.runtime.create(await spec(world, "a", "sh", "-c", f"exit {code}"))
        await world.runtime.start("a")
        assert (await world.runtime.wait("a")).code == code
        await world.runtime.delete("a")


@pytest.mark.parametrize(
    "wrong",
    [
        {"args": ()},
        {"id": "../a"},
        {"cwd": "here"},
        {"cap_add": ("FLYING",)},
        {"env": ("=x",)},
        {"resources": Resources(memory=1000)},
    ],
)
async def test_an_impossible_spec_is_refused(world: World, wrong: dict[str, object]) -> None:
    good = await spec(world, "a", *FOREVER)
    fields = {name: getattr(good, name) for name in ("id", "image", "args", "env")}
    with pytest.raises(PortError) as caught:
        await world.runtime.create(ContainerSpec(**(fields | wrong)))
    assert caught.value.code == Failure.CONTAINER_SPEC
    assert await world.runtime.containers() == []


async def test_exec_tells_output_and_code(world: World) -> None:
    await world.runtime.create(await spec(world, "a", *FOREVER))
    await world.runtime.start("a")
    process = await world.runtime.exec(
        "a", ExecSpec(id="e1", args=("sh", "-c", "echo out; echo err >&2; exit 9"), attach=True)
    )
    streams = {"stdout": b"", "stderr": b""}
    async for stream, data in process.output():
        streams[stream] += data
    assert streams == {"stdout": b"out\n", "stderr": b"err\n"}
    assert (await process.wait()).code == 9
    await process.close()


async def test_exec_takes_input(world: World) -> None:
    await world.runtime.create(await spec(world, "a", *FOREVER))
    await world.runtime.start("a")
    process = await world.runtime.exec("a", ExecSpec(id="e1", args=("cat",), attach=True))
    await process.write(b"hello")
    output = process.output()
    assert await anext(output) == ("stdout", b"hello")
    await process.close_stdin()
    assert [piece async for piece in output] == []
    assert (await process.wait()).code == 0
    await process.close()


async def test_exec_unattached_tells_its_code_only(world: World) -> None:
    await world.runtime.create(await spec(world, "a", *FOREVER))
    await world.runtime.start("a")
    process = await world.runtime.exec("a", ExecSpec(id="e1", args=("true",)))
    assert (await process.wait()).code == 0
    await process.close()


async def test_closing_an_exec_kills_it(world: World) -> None:
    await world.runtime.create(await spec(world, "a", *FOREVER))
    await world.runtime.start("a")
    process = await world.runtime.exec("a", ExecSpec(id="e1", args=("sleep", "60")))
    await process.close()
    assert (await process.wait()).code == 137


async def test_exec_needs_a_running_container(world: World) -> None:
    await world.runtime.create(await spec(world, "a", "sh", "-c", "exit 0"))
    with pytest.raises(PortError) as caught:
        await world.runtime.exec("a", ExecSpec(id="e1", args=("true",)))
    assert caught.value.code == Failure.CONTAINER_STATE


async def test_stats_of_what_runs(world: World) -> None:
    await world.runtime.create(await spec(world, "a", *FOREVER, resources=Resources(memory=64 << 20, pids=20)))
    await world.runtime.create(await spec(world, "b", *FOREVER))
    await world.runtime.start("a")
    found = await world.runtime.stats(["a", "b", "nobody"])
    assert set(found) == {"a"}
    assert (found["a"].memory_limit, found["a"].pids_limit, found["a"].pids) == (64 << 20, 20, 1)
    assert found["a"].memory > 0


async def test_a_new_agent_finds_everything(world: World) -> None:
    for id, script in (("runs", "sleep 60"), ("over", "exit 4"), ("later", "sleep 0.3; exit 6"), ("new", "exit 8")):
        await world.runtime.create(await spec(world, id, "sh", "-c", script, labels={"of": id}))
        if id != "new":
            await world.runtime.start(id)
    over = await world.runtime.wait("over")
    pid = {container.id: container.pid for container in await world.runtime.containers()}["runs"]

    runtime = await world.restart()
    events = runtime.events()
    found = {container.id: container for container in await runtime.containers()}
    assert set(found) == {"runs", "over", "later", "new"}
    assert (found["runs"].state, found["runs"].pid, found["runs"].labels) == ("running", pid, {"of": "runs"})
    assert (found["over"].state, found["over"].exit) == ("stopped", over)
    assert found["new"].state == "created"
    if found["later"].state == "running":
        event = await anext(events)
        assert isinstance(event, Exited)
        assert event.id == "later"
    assert (await runtime.wait("later")).code == 6
    assert len(await runtime.images()) == 1
    await runtime.start("new")
    assert (await runtime.wait("new")).code == 8
    exit = await runtime.stop("runs", signal.SIGTERM, 0.1)
    assert exit is not None
    assert exit.code in (143, 137)
