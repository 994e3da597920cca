"""Compile the checksums that Python's library lacks, from src/hatoba/core/crc.c (into a git-ignored folder).

`make setup` calls it; it does nothing when they are there. Where they cannot be made, a sentence says why: they are
computed in Python then, slowly.
"""

from __future__ import annotations

import os
import subprocess
import sys

from hatoba.core.checksums import FOLDER, SOURCE, library

_OPTIONS = "-std=c11 -O3 -Wall -Wextra -Werror -shared -fPIC -fvisibility=hidden -Wl,-z,now,-z,relro".split()


def main() -> None:
    target = library()
    if target.exists():
        return
    FOLDER.mkdir(exist_ok=True)
    draft = target.with_suffix(f".{os.getpid()}.so")
    command = [os.environ.get("CC", "gcc"), *_OPTIONS, str(SOURCE), "-o", str(draft)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        draft.replace(target)
    except FileNotFoundError as error:
        print(f"compile_checksums: there is no C compiler ({error.filename}); CRC32C and CRC64NVME will be slow")
    except subprocess.CalledProcessError as error:
        print(f"compile_checksums: the compiler says: {error.stderr.decode(errors='replace').strip()}")
    finally:
        draft.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
