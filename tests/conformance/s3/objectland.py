"""S3 as a process, whose files can be counted."""

from __future__ import annotations

import time
from pathlib import Path

from tests.conformance.apart import Apart


class Objectland(Apart):
    service = "s3"

    def settle(self, count: int) -> bool:
        """Whether there are so many files, once those are deleted that nobody wants."""
        deadline = time.monotonic() + 10
        while len(self.files()) != count and time.monotonic() < deadline:
            time.sleep(0.01)
        return len(self.files()) == count

    def files(self) -> list[Path]:
        return sorted(path for path in (self.folder / "objects" / "bodies").glob("*/*"))
