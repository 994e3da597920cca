"""S3 as a process, whose files can be counted."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.apart import Apart
from tools.waiting import eventually


class Objectland(Apart):
    service = "s3"

    def settle(self, count: int) -> bool:
        """Until there are so many files: those are deleted in the background that nobody wants."""
        return eventually(lambda: len(self.files()) == count)

    def files(self) -> list[Path]:
        return sorted(path for path in (self.folder / "objects" / "bodies").glob("*/*"))
