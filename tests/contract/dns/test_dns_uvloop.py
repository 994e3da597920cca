"""The same on the event loop of the product, whose transports are other ones than Python's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from tests.contract.dns import test_dns_forward, test_dns_sockets

Scenario = Callable[[], Coroutine[Any, Any, None]]
SCENARIOS: dict[str, Scenario] = {
    name: scenario
    for module in (test_dns_forward, test_dns_sockets)
    for name, scenario in vars(module).items()
    if name.startswith("test_")
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_on_uvloop(name: str) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(SCENARIOS[name]())
