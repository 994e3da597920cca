"""All that ECR's operations work with beside the store: the engine, its names, its tokens. Made once, at start.

registry = open_registry(folder, store, clock, ids, sealer, naming, open_to=None)
await registry.engine.prepare()
routes["/v2"] = mount(registry.engine)          # platform.get(Registry) hands it to the operations
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from hatoba.core.clock import Clock
from hatoba.core.ids import Ids
from hatoba.core.secret import Sealer
from hatoba.registry.collection import Collected, collect
from hatoba.registry.engine import Engine
from hatoba.services.ecr.distribution import StoredRepositories
from hatoba.services.ecr.naming import Naming
from hatoba.services.ecr.tokens import Tokens
from hatoba.store import Store


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    engine: Engine
    naming: Naming
    tokens: Tokens
    clock: Clock

    async def collect(self) -> Collected:
        """Gives back the space of what no repository has; once an hour is plenty."""
        return await collect(self.engine.blobs, self.engine.uploads, self.engine.repositories, self.clock)


def open_registry(
    folder: Path,
    store: Store,
    clock: Clock,
    ids: Ids,
    sealer: Sealer,
    naming: Naming,
    *,
    open_to: str | None = None,
) -> Registry:
    """`open_to`: the principal's ARN of whoever comes without credentials, with `--auth off`."""
    tokens = Tokens(sealer, clock, open_to)
    repositories = StoredRepositories(store, naming, tokens, clock)
    engine = Engine(folder, repositories, tokens, ids=ids, realm=naming.proxy_endpoint(naming.default))
    return Registry(engine=engine, naming=naming, tokens=tokens, clock=clock)
