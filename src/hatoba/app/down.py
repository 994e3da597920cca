"""Ends everything that belongs to an instance on this machine: it works without any process of ours running.

Proxies first (they hold addresses), then containers, then what carries their output, then the networks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

from hatoba.app.node import network_settings, runtime_settings
from hatoba.app.places import RUN, Places
from hatoba.network.fabric import KernelFabric
from hatoba.node.logs.link import SpoolerLink
from hatoba.node.session import Identity
from hatoba.proxy.process import EnvoyProcess
from hatoba.proxy.signin.process import SignInProcess
from hatoba.runtime.containerd.runtime import stop_leftovers


async def end_node(places: Places) -> None:
    """Tasks, networks, proxies, containerd."""
    for name in _folders(places.run / "proxy"):
        directory = places.run / "proxy" / name
        socket = places.run / "proxy" / "config.sock"
        await SignInProcess(directory=directory, netns=None).stop()
        await EnvoyProcess(node=name, directory=directory, config_socket=socket, netns=None).stop()
    await stop_leftovers(runtime_settings(places))
    if "output" in _folders(places.node):
        link = SpoolerLink(places.node / "output", lambda: None, lambda _: None)
        await link.stop_running()
    identity = Identity(places.node / "identity")
    if identity.exists:
        pool, transit = identity.addresses
        await KernelFabric(network_settings(places, pool, transit, pool6=identity.pool6)).teardown()
    await asyncio.to_thread(shutil.rmtree, places.node / "tasks", True)


def _folders(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []


def forget_run(places: Places) -> None:
    shutil.rmtree(places.run, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.rmdir(RUN)
