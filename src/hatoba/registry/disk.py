"""Work on the disk, beside the loop (`core.disk`), and what goes wrong with it here."""

from __future__ import annotations

import errno

from hatoba.core import disk
from hatoba.core.errors import PortError
from hatoba.registry.problems import Problem


class Disk(disk.Disk):
    def __init__(self, threads: int = 16) -> None:
        super().__init__("registry-disk", translated, threads)


def translated(error: OSError) -> Problem | PortError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem("NO_SPACE")
    return PortError(errno.errorcode.get(error.errno or 0, "EIO"), str(error))
