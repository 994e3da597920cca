"""All that ECR's operations work with beside the store: the engine, its names, its tokens. Made once, at start.

    registry = open_registry(folder, plane, sealer, naming, identities, open_to=None)
    await registry.engine.prepare()
    plane.provide(Registry, registry)                                  # the operations find it
    front(aws=plane.path, registry=mount(registry.engine), …)          # clients find it
    Runner(…, [Lifecycle(store, clock)])
    tasks.start(registry.keep_collecting(), "collection")

Before the store closes, `registry.engine.close()`.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import msgspec

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError
from hatoba.core.secret import Sealer
from hatoba.gateway.access import Identities
from hatoba.gateway.call import Platform, Principal
from hatoba.registry.collection import Collected, collect
from hatoba.registry.engine import Engine
from hatoba.registry.problems import Problem
from hatoba.services.ecr.distribution import StoredRepositories
from hatoba.services.ecr.naming import Naming
from hatoba.services.ecr.permits import Permits
from hatoba.services.ecr.tokens import Tokens

log = logging.getLogger(__name__)

COLLECT_SECONDS = 3600.0  # between two collections


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    engine: Engine
    naming: Naming
    tokens: Tokens
    clock: Clock

    async def collect(self) -> Collected:
        """Gives back the space of what no repository has."""
        return await collect(self.engine.blobs, self.engine.uploads, self.engine.repositories, self.clock)

    async def keep_collecting(self) -> None:
        """For as long as the control plane runs. A disk that fails is logged; the next turn may find it mended."""
        while True:
            try:
                collected = await self.collect()
            except (PortError, Problem) as error:
                log.error("the registry's collection failed: %s", error)
            else:
                log.info("the registry's collection: %s", collected)
            await asyncio.sleep(COLLECT_SECONDS)


def open_registry(
    folder: Path,
    platform: Platform,
    sealer: Sealer,
    naming: Naming,
    identities: Identities,
    *,
    open_to: Principal | None = None,
) -> Registry:
    """`identities`: whose keys work; `open_to`: whoever comes without credentials, with `--auth off`."""
    clock = platform.clock
    tokens = Tokens(sealer, clock, identities, open_to)
    repositories = StoredRepositories(platform.store, naming, clock, Permits(platform, judged=tokens.checked).admit)
    engine = Engine(folder, repositories, tokens, ids=platform.ids, realm=naming.proxy_endpoint(naming.default))
    return Registry(engine=engine, naming=naming, tokens=tokens, clock=clock)
