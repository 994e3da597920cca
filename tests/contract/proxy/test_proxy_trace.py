"""The trace header with a real Envoy: the same by the module and by the script, and what becomes of a bad module."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hatoba.proxy import tracer
from hatoba.proxy.base import Balancer, HeaderIs, Listener, Rejected, Wanted
from tests.contract.proxy.proxy_rigs import Backend, Namespace, RealRig, forward, group, read_text, until, wanted
from tests.contract.proxy.serving import NEVER
from tests.contract.proxy.test_proxy_rules import request, ruled, says
from tools import compile_module

pytestmark = pytest.mark.real

ID = "1-[0-9a-f]{8}-[0-9a-f]{24}"
SENT = "Root=1-67891233-abcdef012345678912345678"


@pytest.fixture(params=["module", "script"])
async def traced(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RealRig]:
    async with rig(tmp_path_factory.mktemp("px"), tracer.module() if request.param == "module" else "") as made:
        yield made


class rig:
    """With a module of one's own, and several workers."""

    def __init__(self, directory: Path, module: str, workers: int = 1) -> None:
        self._directory, self._module, self._workers = directory, module, workers

    async def __aenter__(self) -> RealRig:
        self._namespace = Namespace()
        self._rig = RealRig(self._directory, self._namespace)
        self._rig.tracer, self._rig.concurrency = self._module, self._workers
        self._rig.proxy = self._rig.make()
        await self._rig.start()
        return self._rig

    async def __aexit__(self, *_: object) -> None:
        await self._rig.stop()
        self._namespace.close()


def traces(backend: Backend) -> list[str]:
    """Of its last request."""
    return re.findall(r"(?m)^X-Amzn-Trace-Id: (.*?)\r$", backend.seen[-1])


async def serving(rig: RealRig) -> Backend:
    backend = await rig.backend("a")
    await rig.proxy.apply(wanted(forward("web"), group("web", backend, check=NEVER)))
    await rig.facts.until(rig.proxy, "web", {"a": "healthy"})
    return backend


async def test_a_request_without_a_trace_gets_a_root_of_this_moment(traced: RealRig) -> None:
    backend = await serving(traced)
    before = int(time.time())
    await traced.raw(request("web", "/"))
    (trace,) = traces(backend)
    assert re.fullmatch(f"Root={ID}", trace)
    assert before <= int(trace[7:15], 16) <= time.time()


@pytest.mark.parametrize(
    ("sent", "goes_on"),
    [
        ([SENT], SENT),
        (["Self=1-67891234-12456789abcdef012345678;" + SENT], "Self=1-67891234-12456789abcdef012345678;" + SENT),
        ([SENT, "Lineage=a:1", "x"], f"{SENT},Lineage=a:1,x"),
        ([""], ""),
        ([SENT + ";CalledFrom=" + "x" * 20_000], SENT + ";CalledFrom=" + "x" * 20_000),
    ],
)
async def test_a_trace_goes_on_with_this_hop_in_front(traced: RealRig, sent: list[str], goes_on: str) -> None:
    backend = await serving(traced)
    await traced.raw(request("web", "/", *(f"X-Amzn-Trace-Id: {each}" for each in sent)))
    (trace,) = traces(backend)
    found = re.fullmatch(f"Self={ID};(.*)", trace)
    assert found is not None
    assert found[1] == goes_on


async def test_rules_see_what_the_client_sent(traced: RealRig) -> None:
    def on(value: str) -> HeaderIs:
        return HeaderIs(name="X-Amzn-Trace-Id", values=(value,))

    await traced.proxy.apply(
        ruled(
            says("mine", on(SENT), priority=1),
            says("hop", on("Self=*"), priority=2),
            says("any", HeaderIs(name="x-amzn-trace-id", expressions=("Root=",)), priority=3),
        )
    )
    for headers, expected in (
        ([], "default"),
        ([SENT], "mine"),
        ([SENT.upper()], "mine"),
        ([SENT + "0"], "any"),
        ([f"Self=1-0-0;{SENT}"], "hop"),
        (["nothing"], "default"),
    ):
        sent = request("web", "/", *(f"X-AMZN-trace-id: {each}" for each in headers))
        assert (await traced.raw(sent)).endswith(f"\r\n\r\n{expected}"), headers


async def test_no_two_requests_have_the_same_root_whichever_thread_has_them(tmp_path: Path) -> None:
    async with rig(tmp_path, tracer.module(), workers=4) as real:
        backend = await serving(real)

        async def ask(count: int) -> None:
            reader, writer = await real.connect()
            for _ in range(count):
                writer.write(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
                await read_text(reader)
            writer.close()

        await asyncio.gather(*(ask(50) for _ in range(24)))
        roots = [re.search(f"Root={ID}", head)[0] for head in backend.seen]  # type: ignore[index]
        assert len(set(roots)) == len(roots) == 24 * 50


def offered(real: RealRig) -> str:
    """Who writes the header, by what Envoy was told last and has; "" while it has not."""
    session = real.server._envoys["vpc-1"].session
    if session is None or not session.settled or session.refusals:
        return ""
    bodies = [each.body for each in session.offered["listener"].values()]
    return "module" if all(b"dynamic_modules" in body for body in bodies) else "script"


@pytest.mark.parametrize("wrong", ["another program", "no such file", "no module"])
async def test_where_envoy_does_not_take_the_module_a_script_writes_the_header(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    module = tmp_path / "wrong.so"
    if wrong == "another program":
        made = tracer.wanted()
        assert made is not None
        compile_module.compiled(made._replace(program=made.program + 1), module)
        assert "Failed to initialize dynamic module" in compile_module.refused(module)
    elif wrong == "no module":
        module.write_bytes(b"#!/bin/sh\n")
    async with rig(tmp_path, str(module)) as real:
        with caplog.at_level(logging.WARNING):
            backend = await serving(real)
        assert "a script writes the trace headers of vpc-1" in caplog.text
        await real.raw(request("web", "/"))
        assert len(traces(backend)) == 1
        assert offered(real) == "script"


async def test_the_next_envoy_is_offered_the_module_again(tmp_path: Path) -> None:
    """One that was made for another program says no; the one that takes over from it does not."""
    link = tmp_path / "trace.so"
    async with rig(tmp_path, str(link)) as real:
        backend = await serving(real)
        assert offered(real) == "script"
        link.symlink_to(tracer.module())
        await real.proxy.renew()
        await until(lambda: offered(real) == "module")
        await real.raw(request("web", "/"))
        assert len(traces(backend)) == 1


async def test_what_else_envoy_refuses_is_no_reason_to_give_the_module_up(real: RealRig) -> None:
    backend = await serving(real)
    taken = Listener(id="taken", port=backend.port, default=forward("web"), rules=())
    both = Balancer(id="b", addresses=("127.0.0.1",), listeners=(taken,))
    with pytest.raises(Rejected):
        await real.proxy.apply(Wanted(balancers=(both,), groups=(group("web", backend, check=NEVER),)))
    bodies = [each.body for each in real.proxy._snapshot["listener"].values()]  # type: ignore[index]
    assert bodies
    assert all(b"dynamic_modules" in body for body in bodies)
