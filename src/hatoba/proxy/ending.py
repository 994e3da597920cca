"""Connections that a network balancer is to end: to targets that were dropped or found unhealthy, where their group
wants that.

Envoy lets a flow last for as long as both ends like. So the kernel is asked to end the sockets towards the target;
Envoy then ends the clients' sides. A datagram's flow has no end but its silence.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
from collections.abc import Collection, Iterator
from typing import NamedTuple

from hatoba.proxy.base import TargetKey, Wanted

log = logging.getLogger(__name__)

_TIMEOUT = 10.0


class Place(NamedTuple):
    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def dropped(before: Wanted, after: Wanted) -> frozenset[Place]:
    """Where connections are to end, as nobody there is a target any more."""
    there = frozenset(_places(before, ending=True))
    return there - frozenset(_places(after, ending=False)) if there else there


def _places(wanted: Wanted, *, ending: bool) -> Iterator[Place]:
    for group in wanted.groups:
        if group.attributes.end_removed or not ending:
            for target in group.targets:
                yield Place(target.address, target.port)


def unhealthy(wanted: Wanted, key: TargetKey) -> frozenset[Place]:
    """Where connections are to end, as that target is unhealthy."""
    group = next((each for each in wanted.groups if each.id == key.group), None)
    if group is None or not group.attributes.end_unhealthy:
        return frozenset()
    return frozenset(Place(each.address, each.port) for each in group.targets if each.id == key.target)


async def end(places: Collection[Place], netns: str | None) -> None:
    """In the network namespace `netns`, None for the present one."""
    enter = ("nsenter", f"--net={netns}") if netns else ()
    for place in places:
        command = (*enter, "ss", "--kill", "--tcp", "--no-header", "dst", f"= {place}")
        process = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            async with asyncio.timeout(_TIMEOUT):
                _, said = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            said = b"no answer in time"
        if said:
            log.warning("connections to %s do not end: %s", place, said.decode(errors="replace").strip())
