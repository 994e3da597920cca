"""Storage in a folder that can be opened again, as after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hatoba.core.ids import SeededIds
from hatoba.registry.blobs import Blobs
from hatoba.registry.disk import Disk
from hatoba.registry.uploads import Uploads


class Storage:
    """Blobs and uploads upon a folder, as one process would have them; `again` is the process after it."""

    def __init__(self, root: Path, seed: int = 0) -> None:
        self.root = root
        self.seed = seed
        self.disk = Disk()
        ids = SeededIds(seed)
        self.blobs = Blobs(root, self.disk, ids)
        self.uploads = Uploads(root, self.disk, self.blobs, ids)

    async def again(self) -> Storage:
        self.disk.close()
        later = Storage(self.root, self.seed + 1)
        await later.blobs.prepare()
        return later


@pytest.fixture
async def storage(tmp_path: Path) -> Iterator[Storage]:  # type: ignore[misc]
    storage = Storage(tmp_path)
    await storage.blobs.prepare()
    yield storage
    storage.disk.close()
