"""Work on the disk, beside the loop (`core.disk`), and what goes wrong with it here."""

from __future__ import annotations

import errno

from hatoba.core import disk
from hatoba.core.errors import PortError


class Full(PortError):
    """There is no space left on the disk."""


class Disk(disk.Disk):
    def __init__(self, threads: int = 16) -> None:
        super().__init__("objects-disk", translated, threads)


def translated(error: OSError) -> PortError:
    kind = Full if error.errno in (errno.ENOSPC, errno.EDQUOT) else PortError
    return kind(errno.errorcode.get(error.errno or 0, "EIO"), str(error))
